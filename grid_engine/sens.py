"""Sensitivities of metered quantities to the powers of pairs, by one adjoint solve per row."""

from collections.abc import Sequence

import numpy as np

from grid_engine.meters import Meter
from grid_engine.model import ComplexArray, FloatArray, IntArray
from grid_engine.powerflow import Linear

_ROWS_AT_ONCE = 64


def sensitivities(
    linear: Linear, meter: Meter, rows: Sequence[int] | IntArray, voltage: ComplexArray
) -> tuple[FloatArray, FloatArray]:
    """Shape (n_asked, n_pair): units of each of the meter's `rows` per watt and per var of every pair.

    `linear` is the power flow linearised at the node voltages `voltage` (n_node,).
    """
    asked = np.asarray(rows, dtype=np.int64)
    n_pair = linear.pairs.size
    per_watt, per_var = np.zeros((len(asked), n_pair)), np.zeros((len(asked), n_pair))
    for at in range(0, len(asked), _ROWS_AT_ONCE):
        part = slice(at, at + _ROWS_AT_ONCE)
        watt, var = linear.adjoint(meter.gradients(asked[part], voltage).toarray())
        per_watt[part], per_var[part] = watt.T, var.T
    return per_watt, per_var
