"""Linear programmes, also with whole numbers: the only door to HiGHS.

A `Programme` is solved at once by `maximise`, or kept as a `Warm` one whose rows, bounds and prices change
between solutions, each starting from the basis of the last one. One thread, no output. Row prices are those
of maximising: what the objective gains per unit that a row's bound moves up.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

import highspy
import numpy as np
from scipy.sparse import csr_array

from grid_engine.model import BoolArray, FloatArray, IntArray


class Ending(StrEnum):
    """How solving ended."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    STOPPED = "stopped"
    """The time limit, or numerical trouble."""


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """Maximise cost·x with row_lower <= matrix·x <= row_upper and lower <= x <= upper; any bound may be infinite."""

    cost: FloatArray
    """Shape (n_column,)."""
    lower: FloatArray
    upper: FloatArray
    matrix: csr_array
    """Shape (n_row, n_column)."""
    row_lower: FloatArray
    row_upper: FloatArray
    whole: BoolArray | None = None
    """Shape (n_column,): columns that take whole numbers only."""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Where solving ended; without an `OPTIMAL` ending, not a number where nothing is known."""

    ending: Ending
    x: FloatArray
    """Shape (n_column,)."""
    price: FloatArray
    """Shape (n_row,): gain per unit of a row's bound; positive at an upper one, negative at a lower one."""
    reduced: FloatArray
    """Shape (n_column,): the same for the columns' own bounds."""
    objective: float
    """Of a programme with whole numbers that was `STOPPED`: of the best found so far, if any."""

    @property
    def optimal(self) -> bool:
        """Whether `x` is a proven optimum."""
        return self.ending is Ending.OPTIMAL


def maximise(programme: Programme, limit_s: float = inf, gap: float = 1e-6) -> Solution:
    """The optimum, given up after `limit_s`; `gap` is the relative one that is good enough with whole numbers."""
    warm = Warm(programme)
    warm.tolerate(gap)
    return warm.solve(limit_s)


class Warm:
    """One programme kept in the solver between changes."""

    def __init__(self, programme: Programme) -> None:
        self._whole = programme.whole is not None and bool(programme.whole.any())
        self._solver = highspy.Highs()
        self._solver.silent()
        self._solver.setOptionValue("threads", 1)
        self._solver.passModel(_model(programme))

    def tolerate(self, gap: float) -> None:
        """Take an incumbent as optimal that is within the relative `gap`."""
        self._solver.setOptionValue("mip_rel_gap", gap)

    def add_rows(self, matrix: csr_array, row_lower: FloatArray, row_upper: FloatArray) -> None:
        """Append rows below the others."""
        if matrix.shape[0]:
            start, index = matrix.indptr[:-1].astype(np.int32), matrix.indices.astype(np.int32)
            self._solver.addRows(matrix.shape[0], row_lower, row_upper, matrix.nnz, start, index, matrix.data)

    def bound_rows(self, rows: IntArray, row_lower: FloatArray, row_upper: FloatArray) -> None:
        """Move the bounds of `rows`."""
        self._solver.changeRowsBounds(len(rows), rows.astype(np.int32), row_lower, row_upper)

    def bound_columns(self, lower: FloatArray, upper: FloatArray) -> None:
        """Move the bounds of the first columns, as many as there are values."""
        first = np.arange(len(lower), dtype=np.int32)
        self._solver.changeColsBounds(len(lower), first, lower, upper)

    def value_columns(self, cost: FloatArray) -> None:
        """Change the cost of the first columns, as many as there are values."""
        self._solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)

    def solve(self, limit_s: float = inf) -> Solution:
        """The optimum of the programme as it stands, from the last basis; given up after `limit_s`."""
        solver = self._solver
        # The limit counts from the solver's own beginning, over all its runs.
        solver.setOptionValue("time_limit", min(solver.getRunTime() + max(limit_s, 0.0), highspy.kHighsInf))
        solver.run()
        ending, solution = _ending(solver.getModelStatus()), solver.getSolution()
        known = ending is Ending.OPTIMAL or (self._whole and solution.value_valid)
        x = np.array(solution.col_value) if known else np.full(solver.getNumCol(), np.nan)
        priced = known and solution.dual_valid
        return Solution(
            ending=ending,
            x=x,
            price=np.array(solution.row_dual) if priced else np.full(solver.getNumRow(), np.nan),
            reduced=np.array(solution.col_dual) if priced else np.full(solver.getNumCol(), np.nan),
            objective=float(solver.getObjectiveValue()) if known else np.nan,
        )


def _model(programme: Programme) -> highspy.HighsLp:
    n_row, n_column = programme.matrix.shape
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = n_column, n_row
    model.sense_ = highspy.ObjSense.kMaximize
    model.col_cost_, model.col_lower_, model.col_upper_ = programme.cost, programme.lower, programme.upper
    model.row_lower_, model.row_upper_ = programme.row_lower, programme.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = programme.matrix.indptr
    model.a_matrix_.index_ = programme.matrix.indices
    model.a_matrix_.value_ = programme.matrix.data
    if programme.whole is not None:
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        model.integrality_ = [kinds[int(whole)] for whole in programme.whole]
    return model


def _ending(status: highspy.HighsModelStatus) -> Ending:
    known = {
        highspy.HighsModelStatus.kOptimal: Ending.OPTIMAL,
        highspy.HighsModelStatus.kInfeasible: Ending.INFEASIBLE,
        highspy.HighsModelStatus.kUnbounded: Ending.UNBOUNDED,
        highspy.HighsModelStatus.kUnboundedOrInfeasible: Ending.INFEASIBLE,
    }
    return known.get(status, Ending.STOPPED)
