"""The update of weighted least squares in the space of the readings, and the test for bad ones.

With unknown errors of variance 1 and readings in units of their sigma: (I + A Aᵀ) w = b, errors = Aᵀ w, and w is
what the readings disagree by. Normalised residuals follow A. Monticelli, "State Estimation in Electric Power
Systems" (1999): a residual over its own standard deviation; for readings these come from the inverse of
I + A Aᵀ, for prior errors, which are readings of 0, from what the readings explain of their variance.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from grid_engine.model import FloatArray

_TESTABLE = 1e-6
"""A residual of which less than this part of its variance is checked by others says nothing."""
_GROSS = 100.0
"""Sigmas that a wrong reading may well be wrong by."""


@dataclass(frozen=True, slots=True, eq=False)
class Update:
    """Most likely errors, given linear readings."""

    errors: FloatArray
    """Shape (n,)."""
    disagreement: FloatArray
    """Shape (m,): of each reading, in its sigmas."""
    slopes: FloatArray
    """Shape (m, n): of readings in their sigmas, for each error."""
    root: FloatArray
    """Shape (m, m): lower Cholesky factor of I + A Aᵀ."""

    def explained(self) -> FloatArray:
        """Shape (n,): part of the variance of each error that the readings take away, 0 to 1."""
        half = solve_triangular(self.root, self.slopes, lower=True, check_finite=False)
        return np.asarray(np.einsum("mn,mn->n", half, half))

    def checked(self) -> FloatArray:
        """Shape (m,): part of the variance of each reading that the others and what was known check, 0 to 1."""
        inverse = solve_triangular(self.root, np.eye(len(self.root)), lower=True, check_finite=False)
        return np.asarray(np.einsum("ij,ij->j", inverse, inverse))

    def sampled(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
        """Errors (n, count) drawn from what was known before, and what of them is still possible now."""
        m, n = self.slopes.shape
        before = rng.standard_normal((n, count))
        told = self.slopes @ before + rng.standard_normal((m, count))
        return before, before - self.slopes.T @ cho_solve((self.root, True), told, check_finite=False)


def update(slopes: FloatArray, value: FloatArray) -> Update:
    """From readings (m,) in their sigmas at errors of 0, linear with `slopes` (m, n)."""
    matrix = slopes @ slopes.T
    matrix[np.diag_indices_from(matrix)] += 1
    root, _ = cho_factor(matrix, lower=True, check_finite=False)
    root = np.tril(root)
    disagreement = cho_solve((root, True), value, check_finite=False)
    return Update(slopes.T @ disagreement, disagreement, slopes, root)


def normalised(residual: FloatArray, checked: FloatArray) -> FloatArray:
    """Residuals in sigmas over their own standard deviations; 0 where nothing else checks them."""
    safe = np.where(checked > _TESTABLE, checked, 1.0)
    return np.where(checked > _TESTABLE, np.abs(residual) / np.sqrt(safe), 0.0)


def evidence(residual: FloatArray, checked: FloatArray) -> FloatArray:
    """Twice the logarithm of how much likelier a gross error makes such a residual.

    With gross errors as likely as a normal law of `_GROSS` sigmas has it, a reading that only a hundredfold error
    would explain loses to one that a tenfold error would, although their normalised residuals are the same.
    """
    wider = _GROSS**2 * checked
    return np.asarray(normalised(residual, checked) ** 2 * wider / (1 + wider) - np.log1p(wider))
