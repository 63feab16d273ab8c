"""Sensitivities of metered quantities to the powers of participants, by one adjoint solve per row.

The power flow equations at a solved point are linearised exactly; see `powerflow.jacobian`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csc_array, csr_array

from grid_engine.meters import Meter
from grid_engine.model import FloatArray
from grid_engine.nodal import System, factorised
from grid_engine.powerflow import Case, jacobian

_ROWS_AT_ONCE = 64


def sensitivities(system: System, meter: Meter, rows: Sequence[int], case: Case, shares: csr_array) -> FloatArray:
    """Shape (n_asked, n_participant): row units per watt, at one solved case.

    `shares` (n_node, n_participant) is the injection per unit that one watt of each participant makes.
    """
    if not rows:
        return np.zeros((0, shares.shape[1]))
    factor = factorised(csc_array(jacobian(system, case).T))
    volts = np.where(system.supplied, case.voltage, 1.0).conj()
    result = np.zeros((len(rows), shares.shape[1]))
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(at, at + _ROWS_AT_ONCE)
        by_unknown = np.asarray(system.basis.T @ meter.gradients(rows[part], case.voltage))
        split = np.concatenate([by_unknown.real, -by_unknown.imag])
        real, imaginary = np.split(factor.solve(np.asfortranarray(split)), 2)
        per_current = np.asarray(system.adjoint.T @ (real - 1j * imaginary))
        result[part] = (shares.T @ (per_current / volts[:, None]).real).T
    return result
