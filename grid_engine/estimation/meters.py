"""Readings of one network as functions of its node voltages, with their slopes.

Voltages are differences of node voltages, currents are those of `Terminals`, powers are sums over conductors
of voltage times conjugate current into a branch: all at the node voltages of one case, in per unit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, vstack

from grid_engine.estimation.words import Ignored, Measured, Measurement
from grid_engine.flow.nodal import System
from grid_engine.model import TERMINAL_NAMES, BoolArray, ComplexArray, FloatArray, IntArray

_NO_VALUE = 1e-9
"""Below this a magnitude has no direction, and no slope."""
_POWERS = (Measured.ACTIVE_POWER_W, Measured.REACTIVE_POWER_VAR)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Readings at nodes and branches: magnitudes first, then powers."""

    readings: tuple[Measurement, ...]
    magnitude: csr_array
    """Shape (n_magnitude, n_node): volts or amperes from node voltages."""
    into: csr_array
    """Shape (n_terminal, n_node): amperes into branches at the conductors that powers are read at."""
    volts: csr_array
    """Shape (n_terminal, n_node): volts there."""
    power_of: IntArray
    """Shape (n_terminal,): which power each of these conductors is part of."""
    turn: ComplexArray
    """Shape (n_power,): 1 for active, -j for reactive power: the reading is the real part of turn times power."""

    @property
    def value(self) -> FloatArray:
        """Shape (n,): what was read."""
        return np.array([reading.value for reading in self.readings])

    @property
    def sigma(self) -> FloatArray:
        """Shape (n,)."""
        return np.array([reading.sigma for reading in self.readings])

    def at(self, voltage: ComplexArray) -> FloatArray:
        """Shape (n,): what would be read at node voltages (n_node,)."""
        flow = self.turn[self.power_of] * _times(self.volts, voltage) * _times(self.into, voltage).conj()
        powers = np.bincount(self.power_of, flow.real, minlength=len(self.turn))
        return np.concatenate([np.abs(_times(self.magnitude, voltage)), powers])

    def only(self, kept: BoolArray) -> "Rows":
        """The same without all but those kept (n,)."""
        first = self.magnitude.shape[0]
        among = kept[first:]
        conductors_kept = np.flatnonzero(among[self.power_of])
        return Rows(
            readings=tuple(reading for reading, keep in zip(self.readings, kept, strict=True) if keep),
            magnitude=csr_array(self.magnitude[np.flatnonzero(kept[:first])]),
            into=csr_array(self.into[conductors_kept]),
            volts=csr_array(self.volts[conductors_kept]),
            power_of=(np.cumsum(among) - 1)[self.power_of[conductors_kept]],
            turn=self.turn[among],
        )

    def heads(self, system: System) -> BoolArray:
        """Shape (n,): active powers that are read nearest to the sources."""
        depth = system.depth[system.network.nodes.bus[self.volts.indices]]
        nearest = np.full(len(self.readings), len(system.bus_of))
        np.minimum.at(nearest, self.magnitude.shape[0] + self.power_of, depth)
        active = np.array([reading.quantity is Measured.ACTIVE_POWER_W for reading in self.readings], dtype=np.bool_)
        return np.asarray(active & (nearest == nearest[active].min(initial=len(system.bus_of))))

    def gradients(self, voltage: ComplexArray) -> csc_array:
        """Complex g (n_node, n) with d(reading) = Re(g · dv)."""
        first, turn = self.magnitude.shape[0], self.turn[self.power_of]
        size = _times(self.magnitude, voltage)
        parts = (
            (self.magnitude, size.conj() / np.maximum(np.abs(size), _NO_VALUE), np.arange(first)),
            (self.volts, turn * _times(self.into, voltage).conj(), first + self.power_of),
            # Re(t v conj(di)) = Re(conj(t) conj(v) di)
            (self.into, turn.conj() * _times(self.volts, voltage).conj(), first + self.power_of),
        )
        row = [np.repeat(np.arange(len(scale)), np.diff(matrix.indptr)) for matrix, scale, _ in parts]
        value = [matrix.data * scale[at] for (matrix, scale, _), at in zip(parts, row, strict=True)]
        column = [reading[at] for (_, _, reading), at in zip(parts, row, strict=True)]
        node = [matrix.indices for matrix, _, _ in parts]
        where = (np.concatenate(node), np.concatenate(column))
        return coo_array((np.concatenate(value), where), shape=(len(voltage), len(self.readings))).tocsc()


def rows(system: System, readings: Sequence[Measurement]) -> tuple[Rows, tuple[Ignored, ...]]:
    """Readings at buses, branches and sources; what cannot be used is told by name."""
    places, ignored = _places(system), []
    volts: list[tuple[Measurement, IntArray]] = []
    amperes: list[tuple[Measurement, IntArray]] = []
    powers: list[tuple[Measurement, IntArray]] = []
    for reading in readings:
        found = places.found(reading)
        if isinstance(found, str):
            ignored.append(Ignored(reading.meter, found))
        elif reading.quantity is Measured.VOLTAGE_V:
            volts.append((reading, found))
        else:
            (amperes if reading.quantity is Measured.CURRENT_A else powers).append((reading, found))
    at, power_of = _flat(powers)
    conductor = system.terminals.node[at]
    currents = system.terminals.current[_flat(amperes)[0]]
    made = Rows(
        readings=tuple(reading for reading, _ in (*volts, *amperes, *powers)),
        magnitude=csr_array(vstack([_differences(system, volts), currents], format="csr")),
        into=csr_array(system.terminals.current[at]),
        volts=_picked(system, np.arange(len(at)), conductor, np.ones(len(at)), len(at)),
        power_of=power_of,
        turn=np.array([1 if reading.quantity is Measured.ACTIVE_POWER_W else -1j for reading, _ in powers]),
    )
    return made, tuple(ignored)


class _Places:
    """Where the ids of one system's network stand."""

    def __init__(self, system: System) -> None:
        network = system.network
        self._system = system
        self._bus = {name: n for n, name in enumerate(network.buses.ids)}
        self._branch = {name: n for n, name in enumerate(network.branch_ids)}
        self._source = {name: n for n, name in enumerate(network.sources.ids)}
        at = zip(network.nodes.bus.tolist(), network.nodes.terminal.tolist(), strict=True)
        self._node = {place: n for n, place in enumerate(at)}

    def found(self, reading: Measurement) -> IntArray | str:
        """Nodes of a voltage, or terminals of a current or power, or what is wrong."""
        asked = conductors(reading.phases)
        if asked is None:
            return f"{reading.phases!r} are no conductors"
        if reading.quantity is Measured.VOLTAGE_V:
            found, most = self._nodes(reading, asked), 2
        else:
            found, most = self._terminals(reading, asked), 1
        if isinstance(found, str):
            return found
        if reading.quantity not in _POWERS and not 1 <= len(found) <= most:
            told = f"{reading.quantity} of {reading.element}"
            return f"{told} is read at {len(found)} conductors, phases {reading.phases!r}"
        if not len(found):
            return f"{reading.element} has no phases {reading.phases!r} at end {reading.end}"
        nodes = found if reading.quantity is Measured.VOLTAGE_V else self._system.terminals.node[found]
        return found if self._system.supplied[nodes].all() else f"{reading.element} has no supply there"

    def _nodes(self, reading: Measurement, asked: Sequence[int]) -> IntArray | str:
        """In the order of the reading's phases."""
        bus = self._bus.get(reading.element)
        if bus is None:
            return f"there is no bus {reading.element}"
        found = [self._node.get((bus, terminal), -1) for terminal in asked]
        if -1 in found:
            return f"bus {reading.element} has no conductors {reading.phases!r}"
        return np.array(found, dtype=np.int64)

    def _terminals(self, reading: Measurement, asked: Sequence[int]) -> IntArray | str:
        terminals, network, own = self._system.terminals, self._system.network, self._system.node_of
        if reading.element in self._branch:
            branch = self._branch[reading.element]
            low, high = np.searchsorted(terminals.branch, [branch, branch + 1])
            found = np.arange(low, high)[terminals.end[low:high] == reading.end]
        elif reading.element in self._source:
            node = network.sources.node[self._source[reading.element]]
            found = np.flatnonzero(np.isin(own[terminals.node], own[node[node >= 0]]))
        elif reading.element in self._bus and reading.quantity in _POWERS:
            node = np.flatnonzero(network.nodes.bus == self._bus[reading.element])
            found = np.flatnonzero(np.isin(own[terminals.node], own[node]))
        else:
            return f"there is nothing called {reading.element} that this is read at"
        mine = np.isin(network.nodes.terminal[terminals.node[found]], asked) if asked else slice(None)
        return np.asarray(found[mine], dtype=np.int64)


@lru_cache(maxsize=16)
def _places(system: System) -> _Places:
    return _Places(system)


def conductors(phases: str) -> list[int] | None:
    """Terminals that a row of conductor names tells, or nothing where it is none."""
    found, rest = [], phases
    while rest:
        name = next((name for name in ("s1", "s2", "a", "b", "c", "n") if rest.startswith(name)), "")
        if not name:
            return None
        found.append(TERMINAL_NAMES.index(name))
        rest = rest[len(name) :]
    return found if len(set(found)) == len(found) else None


def _times(matrix: csr_array, voltage: ComplexArray) -> ComplexArray:
    return np.asarray(matrix @ voltage)


def _flat(found: Sequence[tuple[Measurement, IntArray]]) -> tuple[IntArray, IntArray]:
    """All places one after the other, and which reading each is of."""
    counts = [len(at) for _, at in found]
    every = np.concatenate([np.empty(0, dtype=np.int64), *(at for _, at in found)])
    return every, np.repeat(np.arange(len(counts)), counts)


def _differences(system: System, found: Sequence[tuple[Measurement, IntArray]]) -> csr_array:
    """Volts from the first of one or two nodes to the second, or to earth."""
    node, reading = _flat(found)
    second = np.append(False, reading[1:] == reading[:-1])[: len(reading)]
    return _picked(system, reading, node, np.where(second, -1.0, 1.0), len(found))


def _picked(system: System, row: IntArray, node: IntArray, sign: FloatArray, n_row: int) -> csr_array:
    """Shape (n_row, n_node): volts at some nodes."""
    shape = (n_row, len(system.base_v))
    return coo_array((sign * system.base_v[node], (row, node)), shape=shape).tocsr()
