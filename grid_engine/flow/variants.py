"""Elements whose state may differ from case to case of one batch: tap changers and switched capacitors.

Where each case has its own taps, factorising for each would cost more than all its iterations; instead
the solver is told how the admittance of every such element changes with its state.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TypeVar

import numpy as np

from grid_engine.elements.primitive import Primitives
from grid_engine.elements.sequences import sequence_primitives
from grid_engine.elements.shunts import shunt_primitives
from grid_engine.elements.windings import winding_primitives
from grid_engine.flow.nodal import System, in_state, taps_in_state
from grid_engine.model import ComplexArray, IntArray, SwitchKind

_Table = TypeVar("_Table")


@dataclass(frozen=True, slots=True, eq=False)
class Variants:
    """Elements with the admittances of all their states."""

    ids: tuple[str, ...]
    lowest: IntArray
    """Shape (n,): number of the first state: the lowest tap; 0, out of service, for capacitors."""
    state: IntArray
    """Shape (n,): as the system was built."""
    unknown: tuple[IntArray, ...]
    """Per element (m,): positions among the system's unknowns."""
    admittance_s: tuple[ComplexArray, ...]
    """Per element (n_state, m, m)."""


def no_variants() -> Variants:
    """Every case in the state of the system."""
    return Variants((), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), (), ())


def tap_variants(system: System, ids: Sequence[str]) -> Variants:
    """The tap changers of transformers, over their whole range and where they are."""
    parts = [_tap_variant(system, name) for name in ids]
    return joined_variants(*parts) if parts else no_variants()


def shunt_variants(system: System, ids: Sequence[str]) -> Variants:
    """Capacitors and reactors: state 0 is out of service, 1 in service."""
    shunts = system.network.shunts
    built = shunt_primitives(shunts)
    live = in_state(shunts.in_service, shunts.ids, system.state.in_service)
    parts = []
    for name in ids:
        n = shunts.ids.index(name)
        states = Primitives(np.tile(built.node[n], (2, 1)), built.admittance_s[n] * np.array([0, 1])[:, None, None])
        parts.append(_condensed(system, name, 0, int(live[n]), states))
    return joined_variants(*parts) if parts else no_variants()


def joined_variants(*parts: Variants) -> Variants:
    """All elements of `parts`, one part after the other."""
    return Variants(
        ids=tuple(name for part in parts for name in part.ids),
        lowest=np.concatenate([part.lowest for part in parts]),
        state=np.concatenate([part.state for part in parts]),
        unknown=tuple(rows for part in parts for rows in part.unknown),
        admittance_s=tuple(matrix for part in parts for matrix in part.admittance_s),
    )


def _tap_variant(system: System, name: str) -> Variants:
    network = system.network
    windings, sequences = network.transformers, network.sequence_transformers
    table = windings if name in windings.ids else sequences
    n = table.ids.index(name)
    now = int(taps_in_state(table.tap[n : n + 1], [name], system.state.taps)[0])
    tap = np.arange(min(int(table.tap_min[n]), now), max(int(table.tap_max[n]), now) + 1)
    rows = np.full(len(tap), n)
    if name in windings.ids:
        states = winding_primitives(taken(windings, rows), tap)
    else:
        states = sequence_primitives(taken(sequences, rows), tap, network.buses, network.nodes)
    if not _is_connected(system, name):
        states = Primitives(states.node, np.zeros_like(states.admittance_s))
    return _condensed(system, name, int(tap[0]), now, states)


def _is_connected(system: System, name: str) -> bool:
    """In service, and at no open switch."""
    network, switches = system.network, system.network.switches
    windings, sequences = network.transformers, network.sequence_transformers
    kind, table = (
        (SwitchKind.TRANSFORMER, windings) if name in windings.ids else (SwitchKind.SEQUENCE_TRANSFORMER, sequences)
    )
    n = table.ids.index(name)
    closed = in_state(switches.closed, switches.ids, system.state.switches_closed)
    opened = bool(np.any(~closed & (switches.kind == kind) & (switches.element == n)))
    return bool(system.state.in_service.get(name, bool(table.in_service[n]))) and not opened


def _condensed(system: System, name: str, lowest: int, now: int, states: Primitives) -> Variants:
    """Ends at the same unknown put together; those at earth or without supply left out."""
    unknown = np.append(system.unknown, [-1, -1])[states.node[0]]  # the last two for ABSENT and EARTH
    rows, place = np.unique(unknown[unknown >= 0], return_inverse=True)
    spread = np.zeros((len(unknown), len(rows)))
    spread[np.flatnonzero(unknown >= 0), place] = 1
    admittance_s = np.einsum("ia,sij,jb->sab", spread, states.admittance_s, spread, optimize=True)
    return Variants((name,), np.array([lowest]), np.array([now]), (rows,), (admittance_s,))


def taken(table: _Table, rows: IntArray) -> _Table:
    """The rows of a table of the model, in the order asked for."""
    changed: dict[str, object] = {}
    for f in fields(table):  # type: ignore[arg-type]
        value = getattr(table, f.name)
        if isinstance(value, np.ndarray):
            changed[f.name] = value[rows]
        elif is_dataclass(value):
            changed[f.name] = taken(value, rows)
        else:
            changed[f.name] = tuple(value[n] for n in rows)
    return replace(table, **changed)  # type: ignore[type-var]
