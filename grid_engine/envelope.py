"""Residual envelopes: how far each participant may go alone, the others staying where they are.

For every participant, direction and interval at once: AC at the end of its capability; where that breaks a
limit, the crossing is bracketed and found by regula falsi (Illinois variant) on the largest excess. Each
published value is the rounded one, proven by an AC solution of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.impact import round_inward
from grid_engine.limits import Monitor
from grid_engine.model import FloatArray, IntArray
from grid_engine.problem import Problem

_ROUNDS = 40
_SETTLED_W = 1.0
_SETTLED = 1e-3
"""Excess, in tolerances, that counts as on the limit."""


@dataclass(frozen=True, slots=True)
class Stop:
    """What stops a participant in one direction."""

    row: int
    before: FloatArray
    """Row values where it stands."""
    after: FloatArray
    """Row values at the published limit."""
    shadow_price: float
    """Watts per unit of the row's limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Extents:
    """Published limits of adjustable participants, shape (n_participant, n_interval), and what sets them."""

    floor_w: FloatArray
    ceiling_w: FloatArray
    stops: dict[tuple[int, int, int], Stop]
    """By participant, interval and direction (1 up, -1 down)."""
    power_flows: int


@dataclass(slots=True)
class _Search:
    """Every (participant, interval, direction) as one column."""

    problem: Problem
    base_w: FloatArray
    bounds: FloatArray
    """Shape (n_row, n_interval)."""
    who: IntArray
    when: IntArray
    direction: FloatArray
    power_flows: int = 0

    def values(self, columns: IntArray, power_w: FloatArray) -> FloatArray:
        """Row values (n_row, n_column) with each column's participant at `power_w`; not a number without solution."""
        all_w = self.base_w[:, self.when[columns]].copy()
        all_w[self.who[columns], np.arange(len(columns))] = power_w
        self.power_flows += len(columns) * len(self.problem.scenes)
        return self.problem.monitor.values(self.problem.solve(all_w, self.when[columns].tolist()).voltages)

    def excess(self, columns: IntArray, values: FloatArray) -> FloatArray:
        """Excess (n_row, n_column) over each column's own bounds."""
        monitor = self.problem.monitor
        beyond = monitor.sign[:, None] * (values - self.bounds[:, self.when[columns]]) / monitor.tolerance[:, None]
        return np.where(np.isnan(beyond), np.inf, beyond)


def extents(problem: Problem, monitors: Sequence[Monitor], base_w: FloatArray) -> Extents:
    """Envelopes around `base_w` (n_participant, n_interval), under `monitors`, one per interval.

    A row that is beyond its bound at the base may stay where it is but not get worse. No power is always
    inside: nobody is made to inject or consume by a limit.
    """
    n_interval = problem.study.intervals
    standing = problem.monitor.values(problem.solve(base_w, slice(None)).voltages)
    sign = problem.monitor.sign[:, None]
    bounds = np.stack([monitor.bound for monitor in monitors], axis=1)
    bounds = sign * np.maximum(sign * bounds, sign * standing)
    members = np.flatnonzero(problem.adjustable)
    who, when, direction = (
        grid.ravel() for grid in np.meshgrid(members, np.arange(n_interval), np.array([1.0, -1.0]), indexing="ij")
    )
    search = _Search(problem, base_w, bounds, who, when, direction, n_interval)
    end_w = np.where(direction > 0, problem.ceiling_w[who], problem.floor_w[who])
    start_w = base_w[who, when]
    found_w, row = _crossings(search, start_w, end_w)
    limited = row >= 0
    limit_w = np.where(limited, _rounded(search, found_w, start_w), end_w)
    shape = base_w.shape
    floor_w, ceiling_w = np.full(shape, np.nan), np.full(shape, np.nan)
    up, down = direction > 0, direction < 0
    ceiling_w[who[up], when[up]], floor_w[who[down], when[down]] = limit_w[up], limit_w[down]
    nothing_w = np.clip(0.0, problem.floor_w, problem.ceiling_w)[:, None]
    floor_w, ceiling_w = np.minimum(floor_w, nothing_w), np.maximum(ceiling_w, nothing_w)
    stops = _stops(
        search=search,
        standing=standing,
        limited=np.flatnonzero(limited),
        found_w=found_w,
        limit_w=limit_w,
        row=row,
    )
    return Extents(floor_w, ceiling_w, stops, search.power_flows)


def _crossings(search: _Search, start_w: FloatArray, end_w: FloatArray) -> tuple[FloatArray, IntArray]:
    """Per column how far it may go from `start_w` to `end_w`, and the row that stops it (-1 for none)."""
    everything = np.arange(len(start_w))
    excess = search.excess(everything, search.values(everything, end_w))
    row = np.where(excess.max(axis=0) > _SETTLED, excess.argmax(axis=0), -1)
    good, bad = start_w.copy(), end_w.copy()
    active = np.flatnonzero(row >= 0)
    at_good = np.full(len(start_w), -1.0)
    at_good[active] = search.excess(active, search.values(active, start_w[active])).max(axis=0)
    at_bad = excess.max(axis=0)
    for _ in range(_ROUNDS):
        active = active[np.abs(bad[active] - good[active]) > _SETTLED_W]
        if not len(active):
            break
        tried_w = _between(good[active], bad[active], at_good[active], at_bad[active])
        excess = search.excess(active, search.values(active, tried_w))
        worst, by = excess.max(axis=0), excess.argmax(axis=0)
        row[active] = by
        fits = worst <= _SETTLED
        moved_good, moved_bad = active[fits], active[~fits]
        at_bad[moved_good] /= 2
        at_good[moved_bad] /= 2
        good[moved_good], at_good[moved_good] = tried_w[fits], np.minimum(worst[fits], 0.0)
        bad[moved_bad], at_bad[moved_bad] = tried_w[~fits], worst[~fits]
        active = active[np.abs(worst) > _SETTLED]
    return good, row


def _between(good: FloatArray, bad: FloatArray, at_good: FloatArray, at_bad: FloatArray) -> FloatArray:
    """Where a straight line crosses zero; the middle where one end has no solution."""
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(np.isfinite(at_bad), at_good / (at_good - at_bad), 0.5)
    part = np.where(np.isfinite(part), part, 0.5)
    return good + np.clip(part, 0.0, 1.0) * (bad - good)


def _rounded(search: _Search, found_w: FloatArray, start_w: FloatArray) -> FloatArray:
    """Limits on the study's grid, each proven; one that does not hold becomes where the participant stands."""
    problem = search.problem
    own = replace(problem, floor_w=problem.floor_w[search.who], ceiling_w=problem.ceiling_w[search.who])
    limit_w = round_inward(own, found_w, search.direction)
    everything = np.arange(len(limit_w))
    worst = search.excess(everything, search.values(everything, limit_w)).max(axis=0)
    return np.where(worst <= 1, limit_w, start_w)


def _stops(
    *,
    search: _Search,
    standing: FloatArray,
    limited: IntArray,
    found_w: FloatArray,
    limit_w: FloatArray,
    row: IntArray,
) -> dict[tuple[int, int, int], Stop]:
    """Details of each limit; its price from the row's change over the last step before the crossing."""
    step_w = search.problem.study.limit_step_w
    at_limit = search.values(limited, limit_w[limited])
    outer = search.values(limited, found_w[limited])
    inner = search.values(limited, found_w[limited] - search.direction[limited] * step_w)
    result = {}
    for n, column in enumerate(limited):
        rise = abs(float(outer[row[column], n] - inner[row[column], n]))
        key = (int(search.who[column]), int(search.when[column]), int(search.direction[column]))
        price = step_w / rise if rise > 1e-12 else 0.0
        result[key] = Stop(int(row[column]), standing[:, search.when[column]], at_limit[:, n], price)
    return result
