"""Sensitivities of metered quantities to the powers of pairs or resources."""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csc_array, csr_array

from grid_engine.flow.powerflow import Linear
from grid_engine.model import ComplexArray, FloatArray, IntArray
from grid_engine.studies.meters import Meter

_AT_ONCE = 64


def sensitivities(
    linear: Linear, meter: Meter, rows: Sequence[int] | IntArray, voltage: ComplexArray
) -> tuple[FloatArray, FloatArray]:
    """Shape (n_asked, n_pair): units of each of the meter's `rows` per watt and per var of every pair.

    `linear` is the power flow linearised at the node voltages `voltage` (n_node,).
    """
    asked = np.asarray(rows, dtype=np.int64)
    n_pair = linear.pairs.size
    per_watt, per_var = np.zeros((len(asked), n_pair)), np.zeros((len(asked), n_pair))
    for at in range(0, len(asked), _AT_ONCE):
        part = slice(at, at + _AT_ONCE)
        watt, var = linear.adjoint(meter.gradients(asked[part], voltage).toarray())
        per_watt[part], per_var[part] = watt.T, var.T
    return per_watt, per_var


def slopes(linear: Linear, gradients: csc_array, shares: csr_array) -> FloatArray:
    """Shape (n_row, n_resource): slopes of rows, in their units per watt, in whichever direction is less work.

    Args:
        linear: The power flow at the solved point.
        gradients: Shape (n_node, n_row), of `Meter.gradients` there.
        shares: Shape (n_pair, n_resource): watts of every pair per watt of every resource.
    """
    n_row, n_resource = gradients.shape[1], shares.shape[1]
    result = np.zeros((n_row, n_resource))
    if n_row <= n_resource:
        for at in range(0, n_row, _AT_ONCE):
            part = slice(at, at + _AT_ONCE)
            per_watt, _ = linear.adjoint(gradients[:, part].toarray())
            result[part] = np.asarray(shares.T @ per_watt).T
        return result
    rows, columns = csr_array(gradients.T), csc_array(shares)
    for at in range(0, n_resource, _AT_ONCE):
        part = slice(at, at + _AT_ONCE)
        risen: ComplexArray = linear.forward(columns[:, part].toarray().astype(np.complex128))
        result[:, part] = np.asarray(rows @ risen).real
    return result
