"""A chain of single-phase buses behind a stiff source, for which there are closed forms."""

from dataclasses import replace

import numpy as np

from grid_engine.model import ABSENT, EARTH, Buses, Lines, Loads, Network, Nodes, Sources, Switches, SwitchKind
from grid_engine.modelling.tables import empty_network, unlimited

PHASE_V = 240.0
STIFF_S = 1e9


def chain(*impedance_ohm: complex, loads_va: dict[int, complex] | None = None, switches: bool = False) -> Network:
    """Bus 0 is the source's; line k, of impedance k, leads from bus k to bus k + 1; loads by bus, constant power."""
    n = len(impedance_ohm)
    impedance = np.zeros((n, 1, 1), dtype=np.complex128)
    impedance[:, 0, 0] = impedance_ohm
    network = replace(
        empty_network("chain", 60.0, k=1),
        buses=Buses(
            ids=tuple(f"b{k}" for k in range(n + 1)),
            phase_v=np.full(n + 1, PHASE_V),
            voltage_min_pu=np.full(n + 1, np.nan),
            voltage_max_pu=np.full(n + 1, np.nan),
            position=np.full((n + 1, 2), np.nan),
        ),
        nodes=Nodes(bus=np.arange(n + 1), terminal=np.zeros(n + 1, dtype=np.int64)),
        lines=Lines(
            ids=tuple(f"l{k}" for k in range(n)),
            from_node=np.arange(n)[:, None],
            to_node=np.arange(1, n + 1)[:, None],
            impedance_ohm=impedance,
            shunt_s=np.zeros((n, 1, 1), dtype=np.complex128),
            in_service=np.ones(n, dtype=np.bool_),
            ratings=unlimited(n),
        ),
        loads=_loads(loads_va or {}),
        sources=_source(),
    )
    return replace(network, switches=_line_switches(n)) if switches else network


def _loads(power_va: dict[int, complex]) -> Loads:
    n = len(power_va)
    node = np.full((n, 3, 2), ABSENT)
    node[:, 0] = [(bus, EARTH) for bus in power_va] or np.zeros((0, 2))
    power = np.zeros((n, 3), dtype=np.complex128)
    power[:, 0] = list(power_va.values())
    return Loads(
        ids=tuple(f"load{bus}" for bus in power_va),
        node=node,
        power_va=power,
        nominal_v=np.full(n, PHASE_V),
        zip_p=np.tile([0.0, 0.0, 1.0], (n, 1)),
        zip_q=np.tile([0.0, 0.0, 1.0], (n, 1)),
        exponent=np.full((n, 2), np.nan),
        band_pu=np.tile([0.0, np.inf], (n, 1)),
        edge_pu=np.full((n, 2, 2), np.nan),
        low_pu=np.zeros(n),
        in_service=np.ones(n, dtype=np.bool_),
    )


def _source() -> Sources:
    node = np.array([[0, ABSENT, ABSENT]])
    admittance = np.zeros((1, 3, 3), dtype=np.complex128)
    admittance[0, 0, 0] = STIFF_S
    return Sources(
        ids=("source",),
        node=node,
        voltage_pu=np.ones(1),
        angle_deg=np.zeros((1, 3)),
        admittance_s=admittance,
    )


def _line_switches(n: int) -> Switches:
    return Switches(
        ids=tuple(f"s{k}" for k in range(n)),
        kind=np.full(n, int(SwitchKind.LINE)),
        bus=np.arange(n),
        element=np.arange(n),
        closed=np.ones(n, dtype=np.bool_),
    )
