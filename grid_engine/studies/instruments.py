"""Places a meter in one system: which currents, loadings, voltages, unbalances and powers there are to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, vstack
from scipy.sparse.csgraph import connected_components

from grid_engine.flow.nodal import System, branch_primitives
from grid_engine.model import ABSENT, EARTH, BoolArray, FloatArray, IntArray, Network, SwitchKind, Terminal
from grid_engine.studies.meters import ALL_PHASES, PHASE_NAMES, Meter, Quantity

_TURN = np.exp(2j * np.pi / 3)
_POSITIVE = np.array([1, _TURN, _TURN**2]) / 3
_NEGATIVE = np.array([1, _TURN**2, _TURN]) / 3
_PHASES = np.array([Terminal.A, Terminal.B, Terminal.C])
_LEGS = (Terminal.S1, Terminal.S2)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Some rows of a meter, before they are put together."""

    quantity: Quantity
    asset: IntArray
    phase: IntArray
    functional: csr_array
    """Shape (n_row, n_node)."""


@lru_cache(maxsize=32)
def meter(system: System, neutral: tuple[int, ...] = (), reverse: tuple[int, ...] = ()) -> Meter:
    """Everything that can be read in `system`, at nodes with supply, and at none of the sources' own buses.

    Args:
        system: Where to read.
        neutral: Lines without a neutral conductor whose neutral current is read as the sum of their phases'.
        reverse: Branches whose power back towards the source is read.
    """
    parts = (
        *_line_currents(system),
        _earthed_neutrals(system, neutral),
        _coil_loadings(system),
        _sequence_loadings(system),
        _voltages(system),
        _line_voltages(system),
    )
    unbalance, below = _unbalances(system)
    branch, volts, amperes, outward = _backward(system, reverse)
    return Meter(
        quantity=np.concatenate(
            [
                *(np.full(len(part.asset), part.quantity, dtype=np.int64) for part in (*parts, unbalance)),
                np.full(len(branch), Quantity.REVERSE, dtype=np.int64),
            ]
        ),
        asset=np.concatenate([*(part.asset for part in (*parts, unbalance)), branch]),
        phase=np.concatenate([*(part.phase for part in (*parts, unbalance)), np.full(len(branch), ALL_PHASES)]),
        magnitude=csr_array(vstack([part.functional for part in parts], format="csr")),
        above=unbalance.functional,
        below=below,
        volts=volts,
        amperes=amperes,
        outward=outward,
    )


@lru_cache(maxsize=8)
def node_table(network: Network) -> IntArray:
    """Shape (n_bus, n_terminal): the node of each terminal of each bus, `ABSENT` where there is none."""
    table = np.full((len(network.buses.ids), len(Terminal)), ABSENT)
    table[network.nodes.bus, network.nodes.terminal] = np.arange(len(network.nodes.bus))
    return table


@lru_cache(maxsize=8)
def unearthed(network: Network) -> BoolArray:
    """Shape (n_bus,): buses in a part of the network that no winding, load or source ties to earth.

    There the voltages to earth float, and mean nothing. Parts are what lines and bus switches hold together.
    """
    lines, switches, n_bus = network.lines, network.switches, len(network.buses.ids)
    through = (lines.from_node >= 0) & (lines.to_node >= 0)
    joins = switches.kind == SwitchKind.BUS
    bus = network.nodes.bus
    ends = (
        np.concatenate([bus[lines.from_node[through]], switches.bus[joins]]),
        np.concatenate([bus[lines.to_node[through]], switches.element[joins]]),
    )
    _, part = connected_components(coo_array((np.ones(len(ends[0])), ends), shape=(n_bus, n_bus)), directed=False)
    tied = np.zeros(n_bus, dtype=np.bool_)
    tied[part[bus[_tied_nodes(network)]]] = True
    return np.asarray(~tied[part])


def _tied_nodes(network: Network) -> IntArray:
    """Nodes with a source, or with a coil or load to earth or to a neutral."""
    three = network.sequence_transformers
    solid = [network.sources.node, three.lv_node, three.hv_node[~three.delta_hv]]
    found = [nodes[nodes >= 0] for nodes in solid]
    neutral = np.append(network.nodes.terminal == Terminal.N, [False, True])  # the last two for ABSENT and EARTH
    for ends in (network.transformers.node, network.loads.node, network.units.node):
        first, second = ends[..., 0].ravel(), ends[..., 1].ravel()
        found += [first[neutral[second] & (first >= 0)], second[neutral[first] & (second >= 0)]]
    grounded = network.lines
    for near, far in ((grounded.from_node, grounded.to_node), (grounded.to_node, grounded.from_node)):
        found.append(near[(near >= 0) & (far == EARTH)])
    return np.concatenate(found)


def _line_currents(system: System) -> tuple[_Rows, _Rows]:
    """Conductors, then conductors that are neutrals."""
    terminals, network = system.terminals, system.network
    of_line = terminals.branch < len(network.lines.ids)
    terminal = network.nodes.terminal[terminals.node]
    found = []
    for quantity, mine in (
        (Quantity.CURRENT, of_line & (terminal != Terminal.N)),
        (Quantity.NEUTRAL, of_line & (terminal == Terminal.N)),
    ):
        which = np.flatnonzero(mine)
        found.append(_Rows(quantity, terminals.branch[which], terminal[which], terminals.current[which]))
    return found[0], found[1]


def _earthed_neutrals(system: System, lines: Sequence[int]) -> _Rows:
    """What all conductors of a line carry together returns in its neutral; at both ends."""
    terminals, n_line = system.terminals, len(system.network.lines.ids)
    which = np.flatnonzero(np.isin(terminals.branch, lines) & (terminals.branch < n_line))
    end = 2 * terminals.branch[which] + terminals.end[which]
    place, row = np.unique(end, return_inverse=True)
    shape = (len(place), len(terminals.branch))
    together = coo_array((np.ones(len(which)), (row, which)), shape=shape).tocsr()
    phase = np.full(len(place), int(Terminal.N))
    return _Rows(Quantity.NEUTRAL, place // 2, phase, csr_array(together @ terminals.current))


def _coil_loadings(system: System) -> _Rows:
    """Every coil of every winding. The two legs of a split-phase winding carry half of the rating each."""
    network, transformers = system.network, system.network.transformers
    made = branch_primitives(system)[1]
    there = np.all(transformers.node != ABSENT, axis=3)
    element, winding, coil = np.nonzero(there)
    n_phase = np.maximum(there[:, 0].sum(axis=1), 1)
    terminal = np.append(network.nodes.terminal, [Terminal.N, Terminal.N])[transformers.node]
    leg = there & np.isin(terminal, _LEGS).any(axis=3) & ~np.isin(terminal, _LEGS).all(axis=3)
    legs = np.maximum(leg.any(axis=2).sum(axis=1), 1)
    scale = transformers.rated_v[element, winding] * n_phase[element]
    scale = scale * np.where(leg[element, winding, coil], legs[element], 1)
    column = (winding * 3 + coil) * 2
    functional = _current_rows(made.node, made.admittance_s, element, column, system.base_v)
    phase = _pair_names(terminal[element, winding, coil])
    branch = len(network.lines.ids) + element
    return _Rows(Quantity.LOADING, branch, phase, csr_array(diags_array(scale) @ functional))


def _sequence_loadings(system: System) -> _Rows:
    network, terminals = system.network, system.terminals
    three, first = network.sequence_transformers, len(network.lines.ids) + len(network.transformers.ids)
    which = np.flatnonzero(terminals.branch >= first)
    rated_v = np.stack([three.rated_hv_v, three.rated_lv_v], axis=1)
    scale = np.sqrt(3) * rated_v[terminals.branch[which] - first, terminals.end[which]]
    phase = network.nodes.terminal[terminals.node[which]]
    functional = csr_array(diags_array(scale) @ terminals.current[which])
    return _Rows(Quantity.LOADING, terminals.branch[which], phase, functional)


def _current_rows(
    node: IntArray, admittance_s: np.ndarray, element: IntArray, column: IntArray, base_v: FloatArray
) -> csr_array:
    """Shape (n_row, n_node): amperes into each `column` of each `element`, from voltages in per unit."""
    other, values = node[element], admittance_s[element, column]
    real = (other >= 0) & (values != 0)
    row = np.broadcast_to(np.arange(len(element))[:, None], other.shape)[real]
    shape = (len(element), len(base_v))
    return coo_array((values[real] * base_v[other[real]], (row, other[real])), shape=shape).tocsr()


def _pair_names(terminal: IntArray) -> IntArray:
    """Positions in `PHASE_NAMES` of coils between two terminals (n, 2); earth and neutrals are not named."""
    names = {frozenset(name): n for n, name in enumerate(PHASE_NAMES) if len(name) == 2 and name[1] in "abc"}
    names |= {frozenset([name]): n for n, name in enumerate(PHASE_NAMES[: len(Terminal)])}
    names[frozenset(("s1", "s2"))] = PHASE_NAMES.index("s1s2")
    table = np.full((len(Terminal), len(Terminal)), ALL_PHASES)
    for first in Terminal:
        for second in Terminal:
            own = frozenset(PHASE_NAMES[t] for t in (first, second) if t != Terminal.N)
            table[first, second] = names.get(own, ALL_PHASES)
    return np.asarray(table[terminal[:, 0], terminal[:, 1]])


def _read_buses(system: System) -> BoolArray:
    """Shape (n_bus,): not joined with a source."""
    sources = system.network.sources.node
    at_source = system.bus_of[system.network.nodes.bus[sources[sources >= 0]]]
    return np.asarray(~np.isin(system.bus_of, at_source))


def _voltages(system: System) -> _Rows:
    nodes, floating = system.network.nodes, unearthed(system.network)
    readable = system.supplied & (_read_buses(system) & ~floating)[nodes.bus] & (nodes.terminal != Terminal.N)
    which = np.flatnonzero(readable)
    functional = csr_array(
        (np.ones(len(which), dtype=np.complex128), which, np.arange(len(which) + 1)),
        shape=(len(which), len(nodes.bus)),
    )
    return _Rows(Quantity.VOLTAGE, nodes.bus[which], nodes.terminal[which], functional)


def _line_voltages(system: System) -> _Rows:
    """Between phases, in per unit of the nominal voltage between phases."""
    table = node_table(system.network)
    buses = np.flatnonzero(_read_buses(system) & unearthed(system.network))
    supplied = np.append(system.supplied, [False, False])
    rows = []
    for name in ("ab", "bc", "ca"):
        ends = np.stack([table[buses, PHASE_NAMES.index(letter)] for letter in name], axis=1)
        mine = supplied[ends].all(axis=1)
        rows.append((buses[mine], np.full(int(mine.sum()), PHASE_NAMES.index(name)), ends[mine]))
    bus, phase, ends = (np.concatenate([row[n] for row in rows]) for n in range(3))
    order = np.lexsort((phase, bus))
    bus, phase, ends = bus[order], phase[order], ends[order]
    weight = np.tile(np.array([1, -1]) / np.sqrt(3) + 0j, len(bus))
    functional = csr_array((weight, ends.ravel(), 2 * np.arange(len(bus) + 1)), shape=(len(bus), len(system.supplied)))
    return _Rows(Quantity.VOLTAGE, bus, phase, functional)


def _unbalances(system: System) -> tuple[_Rows, csr_array]:
    """Negative-sequence voltages of three-phase buses, and their positive-sequence ones."""
    nodes = node_table(system.network)[:, _PHASES]
    supplied = np.append(system.supplied, [False, False])
    buses = np.flatnonzero(_read_buses(system) & supplied[nodes].all(axis=1))
    pointer, shape = 3 * np.arange(len(buses) + 1), (len(buses), len(system.supplied))
    negative, positive = (
        csr_array((np.tile(part, len(buses)), nodes[buses].ravel(), pointer), shape=shape)
        for part in (_NEGATIVE, _POSITIVE)
    )
    return _Rows(Quantity.UNBALANCE, buses, np.full(len(buses), ALL_PHASES), negative), positive


def _backward(system: System, branches: Sequence[int]) -> tuple[IntArray, csr_array, csr_array, csr_array]:
    """Reverse power is metered where a branch is nearest to the source: branches, volts, amperes, outward."""
    terminals = system.terminals
    asked = np.unique(np.asarray(branches, dtype=np.int64))
    depth = system.depth[system.network.nodes.bus[terminals.node]]
    which = []
    for branch in asked.tolist():
        mine = np.flatnonzero(terminals.branch == branch)
        nearest = mine[np.lexsort((terminals.end[mine], depth[mine]))[:1]]
        which.append(mine[terminals.end[mine] == terminals.end[nearest]])
    chosen = np.concatenate([np.zeros(0, dtype=np.int64), *which])
    row = np.repeat(np.arange(len(asked)), [len(part) for part in which])
    node, n_node = terminals.node[chosen], len(system.supplied)
    volts = csr_array((system.base_v[node] + 0j, node, np.arange(len(node) + 1)), shape=(len(node), n_node))
    outward = coo_array((-np.ones(len(node)), (row, np.arange(len(node)))), shape=(len(asked), len(node)))
    return asked, volts, terminals.current[chosen], csr_array(outward.tocsr())
