"""The zone as a network model: every pole, line, transformer, regulator, capacitor, switch, load and unit.

As built it stands at the feeders' peak, a summer evening: loads at what each adds to that peak, no sun,
batteries at rest, capacitors in and taps where their controllers leave them then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.elements.primitive import from_sequences
from grid_engine.feeders.maple import catalogue
from grid_engine.feeders.maple.plan import SPLIT, Customer, Plan, Spot, plan
from grid_engine.feeders.maple.transformers import bank, regulators, transformers
from grid_engine.model import (
    ABSENT,
    EARTH,
    Buses,
    CapacitorControlKind,
    CapacitorControls,
    ComplexArray,
    FloatArray,
    IntArray,
    Lines,
    Loads,
    Network,
    Nodes,
    Ratings,
    Shunts,
    Sources,
    Switches,
    SwitchKind,
    Terminal,
    Units,
)
from grid_engine.modelling.tables import no_sequence_transformers

SEED = 27
VERSION = "maple-1"
SOURCE_PU = 1.02
SERVICE_BAND_PU = (0.917, 1.042)
"""Behind service transformers: 110 V to 125 V, and in proportion."""
FEEDER_BAND_PU = (0.94, 1.06)
_LOW_V = 1000.0

_TERMINALS: Mapping[str, tuple[Terminal, ...]] = {
    **{phase: (Terminal("abc".index(phase)),) for phase in "abc"},
    "abc": (Terminal.A, Terminal.B, Terminal.C),
    SPLIT: (Terminal.S1, Terminal.S2),
}
_SWITCHES = (
    # id, at bus, on line, closed
    ("SW-F1", "B1", "L-F1-01", True),
    ("SW-F1M", "F1-06", "L-F1-07", True),
    ("SW-F2", "B2", "L-F2-01", True),
    ("SW-F2M", "F2-05", "L-F2-06", True),
    ("SW-TIE", "F2-12", "L-TIE", False),
)
_CAPACITORS = (("CAP1", "F1-06", 450e3), ("CAP2", "F2-06", 450e3))
"""Three-phase rating in var."""
_CAPACITOR_V = (119.5, 123.5)
"""On below, off above, on the 120 V side."""

_LAWS: Mapping[str, tuple[float, tuple[float, float, float], tuple[float, float, float]]] = {
    # power factor at peak, then the parts of constant impedance, current and power of P and of Q
    "house": (0.96, (0.45, 0.15, 0.40), (0.60, 0.20, 0.20)),
    "farm": (0.92, (0.25, 0.15, 0.60), (0.50, 0.20, 0.30)),
    "shop": (0.93, (0.40, 0.20, 0.40), (0.60, 0.20, 0.20)),
    "store": (0.92, (0.40, 0.20, 0.40), (0.60, 0.20, 0.20)),
    "charger": (0.99, (0.0, 0.0, 1.0), (0.0, 0.0, 1.0)),
}
CHARGING_AT_PEAK = 0.25
"""Part of the vehicles' chargers that run at the feeders' peak."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where buses and their terminals are in the tables."""

    bus: Mapping[str, int]
    node: Mapping[tuple[str, Terminal], int]

    def at(self, bus: str, phases: str) -> list[int]:
        """Nodes of a bus."""
        return [self.node[bus, terminal] for terminal in _TERMINALS[phases]]


def build(seed: int = SEED) -> Network:
    """The zone's network; the same for the same seed."""
    drawn = plan(seed)
    places = _places(drawn.spots)
    lines = _lines(drawn, places)
    devices = transformers(drawn, places.at)
    return Network(
        version=VERSION if seed == SEED else f"{VERSION}-seed-{seed}",
        frequency_hz=catalogue.FREQUENCY_HZ,
        buses=_buses(drawn.spots),
        nodes=_nodes(drawn.spots),
        lines=lines,
        transformers=bank(devices),
        sequence_transformers=no_sequence_transformers(),
        shunts=_capacitors(places),
        loads=_loads(drawn.customers, places),
        units=_units(drawn.customers, places),
        curves=(),
        regulators=regulators(devices, places.at),
        capacitor_controls=_capacitor_controls(places),
        switches=_switches(lines.ids, places),
        sources=_source(places),
    )


def _places(spots: Sequence[Spot]) -> Places:
    keys = [(spot.id, terminal) for spot in spots for terminal in _TERMINALS[spot.phases]]
    return Places({spot.id: n for n, spot in enumerate(spots)}, {key: n for n, key in enumerate(keys)})


def _buses(spots: Sequence[Spot]) -> Buses:
    band = [SERVICE_BAND_PU if spot.phase_v < _LOW_V else FEEDER_BAND_PU for spot in spots]
    return Buses(
        ids=tuple(spot.id for spot in spots),
        phase_v=np.array([spot.phase_v for spot in spots]),
        voltage_min_pu=np.array([low for low, _ in band]),
        voltage_max_pu=np.array([high for _, high in band]),
        position=np.array([(spot.x_m, spot.y_m) for spot in spots]),
    )


def _nodes(spots: Sequence[Spot]) -> Nodes:
    pairs = [(n, int(terminal)) for n, spot in enumerate(spots) for terminal in _TERMINALS[spot.phases]]
    table = np.array(pairs, dtype=np.int64)
    return Nodes(bus=table[:, 0], terminal=table[:, 1])


def _lines(drawn: Plan, places: Places) -> Lines:
    sections, count = drawn.sections, len(drawn.sections)
    ends = np.full((2, count, 3), ABSENT, dtype=np.int64)
    impedance, shunt = np.zeros((2, count, 3, 3), dtype=np.complex128)
    constants = {name: kind.constants() for name, kind in catalogue.CONSTRUCTIONS.items()}
    for n, section in enumerate(sections):
        k = catalogue.CONSTRUCTIONS[section.construction].phases
        ends[0, n, :k], ends[1, n, :k] = (places.at(bus, section.phases) for bus in (section.start, section.end))
        per_metre = constants[section.construction]
        impedance[n, :k, :k] = np.round(per_metre.impedance_ohm_per_m * section.length_m, 9)
        shunt[n, :k, :k] = np.round(per_metre.shunt_s_per_m * section.length_m, 15)
    built = [catalogue.CONSTRUCTIONS[section.construction] for section in sections]
    ampacity_a = np.array([kind.ampacity_a for kind in built])
    return Lines(
        ids=tuple(section.id for section in sections),
        from_node=ends[0],
        to_node=ends[1],
        impedance_ohm=impedance,
        shunt_s=shunt,
        in_service=np.ones(count, dtype=np.bool_),
        ratings=Ratings(
            normal=ampacity_a,
            emergency=ampacity_a * catalogue.LINE_EMERGENCY,
            seasonal=np.tile(np.array(catalogue.SEASONAL), (count, 1)),
            derate_pct=np.zeros(count),
            condition_score=np.full(count, 100.0),
            neutral_a=np.array([kind.neutral_a for kind in built]),
            reverse_power_w=np.full(count, np.inf),
            withstand_a=np.array([kind.withstand_a for kind in built]),
        ),
    )


def _capacitors(places: Places) -> Shunts:
    admittance = [1j * var / catalogue.FEEDER_V**2 * np.eye(3) for _, _, var in _CAPACITORS]
    return Shunts(
        ids=tuple(name for name, _, _ in _CAPACITORS),
        node=np.array([places.at(bus, "abc") for _, bus, _ in _CAPACITORS], dtype=np.int64),
        admittance_s=np.array(admittance, dtype=np.complex128),
        in_service=np.ones(len(_CAPACITORS), dtype=np.bool_),
    )


def _capacitor_controls(places: Places) -> CapacitorControls:
    count = len(_CAPACITORS)
    return CapacitorControls(
        ids=tuple(f"{name}-CTRL" for name, _, _ in _CAPACITORS),
        shunt=np.arange(count),
        kind=np.full(count, int(CapacitorControlKind.VOLTAGE), dtype=np.int64),
        node=np.array([(places.at(bus, "abc")[0], EARTH) for _, bus, _ in _CAPACITORS], dtype=np.int64),
        line=np.full(count, -1, dtype=np.int64),
        on_at=np.full(count, _CAPACITOR_V[0]),
        off_at=np.full(count, _CAPACITOR_V[1]),
        pt_ratio=np.full(count, catalogue.FEEDER_V / 3**0.5 / 120),
        ct_ratio=np.ones(count),
        voltage_min_v=np.full(count, -np.inf),
        voltage_max_v=np.full(count, np.inf),
        delay_s=np.full(count, 60.0),
        delay_off_s=np.full(count, 60.0),
        dead_time_s=np.full(count, 300.0),
        in_service=np.ones(count, dtype=np.bool_),
    )


@dataclass(frozen=True, slots=True)
class _Branches:
    """One load while the table is made."""

    id: str
    node: list[tuple[int, int]]
    power_va: list[complex]
    nominal_v: float
    law: str


def _draws(customer: Customer, places: Places) -> list[_Branches]:
    """What a customer has: a load, and the charger of a vehicle across both legs."""
    if customer.kind == "store":
        nodes = [(node, EARTH) for node in places.at(customer.bus, "abc")]
        share, volts = [1 / 3] * 3, catalogue.SHOP_V / 3**0.5
    else:
        nodes = [(node, EARTH) for node in places.at(customer.bus, SPLIT)]
        share, volts = [customer.left_share, 1 - customer.left_share], catalogue.LEG_V
    own = [part * customer.peak_w * _per_watt(customer.kind) for part in share]
    result = [_Branches(f"{customer.id}-L", nodes, own, volts, customer.kind)]
    if customer.ev_w:
        first, second = places.at(customer.bus, SPLIT)
        drawn = customer.ev_w * CHARGING_AT_PEAK * _per_watt("charger")
        result.append(_Branches(f"{customer.id}-EV", [(first, second)], [drawn], 2 * catalogue.LEG_V, "charger"))
    return result


def _per_watt(law: str) -> complex:
    factor = _LAWS[law][0]
    return complex(1.0, round((1 / factor**2 - 1) ** 0.5, 4))


def _loads(customers: Sequence[Customer], places: Places) -> Loads:
    found = [branches for customer in customers for branches in _draws(customer, places)]
    node = np.full((len(found), 3, 2), ABSENT, dtype=np.int64)
    power = np.zeros((len(found), 3), dtype=np.complex128)
    for n, load in enumerate(found):
        node[n, : len(load.node)] = load.node
        power[n, : len(load.node)] = load.power_va
    return Loads(
        ids=tuple(load.id for load in found),
        node=node,
        power_va=power,
        nominal_v=np.array([load.nominal_v for load in found]),
        zip_p=np.array([_LAWS[load.law][1] for load in found]),
        zip_q=np.array([_LAWS[load.law][2] for load in found]),
        exponent=np.full((len(found), 2), np.nan),
        band_pu=np.tile(np.array([0.85, 1.15]), (len(found), 1)),
        edge_pu=np.full((len(found), 2, 2), np.nan),
        low_pu=np.full(len(found), 0.5),
        in_service=np.ones(len(found), dtype=np.bool_),
    )


def _units(customers: Sequence[Customer], places: Places) -> Units:
    """Panels and batteries behind inverters, across both legs or between three phases and earth."""
    solar = [(f"{c.id}-PV", c, c.pv_w, 0.0) for c in customers if c.pv_w]
    stores = [(f"{c.id}-BAT", c, c.battery_w, 2.7 * c.battery_w) for c in customers if c.battery_w]
    found = [*solar, *stores]
    node = np.full((len(found), 3, 2), ABSENT, dtype=np.int64)
    for n, (_, customer, _, _) in enumerate(found):
        if customer.kind == "store":
            node[n] = [(phase, EARTH) for phase in places.at(customer.bus, "abc")]
        else:
            node[n, 0] = places.at(customer.bus, SPLIT)
    return Units(
        ids=tuple(name for name, _, _, _ in found),
        node=node,
        power_va=np.zeros(len(found), dtype=np.complex128),
        rated_va=np.array([rated_w for _, _, rated_w, _ in found]),
        energy_wh=np.array([energy_wh for _, _, _, energy_wh in found]),
        fault_current_pu=np.full(len(found), 1.2),
        volt_var=np.full(len(found), -1, dtype=np.int64),
        volt_watt=np.full(len(found), -1, dtype=np.int64),
        in_service=np.ones(len(found), dtype=np.bool_),
    )


def _switches(lines: Sequence[str], places: Places) -> Switches:
    return Switches(
        ids=tuple(name for name, _, _, _ in _SWITCHES),
        kind=np.full(len(_SWITCHES), int(SwitchKind.LINE), dtype=np.int64),
        bus=np.array([places.bus[bus] for _, bus, _, _ in _SWITCHES], dtype=np.int64),
        element=np.array([lines.index(line) for _, _, line, _ in _SWITCHES], dtype=np.int64),
        closed=np.array([closed for _, _, _, closed in _SWITCHES], dtype=np.bool_),
    )


def _source(places: Places) -> Sources:
    """The system above, as its short-circuit power says."""
    three_va, one_va = catalogue.SUPPLY_FAULT_VA
    direction = np.exp(1j * np.arctan(8.0))
    positive = catalogue.SUPPLY_V**2 / three_va * direction
    zero = 3 * catalogue.SUPPLY_V**2 / one_va * direction - 2 * positive
    sequences = [np.array([1 / z], dtype=np.complex128) for z in (zero, positive, positive)]
    admittance: ComplexArray = from_sequences(*sequences)
    nodes: IntArray = np.array([places.at("HV", "abc")], dtype=np.int64)
    angles: FloatArray = np.array([[0.0, -120.0, 120.0]])
    return Sources(("GRID",), nodes, np.array([SOURCE_PU]), angles, admittance)
