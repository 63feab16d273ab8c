"""Which node of the network each bus.node of OpenDSS is, and what kind of conductor.

Nodes 1, 2, 3 are phases a, b, c and 4 is a neutral, but below a centre-tapped transformer they are the
legs of a split-phase service, as far as lines carry them. What finds no terminal of its own at its bus
stands at a further bus, named bus.node: OpenDSS numbers nodes freely, and single open phases hang free.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from grid_engine.importers.opendss.record import Bus, Circuit, Place, Record
from grid_engine.model import EARTH, Buses, IntArray, Nodes, Terminal

_USUAL = {1: Terminal.A, 2: Terminal.B, 3: Terminal.C, 4: Terminal.N}


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Buses and nodes, and where to find them."""

    buses: Buses
    nodes: Nodes
    bus: Mapping[str, int]
    """Position by name."""
    node: Mapping[Place, int]
    """Position by place, those of the earth not among them."""

    def of(self, places: Iterable[Place]) -> IntArray:
        """Nodes of these places, or `EARTH`."""
        return np.array([self.node[place] if place[1] else EARTH for place in places], dtype=np.int64)

    def knows(self, record: Record) -> bool:
        """Whether every place of the record exists, which may fail for what is out of service."""
        return all(not place[1] or place in self.node for terminal in record.places for place in terminal)


def laid_out(circuit: Circuit) -> Layout:
    """The layout of everything in service."""
    known = {bus.name: bus for bus in circuit.buses}
    at = defaultdict(set)
    for kind in circuit.records.values():
        for record in kind:
            for bus, number in (place for terminal in record.places for place in terminal if record.enabled):
                if number:
                    at[bus].add(number)
    legs = _legs(circuit)
    buses: list[Bus] = []
    nodes: list[tuple[int, Terminal]] = []
    found: dict[Place, int] = {}
    for name in (*known, *sorted(at.keys() - known.keys())):
        origin = known[name.split(".")[0]]
        for owner, members in _terminals(name, at[name], legs).items():
            buses.append(Bus(owner, origin.base_v, origin.position))
            for terminal, number in sorted(members):
                found[name, number] = len(nodes)
                nodes.append((len(buses) - 1, terminal))
    return Layout(_buses(buses), _nodes(nodes), {bus.name: n for n, bus in enumerate(buses)}, found)


def _terminals(bus: str, numbers: set[int], legs: Mapping[Place, Terminal]) -> dict[str, list[tuple[Terminal, int]]]:
    """Terminal and number of every node by the bus that it stands at: this one or further ones."""
    own: dict[Terminal, int] = {}
    further: dict[str, list[tuple[Terminal, int]]] = {}
    for number in sorted(numbers, key=lambda number: ((bus, number) not in legs, number)):
        terminal = legs.get((bus, number), _USUAL.get(number))
        if terminal is None or terminal in own:
            further[f"{bus}.{number}"] = [(Terminal.N if terminal is None else terminal, number)]
        else:
            own[terminal] = number
    return {bus: list(own.items()), **further}


def _legs(circuit: Circuit) -> Mapping[Place, Terminal]:
    """Terminals of the places below centre taps: those at the transformers, then all that lines join with them."""
    legs: dict[Place, Terminal] = {}
    for record in circuit.of("transformer"):
        if record.enabled and record.phases == 1 and len(record.places) == 3:
            legs |= _centre_tap(record)
    beside = defaultdict(list)
    for record in circuit.of("line", "reactor"):
        if record.enabled and len(record.places) == 2:
            for one, other in zip(*record.places, strict=True):
                beside[one].append(other)
                beside[other].append(one)
    waiting = list(legs)
    while waiting:
        place = waiting.pop()
        for other in beside[place]:
            if other[1] and other not in legs:
                legs[other] = legs[place]
                waiting.append(other)
    return legs


def _centre_tap(transformer: Record) -> dict[Place, Terminal]:
    """Legs and middle of windings 2 and 3 where the end of one is the start of the other."""
    (first, middle), (start, second) = transformer.places[1][:2], transformer.places[2][:2]
    if middle != start or first[0] != second[0] or 0 in (first[1], second[1]):
        return {}
    legs = {first: Terminal.S1, second: Terminal.S2}
    return legs | ({middle: Terminal.N} if middle[1] else {})


def _buses(buses: list[Bus]) -> Buses:
    unknown = np.full(len(buses), np.nan)
    return Buses(
        ids=tuple(bus.name for bus in buses),
        phase_v=np.array([bus.base_v for bus in buses]),
        voltage_min_pu=unknown,
        voltage_max_pu=unknown,
        position=np.array([bus.position for bus in buses]).reshape(-1, 2),
    )


def _nodes(nodes: list[tuple[int, Terminal]]) -> Nodes:
    table = np.array(nodes, dtype=np.int64).reshape(-1, 2)
    return Nodes(table[:, 0], table[:, 1])
