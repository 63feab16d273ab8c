"""What can be read of each kind of element, and how it is made of what flows into the element's conductors."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

import numpy as np

from grid_engine.model import ABSENT, TERMINAL_NAMES, Network, SwitchKind
from protocols.points import Phase, Point, Quantity

Flow: TypeAlias = list[tuple[int, str, complex, float]]
"""Of each conductor: the end, the phase or leg it is connected to or nothing, volt-amperes and amperes into it."""

_POWERS: Final = (Quantity.ACTIVE_POWER_W, Quantity.REACTIVE_POWER_VAR, Quantity.APPARENT_POWER_VA)
QUANTITIES: Final[Mapping[str, tuple[Quantity, ...]]] = {
    "buses": (Quantity.VOLTAGE_PU, Quantity.VOLTAGE_V),
    "lines": (Quantity.CURRENT_A, *_POWERS),
    "transformers": (Quantity.CURRENT_A, *_POWERS, Quantity.TAP_POSITION),
    "loads": _POWERS,
    "units": _POWERS,
    "sources": _POWERS,
    "switches": (Quantity.SWITCH_CLOSED,),
    "shunts": (Quantity.SWITCH_CLOSED,),
}
TABLES: Final = tuple(QUANTITIES)
INJECTS: Final = frozenset({"loads", "units", "sources"})
"""Tables whose powers are told as injection, while flows count into the element."""

_CURRENT_ENDS: Final = {"lines": (0, 1), "transformers": (1, 2)}


def phases_of(network: Network, table: str, n: int) -> list[str]:
    """Phases, legs and neutrals that an element can tell apart; of a bus, those whose voltages make its mean."""
    if table == "buses":
        names = [TERMINAL_NAMES[terminal] for terminal in network.nodes.terminal[network.nodes.bus == n]]
        return [name for name in names if name != "n"] or names
    if table == "lines":
        return [TERMINAL_NAMES[network.nodes.terminal[node]] for node in network.lines.from_node[n] if node != ABSENT]
    return []


def unsupplied(network: Network, closed: Mapping[str, bool]) -> frozenset[str]:
    """Buses without a way to a source over lines, transformers and closed switches."""
    bus_of = [*network.nodes.bus.tolist(), -1, -1]  # the last two for `ABSENT` and `EARTH`
    parent = list(range(len(network.buses.ids)))

    def root(bus: int) -> int:
        while parent[bus] != bus:
            parent[bus] = parent[parent[bus]]
            bus = parent[bus]
        return bus

    for ends in _ways(network, closed, bus_of):
        for one, other in pairwise(ends):
            parent[root(one)] = root(other)
    live = {root(bus_of[node]) for node in network.sources.node[:, 0].tolist()}
    return frozenset(name for n, name in enumerate(network.buses.ids) if root(n) not in live)


def _ways(network: Network, closed: Mapping[str, bool], bus_of: Sequence[int]) -> Iterator[list[int]]:
    """Buses that each element joins."""
    switches = network.switches
    opened = {
        (int(kind), int(element), int(bus))
        for name, kind, element, bus in zip(switches.ids, switches.kind, switches.element, switches.bus, strict=True)
        if not closed[name]
    }
    lines, transformers = network.lines, network.transformers
    of_lines = np.stack([lines.from_node[:, 0], lines.to_node[:, 0]], axis=1)
    of_transformers = transformers.node.reshape(len(transformers.ids), -1)
    tables = (
        (SwitchKind.LINE, of_lines, lines.in_service),
        (SwitchKind.TRANSFORMER, of_transformers, transformers.in_service),
    )
    for kind, nodes, in_service in tables:
        for n in np.flatnonzero(in_service).tolist():
            buses = {bus_of[node] for node in nodes[n].tolist()} - {-1}
            yield [bus for bus in sorted(buses) if (int(kind), n, bus) not in opened]
    for name, kind, element, bus in zip(switches.ids, switches.kind, switches.element, switches.bus, strict=True):
        if kind == SwitchKind.BUS and closed[name]:
            yield [int(bus), int(element)]


def value(flow: Flow, table: str, point: Point) -> float:
    """A current or power of an element."""
    mine = [entry for entry in flow if point.phase in (Phase.TOTAL, entry[1])]
    if point.quantity is Quantity.CURRENT_A:
        ends = _CURRENT_ENDS[table]
        return max((amperes for end, letter, _, amperes in mine if end in ends and letter), default=0.0)
    total = sum((va for end, _, va, _ in mine if end == 0), 0j)
    if point.quantity is Quantity.ACTIVE_POWER_W:
        return total.real
    return total.imag if point.quantity is Quantity.REACTIVE_POWER_VAR else abs(total)
