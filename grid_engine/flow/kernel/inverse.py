"""Chosen entries of the inverse of a sparse matrix, without the others."""

import numpy as np
from scipy.sparse import coo_array, csr_array

from grid_engine.flow.kernel import blocks
from grid_engine.flow.kernel.elimination import Pattern, fill_order, pattern, rows_of
from grid_engine.flow.kernel.jit import compiled
from grid_engine.model import ComplexArray, IntArray


def inverse_entries(matrix: csr_array, row: IntArray, column: IntArray) -> ComplexArray:
    """Entries (n_asked,) of the inverse of a complex matrix whose diagonal serves as pivots.

    K. Takahashi, J. Fagan, M.-S. Chin, "Formation of a sparse bus impedance matrix and its application to
    short circuit study", PICA Conference, 1973: entries where the factors have some follow from one another,
    last row first. So what is asked for is made part of their pattern.
    """
    n = matrix.shape[0]
    rows, columns = np.concatenate([row, column]), np.concatenate([column, row])
    asked = coo_array((np.zeros(len(rows), dtype=np.complex128), (rows, columns)), shape=(n, n))
    whole = csr_array(matrix).tocoo()
    mirrored = coo_array((np.zeros(whole.nnz, dtype=np.complex128), whole.coords[::-1]), shape=(n, n))
    padded = _summed(n, whole, mirrored, asked)
    order = fill_order(padded)
    place = np.argsort(order)
    ordered = csr_array(padded[order][:, order])
    ordered.sort_indices()
    plan = pattern(rows_of(ordered), n)
    factors = blocks.factorised(plan, rows_of(ordered), blocks.as_blocks(ordered.data))
    lower, upper, inverse = (part[:, 0] + 1j * part[:, 2] for part in factors[:3])
    own, above, below = _inverted(plan, lower, upper, inverse)
    return _chosen(plan, (own, above, below), place[row], place[column])


def _summed(n: int, *parts: coo_array) -> csr_array:
    """The sum with zeros kept where a part has one."""
    rows, columns = (np.concatenate([part.coords[axis] for part in parts]) for axis in (0, 1))
    values = np.concatenate([part.data for part in parts])
    result = coo_array((values, (rows, columns)), shape=(n, n)).tocsr()
    result.sum_duplicates()
    return csr_array(result)


def _chosen(
    plan: Pattern, found: tuple[ComplexArray, ComplexArray, ComplexArray], row: IntArray, column: IntArray
) -> ComplexArray:
    own, above, below = found
    n = plan.pivots
    key = np.repeat(np.arange(n), np.diff(plan.upper.start)) * n + plan.upper.column
    at = np.searchsorted(key, np.minimum(row, column) * n + np.maximum(row, column))
    at = np.minimum(at, len(key) - 1) if len(key) else at
    off = np.where(row < column, above[at], below[at]) if len(key) else np.zeros(len(row))
    return np.where(row == column, own[row], off)


@compiled
def _inverted(
    plan: Pattern, lower: ComplexArray, upper: ComplexArray, inverse: ComplexArray
) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
    """Entries of the inverse: on the diagonal, where the upper factor has some, and at the mirrored places."""
    n = plan.pivots
    turned = _turned(plan, lower)
    own = np.empty(n, dtype=np.complex128)
    above, below = np.empty(len(upper), dtype=np.complex128), np.empty(len(upper), dtype=np.complex128)
    right, down = np.empty(n, dtype=np.complex128), np.empty(n, dtype=np.complex128)
    for i in range(n - 1, -1, -1):
        first, last = plan.upper.start[i], plan.upper.start[i + 1]
        for q in range(first, last):
            k = plan.upper.column[q]
            right[k], down[k] = upper[q] * own[k], own[k] * turned[q]
        for q in range(first, last):
            k = plan.upper.column[q]
            at = plan.upper.start[k]
            for r in range(q + 1, last):
                j = plan.upper.column[r]
                while plan.upper.column[at] < j:
                    at += 1
                right[j] += upper[q] * above[at]
                right[k] += upper[r] * below[at]
                down[j] += below[at] * turned[q]
                down[k] += above[at] * turned[r]
        total = 1.0 + 0.0j
        for q in range(first, last):
            k = plan.upper.column[q]
            above[q], below[q] = -inverse[i] * right[k], -down[k]
            total -= upper[q] * below[q]
        own[i] = inverse[i] * total
    return own, above, below


@compiled
def _turned(plan: Pattern, lower: ComplexArray) -> ComplexArray:
    """Entries of the lower factor in the order of the mirrored entries of the upper one."""
    result, filled = np.empty(len(lower), dtype=np.complex128), plan.upper.start[:-1].copy()
    for i in range(plan.pivots):
        for p in range(plan.lower.start[i], plan.lower.start[i + 1]):
            k = plan.lower.column[p]
            result[filled[k]] = lower[p]
            filled[k] += 1
    return result
