"""Every fault of a network is found, all at once, with its element, what is wrong, and what to do."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid_engine import feeders
from grid_engine.feeders.maple import network as maple
from grid_engine.importers.pandapower import convert, load
from grid_engine.model import ABSENT, EARTH, Curve, Network, NetworkError, SwitchKind
from grid_engine.modelling.checks import FaultKind, faults
from grid_engine.modelling.document import LAYOUTS
from grid_engine.modelling.tables import COLUMNS, empty_network
from tests.grid_engine.r1 import build, row
from tests.grid_engine.small import small

Change = Callable[[Network], Network]


def put(table: str, column: str, where: Any, value: Any) -> Change:
    """Set part of a column."""

    def change(network: Network) -> Network:
        own = getattr(network, table)
        values = getattr(own, column).copy()
        values[where] = value
        return replace(network, **{table: replace(own, **{column: values})})

    return change


def scale(table: str, column: str, by: float, where: Any = np.s_[:1]) -> Change:
    """Multiply part of a column."""

    def change(network: Network) -> Network:
        own = getattr(network, table)
        values = getattr(own, column).copy()
        values[where] = values[where] * by
        return replace(network, **{table: replace(own, **{column: values})})

    return change


def rate(table: str, column: str, where: Any, value: Any) -> Change:
    """Set part of a column of ratings."""

    def change(network: Network) -> Network:
        own = getattr(network, table)
        values = getattr(own.ratings, column).copy()
        values[where] = value
        return replace(network, **{table: replace(own, ratings=replace(own.ratings, **{column: values}))})

    return change


def name(table: str, *ids: str) -> Change:
    return lambda network: replace(network, **{table: replace(getattr(network, table), ids=ids)})


def give(**columns: Any) -> Change:
    return lambda network: replace(network, **columns)


def curve(x: list[float], y: list[float]) -> Change:
    return give(curves=(Curve(np.array(x), np.array(y)),))


def without_source(network: Network) -> Network:
    sources = network.sources
    return replace(
        network, sources=replace(sources, ids=(), **{c: getattr(sources, c)[:0] for c in sources.__slots__[1:]})
    )


def asymmetric(network: Network) -> Network:
    return put("lines", "impedance_ohm", (0, 0, 1), 0.9 + 0.9j)(network)


def short_circuit(network: Network) -> Network:
    return put("transformers", "resistance_pu", 4, 0)(put("transformers", "reactance_pu", 4, 0)(network))


ONE = np.array([1])

SMALL = [
    # Shapes and references
    (put("lines", "in_service", np.s_[:], True), None, ""),
    (
        lambda n: replace(n, lines=replace(n.lines, in_service=ONE > 0)),
        FaultKind.WRONG_SHAPE,
        "table lines: in_service",
    ),
    (lambda n: replace(n, loads=replace(n.loads, power_va=ONE)), FaultKind.WRONG_SHAPE, "table loads: power_va has"),
    (name("loads", "home", "mill", "home"), FaultKind.DUPLICATE_ID, "load home: 2 of that id"),
    (name("shunts", "main"), FaultKind.DUPLICATE_ID, "line main: 2 of that id among lines, transformers"),
    (put("nodes", "bus", 0, 99), FaultKind.UNKNOWN_NODE, "node 0: stands at bus 99"),
    (put("nodes", "terminal", 1, 0), FaultKind.UNKNOWN_NODE, "node 1: stands at bus 0, terminal 0, after one"),
    (put("loads", "node", (0, 0, 0), 77), FaultKind.UNKNOWN_NODE, "load home: node names node 77"),
    (put("loads", "node", 0, ABSENT), FaultKind.UNKNOWN_NODE, "load home: node names no node"),
    (put("transformers", "node", (0, 1), ABSENT), FaultKind.UNKNOWN_NODE, "transformer ra: has one winding only"),
    (put("regulators", "transformer", 0, 9), FaultKind.UNKNOWN_ELEMENT, "regulator ca: transformer 9 is not"),
    (put("regulators", "winding", 0, 3), FaultKind.UNKNOWN_ELEMENT, "regulator ca: winding 3 is not"),
    (put("capacitor_controls", "shunt", 0, 1), FaultKind.UNKNOWN_ELEMENT, "capacitor control cc1: shunt 1 is not"),
    (put("capacitor_controls", "line", 0, 2), FaultKind.UNKNOWN_ELEMENT, "capacitor control cc1: line 2 is not"),
    (put("units", "volt_watt", 0, 1), FaultKind.UNKNOWN_ELEMENT, "unit roof: volt_watt 1 is not"),
    (put("switches", "element", 0, 2), FaultKind.UNKNOWN_ELEMENT, "switch sw: element 2 is not"),
    (put("switches", "kind", 0, 7), FaultKind.UNKNOWN_ELEMENT, "switch sw: kind 7 is not"),
    (put("switches", "bus", 0, 5), FaultKind.UNKNOWN_ELEMENT, "switch sw: stands at bus shop, where what it opens"),
    # Numbers
    (put("lines", "impedance_ohm", (1, 0, 0), np.nan), FaultKind.NOT_A_NUMBER, "line lateral: impedance_ohm is not"),
    (put("sources", "admittance_s", (0, 0, 0), np.inf), FaultKind.NOT_A_NUMBER, "source station: admittance_s is not"),
    (rate("lines", "normal", 0, np.nan), FaultKind.NOT_A_NUMBER, "line main: normal is not a number"),
    (put("loads", "power_va", (0, 0), np.nan), FaultKind.NOT_A_NUMBER, "load home: power_va is not a number"),
    (put("transformers", "rated_v", (3, 2), np.nan), FaultKind.NOT_A_NUMBER, "transformer service: rated_v is not"),
    (curve([1, 1], [0, 0]), FaultKind.CURVE, "curve 0: 2 and 2 values"),
    (curve([1, np.nan], [0, 0]), FaultKind.CURVE, "curve 0: 2 and 2 values"),
    (rate("lines", "normal", 0, -400.0), FaultKind.OUT_OF_RANGE, "line main: rating normal is -400"),
    (rate("lines", "normal", 0, 0.0), FaultKind.OUT_OF_RANGE, "line main: rating normal is 0"),
    (rate("lines", "emergency", 0, 300.0), FaultKind.OUT_OF_RANGE, "line main: its emergency rating 300 is below its"),
    (rate("transformers", "seasonal", (0, 1), -1.0), FaultKind.OUT_OF_RANGE, "transformer ra: rating seasonal is -1"),
    (rate("transformers", "derate_pct", 0, 100.0), FaultKind.OUT_OF_RANGE, "transformer ra: rating derate_pct is 100"),
    (
        rate("transformers", "condition_score", 0, 101.0),
        FaultKind.OUT_OF_RANGE,
        "transformer ra: rating condition_score",
    ),
    (
        rate("transformers", "reverse_power_w", 0, -1.0),
        FaultKind.OUT_OF_RANGE,
        "transformer ra: rating reverse_power_w",
    ),
    (put("buses", "voltage_max_pu", 5, 0.9), FaultKind.OUT_OF_RANGE, "bus shop: its voltage limits are 0.917 and 0.9"),
    (put("transformers", "rated_va", 3, -25e3), FaultKind.OUT_OF_RANGE, "transformer service: rated_va is -25000"),
    (put("sources", "voltage_pu", 0, 0.0), FaultKind.OUT_OF_RANGE, "source station: voltage_pu is 0"),
    (put("regulators", "pt_ratio", 1, 0.0), FaultKind.OUT_OF_RANGE, "regulator cb: pt_ratio is 0"),
    # Impedances
    (
        put("lines", "impedance_ohm", (1, 0, 0), 0),
        FaultKind.ZERO_IMPEDANCE,
        "line lateral: no impedance on a conductor",
    ),
    (
        put("lines", "impedance_ohm", (1, 0, 0), 0.9 - 0.8j),
        FaultKind.NEGATIVE_REACTANCE,
        "line lateral: reactance -0.8",
    ),
    (put("lines", "impedance_ohm", (1, 0, 0), -3j), None, ""),
    (asymmetric, FaultKind.NOT_SYMMETRIC, "line main: impedance_ohm is not symmetric"),
    (
        put("lines", "impedance_ohm", (1, 0, 0), -0.9 + 0.8j),
        FaultKind.NOT_PASSIVE,
        "line lateral: impedance_ohm has an",
    ),
    (put("shunts", "admittance_s", (0, 0, 0), -1e-4 + 6e-4j), FaultKind.NOT_PASSIVE, "shunt cap: admittance_s has an"),
    (put("sources", "admittance_s", 0, 0), FaultKind.ZERO_IMPEDANCE, "source station: admittance_s is zero"),
    (short_circuit, FaultKind.ZERO_IMPEDANCE, "transformer delta: no leakage"),
    (
        put("transformers", "reactance_pu", (4, 0, 1), 0.05),
        FaultKind.NOT_SYMMETRIC,
        "transformer delta: reactance_pu is not",
    ),
    (
        scale("transformers", "reactance_pu", -1.0),
        FaultKind.NEGATIVE_REACTANCE,
        "transformer ra: reactance_pu is -0.01",
    ),
    (
        put("transformers", "resistance_pu", (3, 1), -0.01),
        FaultKind.NOT_PASSIVE,
        "transformer service: resistance_pu is",
    ),
    (
        put("transformers", "magnetising_pu", 3, -0.1),
        FaultKind.NOT_PASSIVE,
        "transformer service: magnetising_pu's cond",
    ),
    # Taps, laws, controls
    (
        put("transformers", "tap", 0, 17),
        FaultKind.TAP_RANGE,
        "transformer ra: tap position 17 out of its range -16 to 16",
    ),
    (put("transformers", "tap_step_pct", 0, -0.6), FaultKind.TAP_RANGE, "transformer ra: tap_step_pct -0.6 turns"),
    (put("transformers", "fixed_tap_pu", (4, 1), 0.0), FaultKind.TAP_RANGE, "transformer delta: fixed_tap_pu is not"),
    (put("loads", "zip_p", (1, 2), 0.4), FaultKind.LOAD_LAW, "load mill: its parts add up to 1.1 for active and 1 for"),
    (put("loads", "band_pu", 0, [1.1, 0.9]), FaultKind.LOAD_LAW, "load home: its band is 1.1 to 0.9 pu"),
    (put("loads", "low_pu", 0, 0.96), FaultKind.LOAD_LAW, "load home: its band is 0.95 to 1.05 pu, and low_pu 0.96"),
    (
        put("capacitor_controls", "on_at", 0, -5e5),
        FaultKind.CONTROL,
        "capacitor control cc1: switches on at -500000 and",
    ),
    (put("regulators", "transformer", 0, 4), FaultKind.CONTROL, "regulator ca: its transformer has no tap changer"),
    (put("regulators", "node", 0, [EARTH, EARTH]), FaultKind.CONTROL, "regulator ca: measures no voltage"),
    # Connections
    (without_source, FaultKind.NO_SOURCE, "network small-1: no source; add the system above"),
    (put("lines", "to_node", (1, 0), 6), FaultKind.ISLAND, "bus tap: not connected to a source even"),
    (put("transformers", "node", (4, 1, 2), [13, EARTH]), FaultKind.MISSING_PHASE, "bus shop: nothing feeds its c"),
    (
        put("transformers", "node", (3, 2, 0), [11, EARTH]),
        FaultKind.MISSING_PHASE,
        "load home: stands at house.s2, unfed",
    ),
    (put("lines", "to_node", (0, 1), ABSENT), FaultKind.MISSING_PHASE, "line main: a conductor has one end only"),
    (put("loads", "node", (0, 0, 1), ABSENT), FaultKind.MISSING_PHASE, "load home: a coil or branch has one end only"),
    (
        put("transformers", "node", (4, 0, 0), [6, 6]),
        FaultKind.MISSING_PHASE,
        "transformer delta: a coil or branch has both",
    ),
    (
        put("transformers", "node", (4, 1, slice(None), 1), [14, 15, 13]),
        FaultKind.UNEARTHED,
        "bus shop: nothing",
    ),
    # Levels and ratios
    (
        put("buses", "phase_v", 3, 14_400.0),
        FaultKind.VOLTAGE_LEVELS,
        "line lateral: joins two voltage levels, 15934.9 V",
    ),
    (
        put("transformers", "rated_v", (4, 0), 15_934.9),
        FaultKind.TRANSFORMER_RATIO,
        "transformer delta: rated 15934.9, 347 V",
    ),
    (
        put("transformers", "rated_v", (3, 0), 15.93),
        FaultKind.TRANSFORMER_RATIO,
        "transformer service: rated 15.93, 120",
    ),
    # Units off by a thousand
    (
        scale("buses", "phase_v", 1e-3, np.s_[:]),
        FaultKind.UNITS,
        "bus head: phase_v: 15.9349 V to earth looks like kilovolts",
    ),
    (
        scale("buses", "phase_v", 1e3, np.s_[:]),
        FaultKind.UNITS,
        "bus head: phase_v: 1.59349e+07 V to earth looks like volts",
    ),
    (rate("lines", "normal", 0, 0.4), FaultKind.UNITS, "line main: rating normal: 0.4 A looks like kiloamperes"),
    (rate("lines", "normal", 0, 4e5), FaultKind.UNITS, "line main: rating normal: 400000 A looks like milliamperes"),
    (scale("lines", "impedance_ohm", 1e3), FaultKind.UNITS, "line main: impedance_ohm: 26.4"),
    (scale("lines", "shunt_s", 1e6), FaultKind.UNITS, "line main: shunt_s: 159"),
    (scale("transformers", "rated_va", 1e-3), FaultKind.UNITS, "transformer ra: rating normal: 1000 times"),
    (scale("transformers", "rated_va", 1e-3, np.s_[3:4]), FaultKind.UNITS, "transformer service: rated_va: 0.0015"),
    (scale("transformers", "rated_va", 1e3, np.s_[:2]), FaultKind.UNITS, "transformer ra: rated_va: 125511 A of rated"),
    (
        rate("transformers", "normal", 3, 25.0),
        FaultKind.UNITS,
        "transformer service: rating normal: 0.001 times rated_va",
    ),
    (
        scale("transformers", "reactance_pu", 100, np.s_[4:]),
        FaultKind.UNITS,
        "transformer delta: reactance_pu: 4 pu looks like",
    ),
    (scale("transformers", "tap_step_pct", 100), FaultKind.UNITS, "transformer ra: tap_step_pct: 62.5 % per step"),
    (
        scale("loads", "power_va", 1e3),
        FaultKind.UNITS,
        "load home: power_va: 17179.6 A at nominal voltage looks like watts",
    ),
    (scale("loads", "nominal_v", 1e-3), FaultKind.UNITS, "load home: nominal_v: 0.001 times what its nodes have"),
    (scale("units", "rated_va", 1e3), FaultKind.UNITS, "unit roof: rated_va: 20833.3 A at nominal voltage"),
    (scale("shunts", "admittance_s", 1e6), FaultKind.UNITS, "shunt cap: admittance_s: 9.56092e+06 A"),
    (scale("regulators", "set_v", 1e-3), FaultKind.UNITS, "regulator ca: set_v: 0.00101"),
    (scale("regulators", "pt_ratio", 1e3), FaultKind.UNITS, "regulator ca: set_v: 1016"),
    (give(frequency_hz=60_000.0), FaultKind.UNITS, "network small-1: frequency_hz is 60000"),
]


@pytest.mark.parametrize(("change", "kind", "told"), SMALL)
def test_fault_is_told_with_its_element(change: Change, kind: FaultKind | None, told: str) -> None:
    found = faults(change(small()))
    if kind is None:
        assert found == ()
    else:
        assert any(fault.kind is kind and str(fault).startswith(told) for fault in found), [str(f) for f in found]


def by_row(table: str, element: str, column: str, value: Any) -> Callable[[Any], None]:
    def change(net: Any) -> None:
        net[table].at[row(net, table, element), column] = value

    return change


def lonely_bus(net: Any) -> None:
    pp.create_bus(net, 13.8, name="B9")


def resource(net: Any) -> None:
    pp.create_sgen(net, 3, p_mw=1.0, name="A")


def twin(net: Any) -> None:
    pp.create_load(net, 3, p_mw=1.0, name="LD_B2")


R1 = [
    (by_row("line", "L13", "length_km", 0.0), "line L13: no impedance"),
    (by_row("line", "L13", "r_ohm_per_km", float("nan")), "line L13: impedance_ohm is not a number"),
    (by_row("line", "L13", "max_i_ka", -0.1), "line L13: rating normal is -100"),
    (by_row("line", "L13", "to_bus", 0), "line L13: joins two voltage levels"),
    (by_row("line", "L13", "to_bus", 77), "line L13: to_node names no node"),
    (by_row("line", "L13", "max_i_ka", 400.0), "line L13: rating normal: 400000 A looks like milliamperes"),
    (by_row("line", "L13", "r_ohm_per_km", 169.0), "line L13: impedance_ohm"),
    (by_row("trafo", "T2", "tap_pos", 11), "transformer T2: tap position 11 out of its range"),
    (by_row("trafo", "T2", "mag0_percent", 0.0), "transformer T2: no impedance: magnetising_zero_pu is 0"),
    (by_row("trafo", "T2", "sn_mva", 10_000.0), "transformer T2: rated_va: 418370 A of rated current"),
    (
        by_row("trafo", "T2", "sn_mva", 0.01),
        "transformer T2: rated_va: 0.0502044 A of rated current looks like kilovolt",
    ),
    (
        by_row("trafo", "T2", "vn_lv_kv", 0.0138),
        "transformer T2: rated 115000 to 13.8 V between buses of 115000 and 13800",
    ),
    (by_row("trafo", "T2", "vk_percent", 1000.0), "transformer T2: impedance_pu: 10 pu looks like per cent"),
    (by_row("trafo", "T2", "vector_group", "Yy"), "vector group Yy not modelled"),
    (by_row("bus", "B3", "vn_kv", 13_800.0), "bus B3: phase_v"),
    (by_row("load", "LD_B5", "p_mw", float("nan")), "load LD_B5: power_va is not a number"),
    (by_row("load", "LD_B5", "p_mw", 2500.0), "load LD_B5: power_va: 104"),
    (lonely_bus, "bus B9: not connected to a source even with every switch closed"),
    (resource, "sgen A: a DER belongs to the zone's devices"),
    (twin, "load 'LD_B2': 2 of that name"),
]


@pytest.mark.parametrize(("change", "told"), R1)
def test_faulty_file_is_refused_with_the_fault(change: Callable[[Any], None], told: str) -> None:
    net = build()
    change(net)
    with pytest.raises(NetworkError) as caught:
        convert(net, "test")
    assert any(told in found for found in caught.value.faults), caught.value.faults


def test_all_faults_are_told_at_once() -> None:
    net = build()
    for change in (by_row("line", "L13", "length_km", 0.0), by_row("line", "L21", "max_i_ka", 0.0), lonely_bus):
        change(net)
    with pytest.raises(NetworkError) as caught:
        convert(net, "test")
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize("network", [feeders.load(name) for name in feeders.NAMES] + [maple.build(), small()])
def test_sound_network_has_no_fault(network: Network) -> None:
    assert [str(fault) for fault in faults(network)] == []


def test_switch_to_a_bus_of_another_level_is_told() -> None:
    switches = small().switches
    changed = replace(switches, kind=np.array([int(SwitchKind.BUS)]), bus=np.array([2]), element=np.array([5]))
    found = faults(replace(small(), switches=changed))
    assert [str(fault) for fault in found] == [
        "switch sw: joins two voltage levels, 15934.9 V and 347 V to earth; put a transformer there, or correct a bus"
    ]


def test_file_is_read_under_its_own_digest(tmp_path: Path) -> None:
    path = tmp_path / "r1.json"
    pp.to_json(build(), str(path))
    network = load(path)
    assert network.buses.ids == ("B0", "B1", "B2", "B3", "B4", "B5", "B6", "B7")
    assert network.sources.ids == ("TD1",)
    assert len(network.version) == 12
    assert load(path, "r1-1").version == "r1-1"


PLACES = [
    (table, column)
    for table in ("nodes", "buses", *(layout.name for layout in LAYOUTS))
    for column in COLUMNS[type(getattr(small(), table))]
    if getattr(getattr(small(), table), column).size
]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(PLACES),
            st.integers(0, 10_000),
            st.sampled_from([np.nan, np.inf, -np.inf, -1.0, -2.0, 0.0, 1.0, 7.0, 99.0, 1e300]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_nothing_that_a_network_may_hold_breaks_the_checks(junk: list[tuple[tuple[str, str], int, float]]) -> None:
    network = small()
    for (table, column), at, value in junk:
        own = getattr(network, table)
        values = getattr(own, column).copy()
        whole = values.dtype.kind not in "fc"
        np.ravel(values)[at % values.size] = int(np.clip(np.nan_to_num(value), -9, 99)) if whole else value
        network = replace(network, **{table: replace(own, **{column: values.reshape(getattr(own, column).shape)})})
    assert isinstance(faults(network), tuple)


def test_network_of_nothing_has_no_source() -> None:
    assert [fault.kind for fault in faults(empty_network("empty", 60.0))] == [FaultKind.NO_SOURCE]
