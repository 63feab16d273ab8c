"""The policy's best powers on the limits: sequential linear programming between AC solutions.

Rows enter when they are seen violated, or when the straight lines of the last solution foresee it. Where
many are violated at first, the search begins on the way from nothing to the request, at the last point
that holds them all.
"""

from dataclasses import dataclass, field

import numpy as np

from grid_engine.model import BoolArray, FloatArray, IntArray
from grid_engine.studies.allocation import Allocation, allocate
from grid_engine.studies.limits import Monitor
from grid_engine.studies.members import SETTLED_W, Members
from grid_engine.studies.problem import Problem, Solved, Tangent

_HELD = 0.01
"""Excess, in tolerances, that the linear programme is polished to."""
_ENOUGH = 0.5
"""The same where one round follows the other: what still moves then is worth as much one way as the other."""
_HELD_LONG = 3
"""As many rounds in a row."""
_ROUNDS = 40
_FORESIGHTS = 20
_NEW_ROWS = 24
"""That enter at once: where the worst are held, most of the others are too."""
_ON_THE_WAY = np.arange(17) / 16
_SHORTEST = 0.1
_SIGNIFICANT = 0.02
"""Of the largest effect that a watt of anybody has on a row: who has less is not asked to give way for it."""
_WIDENED = 0.1
"""Times that, where those who matter more cannot hold a row alone."""
_TRACE = 1e-4
"""Smaller than that, all effects matter."""
_CALM = 0.5
"""Of what a step should take off the excess: what still counts as calming down."""
_LEAST_STEP = 0.25
_NEAR = 20.0
"""Excess from which it is better to go back a little than to begin anew where straight lines mislead."""
_BETTER = 0.9
_PATIENCE = 8
"""Rounds that need not make anything better."""


@dataclass(slots=True)
class Work:
    """One interval's problem and the number of power flows spent on it."""

    problem: Problem
    interval: int
    power_flows: int = 0

    def solve(self, power_w: FloatArray) -> Solved | None:
        """AC solution at `power_w` (n_participant,) in every scene, or None where there is none."""
        self.power_flows += len(self.problem.scenes)
        solved = self.problem.solve(power_w[:, None], [self.interval])
        return solved if solved.converged.all() else None

    def holding(self, monitor: Monitor, power_w: FloatArray) -> BoolArray:
        """Which of several cases (n_participant, n_case) are inside all bounds."""
        self.power_flows += len(self.problem.scenes) * power_w.shape[1]
        solved = self.problem.solve(power_w, [self.interval] * power_w.shape[1], patient=False)
        return np.asarray(monitor.worst(solved.voltages)[0] <= 0)


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """Powers on the limits, and the last allocation that led there, over `rows`."""

    giving: Members
    power_w: FloatArray
    allocation: Allocation
    rows: list[int]


def excess_of(monitor: Monitor, case: Solved) -> FloatArray:
    """Shape (n_row,): at the first case."""
    return monitor.excess(monitor.values(case.voltages))[:, 0]


def felt(tangent: Tangent, rows: list[int], least: FloatArray | float = _SIGNIFICANT) -> FloatArray:
    """Effects (n_row, n_participant) of a watt on each row; 0 for who has less than `least` of the largest one.

    Otherwise a trace of an effect on a row that is full would stop somebody at the other end of the
    network. The next AC solution sees what they add up to.
    """
    per_watt = tangent.slopes(rows)
    size = np.abs(per_watt)
    smallest = np.broadcast_to(least, len(rows))[:, None] * size.max(axis=1, initial=0.0)[:, None]
    return np.where(size > smallest, per_watt, 0.0)


def worst_rows(monitor: Monitor, excess: FloatArray, above: float) -> list[int]:
    """Of every group of rows the one furthest beyond, if it is further than `above`; the worst first."""
    beyond = np.flatnonzero(excess > above)
    worst_first = beyond[np.argsort(-excess[beyond], kind="stable")]
    _, first = np.unique(monitor.group[worst_first], return_index=True)
    return [int(row) for row in worst_first[np.sort(first)]]


def fill(work: Work, monitor: Monitor, giving: Members, start: Solved) -> Filling | None:
    """The policy's best powers for `giving`, or None where no powers of theirs hold the limits.

    Where straight lines mislead (no allocation although there may be one), the next ones are drawn nearer
    to nothing, and steps away from there get shorter. Where steps do not calm down, they get shorter too, and
    in the end the best powers are drawn back towards nothing until they hold.
    """
    share, case = _beginning(work, monitor, giving, start)
    lines, pace = _Lines(monitor, giving, []), _Pace()
    last, safe = None, None
    for _ in range(_ROUNDS):
        allocation = None
        if case is not None:
            excess = excess_of(monitor, case)
            if last is not None:
                pace.see(share, float(excess.max(initial=0.0)))
                if pace.worst <= _HELD or pace.held >= _HELD_LONG:
                    safe = Filling(giving, giving.power_w(share), last, lines.rows)
                    if pace.moved_w < SETTLED_W or pace.held >= _HELD_LONG:
                        return safe
            if pace.stalled:
                break
            lines.add(worst_rows(monitor, excess, _HELD))
            allocation = lines.allocation(work.problem.tangent(case), share)
        if allocation is None and (pace.least <= _NEAR or not share.any()):
            break
        new_share = pace.next(share, None if allocation is None else allocation.share)
        pace.moved_w = float(np.abs((new_share - share) * giving.span_w).max())
        last = last if allocation is None else allocation
        share = new_share
        case = work.solve(giving.power_w(share))
    if safe is None and last is not None and pace.best is not None:
        part, _ = _along(work, monitor, giving, pace.best)
        return None if part is None else Filling(giving, giving.power_w(part * pace.best), last, lines.rows)
    return safe


@dataclass(slots=True)
class _Pace:
    """How far to go to the next shares, and whether that still leads anywhere."""

    reach: float = 1.0
    step: float = 1.0
    moved_w: float = np.inf
    best: FloatArray | None = None
    least: float = np.inf
    """Excess at `best`."""
    worst: float = np.inf
    """Excess at the last shares."""
    idle: int = 0
    held: int = 0
    """Rounds in a row that have held all bounds."""

    def see(self, share: FloatArray, worst: float) -> None:
        """Note where `share` led; steps get shorter where they do not calm down."""
        calm = worst <= max((1 - _CALM * self.step) * self.worst, 1.0)
        self.held = self.held + 1 if worst <= _ENOUGH else 0
        self.step = min(1.0, 2 * self.step) if calm else max(self.step / 2, _LEAST_STEP)
        self.idle = 0 if worst <= max(_BETTER * self.least, _HELD) else self.idle + 1
        if worst < self.least:
            self.best, self.least = share, worst
        self.worst = worst

    @property
    def stalled(self) -> bool:
        """Whether nothing has become better for long."""
        return self.idle >= _PATIENCE

    def next(self, share: FloatArray, wanted: FloatArray | None) -> FloatArray:
        """The next shares; nearer to nothing where none are known that hold."""
        if wanted is None:
            self.reach /= 2
            return share / 2 if self.reach > _SHORTEST else np.zeros(len(share))
        return share + self.step * np.clip(wanted - share, -self.reach, self.reach)


def _beginning(work: Work, monitor: Monitor, giving: Members, start: Solved) -> tuple[FloatArray, Solved | None]:
    """Where to draw the first straight lines: at the request, or before it where that is far outside."""
    everything = np.ones(len(giving.who))
    if len(worst_rows(monitor, excess_of(monitor, start), _HELD)) <= _NEW_ROWS:
        return everything, start
    part, case = _along(work, monitor, giving, everything)
    return (everything, start) if part is None else (part * everything, case)


def _along(work: Work, monitor: Monitor, giving: Members, share: FloatArray) -> tuple[float | None, Solved | None]:
    """How much of `share` holds all bounds, and the solution there; None where not even nothing does."""
    low, high = 0.0, 1.0
    for _ in range(2):
        level = low + (high - low) * _ON_THE_WAY
        holding = work.holding(monitor, np.stack([giving.power_w(part * share) for part in level], axis=1))
        if not holding[0]:
            return None, None
        last = len(level) - 1 if holding.all() else int(np.argmin(holding)) - 1
        low, high = float(level[last]), float(level[min(last + 1, len(level) - 1)])
    return low, work.solve(giving.power_w(low * share))


@dataclass(slots=True)
class _Lines:
    """The rows that allocations look at, and how little matters in each."""

    monitor: Monitor
    giving: Members
    rows: list[int]
    least: dict[int, float] = field(default_factory=dict)

    def add(self, found: list[int]) -> bool:
        """Look at the first of `found` too; false where all of them are known."""
        known = set(self.rows)
        new = [row for row in found if row not in known][:_NEW_ROWS]
        self.rows += new
        self.least |= dict.fromkeys(new, _SIGNIFICANT)
        return bool(new)

    def allocation(self, tangent: Tangent, share: FloatArray) -> Allocation | None:
        """The best shares as the straight lines at `share` have it, with all rows that these foresee violated."""
        monitor, giving, allocation = self.monitor, self.giving, None
        here = excess_of(monitor, tangent.solved)
        effect = np.zeros((0, len(giving.who)))
        for _ in range(_FORESIGHTS):
            effect = np.concatenate([effect, self._effect(tangent, self.rows[len(effect) :])])
            room = effect @ share - here[self.rows]
            allocation = allocate(effect, room, giving.tiers, giving.step, giving.span_w)
            if allocation is None:
                short = np.flatnonzero(np.minimum(effect, 0.0).sum(axis=1) > room)
                if not self._widened(short):
                    return None
                effect[short] = self._effect(tangent, [self.rows[n] for n in short])
                continue
            change_w = giving.power_w(allocation.share) - giving.power_w(share)
            ahead = monitor.excess(monitor.values(tangent.moved(change_w)))[:, 0]
            if not self.add(worst_rows(monitor, ahead, 1.0)):
                break
        return allocation

    def _effect(self, tangent: Tangent, rows: list[int]) -> FloatArray:
        """Tolerances per share (n_row, n_member)."""
        in_tolerances = (self.monitor.sign[rows] / self.monitor.tolerance[rows])[:, None] * self.giving.span_w
        least = np.array([self.least[row] for row in rows])
        return felt(tangent, rows, least)[:, self.giving.who] * in_tolerances

    def _widened(self, short: IntArray) -> bool:
        """Let smaller effects matter in rows that are short of room even with nothing; false where all do."""
        rows = [self.rows[n] for n in short if self.least[self.rows[n]] > 0]
        for row in rows:
            self.least[row] = self.least[row] * _WIDENED if self.least[row] > _TRACE else 0.0
        return bool(rows)
