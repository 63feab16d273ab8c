"""The solver against pandapower in every kind of state, OpenDSS on the public feeders, and closed forms."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csc_array

from grid_engine.feeders import public
from grid_engine.flow.kernel import native
from grid_engine.flow.nodal import System, build
from grid_engine.flow.pairs import (
    Pairs,
    constant_power,
    factors,
    joined,
    load_pairs,
    load_power,
    unit_pairs,
    unit_power,
)
from grid_engine.flow.powerflow import Flow, Solver, prepare
from grid_engine.flow.variants import tap_variants
from grid_engine.importers.pandapower import convert
from grid_engine.model import ABSENT, EARTH, Network, Switches, SwitchKind, Terminal
from grid_engine.modelling.tables import no_units
from grid_engine.results import NetworkState
from tests.grid_engine import r1
from tests.grid_engine.r1 import POI, Oracle
from tests.grid_engine.radial import PHASE_V, chain
from tests.grid_engine.small import small

needs_compiler = pytest.mark.skipif(native.library() is None, reason="no C compiler here")

STATES: dict[str, dict[str, Any]] = {
    "as loaded": {},
    "raised taps": {"taps": {"T1": -3, "T2": -3}},
    "one transformer out": {"in_service": {"T2": False}},
    "capacitor in": {"in_service": {"C1": True}},
    "fed through the tie": {"closed": {"SW12": False, "SWT": True}},
    "looped": {"closed": {"SWT": True}},
}


def nodes_of(network: Network, bus: str, phases: str = "abc") -> list[int]:
    of_bus = np.flatnonzero(network.nodes.bus == network.buses.ids.index(bus))
    by_terminal = dict(zip(network.nodes.terminal[of_bus].tolist(), of_bus.tolist(), strict=True))
    return [by_terminal[Terminal["ABC"["abc".index(p)]]] for p in phases]


def solved(
    network: Network, state: NetworkState, der_mw: dict[str, float], phases: dict[str, str]
) -> tuple[System, Flow]:
    system = build(network, state)
    pairs, _ = load_pairs(network)
    power = [load_power(network)]
    for name, p_mw in der_mw.items():
        nodes = nodes_of(network, POI[name], phases.get(name, "abc"))
        pairs = joined(pairs, constant_power(np.array(nodes), np.full(len(nodes), EARTH)))
        power.append(np.full(len(nodes), p_mw * 1e6 / len(nodes)) + 0j)
    power_va = np.concatenate(power)
    flow = prepare(system, pairs, power_va).solve(power_va[:, None])
    assert flow.converged.all()
    return system, flow


def volts(system: System, flow: Flow) -> Any:
    """Voltage magnitudes (n_bus, 3)."""
    network = system.network
    nodes = [nodes_of(network, bus) for bus in network.buses.ids]
    return np.abs(flow.voltage[:, 0])[np.array(nodes)]


def amperes(system: System, flow: Flow, branch: str) -> Any:
    """Current magnitudes (2, 3) of a branch."""
    terminals = system.terminals
    here = terminals.branch == system.network.branch_ids.index(branch)
    return np.abs(terminals.current @ flow.voltage)[here].reshape(2, 3)


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


@pytest.mark.parametrize("name", STATES)
def test_balanced_voltages_and_currents_are_those_of_pandapower(oracle: Oracle, name: str) -> None:
    state = STATES[name]
    network = convert(r1.build(), "test")
    injected = {"A": 1.0, "B": 4.0, "C": 0.5}
    net = oracle.solve(injected, **state).net
    own = NetworkState(
        taps=state.get("taps", {}), switches_closed=state.get("closed", {}), in_service=state.get("in_service", {})
    )
    system, flow = solved(network, own, injected, {})
    np.testing.assert_allclose(volts(system, flow)[:, 0], net.res_bus.vm_pu, atol=1e-9)
    for branch, expected_ka in zip(net.line.name, net.res_line.i_ka, strict=True):
        assert amperes(system, flow, branch)[:, 0].max() == pytest.approx(expected_ka * 1e3, abs=1e-5)
    for branch, expected_ka in zip(net.trafo.name, net.res_trafo.i_hv_ka, strict=True):
        assert amperes(system, flow, branch)[0, 0] == pytest.approx(expected_ka * 1e3, abs=1e-5)


@pytest.mark.parametrize("group", ["YNyn", "Dyn"])
def test_single_phase_injection_unbalances_as_in_pandapower(group: str) -> None:
    net = r1.build()
    net.trafo["vector_group"] = group
    net.trafo["shift_degree"] = 30.0 if group == "Dyn" else 0.0
    injected, phases = {"B": 4.0, "E": 1.0, "A": 0.8}, {"E": "a", "A": "bc"}
    system, flow = solved(convert(net, "test"), NetworkState(), injected, phases)
    Oracle(net).solve(injected, phases=phases)
    np.testing.assert_allclose(volts(system, flow), net.res_bus_3ph[["vm_a_pu", "vm_b_pu", "vm_c_pu"]], atol=1e-6)
    for n, name in enumerate(net.line.name):
        expected = net.res_line_3ph[["i_a_ka", "i_b_ka", "i_c_ka"]].iloc[n] * 1e3
        np.testing.assert_allclose(amperes(system, flow, name).max(axis=0), expected, atol=1e-3)


def loaded(network: Network) -> tuple[Pairs, Any]:
    """Everything that the network itself injects."""
    pairs = joined(load_pairs(network)[0], unit_pairs(network)[0])
    return pairs, np.concatenate([load_power(network), unit_power(network)])


def solver_of(network: Network, share: float = 1.0, **more: Any) -> tuple[Solver, Any]:
    """A solver whose base is a part of the network's own powers, and all of these."""
    pairs, power_va = loaded(network)
    return prepare(build(network, NetworkState()), pairs, share * power_va, **more), power_va


@pytest.mark.parametrize("name", public.NAMES)
def test_voltages_of_the_public_feeders_are_those_of_opendss(name: str) -> None:
    network, expected = public.load(name), public.reference(name).voltage_pu
    solver, power_va = solver_of(network, 0.7)
    flow = solver.solve(power_va[:, None])
    assert flow.converged.all()
    assert np.abs(flow.voltage[:, 0] - expected).max() < 2e-8


def high_voltage_pu(impedance_ohm: complex, power_va: complex) -> float:
    """The upper solution of the biquadratic of a load at the end of one line; V. A. Venikov gave it in 1970."""
    z, s = impedance_ohm, power_va
    half = PHASE_V**2 / 2 - (z.real * s.real + z.imag * s.imag)
    return float(np.sqrt(half + np.sqrt(half**2 - abs(z * s) ** 2)) / PHASE_V)


def largest_va(impedance_ohm: complex, direction: complex) -> float:
    """How much of a power in this direction one line can carry at all."""
    z, s = impedance_ohm, direction / abs(direction)
    return float(PHASE_V**2 / 2 / (abs(z) + z.real * s.real + z.imag * s.imag))


Z, DIRECTION = 0.4 + 0.3j, 0.9 + 0.3j


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99, 0.9999])
def test_load_up_to_the_nose_has_the_upper_solution(share: float) -> None:
    power_va = share * largest_va(Z, DIRECTION) * DIRECTION / abs(DIRECTION)
    solver, injected_va = solver_of(chain(Z, loads_va={1: power_va}), 0.5)
    flow = solver.solve(injected_va[:, None])
    assert flow.converged.all()
    assert abs(flow.voltage[1, 0]) == pytest.approx(high_voltage_pu(Z, power_va), abs=2e-8 / np.sqrt(1 - share))


def test_load_beyond_the_nose_has_none_and_names_the_bus() -> None:
    weak = chain(0.01, 0.01, Z, loads_va={1: 500.0, 3: 1.02 * largest_va(Z, 1) + 0j})
    solver, power_va = solver_of(weak)
    flow = solver.solve(power_va[:, None] * np.array([0.5, 1.0]))
    assert flow.converged.tolist() == [True, False]
    assert np.isnan(flow.voltage[:, 1]).all()
    assert np.isfinite(flow.voltage[:, 0]).all()
    assert flow.worst_node.tolist() == [-1, 3]


@pytest.mark.parametrize("bad", [np.nan, np.inf, complex(0, np.nan), -1e6])
def test_power_that_is_no_number_is_never_converged(bad: complex) -> None:
    solver, power_va = solver_of(chain(Z, Z, loads_va={1: 1000.0, 2: 500.0}))
    cases = np.repeat(power_va[:, None], 20, axis=1)
    cases[1, 7] = bad
    flow = solver.solve(cases)
    assert np.flatnonzero(~flow.converged).tolist() == [7]
    assert np.isnan(flow.voltage[:, 7]).all()
    assert flow.worst_node[7] >= 0
    np.testing.assert_array_equal(flow.voltage[:, 6], flow.voltage[:, 8])


def test_convergence_is_each_cases_own() -> None:
    most = largest_va(Z, 1)
    solver, _ = solver_of(chain(Z, loads_va={1: 0.3 * most + 0j}))
    cases = -most * np.linspace(0.05, 1.15, 23)[None] + 0j
    flow = solver.solve(cases)
    assert flow.converged.tolist() == [bool(s < 1) for s in np.linspace(0.05, 1.15, 23)]


def test_what_an_open_switch_cuts_off_is_without_voltage_and_draws_nothing() -> None:
    network = chain(Z, Z, Z, loads_va={1: 2000.0, 3: 5000.0}, switches=True)
    system = build(network, NetworkState(switches_closed={"s1": False}))
    assert system.supplied.tolist() == [True, True, False, False]
    assert system.supplied_buses.tolist() == [True, True, False, False]
    pairs, power_va = loaded(network)
    flow = prepare(system, pairs, power_va).solve(power_va[:, None])
    assert flow.converged.all()
    assert flow.voltage[2:, 0].tolist() == [0, 0]
    assert abs(flow.voltage[1, 0]) == pytest.approx(high_voltage_pu(Z, 2000.0), abs=1e-8)


def test_bases_far_from_the_batch_do_not_matter() -> None:
    solver, power_va = solver_of(public.load("ieee123"), 0.0)
    shares = np.linspace(0.2, 1.1, 200)
    flow = solver.solve(power_va[:, None] * shares)
    near, _ = solver_of(public.load("ieee123"), 1.0)
    assert flow.converged.all()
    np.testing.assert_allclose(flow.voltage[:, -1], near.solve(power_va[:, None] * shares[-1]).voltage[:, 0], atol=1e-8)


def test_bases_without_solution_are_taken_in_part() -> None:
    solver, power_va = solver_of(chain(Z, loads_va={1: 0.6 * largest_va(Z, 1) + 0j}), 3.0)
    assert solver.solve(power_va[:, None]).converged.all()


def test_magnitudes_are_those_of_the_voltages() -> None:
    solver, power_va = solver_of(public.load("ieee13"))
    cases = power_va[:, None] * np.array([0.3, 1.0, 1e6])
    flow, magnitudes = solver.solve(cases), solver.magnitudes(cases)
    np.testing.assert_allclose(magnitudes.voltage_pu, np.abs(flow.voltage), atol=1e-14)
    np.testing.assert_array_equal(magnitudes.converged, [True, True, False])


def test_cases_start_where_they_are_told_to() -> None:
    solver, power_va = solver_of(public.load("ieee123"), 0.5)
    flow = solver.solve(power_va[:, None])
    again = solver.solve(power_va[:, None], start=flow.voltage)
    assert again.iterations[0] < flow.iterations[0]
    np.testing.assert_allclose(again.voltage, flow.voltage, atol=2e-9)


def test_threads_change_nothing() -> None:
    shares = np.linspace(0.1, 1.0, 77)
    flows = []
    for threads in (1, 3):
        solver, power_va = solver_of(public.load("ieee123"), threads=threads)
        flows.append(solver.solve(power_va[:, None] * shares))
    np.testing.assert_array_equal(flows[0].voltage, flows[1].voltage)


def test_a_network_without_any_pair_has_its_unloaded_voltages() -> None:
    solver, power_va = solver_of(chain(Z, Z))
    flow = solver.solve(power_va.reshape(0, 1))
    np.testing.assert_allclose(flow.voltage[:, 0], 1.0, atol=1e-9)


@pytest.mark.parametrize("name", ["ieee37", "ieee123"])
def test_derivatives_are_the_slopes_of_the_power_flow(name: str) -> None:
    solver, power_va = solver_of(public.load(name))
    voltage = solver.solve(power_va[:, None]).voltage[:, 0]
    some = np.linspace(0, len(power_va) - 1, 6).astype(int)
    moves = np.zeros((len(power_va), 12), dtype=np.complex128)
    moves[some, np.arange(6)], moves[some, np.arange(6, 12)] = 1e3, 1e3j
    up, down = (solver.solve(power_va[:, None] + sign * moves, tolerance_pu=1e-11).voltage for sign in (1, -1))
    expected = (up - down) / 2
    linear = solver.linearise(power_va, voltage)
    assert np.abs(linear.forward(moves) - expected).max() < 1e-5 * np.abs(expected).max()


def test_adjoint_rows_are_forward_columns() -> None:
    solver, power_va = solver_of(public.load("ieee13"))
    voltage = solver.solve(power_va[:, None]).voltage[:, 0]
    linear = solver.linearise(power_va, voltage)
    gradient = np.diag(voltage.conj() / np.abs(voltage))
    per_watt, per_var = linear.adjoint(gradient)
    unit = np.eye(len(power_va))
    np.testing.assert_allclose(per_watt.T, np.real(gradient @ linear.forward(unit + 0j)), atol=1e-15)
    np.testing.assert_allclose(per_var.T, np.real(gradient @ linear.forward(1j * unit)), atol=1e-15)


def test_adjoint_of_sparse_rows_is_that_of_dense_ones() -> None:
    solver, power_va = solver_of(public.load("ieee13"))
    linear = solver.linearise(power_va, solver.solve(power_va[:, None]).voltage[:, 0])
    gradient = np.eye(len(solver.system.unknown), 5, dtype=np.complex128)
    dense, sparse = linear.adjoint(gradient), linear.adjoint(csc_array(gradient))
    np.testing.assert_array_equal(dense, sparse)


@pytest.mark.parametrize("kept", [True, False])
def test_a_bus_whose_voltage_nothing_pins_is_named(kept: bool) -> None:
    """A delta that stands free, with a load of no power at it or with none at all."""
    network = small()
    transformers, loads = network.transformers, network.loads
    shop = np.arange(13, 16)
    node, floating = transformers.node.copy(), np.zeros_like(transformers.float_va)
    node[4, 1] = np.stack([shop, np.roll(shop, -1)], axis=1)
    table = loads.node.copy()
    if not kept:
        table[np.isin(table, shop).any(axis=2)] = ABSENT
    free = replace(
        network,
        transformers=replace(transformers, node=node, float_va=floating),
        loads=replace(loads, node=table),
        units=no_units(),
    )
    solver, power_va = solver_of(free)
    flow = solver.solve(power_va[:, None])
    assert not flow.converged[0]
    assert free.buses.ids[free.nodes.bus[flow.worst_node[0]]] == "shop"


def of_many_laws() -> Network:
    """Twelve loads along a line that is heavily loaded: by parts, by exponents, in and outside of bands, with jumps."""
    network = chain(*[0.02 + 0.01j] * 12, loads_va=dict.fromkeys(range(1, 13), 5000.0 + 2000j))
    law = np.arange(12) % 6
    parts = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0.3, 0.3, 0.4], [0, 0, 1], [0.5, 0, 0.5]])[law]
    loads = replace(
        network.loads,
        zip_p=parts,
        zip_q=parts[::-1].copy(),
        exponent=np.where((law == 4)[:, None], [0.8, 3.0], np.nan),
        band_pu=np.array([[0.0, np.inf], [0.95, 1.05], [0.97, 1.05], [0.9, 0.93], [0.92, 1.1], [0.9, 1.1]])[law],
        edge_pu=np.where((np.arange(12) % 5 == 3)[:, None, None], 1.0, np.nan) * np.ones((12, 2, 2)),
        low_pu=np.array([0, 0.5, 0.5, 0.5, 0, 0.8])[law],
    )
    return replace(network, loads=loads)


@pytest.mark.parametrize("kernel", ["numba", pytest.param("c", marks=needs_compiler)])
def test_every_law_of_voltage_holds_at_the_solution(kernel: str) -> None:
    network = of_many_laws()
    solver, power_va = solver_of(network, 0.5, kernel=kernel)
    cases = power_va[:, None] * np.linspace(0.1, 1.6, 21)
    flow = solver.solve(cases)
    assert flow.converged.all()
    across = flow.voltage[network.loads.node[:, 0, 0]]
    active, reactive = factors(solver.pairs, np.abs(across))
    drawn = (cases.real * active - 1j * cases.imag * reactive) * across / PHASE_V
    amperes = network.sources.admittance_s[0, 0, 0] * (1 - flow.voltage[0]) * PHASE_V
    np.testing.assert_allclose(-drawn.sum(axis=0), amperes, rtol=2e-6)
    assert np.abs(across).min() < 0.8
    assert np.abs(across).max() > 0.99


def test_buses_that_a_switch_joins_have_one_voltage() -> None:
    network = chain(Z, Z, loads_va={1: 900.0, 2: 1500.0})
    kind, ends = np.array([int(SwitchKind.BUS)]), (np.array([1]), np.array([2]))
    joined_by = replace(network, switches=Switches(("tie",), kind, *ends, np.array([True])))
    system = build(joined_by, NetworkState(in_service={"l1": False}))
    assert system.node_of.tolist() == [0, 1, 1]
    assert system.depth.tolist() == [0, 1, 1]
    pairs, power_va = loaded(joined_by)
    flow = prepare(system, pairs, power_va).solve(power_va[:, None])
    assert flow.voltage[1, 0] == flow.voltage[2, 0]
    assert abs(flow.voltage[1, 0]) == pytest.approx(high_voltage_pu(Z, 2400.0), abs=1e-8)


def test_what_does_not_fit_is_refused_before_it_is_computed() -> None:
    network = public.load("ieee13")
    system = build(network, NetworkState())
    pairs, power_va = load_pairs(network)[0], load_power(network)
    name = network.transformers.ids[network.regulators.transformer[0]]
    solver = prepare(system, pairs, power_va, tap_variants(system, [name]))
    with pytest.raises(ValueError, match="pairs"):
        solver.solve(power_va[:-1, None])
    with pytest.raises(ValueError, match=f"{name} has no such state"):
        solver.solve(power_va[:, None], np.array([[17]]))
    with pytest.raises(ValueError, match="variants"):
        solver.solve(power_va[:, None], np.array([[0, 1]]))
    with pytest.raises(ValueError, match="nodes"):
        solver.solve(power_va[:, None], start=np.ones((3, 1), dtype=np.complex128))
