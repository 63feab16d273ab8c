"""Sensitivities of metered quantities to the powers of participants, by one adjoint solve per row.

The power flow equations at a solved point are linearised exactly; see `powerflow.jacobian`.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from grid_engine.meters import Meter
from grid_engine.model import FloatArray
from grid_engine.nodal import System
from grid_engine.powerflow import Case, jacobian


def sensitivities(system: System, meter: Meter, rows: Sequence[int], case: Case, shares: FloatArray) -> FloatArray:
    """Shape (n_asked, n_participant): row units per watt, at one solved case.

    `shares` (n_node, n_participant) is the injection per unit that one watt of each participant makes.
    """
    if not rows:
        return np.zeros((0, shares.shape[1]))
    by_unknown = np.asarray(system.basis.T @ meter.gradients(rows, case.voltage))
    factor = splu(csc_array(jacobian(system, case).T))
    adjoint = factor.solve(np.concatenate([by_unknown.real, -by_unknown.imag]))
    n = len(adjoint) // 2
    current = np.divide(shares, case.voltage.conj()[:, None], out=np.zeros(shares.shape, complex), where=shares != 0)
    drive = np.asarray(system.adjoint @ current)
    return np.asarray(adjoint[:n].T @ drive.real + adjoint[n:].T @ drive.imag)
