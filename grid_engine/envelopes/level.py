"""The same share for all, by bisection on AC power flows alone: the envelope that is always there, in milliseconds."""

from dataclasses import dataclass
from itertools import count

import numpy as np

from grid_engine.envelopes.box import Box
from grid_engine.envelopes.budget import Budget
from grid_engine.model import FloatArray
from grid_engine.studies.rows import Rows

_POWER_FLOWS = 24
"""Per pass, about."""
_SETTLED = 2e-4
_DOUBLINGS = 7


@dataclass(frozen=True, slots=True)
class Level:
    """The highest common share that AC power flows allow."""

    share: float
    row: int
    """That stops it, -1 for none."""
    pattern: int
    """Where it does."""


def common(rows: Rows, box: Box, patterns: FloatArray, budget: Budget) -> Level:
    """The common share at which no row is broken, whichever of `patterns` (n_pattern, n_column) is used.

    Without time left it is a few percent below that: no more than one bisection after the doublings.
    """
    low, high = 0.0, 1.0
    steps = max(_POWER_FLOWS // len(patterns), 4)
    row, pattern = -1, 0
    # Doubling first: far beyond the limits power flows have no solution, and finding that out takes longest.
    tried = 2.0 ** np.arange(-_DOUBLINGS, 1)
    for number in count():
        uses = (tried[:, None, None] * patterns).reshape(-1, box.size)
        largest, which = rows.worst(box.power_w(uses.T))
        excess = largest.reshape(len(tried), -1)
        broken = np.flatnonzero((excess > 0).any(axis=1))
        first = int(broken[0]) if len(broken) else len(tried)
        if first:
            low = float(tried[first - 1])
        if low == 1.0:
            return Level(1.0, -1, 0)
        if first < len(tried):
            high, pattern = float(tried[first]), int(np.argmax(excess[first]))
            row = int(which.reshape(len(tried), -1)[first, pattern])
        if high - low < _SETTLED or (number and budget.over):
            break
        tried = np.linspace(low, high, steps + 1)[1:-1]
    return Level(low, row, pattern)


def rise(rows: Rows, box: Box, level: Level, patterns: FloatArray) -> float:
    """Tolerances that the row which stops the common share gains per unit of it."""
    around = level.share + np.array([0.0, 1e-3])
    excess = rows.excess(box.power_w((around[:, None] * patterns[level.pattern]).T))[level.row]
    return float(excess[1] - excess[0]) / 1e-3
