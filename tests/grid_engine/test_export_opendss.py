"""OpenDSS compiles what the writer says to the same admittances and finds the same voltages."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grid_engine import feeders
from grid_engine.elements.primitive import BASE_VA
from grid_engine.exporters.opendss import translate
from grid_engine.flow.nodal import build
from grid_engine.flow.pairs import joined, load_pairs, load_power, unit_pairs, unit_power
from grid_engine.flow.powerflow import prepare
from grid_engine.importers import pandapower
from grid_engine.importers.opendss import load_solved
from grid_engine.model import ABSENT, EARTH, ComplexArray, Network, NetworkError, Shunts, Switches, SwitchKind
from grid_engine.modelling.tables import no_loads, no_units
from grid_engine.results import NetworkState
from tests.grid_engine import r1
from tests.grid_engine.opendss import compiled, solved
from tests.grid_engine.small import small

DATA = Path(__file__).parent / "data"


def fixed_units() -> Network:
    """The small network with a unit that OpenDSS can say."""
    network = small()
    return replace(network, units=replace(network.units, volt_var=np.array([-1])))


def idle(network: Network) -> Network:
    """Without loads and units, whose admittances OpenDSS counts in."""
    return replace(network, loads=no_loads(), units=no_units())


def admittance_s(network: Network) -> ComplexArray:
    system = build(network, NetworkState())
    assert (system.unknown >= 0).all()
    per_unit = system.matrix.toarray()[np.ix_(system.unknown, system.unknown)]
    return per_unit * BASE_VA / system.base_v[:, None] / system.base_v


def voltage(network: Network) -> ComplexArray:
    """Volts by the engine."""
    system = build(network, NetworkState())
    pairs = joined(load_pairs(network)[0], unit_pairs(network)[0])
    power = np.concatenate([load_power(network), unit_power(network)])
    flow = prepare(system, pairs, power).solve(power[:, None])
    assert flow.converged.all()
    return flow.voltage[:, 0] * system.base_v


def assert_same_admittance(network: Network) -> None:
    quiet = idle(network)
    expected = admittance_s(quiet)
    found = compiled(translate(quiet), "set controlmode=off", "solve").admittance()
    scale = np.sqrt(np.abs(np.diag(expected)))
    assert np.abs((found - expected) / scale[:, None] / scale).max() < 1e-9


def assert_same_voltages(network: Network) -> None:
    base = network.buses.phase_v[network.nodes.bus]
    found = solved(translate(network)).voltage()
    assert np.abs(found - voltage(network)).max() < 1e-8 * base.max()
    assert (np.abs(found - voltage(network)) / base).max() < 1e-8


def put(network: Network, table: str, **columns: Any) -> Network:
    return replace(network, **{table: replace(getattr(network, table), **columns)})


def test_one_of_everything_has_the_same_admittances() -> None:
    assert_same_admittance(small())


def test_one_of_everything_has_the_same_voltages() -> None:
    assert_same_voltages(fixed_units())


def test_transformers_given_by_sequences_have_the_same_voltages() -> None:
    assert_same_voltages(pandapower.convert(r1.build(), "r1"))


@pytest.mark.parametrize(
    ("vector_group", "shift_deg"), [("Dyn", 0), ("Dyn", 30), ("Dyn", 150), ("Dyn", 180), ("YNyn", 0), ("YNyn", 180)]
)
def test_sequence_transformer_of_any_shift_has_the_same_admittances(vector_group: str, shift_deg: int) -> None:
    net = r1.build()
    net.trafo["vector_group"], net.trafo["shift_degree"] = vector_group, shift_deg
    network = pandapower.convert(net, "r1")
    impedance = np.full((3, 3), 0.1 + 1j) + np.eye(3) * (0.3 + 5j)
    assert_same_admittance(put(network, "sources", admittance_s=np.linalg.inv(impedance)[None]))


def test_transformer_that_shifts_zero_sequence_too_is_refused() -> None:
    net = r1.build()
    net.trafo["shift_degree"] = 30
    with pytest.raises(NetworkError, match="transformer T1: its admittance matrix is not symmetric"):
        translate(pandapower.convert(net, "r1"))


@pytest.mark.parametrize(("high", "low"), [(1, 1), (-1, -1), (1, -1), (0, 1), (0, -1), (1, 0), (-1, 0), (0, 0)])
@pytest.mark.parametrize("steps_up", [False, True])
def test_wyes_and_deltas_of_any_direction_have_the_same_admittances(high: int, low: int, steps_up: bool) -> None:
    network = small()
    node, rated_v = network.transformers.node.copy(), network.transformers.rated_v.copy()
    for winding, (first, direction) in enumerate(((6, high), (13, low))):
        ends = first + np.arange(3)
        node[4, winding, :, 1] = np.roll(ends, -direction) if direction else EARTH
    if steps_up:
        rated_v[4, :2] = rated_v[4, [1, 0]]
    float_va = network.transformers.float_va.copy()
    float_va[4, :2] = 3.0
    changed = put(network, "transformers", node=node, rated_v=rated_v, float_va=float_va)
    pieces = 3 if (high, low) == (1, -1) else 1
    assert len(translate(idle(changed)).elements["transformers", "delta"]) == pieces
    assert_same_admittance(changed)


def test_open_delta_is_written_coil_by_coil() -> None:
    network = small()
    node = network.transformers.node.copy()
    node[4, :2, 2] = ABSENT
    node[4, 1, :2] = [[13, 14], [14, 15]]
    float_va = network.transformers.float_va.copy()
    float_va[4, :2] = 5.0
    changed = put(network, "transformers", node=node, float_va=float_va)
    assert translate(idle(changed)).elements["transformers", "delta"] == ("transformer.delta_1", "transformer.delta_2")
    assert_same_admittance(changed)


def test_pins_that_one_figure_cannot_say_are_written_one_by_one() -> None:
    float_va = small().transformers.float_va.copy()
    float_va[4, :2] = [[1.0, 2.0], [3.0, 0.0]]
    assert_same_admittance(put(small(), "transformers", float_va=float_va))


def test_tap_changer_has_its_range_and_position() -> None:
    circuit = compiled(translate(fixed_units())).engine.ActiveCircuit
    circuit.Transformers.Name = "ra"
    circuit.Transformers.Wdg = 2
    transformer = circuit.Transformers
    assert (transformer.MinTap, transformer.MaxTap, transformer.NumTaps) == (0.9, 1.1, 32)
    assert transformer.Tap == pytest.approx(1.025, abs=1e-15)


def test_regulators_of_opendss_move_to_where_their_settings_say() -> None:
    network = fixed_units()
    network = put(network, "regulators", drop_v=np.zeros(3, dtype=np.complex128))
    network = put(network, "capacitor_controls", in_service=np.array([False]))
    circuit = compiled(translate(network), "set controlmode=static", "solve").engine.ActiveCircuit
    for bus, target in (("reg.1", 122.0), ("reg.2", 122.0), ("reg.3", 121.0)):
        circuit.SetActiveBus(bus.partition(".")[0])
        volts = np.asarray(circuit.ActiveBus.Voltages).view(np.complex128)[int(bus[-1]) - 1]
        assert abs(volts) / 132.8 == pytest.approx(target, abs=1.0 + 0.375)


def test_capacitor_control_watches_its_line() -> None:
    circuit = compiled(translate(fixed_units())).engine.ActiveCircuit
    circuit.CapControls.Name = "cc1"
    control = circuit.CapControls
    assert (control.Capacitor, control.MonitoredObj.lower(), control.ONSetting) == ("cap", "line.main", 200.0)
    assert control.UseVoltOverride


@pytest.mark.parametrize("node", [[6, 7, 8], [6, 7, ABSENT]])
def test_shunt_between_phases_has_the_same_admittances(node: list[int]) -> None:
    bank = np.array([[[2, -1, -1], [-1, 2, -1], [-1, -1, 2]]]) * (0.001 + 1e-4j)
    k = 3 - node.count(ABSENT)
    bank[:, k:] = bank[:, :, k:] = 0
    shunts = Shunts(("bank",), np.array([node]), bank, np.array([True]))
    controls = small().capacitor_controls
    network = replace(small(), shunts=shunts, capacitor_controls=replace(controls, in_service=np.array([False])))
    with pytest.raises(NetworkError, match="cc1: bank is not a capacitor"):
        translate(network)
    assert_same_admittance(replace(network, capacitor_controls=pandapower.convert(r1.build(), "r").capacitor_controls))


def test_line_with_losses_to_earth_has_the_same_admittances() -> None:
    lines = small().lines
    assert_same_admittance(put(small(), "lines", shunt_s=lines.shunt_s + 1e-6 * np.abs(lines.shunt_s.imag)))


@pytest.mark.parametrize(("kind", "bus", "element"), [(SwitchKind.LINE, 3, 1), (SwitchKind.TRANSFORMER, 2, 4)])
def test_open_switch_opens_that_end(kind: SwitchKind, bus: int, element: int) -> None:
    network = fixed_units()
    one = np.array([False])
    switches = Switches(("sw",), np.array([int(kind)]), np.array([bus]), np.array([element]), one)
    opened = replace(network, switches=switches)
    found = solved(translate(opened)).voltage()
    fed = build(opened, NetworkState()).supplied
    assert not fed.all()
    base = network.buses.phase_v[network.nodes.bus]
    assert (np.abs(found - voltage(opened)) / base)[fed].max() < 1e-8


def test_buses_joined_by_a_closed_switch_are_one_bus() -> None:
    net = r1.build()
    network = pandapower.convert(net, "r1")
    join = Switches(("join",), np.array([int(SwitchKind.BUS)]), np.array([4]), np.array([6]), np.array([True]))
    network = replace(network, switches=join)
    places = translate(network).places
    assert places[12:15] == places[18:21] == ("b4.1", "b4.2", "b4.3")
    assert_same_voltages(network)


def test_ids_that_opendss_cannot_take_get_names_that_it_can() -> None:
    network = small()
    buses = replace(network.buses, ids=("Main St.", "main st", "MID", "mid", "house", "shop"))
    translation = translate(idle(replace(network, buses=buses)))
    assert translation.places[0] == "main_st_.1"
    assert translation.places[3] == "main_st.1"
    assert translation.places[6] == "mid.1"
    assert translation.places[10] == "mid_2.2"
    assert compiled(translation).engine.ActiveCircuit.NumBuses == 6


@pytest.mark.parametrize("master", sorted(DATA.glob("*.dss")), ids=lambda path: path.stem)
def test_what_was_read_from_opendss_is_written_back_the_same(master: Path) -> None:
    read = load_solved(master)
    found = solved(translate(read.network)).voltage() / read.network.buses.phase_v[read.network.nodes.bus]
    assert np.nanmax(np.abs(found - read.voltage_pu)) < 1e-8


@pytest.mark.parametrize("name", ["ieee13", "ieee37", "ieee123"])
def test_public_feeder_has_the_same_admittances(name: str) -> None:
    assert_same_admittance(feeders.load(name))


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        (small(), "unit roof: has a curve"),
        (
            put(small(), "lines", impedance_ohm=small().lines.impedance_ohm * (1 + np.triu(np.ones((4, 4))))),
            "line main",
        ),
        (put(small(), "loads", edge_pu=np.full((3, 2, 2), 0.7)), "load home: jumps"),
        (put(small(), "loads", edge_pu=np.full((3, 2, 2), np.nan)), "load till: has an exponent but goes on beyond"),
        (put(small(), "sources", admittance_s=small().sources.admittance_s * np.eye(3)[[0, 2, 1]]), "source station"),
        (
            put(small(), "regulators", node=np.array([[3, 4], [4, EARTH], [5, EARTH]])),
            "regulator ca: it measures between",
        ),
    ],
)
def test_what_opendss_cannot_say_is_refused_by_name(network: Network, fault: str) -> None:
    with pytest.raises(NetworkError) as caught:
        translate(network)
    assert any(found.startswith(fault) for found in caught.value.faults), caught.value.faults
