"""Evidence for envelopes: AC power flows with everybody somewhere within its own, at random."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grid_engine.envelopes.box import Box
from grid_engine.model import FloatArray
from grid_engine.studies.rows import Rows

_RUNS_AT_ONCE = 256
_LEAST_RUNS = 16
"""Per contingency."""
VIOLATION = 1.0
"""Tolerances beyond a bound."""


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What random use of one box has shown."""

    runs: int
    violations: int
    row: int
    """Of the monitor, that came nearest to its bound, or went farthest beyond."""
    excess: float
    power_w: FloatArray
    """Shape (n_participant,): where it did."""


def random_use(rows: Rows, box: Box, share: FloatArray, runs: int, rng: np.random.Generator) -> Evidence:
    """Power flows with everybody uniformly, and by itself, between the ends of what `share` allows.

    `runs` as the network is, and about as many again spread over all contingencies. Where everybody is sure to
    use everything there is one run only.
    """
    ends_w = box.ends_w(share)
    others = len(rows.scenes) - 1
    total, violations, row, excess, worst_w = 0, 0, -1, -np.inf, ends_w[0]
    for scene in rows.scenes:
        n_run = runs if scene == 0 else max(runs // others, min(_LEAST_RUNS, runs))
        for power_w in _random(ends_w, n_run if box.least < 1 else min(n_run, 1), rng):
            largest, which = rows.only(scene).worst(power_w)
            total, violations = total + len(largest), violations + int((largest > VIOLATION).sum())
            top = int(np.argmax(largest))
            if largest[top] > excess:
                row, excess, worst_w = int(which[top]), float(largest[top]), power_w[:, top]
    return Evidence(total, violations, row, excess, worst_w)


def _random(ends_w: tuple[FloatArray, FloatArray], runs: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Powers (n_participant, k), some at a time."""
    low_w, high_w = ends_w
    for at in range(0, runs, _RUNS_AT_ONCE):
        part = rng.random((len(low_w), min(_RUNS_AT_ONCE, runs - at)))
        yield low_w[:, None] + part * (high_w - low_w)[:, None]
