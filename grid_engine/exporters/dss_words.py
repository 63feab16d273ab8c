"""Names, places and numbers of OpenDSS: how the text of a script is written."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grid_engine.model import EARTH, FloatArray, IntArray, Network, SwitchKind, Terminal

EARTH_PLACE = "0"
_ALONE = {Terminal.S1: 1, Terminal.S2: 2}
"""Legs of a bus that has no phases take the first numbers, as is usual there."""
_ROUNDING = 1e-12
"""Part of the largest entry of a matrix that counts as nothing."""
_UNFIT = re.compile(r"[^a-z0-9_-]")


class UnfitError(Exception):
    """An element cannot be said in the other format; the message says why."""


@dataclass(slots=True)
class Script:
    """Commands written so far, and what came of every element."""

    network: Network
    places: tuple[str, ...]
    """By node: `bus.number`."""
    lines: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    elements: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """By table and id: what the element became, as `class.name`."""
    _names: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def name(self, kind: str, own: str) -> str:
        """A new name of that class, as close to `own` as OpenDSS allows."""
        return _unused(own, self._names[kind])

    def add(self, kind: str, own: str, properties: Mapping[str, object], more: str = "", *, live: bool = True) -> str:
        """Write one element; its full name."""
        name = self.name(kind, own)
        told = [f"{key}={value}" for key, value in properties.items()]
        self.lines.append(
            " ".join([f"New {kind}.{name}", *told, *([more] if more else []), *([] if live else ["enabled=no"])])
        )
        return f"{kind}.{name}".lower()

    def each(self, table: str, word: str, write: Callable[[int], Iterable[str]]) -> None:
        """Write every element of a table; those that OpenDSS cannot say are noted by name.

        Args:
            table: Of the network.
            word: What people call one of its elements.
            write: Writes the element at that position; full names of what it became.
        """
        for n, name in enumerate(getattr(self.network, table).ids):
            try:
                self.elements[table, name] = tuple(write(n))
            except UnfitError as unfit:
                self.refused.append(f"{word} {name}: {unfit}")

    def at_one_bus(self, nodes: Iterable[int]) -> bool:
        """Whether `at` can say where they stand."""
        return len({self.places[node].partition(".")[0] for node in map(int, nodes) if node != EARTH}) <= 1

    def at(self, nodes: Iterable[int]) -> str:
        """`bus.1.2.3` of nodes of one bus, the earth among them allowed.

        Raises:
            UnfitError: they are of more than one bus.
        """
        told = [EARTH_PLACE if node == EARTH else self.places[node] for node in map(int, nodes)]
        buses = {place.partition(".")[0] for place in told if place != EARTH_PLACE}
        if len(buses) > 1:
            raise UnfitError(f"one end stands at several buses: {', '.join(sorted(buses))}")
        return ".".join([next(iter(buses), "earth"), *(place.rpartition(".")[2] for place in told)])


def places(network: Network) -> tuple[str, ...]:
    """By node, where it stands in OpenDSS: buses joined by closed switches are one bus there."""
    used: set[str] = set()
    first = joined_buses(network)
    names = {bus: _unused(network.buses.ids[bus], used) for bus in np.unique(first).tolist()}
    rows = list(zip(network.nodes.bus.tolist(), network.nodes.terminal.tolist(), strict=True))
    taken = set(rows)
    found = [f"{names[int(first[bus])]}.{_number(bus, terminal, taken)}" for bus, terminal in rows]
    for node, place in _further(network, first, names).items():
        if place not in found:
            found[node] = place
    return tuple(found)


def _further(network: Network, first: IntArray, names: Mapping[int, str]) -> dict[int, str]:
    """Single nodes of buses called BUS.NUMBER, as the importer calls what has no terminal of its own at its bus."""
    position = {name: n for n, name in enumerate(network.buses.ids)}
    size = np.bincount(network.nodes.bus, minlength=len(position))
    start = np.searchsorted(network.nodes.bus, np.arange(len(position)))
    further = {}
    for name, n in position.items():
        origin, _, number_there = name.rpartition(".")
        if origin in position and number_there.isdecimal() and int(number_there) and size[n] == 1 and first[n] == n:
            further[int(start[n])] = f"{names[int(first[position[origin]])]}.{int(number_there)}"
    return further


def joined_buses(network: Network) -> IntArray:
    """For each bus, the first of those that closed switches join it with."""
    switches, n_bus = network.switches, len(network.buses.ids)
    joins = switches.closed & (switches.kind == SwitchKind.BUS)
    ends = (switches.bus[joins], switches.element[joins])
    graph = coo_array((np.ones(int(joins.sum())), ends), shape=(n_bus, n_bus))
    _, label = connected_components(graph, directed=False)
    _, lowest = np.unique(label, return_index=True)
    return np.asarray(lowest[label], dtype=np.int64)


def _number(bus: int, terminal: int, taken: set[tuple[int, int]]) -> int:
    """1 to 3 for phases, 4 for a neutral; legs are 1 and 2 unless a phase is, then 5 and 6."""
    alone = _ALONE.get(Terminal(terminal))
    if alone is None or (bus, alone - 1) in taken:
        return terminal + 1
    return alone


def _unused(own: str, used: set[str]) -> str:
    plain = _UNFIT.sub("_", own.lower()) or "_"
    name, n = plain, 1
    while name in used:
        n += 1
        name = f"{plain}_{n}"
    used.add(name)
    return name


def number(value: float) -> str:
    """Every digit that matters."""
    return repr(float(value))


def numbers(values: Iterable[float]) -> str:
    """A list of numbers."""
    return "[" + " ".join(number(value) for value in values) + "]"


def triangle(matrix: FloatArray) -> str:
    """The lower triangle of a symmetric matrix."""
    return "(" + " | ".join(" ".join(number(v) for v in row[: n + 1]) for n, row in enumerate(matrix)) + ")"


def listed(values: Sequence[str]) -> str:
    """A list of words."""
    return "[" + " ".join(values) + "]"


def is_symmetric(matrix: NDArray[np.inexact]) -> bool:
    """Up to rounding."""
    return bool(np.abs(matrix - matrix.T).max(initial=0.0) <= _ROUNDING * np.abs(matrix).max(initial=0.0))


def mesh(
    script: Script, own: str, nodes: IntArray, admittance_s: NDArray[np.complexfloating], *, live: bool = True
) -> tuple[str, ...]:
    """Any symmetric admittance matrix between nodes, as one reactor from node to node and from node to earth each.

    Raises:
        UnfitError: the matrix is not symmetric.
    """
    if not is_symmetric(admittance_s):
        raise UnfitError("its admittance matrix is not symmetric")
    least = _ROUNDING * np.abs(admittance_s).max(initial=0.0)
    names = []
    for i, j in zip(*np.triu_indices(len(nodes)), strict=True):
        through = admittance_s[i].sum() if i == j else -admittance_s[i, j]
        ends = [int(nodes[i])] if i == j or nodes[j] == EARTH else [int(nodes[i]), int(nodes[j])]
        if abs(through) > least and EARTH not in ends and len(set(ends)) == len(ends):
            properties = {f"bus{n}": script.at([end]) for n, end in enumerate(ends, 1)}
            impedance = {"R": number((1 / through).real), "X": number((1 / through).imag)}
            names.append(
                script.add("Reactor", f"{own}_{i + 1}{j + 1}", {"phases": 1, **properties, **impedance}, live=live)
            )
    return tuple(names)
