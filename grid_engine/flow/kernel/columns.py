"""Right-hand sides by the thousand, eight side by side: solutions with one matrix that is factorised, for numba.

`lanes.c` says the same in C; both must change together.
"""

import numpy as np

from grid_engine.flow.kernel.jit import compiled
from grid_engine.flow.kernel.lanes import backward, forward, pack
from grid_engine.flow.kernel.network import Triangles
from grid_engine.flow.kernel.vector import LANES, Lanes, load, store
from grid_engine.model import ComplexArray, FloatArray


@compiled
def solve_columns(factors: Triangles, span: tuple[int, int], columns: ComplexArray) -> None:
    """Replace right-hand sides (n, k) by solutions, from the first column of `span` to the one before the last."""
    n = len(factors.inverse)
    x = np.zeros(2 * n * LANES)
    for column in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - column)
        pack(columns, column, width, x)
        forward(factors, x)
        for i in range(n - 1, -1, -1):
            real, imaginary = backward(factors, i, x, x)
            store(x, 2 * i, real)
            store(x, 2 * i + 1, imaginary)
        _unpack(x, column, width, columns)


@compiled
def solve_adjoint(factors: Triangles, span: tuple[int, int], columns: ComplexArray) -> None:
    """The same with the transposed matrix, real and imaginary parts being numbers of their own."""
    n = len(factors.inverse)
    x = np.zeros(2 * n * LANES)
    for column in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - column)
        pack(columns, column, width, x)
        for i in range(n):
            m, r, j = factors.inverse[i], load(x, 2 * i), load(x, 2 * i + 1)
            real, imaginary = m[0] * r + m[2] * j, m[1] * r + m[3] * j
            store(x, 2 * i, real)
            store(x, 2 * i + 1, imaginary)
            for p in range(factors.upper_start[i], factors.upper_start[i + 1]):
                _subtract_transposed(factors.upper_block[p], real, imaginary, x, 2 * factors.upper[p])
        for i in range(n - 1, -1, -1):
            real, imaginary = load(x, 2 * i), load(x, 2 * i + 1)
            for p in range(factors.lower_start[i], factors.lower_start[i + 1]):
                _subtract_transposed(factors.lower_block[p], real, imaginary, x, 2 * factors.lower[p])
        _unpack(x, column, width, columns)


@compiled
def _subtract_transposed(block: FloatArray, real: Lanes, imaginary: Lanes, out: FloatArray, row: int) -> None:
    store(out, row, load(out, row) - (block[0] * real + block[2] * imaginary))
    store(out, row + 1, load(out, row + 1) - (block[1] * real + block[3] * imaginary))


@compiled
def _unpack(x: FloatArray, first: int, width: int, columns: ComplexArray) -> None:
    for i in range(len(columns)):
        for w in range(width):
            columns[i, first + w] = complex(x[2 * i * LANES + w], x[(2 * i + 1) * LANES + w])
