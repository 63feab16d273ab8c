"""What meters read on a small network of every kind, against currents and voltages worked out element by element."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.flow.nodal import System, build
from grid_engine.flow.pairs import load_pairs, load_power
from grid_engine.flow.powerflow import prepare
from grid_engine.model import ABSENT, ComplexArray, Network
from grid_engine.results import NetworkState
from grid_engine.studies.instruments import meter, unearthed
from grid_engine.studies.meters import PHASE_NAMES, UNITS, Meter, Quantity
from tests.grid_engine.small import small


@pytest.fixture(scope="module")
def network() -> Network:
    """With a load to the neutral, so that it carries something."""
    plain = small()
    node, power = plain.loads.node.copy(), plain.loads.power_va.copy()
    node[1] = [[6, 9], [7, 9], [8, 9]]
    power[1] = [3e5 + 1e5j, 2e5, 1e5 + 5e4j]
    nominal = np.array([120.0, plain.buses.phase_v[2], 347.0])
    return replace(plain, loads=replace(plain.loads, node=node, power_va=power, nominal_v=nominal))


@pytest.fixture(scope="module")
def solved(network: Network) -> tuple[System, ComplexArray]:
    system = build(network, NetworkState())
    pairs, _ = load_pairs(network)
    power = load_power(network)
    flow = prepare(system, pairs, power).solve(power[:, None])
    assert flow.converged.all()
    return system, flow.voltage


def read(own: Meter, network: Network, values: np.ndarray, quantity: Quantity) -> dict[tuple[str, str], list[float]]:
    found: dict[tuple[str, str], list[float]] = {}
    for n in np.flatnonzero(own.quantity == quantity):
        ids = network.buses.ids if own.is_bus[n] else network.branch_ids
        found.setdefault((ids[own.asset[n]], PHASE_NAMES[own.phase[n]]), []).append(float(values[n]))
    return found


def volts(system: System, voltage: ComplexArray) -> ComplexArray:
    return np.append(voltage[:, 0] * system.base_v, [0, 0])


def test_currents_are_those_of_the_line_s_own_equations(network: Network, solved) -> None:
    system, voltage = solved
    own = meter(system)
    values = own.values(voltage)[:, 0]
    v, lines = volts(system, voltage), network.lines
    series = np.linalg.inv(lines.impedance_ohm[0])
    v_from, v_to = v[lines.from_node[0]], v[lines.to_node[0]]
    through, half = series @ (v_from - v_to), lines.shunt_s[0] / 2
    expected = {"a": 0, "b": 1, "c": 2}
    currents = read(own, network, values, Quantity.CURRENT)
    for phase, n in expected.items():
        ends = (abs(through + half @ v_from)[n], abs(-through + half @ v_to)[n])
        assert currents["main", phase] == pytest.approx(ends, rel=1e-9)
    assert currents["lateral", "b"] == pytest.approx([abs((v[7] - v[10]) / lines.impedance_ohm[1, 0, 0])] * 2, rel=1e-6)
    assert ("main", "n") not in currents
    (neutral,) = read(own, network, values, Quantity.NEUTRAL)["main", "n"]
    assert neutral == pytest.approx(abs(through[3]), rel=1e-9)


def test_neutral_current_without_a_conductor_is_what_the_phases_leave(network: Network, solved) -> None:
    system, voltage = solved
    own = meter(system, neutral=(1,))
    values = own.values(voltage)[:, 0]
    currents = read(own, network, values, Quantity.CURRENT)["lateral", "b"]
    assert read(own, network, values, Quantity.NEUTRAL)["lateral", "n"] == pytest.approx(currents)


def test_loading_is_per_coil_of_the_whole_rating(network: Network, solved) -> None:
    system, voltage = solved
    loading = read(meter(system), network, meter(system).values(voltage)[:, 0], Quantity.LOADING)
    v = volts(system, voltage)
    assert {phase for name, phase in loading if name == "service"} == {"b", "s1", "s2"}
    assert {phase for name, phase in loading if name == "delta"} == {"ab", "bc", "ca", "a", "b", "c"}
    # What is drawn from the legs passes the half windings; each is rated for half, hence the factor.
    drawn = {"s1": (2e3 + 500j, 11), "s2": (1e3 + 0j, 12)}
    for leg, (power, node) in drawn.items():
        amperes = abs(power / v[node])
        assert loading["service", leg] == pytest.approx([2 * 120 * amperes], rel=1e-6)
    (primary,) = loading["service", "b"]
    assert primary == pytest.approx(3e3, rel=0.2)
    one_phase = read(meter(system), network, meter(system).values(voltage)[:, 0], Quantity.CURRENT)["main", "a"][0]
    assert loading["ra", "a"][1] == pytest.approx(one_phase * network.transformers.rated_v[0, 1], rel=1e-3)


def test_voltages_are_of_every_supplied_conductor_but_neutrals_and_sources(network: Network, solved) -> None:
    system, voltage = solved
    found = read(meter(system), network, meter(system).values(voltage)[:, 0], Quantity.VOLTAGE)
    assert {bus for bus, _ in found} == {"reg", "mid", "tap", "house", "shop"}
    assert ("mid", "n") not in found
    assert found["house", "s2"] == pytest.approx([abs(voltage[12, 0])])


def test_unbalance_is_negative_over_positive_sequence(network: Network, solved) -> None:
    system, voltage = solved
    found = read(meter(system), network, meter(system).values(voltage)[:, 0], Quantity.UNBALANCE)
    assert {bus for bus, _ in found} == {"reg", "mid", "shop"}
    va, vb, vc = voltage[6:9, 0]
    turn = np.exp(2j * np.pi / 3)
    expected = 100 * abs(va + turn**2 * vb + turn * vc) / abs(va + turn * vb + turn**2 * vc)
    assert found["mid", ""] == pytest.approx([expected])


def test_reverse_power_is_metered_towards_the_source(network: Network, solved) -> None:
    system, voltage = solved
    own = meter(system, reverse=(0, 2))
    found = read(own, network, own.values(voltage)[:, 0], Quantity.REVERSE)
    v, lines = volts(system, voltage), network.lines
    series = np.linalg.inv(lines.impedance_ohm[0])
    current = series @ (v[lines.from_node[0]] - v[lines.to_node[0]]) + lines.shunt_s[0] / 2 @ v[lines.from_node[0]]
    assert found["main", ""] == pytest.approx([-(v[lines.from_node[0]] * current.conj()).real.sum()])
    assert found["main", ""][0] < -5e5
    assert found["ra", ""][0] < 0


def test_gradients_are_the_slopes_of_every_row(network: Network, solved) -> None:
    system, _ = solved
    own = meter(system, neutral=(1,), reverse=(0, 2, 5))
    pairs, _ = load_pairs(network)
    power = load_power(network)[:, None] * np.array([0.999, 1.0, 1.001])
    flow = prepare(system, pairs, power[:, 1]).solve(power).voltage
    values = own.values(flow)
    rows = np.random.default_rng(1).permutation(np.flatnonzero(values[:, 1] ** 2 > 1e-6))
    found = np.real(own.gradients(rows, flow[:, 1]).T @ (flow[:, 2] - flow[:, 0]))
    slope = (values[:, 2] - values[:, 0])[rows]
    assert (np.abs(found - slope) <= 1e-3 * np.abs(slope) + 1e-6 * np.abs(values[rows, 1])).all()


def test_part_of_a_meter_reads_the_same(network: Network, solved) -> None:
    system, voltage = solved
    own = meter(system, neutral=(1,), reverse=(0, 2))
    some = np.sort(np.random.default_rng(2).permutation(own.size)[: own.size // 2])
    np.testing.assert_array_equal(own.only(some).values(voltage), own.values(voltage)[some])
    assert [UNITS[q] for q in own.only(some).quantity] == [UNITS[q] for q in own.quantity[some]]


def test_many_cases_are_read_as_one_by_one(solved) -> None:
    system, voltage = solved
    many = voltage * (1 + np.arange(150) / 1000)
    own = meter(system, reverse=(0,))
    np.testing.assert_allclose(own.values(many)[:, 140], own.values(many[:, [140]])[:, 0])


def test_where_nothing_ties_to_earth_the_voltage_between_phases_is_read(network: Network) -> None:
    """The shop's transformer turned into delta-delta: its low side floats."""
    node = network.transformers.node.copy()
    node[4, 1] = [[13, 14], [14, 15], [15, 13]]
    load_node = np.full_like(network.loads.node, ABSENT)
    load_node[:2] = network.loads.node[:2]
    load_node[2] = [[13, 14], [14, 15], [15, 13]]
    floating = replace(
        network,
        transformers=replace(
            network.transformers,
            node=node,
            rated_v=np.where(network.transformers.rated_v == 347, 600, network.transformers.rated_v),
            float_va=np.where(np.arange(5)[:, None, None] == 4, 1e-3, network.transformers.float_va),
        ),
        loads=replace(network.loads, node=load_node),
    )
    assert [floating.buses.ids[n] for n in np.flatnonzero(unearthed(floating))] == ["shop"]
    assert not unearthed(network).any()
    system = build(floating, NetworkState())
    pairs, _ = load_pairs(floating)
    flow = prepare(system, pairs, load_power(floating)).solve(load_power(floating)[:, None])
    found = read(meter(system), floating, meter(system).values(flow.voltage)[:, 0], Quantity.VOLTAGE)
    assert {phase for bus, phase in found if bus == "shop"} == {"ab", "bc", "ca"}
    v = flow.voltage[:, 0]
    assert found["shop", "ab"] == pytest.approx([abs(v[13] - v[14]) / np.sqrt(3)])
