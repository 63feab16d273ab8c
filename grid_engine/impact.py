"""Requested powers that break a limit, and who gives way so that they no longer do.

Sequential linear programming: linearise the violated rows at the last AC solution, allocate by policy,
solve AC again, until the rows hold exactly; then round each limit to the safe side and prove the result
by one more AC solve. Rows enter when they are first seen violated.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grid_engine.allocation import Allocation, allocate
from grid_engine.limits import Monitor
from grid_engine.model import BoolArray, FloatArray
from grid_engine.powerflow import Case, solve
from grid_engine.problem import Problem
from grid_engine.results import Policy, Preexisting, Status
from grid_engine.sens import sensitivities

SETTLED_W = 1.0
_HELD = 0.01
"""Excess, in tolerances, that the linear programme is polished to."""
_ROUNDS = 25
_HALVINGS = 3
_TIGHTENINGS = 5
_SIGNIFICANT = {"A": 0.5e-6, "pu": 0.0005e-6, "VA": 0.01, "W": 0.01}
"""Least effect per watt, by unit, for which somebody is asked to give way."""


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

    def solve(self, power_w: FloatArray) -> Case | None:
        """AC solution at `power_w` (n_participant,), or None where there is none."""
        self.power_flows += 1
        injection = self.problem.injection(power_w[:, None], [self.interval])
        flow = solve(self.problem.system, injection)
        if not flow.converged[0]:
            return None
        return Case(injection[:, 0], flow.voltage[:, 0])


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """Who gives way, from where to where."""

    givers: list[int]
    base_w: FloatArray
    """Shape (n_participant,): with every giver at its least."""
    target_w: FloatArray
    policy: Policy


@dataclass(frozen=True, slots=True, eq=False)
class _Filling:
    """Powers on the limits, and the last allocation that led there, over `rows`."""

    attempt: _Attempt
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
        return _refusal(work, monitor, Status.NOT_CONVERGED, "no solution at the requested powers")
    for _ in range(2):
        if (_excess(monitor, start) <= 1).all():
            return _relief(work, monitor, requested_w)
        for attempt in _attempts(work, monitor, start):
            filling = _fill(work, monitor, attempt)
            if filling is not None:
                return _rounded(work, monitor, start, filling)
        eased = _ease(work, monitor)
        if eased is None:
            break
        monitor = eased
    names = sorted({monitor.labels[n].asset_id for n in np.flatnonzero(_excess(monitor, start) > 1)})
    return _refusal(work, monitor, Status.INFEASIBLE, f"interval {interval}: nothing cures {', '.join(names)}")


def _refusal(work: _Work, monitor: Monitor, status: Status, detail: str) -> Relief:
    held_w = work.problem.held_w[:, work.interval]
    n = len(held_w)
    return Relief(status, monitor, held_w, (-1,) * n, np.zeros(n), work.power_flows, detail)


def _relief(work: _Work, monitor: Monitor, allowed_w: FloatArray) -> Relief:
    n = len(allowed_w)
    return Relief(Status.SOLVED, monitor, allowed_w, (-1,) * n, np.zeros(n), work.power_flows)


def _excess(monitor: Monitor, case: Case) -> FloatArray:
    return monitor.excess(monitor.values(case.voltage[:, None]))[:, 0]


def _attempts(work: _Work, monitor: Monitor, start: Case) -> Iterator[_Attempt]:
    """First those whose new instruction is to blame, if the policy asks for it; then all, down to nothing."""
    problem, i = work.problem, work.interval
    held_w, requested_w = problem.held_w[:, i], problem.requested_w[:, i]
    target_w = requested_w
    if problem.study.policy is Policy.INCREMENTAL:
        raising = _raising(problem, monitor, start, requested_w - held_w)
        if raising.any():
            yield _Attempt(_members(raising), np.where(raising, held_w, requested_w), requested_w, Policy.PRO_RATA)
        target_w = np.where(raising, held_w, requested_w)
    nothing_w = np.clip(0.0, problem.floor_w, problem.ceiling_w)
    raising = _raising(problem, monitor, start, target_w - nothing_w)
    if raising.any():
        policy = Policy.PRO_RATA if problem.study.policy is Policy.INCREMENTAL else problem.study.policy
        yield _Attempt(_members(raising), np.where(raising, nothing_w, target_w), target_w, policy)


def _members(flags: BoolArray) -> list[int]:
    return [int(n) for n in np.flatnonzero(flags)]


def _raising(problem: Problem, monitor: Monitor, case: Case, change_w: FloatArray) -> BoolArray:
    """Adjustable participants whose `change_w` moves a violated row further out, noticeably."""
    rows = _members(_excess(monitor, case) > 1)
    per_watt = sensitivities(problem.system, monitor, rows, case, problem.shares)
    least = np.array([_SIGNIFICANT[monitor.labels[row].unit] for row in rows])[:, None]
    outward = per_watt * monitor.sign[rows][:, None] * np.sign(change_w)
    return np.asarray(problem.adjustable & (np.abs(change_w) > SETTLED_W) & (outward > least).any(axis=0))


def _fill(work: _Work, monitor: Monitor, attempt: _Attempt) -> _Filling | None:
    """The policy's best powers for the givers of `attempt`, or None where no powers of theirs hold the limits."""
    span_w = (attempt.target_w - attempt.base_w)[attempt.givers]
    tiers, step = _tiers(work.problem, attempt, span_w)
    share, rows, halvings, moved_w = np.ones(len(span_w)), list[int](), 0, np.inf
    power_w, last = attempt.target_w, None
    for _ in range(_ROUNDS):
        case, allocation = work.solve(power_w), None
        if case is not None:
            excess = _excess(monitor, case)
            rows += [n for n in _members(excess > _HELD) if n not in rows]
            if last is not None and moved_w < SETTLED_W and (excess <= _HELD).all():
                return _Filling(attempt, power_w, last, rows)
            effect = _effect(work, monitor, rows, case, attempt.givers) * span_w
            allocation = allocate(effect, effect @ share - excess[rows], tiers, step, span_w)
        if allocation is None:
            # Not a proof that there is none: this far out the straight lines may mislead.
            halvings += 1
            if halvings > _HALVINGS:
                return None
        else:
            last = allocation
        new_share = share / 2 if allocation is None else allocation.share
        moved_w = float(np.abs((new_share - share) * span_w).max())
        share = new_share
        power_w = attempt.base_w.copy()
        power_w[attempt.givers] += share * span_w
    return None


def _effect(work: _Work, monitor: Monitor, rows: list[int], case: Case, givers: list[int]) -> FloatArray:
    """Change of each row's excess per watt of each giver, in tolerances."""
    shares = work.problem.shares[:, givers]
    per_watt = sensitivities(work.problem.system, monitor, rows, case, shares)
    return np.asarray(per_watt * (monitor.sign[rows] / monitor.tolerance[rows])[:, None])


def _tiers(problem: Problem, attempt: _Attempt, span_w: FloatArray) -> tuple[list[list[int]], FloatArray]:
    """Order of protection, and what a unit of the common level is worth to each member."""
    members = [problem.study.participants[j] for j in attempt.givers]
    everybody = list(range(len(members)))
    step = np.ones(len(members))
    if attempt.policy is Policy.MAX_MIN:
        return [everybody], np.abs(span_w).max() / np.abs(span_w)
    if attempt.policy is Policy.LIFO:
        ranks = [(not member.connected_on, member.connected_on) for member in members]
        return [[j for j in everybody if ranks[j] == rank] for rank in sorted(set(ranks))], step
    if attempt.policy is Policy.MERIT:
        prices = [member.price_per_mwh for member in members]
        return [[j for j in everybody if prices[j] == price] for price in sorted(set(prices))], step
    return [everybody], step


def _ease(work: _Work, monitor: Monitor) -> Monitor | None:
    """The monitor without what no participant can cure, by the study's policy on pre-existing violations."""
    problem = work.problem
    if problem.study.preexisting is Preexisting.HARD:
        return None
    held = work.solve(problem.held_w[:, work.interval])
    if held is None:
        return None
    beyond = _excess(monitor, held) > 0
    if problem.study.preexisting is Preexisting.IGNORE:
        return monitor.without(beyond)
    return monitor.relaxed(monitor.values(held.voltage[:, None])[:, 0])


def _rounded(work: _Work, monitor: Monitor, start: Case, filling: _Filling) -> Relief:
    """Limits on the grid of `limit_step_w`, rounded to the safe side and AC-proven."""
    problem = work.problem
    requested_w, power_w, allocation = problem.requested_w[:, work.interval], filling.power_w, filling.allocation
    direction = np.sign(requested_w - power_w) * (np.abs(requested_w - power_w) > SETTLED_W)
    for extra in range(_TIGHTENINGS):
        allowed_w = round_inward(problem, power_w, direction, extra)
        case = work.solve(allowed_w)
        if case is not None and (_excess(monitor, case) <= 1).all():
            break
    else:
        return _refusal(work, monitor, Status.INFEASIBLE, f"interval {work.interval}: no rounded limits hold")
    worst = int(np.argmax(_excess(monitor, start)))
    row = np.where(direction != 0, worst, -1)
    price = np.zeros(len(row))
    for k, j in enumerate(filling.attempt.givers):
        if direction[j] and allocation.row[k] >= 0:
            row[j] = filling.rows[allocation.row[k]]
            price[j] = allocation.gain_w[k] / monitor.tolerance[row[j]]
    return Relief(Status.SOLVED, monitor, allowed_w, tuple(row.tolist()), price, work.power_flows)


def round_inward(problem: Problem, power_w: FloatArray, direction: FloatArray, extra: int = 0) -> FloatArray:
    """Ceilings (direction 1) down and floors (-1) up to the next step, `extra` steps more; others as they are."""
    step = problem.study.limit_step_w
    near = 1e-3  # of a step, so that a limit a hair below a round number stays there
    down = (np.floor(power_w / step + near) - extra) * step
    up = (np.ceil(power_w / step - near) + extra) * step
    rounded = np.select([direction > 0, direction < 0], [down, up], power_w)
    return np.where(direction == 0, power_w, np.clip(rounded, problem.floor_w, problem.ceiling_w))
