"""Numbers read off the node voltages of one system, with their slopes: what limits are set on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, diags_array

from grid_engine.elements import base_voltage
from grid_engine.model import ComplexArray, FloatArray, IntArray
from grid_engine.nodal import System, current_rows

_NO_CURRENT = 1e-12
"""Below this a current has no direction, and its magnitude no slope."""


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """Rows: currents (branch, end, phase), node voltages, the same once more (for lower bounds), reverse powers."""

    currents: csr_array
    """Shape (n_current, n_node): a row's value is the magnitude of this product, already in its unit."""
    nodes: IntArray
    """Shape (n_voltage,): the nodes whose voltage is limited."""
    reverse: tuple[tuple[IntArray, csr_array], ...]
    """Per reverse-power row: the nodes (3,) at the source side and the currents into the branch there."""

    @property
    def size(self) -> int:
        """Number of rows."""
        return int(self.currents.shape[0]) + 2 * len(self.nodes) + len(self.reverse)

    def values(self, voltage: ComplexArray) -> FloatArray:
        """Row values (n_row, n_case) at node voltages (n_node, n_case)."""
        magnitudes = np.abs(voltage[self.nodes])
        inward = [np.real(voltage[nodes] * np.conj(np.asarray(into @ voltage))) for nodes, into in self.reverse]
        back = [-power_w.sum(axis=0)[None] for power_w in inward]
        return np.concatenate([np.abs(np.asarray(self.currents @ voltage)), magnitudes, magnitudes, *back])

    def gradients(self, rows: Sequence[int], voltage: ComplexArray) -> ComplexArray:
        """Complex g (n_node, n_asked) with d(value) = Re(g · dv), at one case's node voltages (n_node,)."""
        n_current, n_voltage = self.currents.shape[0], len(self.nodes)
        result = np.zeros((len(voltage), len(rows)), dtype=np.complex128)
        asked = np.asarray(rows, dtype=np.int64)
        of_current = np.flatnonzero(asked < n_current)
        functionals = self.currents[asked[of_current]].toarray()
        currents = functionals @ voltage
        towards = currents.conj() / np.maximum(np.abs(currents), _NO_CURRENT)
        result[:, of_current] = (functionals * towards[:, None]).T
        of_voltage = np.flatnonzero((asked >= n_current) & (asked < n_current + 2 * n_voltage))
        nodes = self.nodes[(asked[of_voltage] - n_current) % max(n_voltage, 1)]
        result[nodes, of_voltage] = voltage[nodes].conj() / np.abs(voltage[nodes])
        for n in np.flatnonzero(asked >= n_current + 2 * n_voltage):
            ends, into = self.reverse[asked[n] - n_current - 2 * n_voltage]
            result[:, n] -= np.asarray(into.T @ voltage[ends].conj())
            result[ends, n] -= np.conj(np.asarray(into @ voltage))
        return result


def meter(system: System, reverse: Sequence[int]) -> Meter:
    """Every current and every supplied node's voltage but the source's, and power back through branches `reverse`."""
    source = 3 * int(system.bus_of[system.network.source.bus]) + np.arange(3)
    nodes = system.supplied.copy()
    nodes[source] = False
    return Meter(_current_values(system), np.flatnonzero(nodes), tuple(_backward(system, n) for n in reverse))


def _current_values(system: System) -> csr_array:
    """Currents in A for lines; for transformers the apparent power at rated voltage that the current stands for.

    Heat follows current: so a transformer at low voltage is as loaded as its current says.
    """
    network = system.network
    transformers = network.transformers
    at_rated_v = np.sqrt(3) * np.stack([transformers.rated_hv_v, transformers.rated_lv_v], axis=1)
    scale = np.concatenate([np.ones(6 * len(network.lines.ids)), np.repeat(at_rated_v, 3, axis=1).ravel()])
    return csr_array(diags_array(scale) @ current_rows(system, base_voltage(network.buses)))


def _backward(system: System, branch: int) -> tuple[IntArray, csr_array]:
    """Reverse power is metered where the branch is nearest to the source."""
    branches, volts = system.branches, base_voltage(system.network.buses)
    at_first = bool(branches.first_is_source_side[branch])
    bus = int((branches.first if at_first else branches.second)[branch])
    start = 6 * branch + (0 if at_first else 3)
    into = current_rows(system, volts)[start : start + 3] * volts[bus]
    return 3 * bus + np.arange(3), csr_array(into)
