"""Bands that hold what they promise: learned quantiles moved by what they missed on data that they never saw.

Y. Romano, E. Patterson and E. Candès, "Conformalized quantile regression", NeurIPS 2019, each side by itself.
"""

from dataclasses import dataclass

import numpy as np

from grid_engine.model import FloatArray

LEADS_H = (1.0, 6.0, 24.0)
"""Upper ends of the ranges of lead time that are corrected by themselves; a last range has no end."""
_MISSES = 0.1
"""Share of answers that may lie outside of either band."""


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """How far to move both bands outwards, by range of lead time; negative where they were too wide."""

    lower: FloatArray
    upper: FloatArray

    def apply(self, levels: FloatArray, lead_h: FloatArray) -> FloatArray:
        """P10, P50, P90 (3, n) corrected, and still in order."""
        of = np.searchsorted(LEADS_H, lead_h)
        low, middle, high = levels
        return np.stack([np.minimum(low - self.lower[of], middle), middle, np.maximum(high + self.upper[of], middle)])


def correction(levels: FloatArray, lead_h: FloatArray, truth: FloatArray) -> Correction:
    """From answers (3, n) on unseen data and what came true; a range never seen takes the widest of the others."""
    of = np.searchsorted(LEADS_H, lead_h)
    lower, upper = np.full(len(LEADS_H) + 1, np.nan), np.full(len(LEADS_H) + 1, np.nan)
    for n in range(len(lower)):
        mine = of == n
        if mine.any():
            lower[n] = _covering(levels[0, mine] - truth[mine])
            upper[n] = _covering(truth[mine] - levels[2, mine])
    return Correction(_filled(lower), _filled(upper))


def _covering(excess: FloatArray) -> float:
    """The smallest move that leaves at most `_MISSES` outside, with the correction for a finite sample."""
    n = len(excess)
    rank = min(n, int(np.ceil((1 - _MISSES) * (n + 1))))
    return float(np.partition(excess, rank - 1)[rank - 1])


def _filled(moves: FloatArray) -> FloatArray:
    return np.where(np.isnan(moves), np.nanmax(moves), moves)
