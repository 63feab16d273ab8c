"""Symbolic side of sparse elimination on symmetric patterns: which node goes when, and what that fills in."""

from typing import NamedTuple, TypeVar

import numpy as np
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import splu

from grid_engine.flow.kernel.jit import compiled
from grid_engine.model import BoolArray, ComplexArray, IntArray

_Values = TypeVar("_Values", IntArray, ComplexArray)

_SERIES = 2
"""Most neighbours of a bus that is eliminated ahead: its elimination never gives a neighbour more of them."""


class Rows(NamedTuple):
    """CSR places: row i has the columns column[start[i] : start[i + 1]], ascending."""

    start: IntArray
    column: IntArray


class Pattern(NamedTuple):
    """Where the factors of a matrix of n rows have entries once the first `pivots` of them are eliminated."""

    pivots: int
    lower: Rows
    """All rows, left of the diagonal."""
    upper: Rows
    """Pivots, right of the diagonal."""
    rest: Rows
    """The other rows, counted from the first of them; what is left there."""


class _Graph(NamedTuple):
    """Neighbours of buses, as many as `degree` says from `start` on; the others have been eliminated."""

    start: IntArray
    near: IntArray
    degree: IntArray


def series_order(matrix: csr_array, bus: IntArray, free: BoolArray) -> IntArray:
    """Buses to eliminate one after the other: all `free` ones with at most two neighbours when their turn comes.

    Args:
        matrix: Shape (n, n), of symmetric pattern.
        bus: Shape (n,): which bus each row belongs to.
        free: Shape (n_bus,): may be eliminated.
    """
    n = len(free)
    entries = matrix.tocoo()
    row, column = bus[entries.coords[0]], bus[entries.coords[1]]
    apart = row != column
    graph = csr_array((np.ones(apart.sum(), dtype=np.int8), (row[apart], column[apart])), shape=(n, n))
    graph.sum_duplicates()
    return _series(graph.indptr.astype(np.int64), graph.indices.astype(np.int64), free)


def fill_order(matrix: csr_array) -> IntArray:
    """Rows in an order of elimination with little fill-in: multiple minimum degree, as SuperLU has it."""
    if not matrix.shape[0]:
        return np.zeros(0, dtype=np.int64)
    pattern = csc_array((np.ones(matrix.nnz), matrix.indices, matrix.indptr), shape=matrix.shape)
    pattern.setdiag(float(matrix.shape[0]) + 1.0)
    factor = splu(pattern, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return np.argsort(factor.perm_c)


def pattern(matrix: Rows, pivots: int) -> Pattern:
    """Of a matrix of symmetric pattern, already in the order of elimination."""
    return _pattern(matrix, pivots)


def rows_of(matrix: csr_array) -> Rows:
    """Where a sparse matrix has entries."""
    return Rows(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64))


@compiled
def _series(start: IntArray, neighbour: IntArray, free: BoolArray) -> IntArray:
    n = len(free)
    graph = _Graph(start, neighbour.copy(), start[1:] - start[:-1])
    degree, gone = graph.degree, np.zeros(n, dtype=np.bool_)
    order, count = np.empty(n, dtype=np.int64), 0
    waiting, size = np.empty(3 * n, dtype=np.int64), 0
    for i in range(n):
        if free[i] and degree[i] <= _SERIES:
            waiting[size] = i
            size += 1
    while size > 0:
        size -= 1
        i = waiting[size]
        if gone[i]:
            continue
        gone[i] = True
        order[count] = i
        count += 1
        for k in range(degree[i]):
            a = graph.near[start[i] + k]
            other = graph.near[start[i] + 1 - k] if degree[i] == _SERIES else -1
            _replace(graph, a, i, other)
            if free[a] and not gone[a] and degree[a] <= _SERIES:
                waiting[size] = a
                size += 1
    return order[:count]


@compiled
def _replace(graph: _Graph, at: int, old: int, new: int) -> None:
    """Bus `at` loses its neighbour `old` and gains `new`, if that is one and not yet its neighbour."""
    first, near, degree = graph.start[at], graph.near, graph.degree
    place, known = -1, new < 0
    for p in range(first, first + degree[at]):
        if near[p] == old:
            place = p
        elif near[p] == new:
            known = True
    if known:
        degree[at] -= 1
        near[place] = near[first + degree[at]]
    else:
        near[place] = new


@compiled
def _pattern(matrix: Rows, pivots: int) -> Pattern:
    n = len(matrix.start) - 1
    upper = _transposed(_lower(matrix, pivots), pivots)
    lower = _transposed(upper, n)
    rest = _rest(matrix, pivots, lower, upper)
    return Pattern(pivots, lower, upper, _transposed(_transposed(rest, n), n - pivots))


@compiled
def _transposed(rows: Rows, n: int) -> Rows:
    """Places of the transposed matrix, which has `n` rows; its columns ascend whatever those of `rows` do."""
    start = np.zeros(n + 1, dtype=np.int64)
    for k in rows.column:
        start[k + 1] += 1
    for k in range(n):
        start[k + 1] += start[k]
    column, filled = np.empty(len(rows.column), dtype=np.int64), start.copy()
    for i in range(len(rows.start) - 1):
        for p in range(rows.start[i], rows.start[i + 1]):
            k = rows.column[p]
            column[filled[k]] = i
            filled[k] += 1
    return Rows(start, column)


@compiled
def _lower(matrix: Rows, pivots: int) -> Rows:
    """Rows of the lower factor, by the elimination tree: J. W. H. Liu, SIAM J. Matrix Anal. Appl. 11 (1990)."""
    n = len(matrix.start) - 1
    parent, mark = np.full(n, -1), np.full(n, -1)
    start = np.zeros(n + 1, dtype=np.int64)
    found, size = np.empty(4 * len(matrix.column) + n, dtype=np.int64), 0
    for i in range(n):
        mark[i] = i
        for p in range(matrix.start[i], matrix.start[i + 1]):
            k = matrix.column[p]
            while 0 <= k < min(i, pivots) and mark[k] != i:
                mark[k] = i
                if size == len(found):
                    found = twice(found)
                found[size] = k
                size += 1
                if parent[k] < 0:
                    parent[k] = i
                k = parent[k]
        start[i + 1] = size
    return Rows(start, found[:size])


@compiled
def _rest(matrix: Rows, pivots: int, lower: Rows, upper: Rows) -> Rows:
    """Columns in no order, counted from the first that is no pivot."""
    n = len(matrix.start) - 1
    mark, row = np.full(n, -1), np.empty(n, dtype=np.int64)
    start = np.zeros(n - pivots + 1, dtype=np.int64)
    found, size = np.empty(4 * len(matrix.column) + n, dtype=np.int64), 0
    for i in range(pivots, n):
        count = _mark(matrix, i, mark, row, (i, 0))
        for p in range(lower.start[i], lower.start[i + 1]):
            count = _mark(upper, lower.column[p], mark, row, (i, count))
        while size + count > len(found):
            found = twice(found)
        for p in range(count):
            if row[p] >= pivots:
                found[size] = row[p]
                size += 1
        start[i - pivots + 1] = size
    return Rows(start, found[:size])


@compiled
def _mark(rows: Rows, of: int, mark: IntArray, row: IntArray, have: tuple[int, int]) -> int:
    """Add to `row`, with its name and its size, the columns of row `of` that are not marked with that name."""
    i, count = have
    for p in range(rows.start[of], rows.start[of + 1]):
        j = rows.column[p]
        if mark[j] != i:
            mark[j] = i
            row[count] = j
            count += 1
    return count


@compiled
def twice(values: _Values) -> _Values:
    """The same with as much room again behind them."""
    result = np.empty(2 * len(values), dtype=values.dtype)
    for k in range(len(values)):
        result[k] = values[k]
    return result
