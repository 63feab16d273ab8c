"""Right-hand sides by the thousand, eight side by side: solutions with one matrix that is factorised, for numba.

`lanes.c` says the same in C; both must change together.
"""

import numpy as np

from grid_engine.kernel.jit import compiled
from grid_engine.kernel.lanes import LANES, apply, subtract
from grid_engine.kernel.network import Triangles
from grid_engine.model import ComplexArray, FloatArray


@compiled
def solve_columns(factors: Triangles, span: tuple[int, int], columns: ComplexArray) -> None:
    """Replace right-hand sides (n, k) by solutions, from the first column of `span` to the last."""
    n = len(factors.inverse)
    x = np.empty((n, 2 * LANES))
    for column in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - column)
        _pack(columns, column, width, x)
        for i in range(n):
            for p in range(factors.lower_start[i], factors.lower_start[i + 1]):
                subtract(factors.lower_block[p], x[factors.lower[p]], x[i])
        for i in range(n - 1, -1, -1):
            for p in range(factors.upper_start[i], factors.upper_start[i + 1]):
                subtract(factors.upper_block[p], x[factors.upper[p]], x[i])
            apply(factors.inverse[i], x[i])
        _unpack(x, column, width, columns)


@compiled
def solve_adjoint(factors: Triangles, span: tuple[int, int], columns: ComplexArray) -> None:
    """The same with the transposed matrix, real and imaginary parts being numbers of their own."""
    n = len(factors.inverse)
    x = np.empty((n, 2 * LANES))
    for column in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - column)
        _pack(columns, column, width, x)
        for i in range(n):
            _apply_transposed(factors.inverse[i], x[i])
            for p in range(factors.upper_start[i], factors.upper_start[i + 1]):
                _subtract_transposed(factors.upper_block[p], x[i], x[factors.upper[p]])
        for i in range(n - 1, -1, -1):
            for p in range(factors.lower_start[i], factors.lower_start[i + 1]):
                _subtract_transposed(factors.lower_block[p], x[i], x[factors.lower[p]])
        _unpack(x, column, width, columns)


@compiled
def _apply_transposed(block: FloatArray, x: FloatArray) -> None:
    m0, m1, m2, m3 = block[0], block[2], block[1], block[3]
    for w in range(LANES):
        real, imaginary = m0 * x[w] + m1 * x[LANES + w], m2 * x[w] + m3 * x[LANES + w]
        x[w], x[LANES + w] = real, imaginary


@compiled
def _subtract_transposed(block: FloatArray, a: FloatArray, out: FloatArray) -> None:
    m0, m1, m2, m3 = block[0], block[2], block[1], block[3]
    for w in range(LANES):
        out[w] -= m0 * a[w] + m1 * a[LANES + w]
        out[LANES + w] -= m2 * a[w] + m3 * a[LANES + w]


@compiled
def _pack(columns: ComplexArray, first: int, width: int, x: FloatArray) -> None:
    x[:] = 0.0
    for i in range(len(x)):
        for w in range(width):
            x[i, w], x[i, LANES + w] = columns[i, first + w].real, columns[i, first + w].imag


@compiled
def _unpack(x: FloatArray, first: int, width: int, columns: ComplexArray) -> None:
    for i in range(len(x)):
        for w in range(width):
            columns[i, first + w] = complex(x[i, w], x[i, LANES + w])
