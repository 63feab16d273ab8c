"""Residual envelopes: how far each participant may go alone, the others staying where they are.

For every participant, direction and interval at once: AC at the end of its capability; where that breaks a
limit, the crossing is bracketed and found by regula falsi (Illinois variant) on the largest excess. Each
published value is the rounded one, proven by an AC solution of its own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.model import FloatArray, IntArray
from grid_engine.results import Binding
from grid_engine.studies.impact import round_inward
from grid_engine.studies.limits import Monitor
from grid_engine.studies.problem import Problem, Solved
from grid_engine.studies.screen import binding

_COLUMNS_AT_ONCE = 64
_NO_RISE = 1e-12
_ROUNDS = 40
_SETTLED_W = 1.0
_SETTLED = 1e-3
"""Excess, in tolerances, that counts as on the limit."""


@dataclass(frozen=True, slots=True, eq=False)
class Extents:
    """Published limits of adjustable participants, shape (n_participant, n_interval), and what sets them."""

    floor_w: FloatArray
    ceiling_w: FloatArray
    stops: dict[tuple[int, int, int], Binding]
    """By participant, interval and direction (1 up, -1 down)."""
    power_flows: int


@dataclass(slots=True)
class _Search:
    """Every (participant, interval, direction) as one column, solved some columns at a time."""

    problem: Problem
    base_w: FloatArray
    standing: FloatArray
    """Shape (n_row, n_interval): row values at the base."""
    bounds: FloatArray
    """Shape (n_row, n_interval)."""
    who: IntArray
    when: IntArray
    direction: FloatArray
    power_flows: int = 0

    def solved(self, columns: IntArray, power_w: FloatArray) -> Iterator[tuple[slice, Solved]]:
        """Slices of `columns` and AC solutions there, each column's participant at `power_w` (n_column,)."""
        for at in range(0, len(columns), _COLUMNS_AT_ONCE):
            part = slice(at, at + _COLUMNS_AT_ONCE)
            who, when = self.who[columns[part]], self.when[columns[part]]
            all_w = self.base_w[:, when].copy()
            all_w[who, np.arange(len(who))] = power_w[part]
            self.power_flows += len(who) * len(self.problem.scenes)
            yield part, self.problem.solve(all_w, when.tolist(), patient=False)

    def values(self, columns: IntArray, power_w: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Slices of `columns` and row values there."""
        for part, solved in self.solved(columns, power_w):
            yield part, self.problem.monitor.values(solved.voltages)

    def standing_excess(self) -> FloatArray:
        """Shape (n_interval,): the largest excess at the base, at most 0."""
        monitor = self.problem.monitor
        beyond = monitor.sign[:, None] * (self.standing - self.bounds) / monitor.tolerance[:, None]
        return np.asarray(beyond.max(axis=0))

    def worst(self, columns: IntArray, power_w: FloatArray) -> tuple[FloatArray, IntArray]:
        """Per column the largest excess over its interval's bounds, and the row that has it."""
        largest, row = np.zeros(len(columns)), np.zeros(len(columns), dtype=np.int64)
        for part, solved in self.solved(columns, power_w):
            when, voltages = self.when[columns[part]], solved.voltages
            for i in np.unique(when).tolist():
                mine = np.flatnonzero(when == i)
                monitor = replace(self.problem.monitor, bound=self.bounds[:, i])
                chosen = voltages if len(mine) == len(when) else [voltage[:, mine] for voltage in voltages]
                largest[part][mine], row[part][mine] = monitor.worst(chosen)
        return largest, row


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
    search = _Search(problem, base_w, standing, bounds, who, when, direction, n_interval * len(problem.scenes))
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
    stops = _stops(search, monitors, limit_w, row)
    return Extents(floor_w, ceiling_w, stops, search.power_flows)


def _crossings(search: _Search, start_w: FloatArray, end_w: FloatArray) -> tuple[FloatArray, IntArray]:
    """Per column how far it may go from `start_w` to `end_w`, and the row that stops it (-1 for none)."""
    everything = np.arange(len(start_w))
    at_bad, row = search.worst(everything, end_w)
    row = np.where(at_bad > _SETTLED, row, -1)
    good, bad = start_w.copy(), end_w.copy()
    active = np.flatnonzero(row >= 0)
    at_good = search.standing_excess()[search.when]
    for _ in range(_ROUNDS):
        active = active[np.abs(bad[active] - good[active]) > _SETTLED_W]
        if not len(active):
            break
        tried_w = _between(good[active], bad[active], at_good[active], at_bad[active])
        worst, row[active] = search.worst(active, tried_w)
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
    worst, _ = search.worst(everything, limit_w)
    return np.where(worst <= 1, limit_w, start_w)


def _stops(
    search: _Search, monitors: Sequence[Monitor], limit_w: FloatArray, row: IntArray
) -> dict[tuple[int, int, int], Binding]:
    """What sets each limit; its price from the row's change over the last step before it."""
    step_w = search.problem.study.limit_step_w
    limited = np.flatnonzero(row >= 0)
    at_limit = search.values(limited, limit_w[limited])
    before_it = search.values(limited, limit_w[limited] - search.direction[limited] * step_w)
    result = {}
    for (part, after), (_, inner) in zip(at_limit, before_it, strict=True):
        for n, column in enumerate(limited[part].tolist()):
            j, i, stopped_by = int(search.who[column]), int(search.when[column]), int(row[column])
            rise = abs(float(after[stopped_by, n] - inner[stopped_by, n]))
            price = step_w / rise if rise > _NO_RISE else 0.0
            why = binding(monitors[i], stopped_by, search.standing[:, i], after[:, n], price)
            result[j, i, int(search.direction[column])] = why
    return result
