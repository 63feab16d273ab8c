"""Which buses are joined in one state of a network, and which switch may open where another one closes."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from grid_engine.flow.nodal import in_state
from grid_engine.model import ABSENT, BoolArray, IntArray, Network, SwitchKind
from grid_engine.results import NetworkState


@dataclass(frozen=True, slots=True)
class Pair:
    """Close one switch, then open another one."""

    close: str
    open: str


@dataclass(frozen=True, slots=True, eq=False)
class Links:
    """All ways between two buses, closed or not; the earth behind the sources counts as one more bus, the last."""

    first: IntArray
    """Shape (n_link,): bus."""
    second: IntArray
    branch: IntArray
    """Position in `Network.branch_ids`, -1 where the link is none."""
    switches: tuple[tuple[int, ...], ...]
    """Per link, those that must all be closed."""
    n_bus: int
    """The earth among them."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """One state of the links."""

    live: BoolArray
    """Shape (n_link,): in service, with every switch closed."""
    loops: int
    """Independent ones between buses, through sources too: 0 where everything is radial, with one branch per hop."""
    supplied: BoolArray
    """Shape (n_bus,)."""


def links(network: Network) -> Links:
    """The ways between buses; a transformer is one from the bus of its first winding to each other bus of its own."""
    switches, sources = network.switches, network.sources.node
    branches = np.array([*_branches(network)], dtype=np.int64).reshape(-1, 3)
    joins = np.flatnonzero(switches.kind == SwitchKind.BUS)
    above = np.unique(network.nodes.bus[sources[sources != ABSENT]])
    earth = len(network.buses.ids)
    own: dict[int, list[int]] = {}
    start = {
        SwitchKind.LINE: 0,
        SwitchKind.TRANSFORMER: len(network.lines.ids),
        SwitchKind.SEQUENCE_TRANSFORMER: len(network.lines.ids) + len(network.transformers.ids),
    }
    for n in np.flatnonzero(switches.kind != SwitchKind.BUS).tolist():
        own.setdefault(start[SwitchKind(int(switches.kind[n]))] + int(switches.element[n]), []).append(n)
    return Links(
        first=np.concatenate([branches[:, 0], switches.bus[joins], above]),
        second=np.concatenate([branches[:, 1], switches.element[joins], np.full(len(above), earth)]),
        branch=np.concatenate([branches[:, 2], np.full(len(joins) + len(above), -1)]),
        switches=(
            *(tuple(own.get(at, ())) for at in branches[:, 2].tolist()),
            *((n,) for n in joins.tolist()),
            *(() for _ in above),
        ),
        n_bus=earth + 1,
    )


def shape(network: Network, ways: Links, state: NetworkState) -> Shape:
    """Loops and supply in `state`."""
    closed = in_state(network.switches.closed, network.switches.ids, state.switches_closed)
    tables = (network.lines, network.transformers, network.sequence_transformers)
    serving = np.concatenate([in_state(table.in_service, table.ids, state.in_service) for table in tables])
    passable = np.array([all(closed[n] for n in need) for need in ways.switches], dtype=np.bool_)
    live = passable & (np.append(serving, True)[ways.branch])
    n_part, label = connected_components(_graph(ways, live), directed=False)
    loops = int(live.sum()) - ways.n_bus + int(n_part)
    return Shape(live, loops, np.asarray(label == label[-1]))


def pairs(
    network: Network, state: NetworkState, operable: Collection[str], sync_checked: Collection[str] = ()
) -> tuple[Pair, ...]:
    """Pairs of `operable` switches that leave as many loops as before and nobody without supply.

    Both sides of the one that closes are one network already, unless it is among `sync_checked`.
    """
    ways, names = links(network), network.switches.ids
    before = shape(network, ways, state)
    closed = in_state(network.switches.closed, names, state.switches_closed)
    usable = [n for n, name in enumerate(names) if name in set(operable)]
    found = []
    for n in (n for n in usable if not closed[n]):
        joined = _with(state, names[n], closed=True)
        made = shape(network, ways, joined)
        new = np.flatnonzero(made.live & ~before.live)
        if made.loops != before.loops + 1 or len(new) != 1:
            continue
        ring = _ring(ways, before, int(ways.first[new[0]]), int(ways.second[new[0]]))
        if ways.n_bus - 1 in {bus for hop in ring for bus in hop} and names[n] not in sync_checked:
            continue
        for m in (m for m in usable if closed[m] and _hops(ways, m) & ring):
            after = shape(network, ways, _with(joined, names[m], closed=False))
            if after.loops == before.loops and bool(after.supplied[before.supplied].all()):
                found.append(Pair(names[n], names[m]))
    return tuple(found)


def _branches(network: Network) -> Iterator[tuple[int, int, int]]:
    """First bus, second bus and position of every branch."""
    bus = network.nodes.bus
    lines, windings, sequences = network.lines, network.transformers, network.sequence_transformers
    position = 0
    for one, other in zip(lines.from_node[:, 0], lines.to_node[:, 0], strict=True):
        yield int(bus[one]), int(bus[other]), position
        position += 1
    for coils in windings.node:
        ends = [int(bus[nodes[nodes >= 0][0]]) for nodes in coils.reshape(len(coils), -1) if (nodes >= 0).any()]
        yield from ((ends[0], other, position) for other in dict.fromkeys(ends[1:]))
        position += 1
    for one, other in zip(sequences.hv_node[:, 0], sequences.lv_node[:, 0], strict=True):
        yield int(bus[one]), int(bus[other]), position
        position += 1


def _graph(ways: Links, live: BoolArray) -> csr_array:
    ends = (ways.first[live], ways.second[live])
    return csr_array((np.ones(int(live.sum())), ends), shape=(ways.n_bus, ways.n_bus))


def _ring(ways: Links, before: Shape, start: int, end: int) -> set[tuple[int, int]]:
    """Hops (lower bus, higher bus) of a shortest way between two joined buses."""
    _, previous = breadth_first_order(_graph(ways, before.live), start, directed=False)
    result, bus = set(), end
    while bus != start and previous[bus] >= 0:
        result.add(_hop(bus, int(previous[bus])))
        bus = int(previous[bus])
    return result


def _hops(ways: Links, switch: int) -> set[tuple[int, int]]:
    """Hops that need the switch."""
    mine = [n for n, need in enumerate(ways.switches) if switch in need]
    return {_hop(int(ways.first[n]), int(ways.second[n])) for n in mine}


def _hop(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _with(state: NetworkState, switch: str, *, closed: bool) -> NetworkState:
    return replace(state, switches_closed={**state.switches_closed, switch: closed})
