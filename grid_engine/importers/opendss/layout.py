"""Which node of the network each bus.node of OpenDSS is, and what kind of conductor.

Nodes 1, 2, 3 are phases a, b, c and 4 is a neutral, but below a centre-tapped transformer they are the
legs of a split-phase service, as far as lines carry them. What finds no terminal of its own at its bus
stands at a further bus, named bus.node: OpenDSS numbers nodes freely, and single open phases hang free.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from grid_engine.importers.opendss.record import Bus, Circuit, Place, Record
from grid_engine.model import EARTH, Buses, IntArray, Nodes, Terminal

_PHASES = (1, 2, 3)
_DEAD_PU = 0.5
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
        return all(not place[1] or place in self.node for place in record.conductors)


def laid_out(circuit: Circuit) -> Layout:
    """The layout of everything in service."""
    known = {bus.name: bus for bus in circuit.buses}
    base_v = _bases(circuit)
    at = defaultdict(set)
    for kind in circuit.records.values():
        for record in kind:
            for bus, number in record.conductors if record.enabled else ():
                if number:
                    at[bus].add(number)
    legs = _legs(circuit)
    buses: list[Bus] = []
    nodes: list[tuple[int, Terminal]] = []
    found: dict[Place, int] = {}
    for name in (*known, *sorted(at.keys() - known.keys())):
        origin = known[name.split(".")[0]]
        for owner, members in _terminals(name, at[name], legs).items():
            buses.append(Bus(owner, base_v[origin.name], origin.position))
            for terminal, number in sorted(members):
                found[name, number] = len(nodes)
                nodes.append((len(buses) - 1, terminal))
    return Layout(_buses(buses), _nodes(nodes), {bus.name: n for n, bus in enumerate(buses)}, found)


def _bases(circuit: Circuit) -> dict[str, float]:
    """Nominal volts by bus.

    OpenDSS tells them by voltage; buses without any, or with neutrals only, take those of their neighbours.
    """
    base_v = {bus.name: bus.base_v for bus in circuit.buses}
    highest = dict.fromkeys(base_v, 0.0)
    for (bus, number), voltage in circuit.voltage.items():
        if number in _PHASES:
            highest[bus] = max(highest[bus], abs(voltage))
    dead = {bus for bus, voltage in highest.items() if voltage < _DEAD_PU * base_v[bus]}
    beside: dict[str, set[tuple[str, float]]] = defaultdict(set)
    for record in circuit.of("line", "reactor", "transformer", "autotrans"):
        if record.enabled:
            for one, other in permutations(record.places, 2):
                beside[one[0][0]].add((other[0][0], _ratio(record, one, other)))
    waiting = [bus for bus in base_v if bus not in dead]
    while waiting:
        live = waiting.pop()
        for bus, ratio in beside[live]:
            if bus in dead:
                dead.remove(bus)
                base_v[bus] = base_v[live] * ratio
                waiting.append(bus)
    return base_v


def _ratio(record: Record, one: tuple[Place, ...], other: tuple[Place, ...]) -> float:
    """Nominal volts at one terminal over those at the other."""
    if record.kind not in ("transformer", "autotrans"):
        return 1.0
    to_earth = (np.array(record.texts("conns")) != "delta") & (record.phases == 1)
    volts = record.numbers("kvs") / np.where(to_earth, 1, np.sqrt(3))
    return float(volts[record.places.index(other)] / volts[record.places.index(one)])


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
