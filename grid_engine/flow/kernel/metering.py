"""Reads magnitudes off many cases at once, and finds the worst of them."""

from typing import NamedTuple

import numpy as np

from grid_engine.flow.kernel.jit import compiled
from grid_engine.model import ComplexArray, FloatArray, IntArray


@compiled
def magnitudes(start: IntArray, column: IntArray, weight: ComplexArray, voltage: ComplexArray, out: FloatArray) -> None:
    """Fill `out` (n_row, n_case) with the absolute values of a CSR matrix times `voltage` (n_node, n_case)."""
    n_case = voltage.shape[1]
    real, imaginary = np.empty(n_case), np.empty(n_case)
    for row in range(len(start) - 1):
        real[:] = 0.0
        imaginary[:] = 0.0
        for p in range(start[row], start[row + 1]):
            a, b, v = weight[p].real, weight[p].imag, voltage[column[p]]
            for n in range(n_case):
                real[n] += a * v[n].real - b * v[n].imag
                imaginary[n] += a * v[n].imag + b * v[n].real
        for n in range(n_case):
            out[row, n] = np.sqrt(real[n] * real[n] + imaginary[n] * imaginary[n])


class Bounds(NamedTuple):
    """What readings are held against, one bound per row."""

    reading: IntArray
    """Shape (n_row,): which reading each row bounds."""
    weight: FloatArray
    """Excess per unit of reading; negative for lower bounds."""
    bound: FloatArray


@compiled
def worst(values: FloatArray, bounds: Bounds, largest: FloatArray, row: IntArray) -> None:
    """Raise `largest` (n_case,) to the largest excess of `values` (n_reading, n_case), and `row` to where that is."""
    for r in range(len(bounds.reading)):
        read, weight, bound = values[bounds.reading[r]], bounds.weight[r], bounds.bound[r]
        for n in range(len(read)):
            beyond = weight * (read[n] - bound)
            if np.isnan(beyond):
                beyond = np.inf
            if beyond > largest[n]:
                largest[n], row[n] = beyond, r
