"""A programme of least cost, written block by block, and its cheapest point with what every bound costs there.

With whole numbers, costs of bounds are those of the linear programme in which these numbers are fixed
(O'Neill et al., Efficient market-clearing prices in markets with nonconvexities, EJOR 164, 2005).
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csr_array

from grid_engine.lp import Ending, Programme, maximise
from grid_engine.model import FloatArray, IntArray

_NO_GAP = 1e-9
_PRICED = 1e-7
"""A cost of a bound above this is not rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Cheapest:
    """The point of least cost, if `ending` is `OPTIMAL`."""

    ending: Ending
    cost: float
    x: FloatArray
    """Shape (n_column,)."""
    row_cost: FloatArray
    """Shape (n_row,): what the cost rises by per unit that the row's bound in force moves up."""
    column_cost: FloatArray
    """Shape (n_column,): the same for the columns' own bounds."""


@dataclass(slots=True)
class Draft:
    """Columns, rows and entries as they are written."""

    _columns: list[FloatArray] = field(default_factory=list)
    """Shape (4, n) each: lower and upper bound, cost, whether whole."""
    _rows: list[FloatArray] = field(default_factory=list)
    """Shape (2, n) each: lower and upper bound."""
    _entries: list[FloatArray] = field(default_factory=list)
    """Shape (3, n) each: row, column, value."""
    n_column: int = 0
    n_row: int = 0

    def columns(
        self,
        shape: tuple[int, ...],
        lower: ArrayLike = 0.0,
        upper: ArrayLike = np.inf,
        cost: ArrayLike = 0.0,
        *,
        whole: bool = False,
    ) -> IntArray:
        """Positions, in that shape, of new columns; bounds and cost broadcast to it."""
        block = _block(shape, lower, upper, cost, float(whole))
        self._columns.append(block)
        self.n_column += block.shape[1]
        return np.arange(self.n_column - block.shape[1], self.n_column).reshape(shape)

    def rows(self, shape: tuple[int, ...], lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf) -> IntArray:
        """Positions, in that shape, of new rows without entries; bounds broadcast to it."""
        block = _block(shape, lower, upper)
        self._rows.append(block)
        self.n_row += block.shape[1]
        return np.arange(self.n_row - block.shape[1], self.n_row).reshape(shape)

    def enter(self, rows: ArrayLike, columns: ArrayLike, values: ArrayLike = 1.0) -> None:
        """Adds `values` at (row, column), the three broadcast together; what meets in one place adds up."""
        shape = np.broadcast_shapes(np.shape(rows), np.shape(columns), np.shape(values))
        self._entries.append(_block(shape, rows, columns, values))

    def programme(self) -> Programme:
        """All of it; it maximises, so what was entered as cost has its sign turned."""
        lower, upper, cost, whole = np.concatenate([np.zeros((4, 0)), *self._columns], axis=1)
        row_lower, row_upper = np.concatenate([np.zeros((2, 0)), *self._rows], axis=1)
        row, column, value = np.concatenate([np.zeros((3, 0)), *self._entries], axis=1)
        place = (row.astype(np.int64), column.astype(np.int64))
        return Programme(
            cost=-cost,
            lower=lower,
            upper=upper,
            matrix=csr_array(coo_array((value, place), shape=(self.n_row, self.n_column))),
            row_lower=row_lower,
            row_upper=row_upper,
            whole=whole > 0,
        )


def cheapest(programme: Programme) -> Cheapest:
    """The point of least cost of what a `Draft` made; the same programme has always the same."""
    if not len(programme.cost):
        return _empty(programme)
    found = maximise(programme, gap=_NO_GAP)
    whole = np.zeros(0, dtype=np.int64) if programme.whole is None else np.flatnonzero(programme.whole)
    if found.optimal and len(whole):
        found = maximise(_fixed(programme, whole, np.round(found.x[whole])))
    return Cheapest(found.ending, -found.objective, found.x, -found.price, -found.reduced)


def among_equals(programme: Programme, best: Cheapest, cost: FloatArray) -> Cheapest:
    """Of all points as cheap as `best`, the one of least `cost` (n_column,); costs of bounds stay those of `best`.

    They are the optimal face: a bound that costs something is in force in every point of least cost.
    """
    if not len(programme.cost):
        return best
    priced = np.abs(best.column_cost) > _PRICED
    if programme.whole is not None:
        priced |= programme.whole
    columns = np.flatnonzero(priced)
    face = _fixed(programme, columns, best.x[columns])
    tight, activity = np.abs(best.row_cost) > _PRICED, np.asarray(programme.matrix @ best.x)
    row_lower, row_upper = (np.where(tight, activity, bound) for bound in (programme.row_lower, programme.row_upper))
    found = maximise(replace(face, cost=-cost, row_lower=row_lower, row_upper=row_upper))
    return replace(best, x=found.x) if found.optimal else best


def _empty(programme: Programme) -> Cheapest:
    """Without columns there is one point, if rows may be 0."""
    holds = bool(((programme.row_lower <= 0) & (programme.row_upper >= 0)).all())
    nothing = np.zeros(0)
    ending = Ending.OPTIMAL if holds else Ending.INFEASIBLE
    return Cheapest(ending, 0.0, nothing, np.zeros(len(programme.row_lower)), nothing)


def _fixed(programme: Programme, columns: IntArray, values: FloatArray) -> Programme:
    """The same with `columns` given, nothing whole any more."""
    lower, upper = programme.lower.copy(), programme.upper.copy()
    lower[columns] = upper[columns] = values
    return replace(programme, lower=lower, upper=upper, whole=None)


def _block(shape: tuple[int, ...], *given: ArrayLike) -> FloatArray:
    """Shape (n_given, n): each of `given` broadcast to `shape`, and flat."""
    return np.stack([np.broadcast_to(np.asarray(part, dtype=np.float64), shape).ravel() for part in given])
