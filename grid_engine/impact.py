"""Requested powers that break a limit, and who gives way so that they no longer do.

Sequential linear programming: linearise the violated rows at the last AC solution, allocate by policy,
solve AC again, until the rows hold exactly; then round each limit to the safe side and prove the result
by one more AC solve. Rows enter when they are first seen violated.
"""

from dataclasses import dataclass

import numpy as np

from grid_engine.allocation import Allocation, allocate
from grid_engine.limits import Monitor
from grid_engine.members import SETTLED_W, Members, members, nothing_w
from grid_engine.model import BoolArray, FloatArray
from grid_engine.problem import Problem, Solved
from grid_engine.results import Preexisting, Status

_HELD = 0.01
"""Excess, in tolerances, that the linear programme is polished to."""
_ROUNDS = 40
_NEW_ROWS = 24
"""That enter at once: where the worst are held, most of the others are too."""
_SHORTEST = 0.1
_TIGHTENINGS = 5
_SIGNIFICANT = 0.02
"""Of the largest effect that a watt of anybody has on a row: who has less is not asked to give way for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Relief:
    """What one interval's participants may do together."""

    status: Status
    monitor: Monitor
    """With the bounds that were in force in the end."""
    allowed_w: FloatArray
    """Shape (n_participant,)."""
    row: tuple[int, ...]
    """Per participant the row that limits it, -1 where it may do as requested."""
    shadow_price: FloatArray
    """Watts per unit of that row's limit."""
    power_flows: int
    detail: str = ""


@dataclass(slots=True)
class _Work:
    """One interval's problem and the number of power flows spent on it."""

    problem: Problem
    interval: int
    power_flows: int = 0

    def solve(self, power_w: FloatArray) -> Solved | None:
        """AC solution at `power_w` (n_participant,) in every scene, or None where there is none."""
        self.power_flows += len(self.problem.scenes)
        solved = self.problem.solve(power_w[:, None], [self.interval])
        return solved if solved.converged.all() else None


@dataclass(frozen=True, slots=True, eq=False)
class _Filling:
    """Powers on the limits, and the last allocation that led there, over `rows`."""

    giving: Members
    power_w: FloatArray
    allocation: Allocation
    rows: list[int]


def relieve(problem: Problem, interval: int) -> Relief:
    """The powers nearest to the requested ones, in the policy's sense, that hold all limits in `interval`."""
    work = _Work(problem, interval)
    requested_w = problem.requested_w[:, interval]
    monitor = problem.monitor
    start = work.solve(requested_w)
    if start is None:
        return _refusal(work, problem.monitor, Status.NOT_CONVERGED, "no solution at the requested powers")
    for leniency in range(3):
        if (_excess(monitor, start) <= 1).all():
            return Relief(Status.SOLVED, monitor, requested_w, *_unlimited(requested_w), work.power_flows)
        giving = members(problem, interval, _raising(problem, interval, monitor, start))
        found = _limited(work, monitor, giving, start) if len(giving.who) else None
        if found is not None:
            return found
        eased = _eased(work, monitor, giving, leniency)
        if eased is None:
            break
        monitor = eased
    names = sorted({monitor.label(n).asset_id for n in np.flatnonzero(_excess(monitor, start) > 1).tolist()})
    return _refusal(work, monitor, Status.INFEASIBLE, f"nothing cures {', '.join(names)}")


def _refusal(work: _Work, monitor: Monitor, status: Status, detail: str) -> Relief:
    held_w = work.problem.held_w[:, work.interval]
    return Relief(status, monitor, held_w, *_unlimited(held_w), work.power_flows, f"interval {work.interval}: {detail}")


def _unlimited(power_w: FloatArray) -> tuple[tuple[int, ...], FloatArray]:
    return (-1,) * len(power_w), np.zeros(len(power_w))


def _excess(monitor: Monitor, case: Solved) -> FloatArray:
    return monitor.excess(monitor.values(case.voltages))[:, 0]


def _raising(problem: Problem, interval: int, monitor: Monitor, case: Solved) -> BoolArray:
    """Adjustable participants whose power moves a violated row further out, noticeably."""
    power_w = problem.requested_w[:, interval] - nothing_w(problem)
    rows = _worst_rows(monitor, _excess(monitor, case), 1.0)
    outward = _felt(problem, rows, case) * monitor.sign[rows][:, None] * np.sign(power_w)
    return np.asarray(problem.adjustable & (np.abs(power_w) > SETTLED_W) & ((outward > 0).sum(axis=0) > 0))


def _felt(problem: Problem, rows: list[int], case: Solved) -> FloatArray:
    """Significant effects (n_row, n_participant) of a watt on each row; 0 for the others.

    Otherwise a trace of an effect on a row that is full would stop somebody at the other end of the
    network. The next AC solution sees what they add up to.
    """
    per_watt = problem.sensitivities(rows, case)
    least = _SIGNIFICANT * np.abs(per_watt).max(axis=1, initial=0.0)
    return np.where(np.abs(per_watt) > least[:, None], per_watt, 0.0)


def _worst_rows(monitor: Monitor, excess: FloatArray, above: float) -> list[int]:
    """Of every group of rows the one furthest beyond, if it is further than `above`; the worst first."""
    beyond = np.flatnonzero(excess > above)
    worst_first = beyond[np.argsort(-excess[beyond], kind="stable")]
    _, first = np.unique(monitor.group[worst_first], return_index=True)
    return [int(row) for row in worst_first[np.sort(first)]]


def _fill(work: _Work, monitor: Monitor, giving: Members, start: Solved) -> _Filling | None:
    """The policy's best powers for `giving`, or None where no powers of theirs hold the limits.

    Where straight lines mislead (no allocation although there may be one), the next ones are drawn nearer
    to nothing, and steps away from there get shorter.
    """
    share, rows, reach, moved_w = np.ones(len(giving.who)), list[int](), 1.0, np.inf
    case: Solved | None = start
    last, safe = None, None
    for _ in range(_ROUNDS):
        allocation = None
        if case is not None:
            excess = _excess(monitor, case)
            if last is not None and (excess <= _HELD).all():
                safe = _Filling(giving, giving.power_w(share), last, rows)
                if moved_w < SETTLED_W:
                    return safe
            rows += [n for n in _worst_rows(monitor, excess, _HELD) if n not in rows][:_NEW_ROWS]
            in_tolerances = (monitor.sign[rows] / monitor.tolerance[rows])[:, None] * giving.span_w
            effect = _felt(work.problem, rows, case)[:, giving.who] * in_tolerances
            allocation = allocate(effect, effect @ share - excess[rows], giving.tiers, giving.step, giving.span_w)
        if allocation is None:
            if not share.any():
                break
            reach /= 2
            new_share = share / 2 if reach > _SHORTEST else np.zeros(len(share))
        else:
            last = allocation
            new_share = share + np.clip(allocation.share - share, -reach, reach)
        moved_w = float(np.abs((new_share - share) * giving.span_w).max())
        share = new_share
        case = work.solve(giving.power_w(share))
    return safe


def _eased(work: _Work, monitor: Monitor, giving: Members, leniency: int) -> Monitor | None:
    """The monitor without what stays violated with `giving` all at nothing; None where the study forbids that.

    A row that must not get worse is first held where it stands; more leniently, at the worse of where it
    stands and where it is with every member at nothing, for the cure of another row may cost that much.
    """
    problem = work.problem
    least = work.solve(giving.base_w)
    held = work.solve(problem.held_w[:, work.interval])
    if problem.study.preexisting is Preexisting.HARD or least is None or held is None:
        return None
    stuck = _excess(monitor, least) > 0
    if problem.study.preexisting is Preexisting.IGNORE:
        return monitor.without(stuck)
    at_least, values = (monitor.values(case.voltages)[:, 0] for case in (least, held))
    if leniency:
        values = monitor.sign * np.maximum(monitor.sign * values, monitor.sign * at_least)
    return monitor.relaxed(np.where(stuck, values, monitor.bound))


def _limited(work: _Work, monitor: Monitor, giving: Members, start: Solved) -> Relief | None:
    """Limits for `giving` on the grid of `limit_step_w`, rounded to the safe side and AC-proven."""
    requested_w = work.problem.requested_w[:, work.interval]
    aim = monitor
    for _ in range(_TIGHTENINGS):
        filling = _fill(work, aim, giving, start)
        if filling is None:
            return None
        short_w = requested_w - filling.power_w
        direction = np.sign(short_w) * (np.abs(short_w) > SETTLED_W)
        allowed_w = round_inward(work.problem, filling.power_w, direction)
        case = work.solve(allowed_w)
        if case is None:
            return None
        excess = _excess(monitor, case)
        if (excess <= 1).all():
            return _relief(work, monitor, start, filling, allowed_w)
        # Who was rounded relieved a row: aim as much lower there as rounding cost.
        aim = aim.tightened(np.where(excess > 1, excess, 0.0))
    return None


def _relief(work: _Work, monitor: Monitor, start: Solved, filling: _Filling, allowed_w: FloatArray) -> Relief:
    limited = np.abs(work.problem.requested_w[:, work.interval] - allowed_w) > SETTLED_W
    row = np.where(limited, int(np.argmax(_excess(monitor, start))), -1)
    price = np.zeros(len(row))
    for k, j in enumerate(filling.giving.who):
        stopped = int(filling.allocation.row[k])
        if limited[j] and stopped >= 0:
            row[j] = filling.rows[stopped]
            price[j] = filling.allocation.gain_w[k] / monitor.tolerance[row[j]]
    return Relief(Status.SOLVED, monitor, allowed_w, tuple(row.tolist()), price, work.power_flows)


def round_inward(problem: Problem, power_w: FloatArray, direction: FloatArray) -> FloatArray:
    """Ceilings (direction 1) down and floors (-1) up to the next step; others as they are."""
    step = problem.study.limit_step_w
    near = 1e-3  # of a step, so that a limit a hair below a round number stays there
    down, up = np.floor(power_w / step + near) * step, np.ceil(power_w / step - near) * step
    rounded = np.select([direction > 0, direction < 0], [down, up], power_w)
    return np.where(direction == 0, power_w, np.clip(rounded, problem.floor_w, problem.ceiling_w))
