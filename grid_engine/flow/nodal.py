"""The network in one state as nodal admittance equations, with every current that can be metered in it.

Unknown are the voltages of all supplied nodes; nodes that closed switches join share one unknown.
Sources are Norton equivalents, so that theirs are unknowns like any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, vstack
from scipy.sparse.csgraph import connected_components, dijkstra

from grid_engine.elements.lines import line_primitives
from grid_engine.elements.primitive import BASE_VA, Primitives, open_ends
from grid_engine.elements.sequences import sequence_primitives
from grid_engine.elements.shunts import shunt_primitives
from grid_engine.elements.sources import source_currents, source_primitives
from grid_engine.elements.windings import winding_primitives
from grid_engine.model import (
    BoolArray,
    ComplexArray,
    FloatArray,
    IntArray,
    Lines,
    Network,
    SequenceTransformers,
    SwitchKind,
    Transformers,
)
from grid_engine.results import NetworkState


@dataclass(frozen=True, slots=True, eq=False)
class Terminals:
    """Every current that can be metered: out of one node into one end or winding of a branch."""

    branch: IntArray
    """Shape (n,): position in `Network.branch_ids`."""
    end: IntArray
    """0 or 1, from or to, of a line; the winding of a transformer; 0 or 1, high or low voltage, of a sequence one."""
    conductor: IntArray
    """Of a line; of a transformer, 2 * phase + end of the first coil that stands there; the phase of a sequence one."""
    node: IntArray
    """The network's node that the current leaves; what coils of one winding draw from the same node is added up."""
    current: csr_array
    """Shape (n, n_node): amperes from node voltages in per unit."""


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """One state of one network; per unit of `BASE_VA` and `base_v`."""

    network: Network
    state: NetworkState
    bus_of: IntArray
    """Shape (n_bus,): the lowest bus that each is joined with by closed switches."""
    node_of: IntArray
    """Shape (n_node,): the lowest node that each is joined with; they have one voltage."""
    depth: IntArray
    """Shape (n_bus,): branches between the bus and the nearest source; the number of buses where there is no way."""
    supplied: BoolArray
    """Shape (n_node,): connected to a source."""
    base_v: FloatArray
    """Shape (n_node,): nominal volts to earth; joined nodes have that of the first of them."""
    unknown: IntArray
    """Shape (n_node,): position among the unknowns, -1 for nodes without supply."""
    matrix: csc_array
    """Shape (n_unknown, n_unknown): nodal admittances, per unit."""
    source_current: ComplexArray
    """Shape (n_unknown,): what sources inject, per unit."""
    terminals: Terminals

    @property
    def supplied_buses(self) -> BoolArray:
        """Shape (n_bus,): whether any node of the bus is connected to a source."""
        fed = self.network.nodes.bus[self.supplied]
        return np.bincount(fed, minlength=len(self.bus_of)).astype(np.bool_)

    def voltages(self, unknowns: ComplexArray) -> ComplexArray:
        """Node voltages (n_node, ...) of unknowns (n_unknown, ...); 0 where there is no supply."""
        nothing = np.zeros((1, *unknowns.shape[1:]), dtype=np.complex128)
        return np.concatenate([unknowns, nothing])[self.unknown]


def build(network: Network, state: NetworkState) -> System:
    """The system in `state`, remembered for the last few states asked for."""
    return _build(
        network,
        state.source_voltage_pu,
        tuple(sorted(state.taps.items())),
        tuple(sorted(state.switches_closed.items())),
        tuple(sorted(state.in_service.items())),
    )


@lru_cache(maxsize=16)
def _build(
    network: Network,
    source_voltage_pu: float | None,
    taps: tuple[tuple[str, int], ...],
    closed: tuple[tuple[str, bool], ...],
    in_service: tuple[tuple[str, bool], ...],
) -> System:
    state = NetworkState(source_voltage_pu, dict(taps), dict(closed), dict(in_service))
    closed_now = in_state(network.switches.closed, network.switches.ids, state.switches_closed)
    bus_of = _joined_buses(network, closed_now)
    node_of = _joined_nodes(network, bus_of)
    base_v = np.asarray(network.buses.phase_v[network.nodes.bus[node_of]])
    branches = _branches(network, state, closed_now)
    shunts = _live(shunt_primitives(network.shunts), network.shunts.in_service, network.shunts.ids, state)
    entries = [_entries(made) for made in (*branches, shunts, source_primitives(network.sources))]
    full = _assembled(entries, node_of, base_v)
    supplied = _supplied(network, full, node_of)
    kept = np.flatnonzero(supplied & (node_of == np.arange(len(node_of))))
    unknown = np.full(len(node_of), -1)
    unknown[kept] = np.arange(len(kept))
    return System(
        network=network,
        state=state,
        bus_of=bus_of,
        node_of=node_of,
        depth=_depth(network, entries[: len(branches)], bus_of),
        supplied=supplied,
        base_v=base_v,
        unknown=unknown[node_of],
        matrix=csc_array(full[kept][:, kept]),
        source_current=_source_current(network, state, node_of, base_v)[kept],
        terminals=_terminals(network, branches, entries, base_v),
    )


def branch_primitives(system: System) -> tuple[Primitives, Primitives, Primitives]:
    """Lines, transformers, sequence transformers as they stand in the system's state."""
    network, state = system.network, system.state
    return _branches(network, state, in_state(network.switches.closed, network.switches.ids, state.switches_closed))


def in_state(as_loaded: BoolArray, ids: Sequence[str], changed: Mapping[str, bool]) -> BoolArray:
    """Shape (n,): `as_loaded`, but for the ids that `changed` speaks of."""
    result = as_loaded.copy()
    for n in [n for n, name in enumerate(ids) if name in changed]:
        result[n] = changed[ids[n]]
    return result


def taps_in_state(as_loaded: IntArray, ids: Sequence[str], changed: Mapping[str, int]) -> IntArray:
    """Shape (n,): positions as loaded, but for the ids that `changed` speaks of."""
    result = as_loaded.copy()
    for n in [n for n, name in enumerate(ids) if name in changed]:
        result[n] = changed[ids[n]]
    return result


def _joined_buses(network: Network, closed: BoolArray) -> IntArray:
    switches, n_bus = network.switches, len(network.buses.ids)
    joins = closed & (switches.kind == SwitchKind.BUS)
    ends = (switches.bus[joins], switches.element[joins])
    _, label = connected_components(coo_array((np.ones(joins.sum()), ends), shape=(n_bus, n_bus)), directed=False)
    _, lowest = np.unique(label, return_index=True)
    return lowest[label].astype(np.int64)


def _joined_nodes(network: Network, bus_of: IntArray) -> IntArray:
    """Nodes of joined buses are one where they are the same terminal."""
    place = bus_of[network.nodes.bus] * (network.nodes.terminal.max(initial=0) + 1) + network.nodes.terminal
    _, lowest, label = np.unique(place, return_index=True, return_inverse=True)
    return lowest[label].astype(np.int64)


def _branches(network: Network, state: NetworkState, closed: BoolArray) -> tuple[Primitives, Primitives, Primitives]:
    """Lines, transformers, sequence transformers in this state; their matrices are zero where out of service."""
    kinds = (SwitchKind.LINE, SwitchKind.TRANSFORMER, SwitchKind.SEQUENCE_TRANSFORMER)
    tables: tuple[Lines | Transformers | SequenceTransformers, ...] = (
        network.lines,
        network.transformers,
        network.sequence_transformers,
    )
    built = _built(network, tuple(sorted(state.taps.items())))
    first, second, third = (
        _live(_opened(network, made, kind, closed), table.in_service, table.ids, state)
        for kind, table, made in zip(kinds, tables, built, strict=True)
    )
    return first, second, third


@lru_cache(maxsize=4)
def _built(network: Network, taps: tuple[tuple[str, int], ...]) -> tuple[Primitives, Primitives, Primitives]:
    """The same if all were in service and no end open; kept, for contingencies leave taps as they are."""
    windings, sequences, moved = network.transformers, network.sequence_transformers, dict(taps)
    sequence_tap = taps_in_state(sequences.tap, sequences.ids, moved)
    return (
        line_primitives(network.lines),
        winding_primitives(windings, taps_in_state(windings.tap, windings.ids, moved)),
        sequence_primitives(sequences, sequence_tap, network.buses, network.nodes),
    )


def _live(made: Primitives, in_service: BoolArray, ids: Sequence[str], state: NetworkState) -> Primitives:
    live = in_state(in_service, ids, state.in_service)
    return made if live.all() else Primitives(made.node, made.admittance_s * live[:, None, None])


def _opened(network: Network, made: Primitives, kind: SwitchKind, closed: BoolArray) -> Primitives:
    switches = network.switches
    which = np.flatnonzero(~closed & (switches.kind == kind))
    if not len(which):
        return made
    opened = np.zeros(made.node.shape, dtype=np.bool_)
    element = switches.element[which]
    bus = np.append(network.nodes.bus, [-1, -1])[made.node[element]]  # the last two for ABSENT and EARTH
    np.logical_or.at(opened, element, bus == switches.bus[which][:, None])
    return open_ends(made, opened)


class _Entries(NamedTuple):
    """Whatever of one table does not concern the earth alone."""

    place: IntArray
    """Element * number of ends + end, of the row."""
    row: IntArray
    """Node."""
    column: IntArray
    value: ComplexArray
    """Siemens."""


def _entries(made: Primitives) -> _Entries:
    n, m = made.node.shape
    values = made.admittance_s.reshape(-1)
    there = made.node >= 0
    kept = np.flatnonzero((values != 0) & (there[:, :, None] & there[:, None, :]).reshape(-1))
    place = kept // max(m, 1)
    column = place // max(m, 1) * m + kept % max(m, 1)
    node = made.node.reshape(n * m)
    return _Entries(place, node[place], node[column], values[kept])


def _assembled(entries: Sequence[_Entries], node_of: IntArray, base_v: FloatArray) -> csc_array:
    """Nodal admittances per unit over all nodes; rows and columns of joined nodes but the first are empty."""
    row, column = np.concatenate([part.row for part in entries]), np.concatenate([part.column for part in entries])
    value = np.concatenate([part.value for part in entries]) * base_v[row] * base_v[column] / BASE_VA
    shape = (len(node_of), len(node_of))
    matrix = coo_array((value, (node_of[row], node_of[column])), shape=shape).tocsc()
    matrix.eliminate_zeros()
    return matrix


def _supplied(network: Network, matrix: csc_array, node_of: IntArray) -> BoolArray:
    _, label = connected_components(matrix.astype(np.bool_), directed=False)
    sources = network.sources.node
    fed = np.isin(label, label[node_of[sources[sources >= 0]]])
    return np.asarray(fed[node_of])


def _source_current(network: Network, state: NetworkState, node_of: IntArray, base_v: FloatArray) -> ComplexArray:
    """Shape (n_node,), per unit."""
    sources = network.sources
    voltage_pu = sources.voltage_pu
    if state.source_voltage_pu is not None:
        voltage_pu = np.full(len(sources.ids), state.source_voltage_pu)
    amperes = source_currents(sources, voltage_pu, network.buses, network.nodes)
    there = sources.node >= 0
    node, result = sources.node[there], np.zeros(len(node_of), dtype=np.complex128)
    np.add.at(result, node_of[node], amperes[there] * base_v[node] / BASE_VA)
    return result


def _depth(network: Network, entries: Sequence[_Entries], bus_of: IntArray) -> IntArray:
    n_bus = len(bus_of)
    bus = bus_of[network.nodes.bus]
    row, column = (np.concatenate([bus[part[axis]] for part in entries]) for axis in (1, 2))
    row, column = row[row < column], column[row < column]
    graph = coo_array((np.ones(len(row)), (row, column)), shape=(n_bus, n_bus)).tocsr()
    sources = np.unique(bus[network.sources.node[network.sources.node >= 0]])
    away = dijkstra(graph, directed=False, indices=sources, unweighted=True, min_only=True)
    return np.where(np.isfinite(away), away, n_bus)[bus_of].astype(np.int64)


def _terminals(
    network: Network, branches: Sequence[Primitives], entries: Sequence[_Entries], base_v: FloatArray
) -> Terminals:
    k = max(network.lines.from_node.shape[1], 1)
    parts, first = [], 0
    for made, of_table, each in zip(branches, entries, (k, 6, 3), strict=False):
        column = np.arange(made.node.shape[1])
        parts.append(_metered(made, of_table, (column // each, column % each), base_v))
        parts[-1][0][:] += first
        first += len(made.node)
    branch, at, conductor, node = (np.concatenate([part[n] for part in parts]) for n in range(4))
    return Terminals(branch, at, conductor, node, csr_array(vstack([part[4] for part in parts], format="csr")))


_Metered = tuple[IntArray, IntArray, IntArray, IntArray, csr_array]


def _metered(made: Primitives, entries: _Entries, names: tuple[IntArray, IntArray], base_v: FloatArray) -> _Metered:
    """Element, end, conductor, node and current rows of one table; `names` has end and conductor by column."""
    n, m = made.node.shape
    nodes = made.node.reshape(n * m)
    there = np.flatnonzero(nodes >= 0)
    element, column = there // max(m, 1), there % max(m, 1)
    end, conductor = names[0][column], names[1][column]
    place = (element * (m + 1) + end) * len(base_v) + nodes[there]
    _, chosen, label = np.unique(place, return_index=True, return_inverse=True)
    row_of = np.zeros(n * m, dtype=np.int64)
    row_of[there] = label
    values = entries.value * base_v[entries.column]
    where = (row_of[entries.place], entries.column)
    current = coo_array((values, where), shape=(len(chosen), len(base_v))).tocsr()
    return element[chosen], end[chosen], conductor[chosen], nodes[there][chosen], current
