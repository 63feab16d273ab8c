"""Requested powers that break a limit, and who gives way so that they no longer do.

The policy's best powers on the limits are rounded to the safe side, and the result is proven by one more
AC solution.
"""

from dataclasses import dataclass

import numpy as np

from grid_engine.model import BoolArray, FloatArray
from grid_engine.results import Preexisting, Status
from grid_engine.studies.filling import Filling, Work, excess_of, felt, fill, worst_rows
from grid_engine.studies.limits import Monitor
from grid_engine.studies.members import SETTLED_W, Members, members, nothing_w
from grid_engine.studies.problem import Problem, Solved

_TIGHTENINGS = 5
_NAMED = 10
"""At most as many assets are named in a refusal."""


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


def relieve(problem: Problem, interval: int) -> Relief:
    """The powers nearest to the requested ones, in the policy's sense, that hold all limits in `interval`."""
    work = Work(problem, interval)
    requested_w = problem.requested_w[:, interval]
    monitor = problem.monitor
    start = work.solve(requested_w)
    if start is None:
        return _refusal(work, problem.monitor, Status.NOT_CONVERGED, "no solution at the requested powers")
    for leniency in range(3):
        if (excess_of(monitor, start) <= 1).all():
            return Relief(Status.SOLVED, monitor, requested_w, *_unlimited(requested_w), work.power_flows)
        giving = members(problem, interval, _raising(problem, interval, monitor, start))
        found = _limited(work, monitor, giving, start) if len(giving.who) else None
        if found is not None:
            return found
        eased = _eased(work, monitor, giving, leniency)
        if eased is None:
            break
        monitor = eased
    names = sorted({monitor.label(n).asset_id for n in np.flatnonzero(excess_of(monitor, start) > 1).tolist()})
    told = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
    return _refusal(work, monitor, Status.INFEASIBLE, f"nothing cures {told}")


def _refusal(work: Work, monitor: Monitor, status: Status, detail: str) -> Relief:
    held_w = work.problem.held_w[:, work.interval]
    return Relief(status, monitor, held_w, *_unlimited(held_w), work.power_flows, f"interval {work.interval}: {detail}")


def _unlimited(power_w: FloatArray) -> tuple[tuple[int, ...], FloatArray]:
    return (-1,) * len(power_w), np.zeros(len(power_w))


def _raising(problem: Problem, interval: int, monitor: Monitor, case: Solved) -> BoolArray:
    """Adjustable participants whose power moves a violated row further out, noticeably."""
    power_w = problem.requested_w[:, interval] - nothing_w(problem)
    rows = worst_rows(monitor, excess_of(monitor, case), 1.0)
    outward = felt(problem.tangent(case), rows) * monitor.sign[rows][:, None] * np.sign(power_w)
    return np.asarray(problem.adjustable & (np.abs(power_w) > SETTLED_W) & ((outward > 0).sum(axis=0) > 0))


def _eased(work: Work, monitor: Monitor, giving: Members, leniency: int) -> Monitor | None:
    """The monitor without what stays violated with `giving` all at nothing; None where the study forbids that.

    A row that must not get worse is first held where it stands; more leniently, at the worse of where it
    stands and where it is with every member at nothing, for the cure of another row may cost that much.
    """
    problem = work.problem
    least = work.solve(giving.base_w)
    held = work.solve(problem.held_w[:, work.interval])
    if problem.study.preexisting is Preexisting.HARD or least is None or held is None:
        return None
    stuck = excess_of(monitor, least) > 0
    if problem.study.preexisting is Preexisting.IGNORE:
        return monitor.without(stuck)
    at_least, values = (monitor.values(case.voltages)[:, 0] for case in (least, held))
    if leniency:
        values = monitor.sign * np.maximum(monitor.sign * values, monitor.sign * at_least)
    return monitor.relaxed(np.where(stuck, values, monitor.bound))


def _limited(work: Work, monitor: Monitor, giving: Members, start: Solved) -> Relief | None:
    """Limits for `giving` on the grid of `limit_step_w`, rounded to the safe side and AC-proven."""
    requested_w = work.problem.requested_w[:, work.interval]
    aim = monitor
    for _ in range(_TIGHTENINGS):
        filling = fill(work, aim, giving, start)
        if filling is None:
            return None
        short_w = requested_w - filling.power_w
        direction = np.sign(short_w) * (np.abs(short_w) > SETTLED_W)
        allowed_w = round_inward(work.problem, filling.power_w, direction)
        case = work.solve(allowed_w)
        if case is None:
            return None
        excess = excess_of(monitor, case)
        if (excess <= 1).all():
            return _relief(work, monitor, start, filling, allowed_w)
        # Who was rounded relieved a row: aim as much lower there as rounding cost.
        aim = aim.tightened(np.where(excess > 1, excess, 0.0))
    return None


def _relief(work: Work, monitor: Monitor, start: Solved, filling: Filling, allowed_w: FloatArray) -> Relief:
    limited = np.abs(work.problem.requested_w[:, work.interval] - allowed_w) > SETTLED_W
    row = np.where(limited, int(np.argmax(excess_of(monitor, start))), -1)
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
    # A floor that is rounded up to nothing is plain zero, not minus zero.
    return np.where(direction == 0, power_w, np.clip(rounded, problem.floor_w, problem.ceiling_w)) + 0.0
