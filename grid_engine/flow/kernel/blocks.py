"""LU factors of matrices of 2×2 real blocks, so that one block can be any real-linear map of a complex number.

A block is four numbers, row by row. There is no pivoting but inside blocks: nodal matrices have large
diagonals. What goes wrong with that shows up as infinity or not a number, which callers must look at.
"""

from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from grid_engine.flow.kernel.elimination import Pattern, Rows, fill_order, pattern, rows_of, series_order, twice
from grid_engine.flow.kernel.jit import compiled
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray

UNPINNED = 1e-12
"""Where elimination leaves less than this of a diagonal entry, only rounding pins the voltage."""


class Factors(NamedTuple):
    """Numbers in the places that a `Pattern` lists."""

    lower: FloatArray
    """Shape (n_lower, 4): of the factor with ones on its diagonal."""
    upper: FloatArray
    inverse: FloatArray
    """Shape (pivots, 4): of the diagonal blocks of the upper factor."""
    rest: FloatArray


class Reduction(NamedTuple):
    """A network without those nodes at which nothing is injected: G. Kron, Tensor Analysis of Networks, 1939."""

    kept: IntArray
    """Shape (n_kept,): rows of the whole matrix, in an order of elimination with little fill-in."""
    matrix: csr_array
    """Shape (n_kept, n_kept), complex."""
    recovery: csr_array
    """Shape (n, n_kept), complex: all voltages from the kept ones."""
    broken: int
    """The first row that could not be eliminated, for nothing pins its voltage; -1 for none."""


def reduced(matrix: csr_array, bus: IntArray, keep: BoolArray, last: BoolArray) -> Reduction:
    """The network seen from the buses that must be kept or have many neighbours.

    Args:
        matrix: Shape (n, n), complex, of symmetric pattern.
        bus: Shape (n,): which bus each row belongs to.
        keep: Shape (n,): rows whose bus must be kept.
        last: Shape (n,): those of them that come last in the order of elimination.
    """
    n_bus = int(bus.max(initial=-1)) + 1
    free = np.ones(n_bus, dtype=np.bool_)
    free[bus[keep]] = False
    order = series_order(matrix, bus, free)
    turn = np.full(n_bus, n_bus)
    turn[order] = np.arange(len(order))
    rows = np.argsort(turn[bus], kind="stable")
    pivots = int((turn[bus] < n_bus).sum())
    ordered = _permuted(matrix, rows)
    plan = pattern(rows_of(ordered), pivots)
    factors = factorised(plan, rows_of(ordered), as_blocks(ordered.data))
    n_kept = len(rows) - pivots
    rest = _from_blocks(factors.rest)
    small = csr_array((rest, plan.rest.column - pivots, plan.rest.start), shape=(n_kept, n_kept))
    again = _order(small, last[rows[pivots:]])
    start, column, value = _recovery(plan, _from_blocks(factors.upper), _from_blocks(factors.inverse), len(rows))
    place = np.argsort(again)
    recovery = csr_array((value, place[column - pivots], start), shape=(len(rows), n_kept))
    left = 1 / np.abs(_from_blocks(factors.inverse) * ordered.diagonal()[:pivots])
    stuck = np.flatnonzero(~(left > UNPINNED))
    broken = int(rows[stuck[0]]) if len(stuck) else -1
    return Reduction(rows[pivots:][again], _permuted(small, again), recovery[np.argsort(rows)], broken)


def _order(matrix: csr_array, last: BoolArray) -> IntArray:
    """Rows in an order with little fill-in, the `last` ones behind the others."""
    early, late = np.flatnonzero(~last), np.flatnonzero(last)
    early = early[fill_order(csr_array(matrix[early][:, early]))]
    if not len(late):
        return early
    order = np.concatenate([early, late])
    left = pattern(rows_of(_permuted(matrix, order)), len(early)).rest
    size = (len(late), len(late))
    seen = csr_array((np.ones(len(left.column)), left.column - len(early), left.start), shape=size)
    return np.concatenate([early, late[fill_order(seen)]])


def as_blocks(values: ComplexArray) -> FloatArray:
    """Shape (n, 4): multiplication by each complex number."""
    return np.stack([values.real, -values.imag, values.imag, values.real], axis=-1)


def _from_blocks(blocks: FloatArray) -> ComplexArray:
    return blocks[:, 0] + 1j * blocks[:, 2]


def _permuted(matrix: csr_array, rows: IntArray) -> csr_array:
    result = csr_array(matrix[rows][:, rows])
    result.sort_indices()
    return result


@compiled
def factorised(plan: Pattern, matrix: Rows, block: FloatArray) -> Factors:
    """Factors of the matrix with blocks (n_entry, 4) at the places that `plan` was made from."""
    n = len(matrix.start) - 1
    pivots = plan.pivots
    lower, upper = np.empty((len(plan.lower.column), 4)), np.empty((len(plan.upper.column), 4))
    inverse, rest = np.empty((pivots, 4)), np.empty((len(plan.rest.column), 4))
    row = np.zeros((n, 4))
    for i in range(n):
        for p in range(matrix.start[i], matrix.start[i + 1]):
            row[matrix.column[p]] = block[p]
        for p in range(plan.lower.start[i], plan.lower.start[i + 1]):
            k = plan.lower.column[p]
            _times(row[k], inverse[k], lower[p])
            row[k] = 0.0
            for q in range(plan.upper.start[k], plan.upper.start[k + 1]):
                _subtract(row[plan.upper.column[q]], lower[p], upper[q])
        if i < pivots:
            _invert(row[i], inverse[i])
            row[i] = 0.0
            for q in range(plan.upper.start[i], plan.upper.start[i + 1]):
                upper[q] = row[plan.upper.column[q]]
                row[plan.upper.column[q]] = 0.0
        else:
            for q in range(plan.rest.start[i - pivots], plan.rest.start[i - pivots + 1]):
                rest[q] = row[plan.rest.column[q]]
                row[plan.rest.column[q]] = 0.0
    return Factors(lower, upper, inverse, rest)


@compiled
def solve(plan: Pattern, factors: Factors, x: FloatArray) -> None:
    """Replace the right-hand side `x`, shape (n, 2), by the solution; all rows must have been eliminated."""
    n = len(x)
    for i in range(n):
        for p in range(plan.lower.start[i], plan.lower.start[i + 1]):
            a, m = x[plan.lower.column[p]], factors.lower[p]
            x[i, 0] -= m[0] * a[0] + m[1] * a[1]
            x[i, 1] -= m[2] * a[0] + m[3] * a[1]
    for i in range(n - 1, -1, -1):
        for p in range(plan.upper.start[i], plan.upper.start[i + 1]):
            a, m = x[plan.upper.column[p]], factors.upper[p]
            x[i, 0] -= m[0] * a[0] + m[1] * a[1]
            x[i, 1] -= m[2] * a[0] + m[3] * a[1]
        m = factors.inverse[i]
        real, imaginary = x[i, 0], x[i, 1]
        x[i, 0] = m[0] * real + m[1] * imaginary
        x[i, 1] = m[2] * real + m[3] * imaginary


@compiled
def _times(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    out[0] = a[0] * b[0] + a[1] * b[2]
    out[1] = a[0] * b[1] + a[1] * b[3]
    out[2] = a[2] * b[0] + a[3] * b[2]
    out[3] = a[2] * b[1] + a[3] * b[3]


@compiled
def _subtract(from_: FloatArray, a: FloatArray, b: FloatArray) -> None:
    from_[0] -= a[0] * b[0] + a[1] * b[2]
    from_[1] -= a[0] * b[1] + a[1] * b[3]
    from_[2] -= a[2] * b[0] + a[3] * b[2]
    from_[3] -= a[2] * b[1] + a[3] * b[3]


@compiled
def _invert(a: FloatArray, out: FloatArray) -> None:
    determinant = a[0] * a[3] - a[1] * a[2]
    out[0] = a[3] / determinant
    out[1] = -a[1] / determinant
    out[2] = -a[2] / determinant
    out[3] = a[0] / determinant


@compiled
def _recovery(
    plan: Pattern, upper: ComplexArray, inverse: ComplexArray, n: int
) -> tuple[IntArray, IntArray, ComplexArray]:
    """CSR rows over the rows not eliminated (columns from `plan.pivots`): identity for these, and what the others are.

    The rows of eliminated nodes are found last to first, each from those that come after it.
    """
    pivots = plan.pivots
    size = n - pivots
    column, value = np.empty(8 * n, dtype=np.int64), np.empty(8 * n, dtype=np.complex128)
    first, last = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    for i in range(pivots, n):
        column[i - pivots], value[i - pivots] = i, 1.0
        first[i], last[i] = i - pivots, i - pivots + 1
    row, mark, touched = np.zeros(n, dtype=np.complex128), np.full(n, -1), np.empty(n, dtype=np.int64)
    for i in range(pivots - 1, -1, -1):
        count = 0
        for q in range(plan.upper.start[i], plan.upper.start[i + 1]):
            j = plan.upper.column[q]
            for p in range(first[j], last[j]):
                k = column[p]
                if mark[k] != i:
                    mark[k], row[k], touched[count] = i, 0.0, k
                    count += 1
                row[k] -= inverse[i] * upper[q] * value[p]
        while size + count > len(column):
            column, value = twice(column), twice(value)
        first[i], last[i] = size, size + count
        for p in range(count):
            column[size + p], value[size + p] = touched[p], row[touched[p]]
        size += count
    return _in_order(first, last, column, value)


@compiled
def _in_order(
    first: IntArray, last: IntArray, column: IntArray, value: ComplexArray
) -> tuple[IntArray, IntArray, ComplexArray]:
    start = np.zeros(len(first) + 1, dtype=np.int64)
    for i in range(len(first)):
        start[i + 1] = start[i] + last[i] - first[i]
    columns, values = np.empty(start[-1], dtype=np.int64), np.empty(start[-1], dtype=np.complex128)
    for i in range(len(first)):
        for p in range(last[i] - first[i]):
            columns[start[i] + p], values[start[i] + p] = column[first[i] + p], value[first[i] + p]
    return start, columns, values
