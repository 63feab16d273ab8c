"""A small network that has one of everything, written by hand for tests of formats and checks."""

from dataclasses import replace

import numpy as np

from grid_engine.model import (
    ABSENT,
    EARTH,
    Buses,
    CapacitorControlKind,
    CapacitorControls,
    Curve,
    Lines,
    Loads,
    Network,
    Nodes,
    Regulators,
    Shunts,
    Sources,
    Switches,
    SwitchKind,
    Terminal,
    Transformers,
    Units,
)
from grid_engine.modelling.tables import empty_network, rated, unlimited

_MV = 27_600 / np.sqrt(3)
_THREE = [Terminal.A, Terminal.B, Terminal.C]
_BUSES = {
    "head": (_MV, _THREE),
    "reg": (_MV, _THREE),
    "mid": (_MV, [*_THREE, Terminal.N]),
    "tap": (_MV, [Terminal.B]),
    "house": (120.0, [Terminal.S1, Terminal.S2]),
    "shop": (347.0, _THREE),
}


def small() -> Network:
    """A source, per-phase regulators, a four-wire and a single-phase line, a centre tap, a delta-wye, controls."""
    nodes = [(n, int(t)) for n, (_, own) in enumerate(_BUSES.values()) for t in own]
    bus, terminal = (np.array(column) for column in zip(*nodes, strict=True))
    network = replace(
        empty_network("small-1", 60.0),
        buses=_buses(),
        nodes=Nodes(bus=bus, terminal=terminal),
        lines=_lines(),
        transformers=_transformers(),
        shunts=Shunts(
            ids=("cap",),
            node=np.array([[6, 7, 8]]),
            admittance_s=1j * 6e-4 * np.eye(3)[None] + 0j,
            in_service=np.array([True]),
        ),
        loads=_loads(),
        units=_units(),
        curves=(Curve(x=np.array([0.92, 0.98, 1.02, 1.08]), y=np.array([0.44, 0.0, 0.0, -0.44])),),
    )
    return replace(
        network,
        regulators=_regulators(),
        capacitor_controls=_capacitor_controls(),
        switches=Switches(
            ids=("sw",),
            kind=np.array([int(SwitchKind.LINE)]),
            bus=np.array([2]),
            element=np.array([0]),
            closed=np.array([True]),
        ),
        sources=_sources(),
    )


def _buses() -> Buses:
    n = len(_BUSES)
    return Buses(
        ids=tuple(_BUSES),
        phase_v=np.array([volts for volts, _ in _BUSES.values()]),
        voltage_min_pu=np.array([np.nan] * (n - 1) + [0.917]),
        voltage_max_pu=np.full(n, np.nan),
        position=np.array([[0.0, 0.0], [1.0, 0.1], *[[np.nan, np.nan]] * (n - 2)]),
    )


def _lines() -> Lines:
    impedance = np.zeros((2, 4, 4), dtype=np.complex128)
    impedance[0] = np.full((4, 4), 0.12 + 0.41j) + np.eye(4) * (0.31 + 0.55j)
    impedance[1, 0, 0] = 0.9 + 0.8j
    shunt = np.zeros((2, 4, 4), dtype=np.complex128)
    shunt[0, :3, :3] = 1j * (np.eye(3) * 4.5e-6 - 0.5e-6)
    return Lines(
        ids=("main", "lateral"),
        from_node=np.array([[3, 4, 5, EARTH], [7, ABSENT, ABSENT, ABSENT]]),
        to_node=np.array([[6, 7, 8, 9], [10, ABSENT, ABSENT, ABSENT]]),
        impedance_ohm=impedance,
        shunt_s=shunt,
        in_service=np.array([True, True]),
        ratings=replace(rated(np.array([400.0, 100.0])), emergency=np.array([480.0, 100.0])),
    )


def _transformers() -> Transformers:
    n, w = 5, 3
    node = np.full((n, w, 3, 2), ABSENT)
    for phase in range(3):
        node[phase, 0, 0] = [phase, EARTH]
        node[phase, 1, 0] = [3 + phase, EARTH]
        node[4, 0, phase] = [6 + phase, 6 + (phase + 1) % 3]
        node[4, 1, phase] = [13 + phase, EARTH]
    node[3, :, 0] = [[10, EARTH], [11, EARTH], [EARTH, 12]]
    reactance = np.zeros((n, w, w))
    for first, second, value in ((0, 1, 0.0204), (0, 2, 0.0204), (1, 2, 0.0136)):
        reactance[3, first, second] = reactance[3, second, first] = value
    reactance[[0, 1, 2], 0, 1] = reactance[[0, 1, 2], 1, 0] = 0.01
    reactance[4, 0, 1] = reactance[4, 1, 0] = 0.04
    rated_va = np.array([2e6, 2e6, 2e6, 25e3, 300e3])
    float_va = np.zeros((n, w, 2))
    float_va[4, 0] = 1e-3
    regulator = np.array([True, True, True, False, False])
    return Transformers(
        ids=("ra", "rb", "rc", "service", "delta"),
        node=node,
        rated_v=np.array([[_MV, _MV, 0.0]] * 3 + [[_MV, 120.0, 120.0], [27_600.0, 347.0, 0.0]]),
        rated_va=rated_va,
        resistance_pu=np.array([[5e-5, 5e-5, 0]] * 3 + [[0.006, 0.012, 0.012], [0.005, 0.005, 0]]),
        reactance_pu=reactance,
        magnetising_pu=np.array([0, 0, 0, 0.002 - 0.005j, 0]),
        float_va=float_va,
        fixed_tap_pu=np.array([[1.0, 1.0, 1.0]] * 4 + [[1.0, 1.025, 1.0]]),
        tap_winding=np.where(regulator, 1, -1),
        tap=np.array([4, 2, -1, 0, 0]),
        tap_neutral=np.zeros(n, dtype=np.int64),
        tap_min=np.where(regulator, -16, 0),
        tap_max=np.where(regulator, 16, 0),
        tap_step_pct=np.where(regulator, 0.625, 0.0),
        in_service=np.ones(n, dtype=np.bool_),
        ratings=replace(unlimited(n), normal=rated_va, emergency=1.5 * rated_va, condition_score=np.full(n, 80.0)),
    )


def _loads() -> Loads:
    node = np.full((3, 3, 2), ABSENT)
    node[0, :2] = [[11, EARTH], [12, EARTH]]
    node[1] = [[6, 7], [7, 8], [8, 6]]
    node[2] = [[13, EARTH], [14, EARTH], [15, EARTH]]
    edge = np.full((3, 2, 2), np.nan)
    edge[2] = 1.0
    return Loads(
        ids=("home", "mill", "till"),
        node=node,
        power_va=np.array([[2e3 + 500j, 1e3, 0], [3e5 + 1e5j] * 3, [2e4 + 5e3j, 1e4, 3e4 + 1j / 3]]),
        nominal_v=np.array([120.0, 27_600.0, 347.0]),
        zip_p=np.array([[0, 0, 1], [0.4, 0.3, 0.3], [0, 0, 1]]),
        zip_q=np.array([[0, 0, 1], [0.4, 0.3, 0.3], [0, 0, 1]]),
        exponent=np.array([[np.nan, np.nan], [np.nan, np.nan], [0.8, 2.0]]),
        band_pu=np.array([[0.95, 1.05], [0.0, np.inf], [0.7, 1.2]]),
        edge_pu=edge,
        low_pu=np.array([0.5, 0.0, 0.0]),
        in_service=np.array([True, True, False]),
    )


def _units() -> Units:
    node = np.full((1, 3, 2), ABSENT)
    node[0, 0] = [11, 12]
    return Units(
        ids=("roof",),
        node=node,
        power_va=np.array([4e3 + 0j]),
        rated_va=np.array([5e3]),
        energy_wh=np.array([0.0]),
        fault_current_pu=np.array([1.2]),
        volt_var=np.array([0]),
        volt_watt=np.array([-1]),
        in_service=np.array([True]),
    )


def _regulators() -> Regulators:
    return Regulators(
        ids=("ca", "cb", "cc"),
        transformer=np.array([0, 1, 2]),
        node=np.array([[3, EARTH], [4, EARTH], [5, EARTH]]),
        winding=np.array([1, 1, 1]),
        set_v=np.array([122.0, 122.0, 121.0]),
        band_v=np.array([2.0, 2.0, 2.0]),
        pt_ratio=np.full(3, 132.8),
        ct_primary_a=np.full(3, 400.0),
        drop_v=np.array([3 + 7.5j] * 3),
        delay_s=np.full(3, 30.0),
        in_service=np.ones(3, dtype=np.bool_),
    )


def _capacitor_controls() -> CapacitorControls:
    return CapacitorControls(
        ids=("cc1",),
        shunt=np.array([0]),
        kind=np.array([int(CapacitorControlKind.REACTIVE_POWER)]),
        node=np.array([[6, EARTH]]),
        line=np.array([0]),
        on_at=np.array([2e5]),
        off_at=np.array([-4e5]),
        pt_ratio=np.array([132.8]),
        ct_ratio=np.array([80.0]),
        voltage_min_v=np.array([-np.inf]),
        voltage_max_v=np.array([127.0]),
        delay_s=np.array([60.0]),
        delay_off_s=np.array([60.0]),
        dead_time_s=np.array([300.0]),
        in_service=np.array([True]),
    )


def _sources() -> Sources:
    impedance = np.full((3, 3), 0.02 + 0.3j) + np.eye(3) * (0.1 + 1.1j)
    return Sources(
        ids=("station",),
        node=np.array([[0, 1, 2]]),
        voltage_pu=np.array([1.03]),
        angle_deg=np.array([[0.0, -120.0, 120.0]]),
        admittance_s=np.linalg.inv(impedance)[None],
    )
