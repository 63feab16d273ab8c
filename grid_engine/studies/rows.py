"""The rows of one interval as functions of the participants' powers: where they are, how they move, which can matter.

Everything is counted in tolerances beyond the bound (*excess*), so that rows of different units compare:
above 1 is a violation. Slopes are exact, from the linearised power flow: forward, one solve per participant,
or adjoint, one solve per row, whichever is fewer.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray
from grid_engine.studies.limits import Monitor
from grid_engine.studies.problem import Problem, Scene
from grid_engine.studies.sens import sensitivities

_CASES_AT_ONCE = 64
_COLUMNS_AT_ONCE = 64
_DIGITS = 6
"""To which, relative, twins read the same."""
_TOLERANCE_PU = 1e-7
"""Of power flows: a thousandth of what is a violation."""

Effects = NDArray[np.float32]
"""Excess per watt, or per share: millions of numbers, for which single precision is a ten-thousandth of a tolerance."""


@dataclass(slots=True)
class Spent:
    """A counter of AC power flows."""

    power_flows: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Slopes:
    """Rows linearised at one point."""

    rows: IntArray
    excess: FloatArray
    """Shape (n_asked,): at the point."""
    per_watt: Effects
    """Shape (n_asked, n_participant): excess per watt."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """All limits of one interval of a study, under the bounds of `monitor`."""

    problem: Problem
    monitor: Monitor
    interval: int
    spent: Spent
    scenes: tuple[int, ...]
    """Which of the problem's scenes are looked at; rows of the others count as infinitely far from their bounds."""

    def excess(self, power_w: FloatArray) -> FloatArray:
        """Shape (n_row, k): of all rows, participants at `power_w` (n_participant, k); infinite without solution."""
        result = np.full((self.monitor.size, power_w.shape[1]), -np.inf)
        for rows, part, excess in self._read(power_w):
            result[rows, part] = excess
        return result

    def worst(self, power_w: FloatArray) -> tuple[FloatArray, IntArray]:
        """Largest excess (k,) of every case of `power_w` (n_participant, k), and the row that has it."""
        n_case = power_w.shape[1]
        largest, row = np.full(n_case, -np.inf), np.zeros(n_case, dtype=np.int64)
        for rows, part, excess in self._read(power_w):
            if not len(excess):
                continue
            top = excess.argmax(axis=0)
            value = excess[top, np.arange(len(top))]
            better = value > largest[part]
            largest[part] = np.where(better, value, largest[part])
            row[part] = np.where(better, rows.start + top, row[part])
        return largest, row

    def slopes(self, rows: IntArray, power_w: FloatArray) -> Slopes | None:
        """`rows` linearised with participants at `power_w` (n_participant,); None where there is no solution."""
        per_watt = np.zeros((len(rows), len(power_w)), dtype=np.float32)
        excess = np.zeros(len(rows))
        monitor = self.monitor
        for n in np.unique(monitor.case[rows]).tolist():
            scene, mine = self.problem.scenes[n], np.flatnonzero(monitor.case[rows] == n)
            power_va = scene.given_va[:, self.interval] + scene.shares @ power_w
            flow = scene.solver.solve(power_va[:, None])
            self.spent.power_flows += 1
            if not flow.converged[0]:
                return None
            asked, voltage = rows[mine], flow.voltage[:, 0]
            per_watt[mine] = _per_watt(scene, monitor, asked, power_va, voltage)
            value = monitor.meters[n].values(flow.voltage)[monitor.reading[asked], 0]
            excess[mine] = monitor.sign[asked] * (value - monitor.bound[asked]) / monitor.tolerance[asked]
        return Slopes(rows, excess, per_watt)

    def twins(self, values: FloatArray) -> BoolArray:
        """Shape (n_row,): rows whose like, with a tighter bound, is another; `values` (n_row, k) at random powers."""
        sign = self.monitor.sign
        with np.errstate(divide="ignore", invalid="ignore"):
            digits = np.round(np.log(np.maximum(np.abs(values), 1e-12)), _DIGITS)
        key = np.column_stack([self.monitor.case, sign, digits])
        _, label = np.unique(key, axis=0, return_inverse=True)
        tightest = np.lexsort((sign * self.monitor.bound, label.ravel()))
        first = np.ones(len(sign), dtype=np.bool_)
        ordered = label.ravel()[tightest]
        first[1:] = ordered[1:] != ordered[:-1]
        result = np.ones(len(sign), dtype=np.bool_)
        result[tightest[first]] = False
        return result

    def only(self, *scenes: int) -> "Rows":
        """The same, looking at these scenes."""
        return replace(self, scenes=scenes)

    def _read(self, power_w: FloatArray) -> Iterator[tuple[slice, slice, FloatArray]]:
        """Rows of one scene, some cases, and their excess there."""
        monitor = self.monitor
        for n in self.scenes:
            scene = self.problem.scenes[n]
            rows = slice(*np.searchsorted(monitor.case, [n, n + 1]).tolist())
            column = np.s_[rows, None]
            sign, bound, tolerance = monitor.sign[column], monitor.bound[column], monitor.tolerance[column]
            for at in range(0, power_w.shape[1], _CASES_AT_ONCE):
                part = slice(at, min(at + _CASES_AT_ONCE, power_w.shape[1]))
                power_va = scene.given_va[:, self.interval, None] + scene.shares @ power_w[:, part]
                flow = scene.solver.solve(power_va, tolerance_pu=_TOLERANCE_PU)
                self.spent.power_flows += power_va.shape[1]
                excess = monitor.meters[n].values(flow.voltage)[monitor.reading[rows]]
                excess -= bound
                excess *= sign / tolerance
                excess[:, ~flow.converged] = np.inf
                yield rows, part, excess


def _per_watt(scene: Scene, monitor: Monitor, rows: IntArray, power_va: ComplexArray, voltage: ComplexArray) -> Effects:
    """Shape (n_asked, n_participant): slopes of one scene's rows."""
    linear = scene.solver.linearise(power_va, voltage)
    meter = monitor.meters[int(monitor.case[rows[0]])]
    scale = (monitor.sign[rows] / monitor.tolerance[rows]).astype(np.float32)[:, None]
    reading, back = np.unique(monitor.reading[rows], return_inverse=True)
    n_participant = scene.shares.shape[1]
    if len(reading) < n_participant:
        per_pair, _ = sensitivities(linear, meter, reading, voltage)
        result = np.asarray((scene.shares.T @ per_pair.T).T, dtype=np.float32)[back]
        result *= scale
        return result
    gradients = csr_array(meter.gradients(reading, voltage).T)
    real, imaginary = csr_array(gradients.real), csr_array(gradients.imag)
    result = np.empty((len(reading), n_participant), dtype=np.float32)
    for at in range(0, n_participant, _COLUMNS_AT_ONCE):
        part = slice(at, at + _COLUMNS_AT_ONCE)
        moved = linear.forward(scene.shares[:, part].toarray().astype(np.complex128))
        result[:, part] = real @ np.ascontiguousarray(moved.real) - imaginary @ np.ascontiguousarray(moved.imag)
    every = result[back]
    every *= scale
    return every
