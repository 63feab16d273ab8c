"""Numbers read off the node voltages of one system, with their slopes: what limits are set on.

Rows come in three groups: magnitudes of linear functionals of the voltages (currents, loadings, voltages),
ratios of two such magnitudes (unbalance), and powers (back towards the source).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from scipy.sparse import csc_array, csr_array, diags_array, vstack

from grid_engine.flow.kernel.metering import magnitudes
from grid_engine.model import TERMINAL_NAMES, BoolArray, ComplexArray, FloatArray, IntArray

_NO_CURRENT = 1e-12
"""Below this a current has no direction, and its magnitude no slope."""


class Quantity(IntEnum):
    """What a row measures."""

    CURRENT = 0
    """Of a conductor at one end of a line."""
    NEUTRAL = 1
    """Of the neutral of a line: its own conductor, or what the phases leave to the earthed one."""
    LOADING = 2
    """Of one coil of a transformer: the power of the whole transformer that its current stands for at rated voltage.

    Heat follows current: so a transformer at low voltage is as loaded as its current says.
    """
    VOLTAGE = 3
    """Of a phase or leg to earth; between phases where nothing ties them to earth."""
    UNBALANCE = 4
    """Negative over positive sequence of the three voltages of a bus."""
    REVERSE = 5
    """Power out of a branch at its end nearest to the source."""


UNITS = ("A", "A", "VA", "pu", "%", "W")
"""By `Quantity`."""
BUS_QUANTITIES = (Quantity.VOLTAGE, Quantity.UNBALANCE)
"""Those of buses; the others are of branches."""
PHASE_NAMES = (*TERMINAL_NAMES, "ab", "bc", "ca", "s1s2", "")
"""What the phase of a row counts through: one conductor, two, or all of them."""
ALL_PHASES = len(PHASE_NAMES) - 1


@dataclass(frozen=True, slots=True, eq=False)
class Meter:
    """Rows of numbers, all magnitudes first, then ratios, then powers."""

    quantity: IntArray
    """Shape (n_row,): `Quantity`."""
    asset: IntArray
    """Shape (n_row,): position in `Network.branch_ids`, or among the buses for voltages and unbalance."""
    phase: IntArray
    """Shape (n_row,): position in `PHASE_NAMES`."""
    magnitude: csr_array
    """Shape (n_magnitude, n_node): the absolute value of this product is the row's value, in its unit."""
    above: csr_array
    """Shape (n_ratio, n_node): the absolute value of this product ..."""
    below: csr_array
    """... in percent of that of this one."""
    volts: csr_array
    """Shape (n_terminal, n_node): volts at the terminals that powers are measured at."""
    amperes: csr_array
    """Shape (n_terminal, n_node): currents out of the network there."""
    outward: csr_array
    """Shape (n_power, n_terminal): which terminals, with which sign, make up each power."""

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.quantity)

    @property
    def is_bus(self) -> BoolArray:
        """Shape (n_row,): whether the asset is a bus."""
        return np.isin(self.quantity, BUS_QUANTITIES)

    def values(self, voltage: ComplexArray) -> FloatArray:
        """Row values (n_row, n_case) at node voltages (n_node, n_case)."""
        first, second = self._starts
        result = np.empty((self.size, voltage.shape[1]))
        case = np.ascontiguousarray(voltage)
        _absolute(self.magnitude, case, result[:first])
        if second > first:
            below = np.empty((second - first, voltage.shape[1]))
            _absolute(self.above, case, result[first:second])
            _absolute(self.below, case, below)
            with np.errstate(divide="ignore", invalid="ignore"):
                result[first:second] *= 100 / below
        if self.size > second:
            power = _product(self.volts, case) * _product(self.amperes, case).conj()
            result[second:] = np.asarray(self.outward @ power.real)
        return result

    @property
    def _starts(self) -> tuple[int, int]:
        """First row of the ratios, and of the powers."""
        first = int(self.magnitude.shape[0])
        return first, first + int(self.above.shape[0])

    def gradients(self, rows: Sequence[int] | IntArray, voltage: ComplexArray) -> csc_array:
        """Complex g (n_node, n_asked) with d(value) = Re(g · dv), at one case's node voltages (n_node,)."""
        asked = np.asarray(rows, dtype=np.int64)
        first, second = self._starts
        group = np.digitize(asked, [first, second])
        order = np.argsort(group, kind="stable")
        ways = ((self._magnitude_slopes, 0), (self._ratio_slopes, first), (self._power_slopes, second))
        parts = [
            slopes(asked[group == n] - start, voltage) for n, (slopes, start) in enumerate(ways) if (group == n).any()
        ]
        if not parts:
            return csc_array((len(voltage), 0), dtype=np.complex128)
        if len(parts) == 1:
            return csc_array(parts[0].T)
        back = np.empty(len(asked), dtype=np.int64)
        back[order] = np.arange(len(asked))
        return csc_array(csr_array(vstack(parts, format="csr"))[back].T)

    def _magnitude_slopes(self, rows: IntArray, voltage: ComplexArray) -> csr_array:
        part = self.magnitude[rows]
        return csr_array(diags_array(_towards(_product(part, voltage))) @ part)

    def _ratio_slopes(self, rows: IntArray, voltage: ComplexArray) -> csr_array:
        above, below = self.above[rows], self.below[rows]
        over, under = _product(above, voltage), _product(below, voltage)
        size = np.maximum(np.abs(under), _NO_CURRENT)
        by_above = diags_array(100 * _towards(over) / size) @ above
        by_below = diags_array(100 * np.abs(over) / size**2 * _towards(under)) @ below
        return csr_array(by_above - by_below)

    def _power_slopes(self, rows: IntArray, voltage: ComplexArray) -> csr_array:
        by_volts = diags_array(_product(self.amperes, voltage).conj()) @ self.volts
        by_amperes = diags_array(_product(self.volts, voltage).conj()) @ self.amperes
        return csr_array(self.outward[rows] @ (by_volts + by_amperes))

    def only(self, rows: IntArray) -> "Meter":
        """The same without all but `rows`, which ascend."""
        first, second = self._starts
        ratio = rows[(rows >= first) & (rows < second)] - first
        return Meter(
            quantity=self.quantity[rows],
            asset=self.asset[rows],
            phase=self.phase[rows],
            magnitude=self.magnitude[rows[rows < first]],
            above=self.above[ratio],
            below=self.below[ratio],
            volts=self.volts,
            amperes=self.amperes,
            outward=self.outward[rows[rows >= second] - second],
        )


def _product(matrix: csr_array, voltage: ComplexArray) -> ComplexArray:
    return np.asarray(matrix @ voltage)


def _absolute(matrix: csr_array, voltage: ComplexArray, out: FloatArray) -> None:
    places = (matrix.indptr.astype(np.int64, copy=False), matrix.indices.astype(np.int64, copy=False))
    magnitudes(*places, matrix.data, voltage, out)


def _towards(values: ComplexArray) -> ComplexArray:
    return np.asarray(values.conj() / np.maximum(np.abs(values), _NO_CURRENT))
