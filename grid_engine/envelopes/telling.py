"""What an interval has come to, in the words of the answer."""

import numpy as np

from grid_engine.envelopes.fairness import jain
from grid_engine.envelopes.interval import Interval, Side
from grid_engine.envelopes.proof import VIOLATION
from grid_engine.envelopes.words import Ended, Outcome, Proof
from grid_engine.model import FloatArray
from grid_engine.results import Binding, Envelope, Reason, Status
from grid_engine.studies import screen
from grid_engine.studies.limits import Monitor
from grid_engine.studies.problem import Problem

_SEVERITY = (Ended.UNLIMITED, Ended.DONE, Ended.ROUNDS, Ended.DEADLINE)


def outcome(own: Interval, interval: int) -> Outcome:
    """How the interval went."""
    sides = own.sides
    shares = np.concatenate([side.found.share for side in sides]) if sides else np.zeros(0)
    change_w = np.concatenate([side.found.share * side.box.span_w for side in sides]) if sides else np.zeros(0)
    return Outcome(
        interval=interval,
        ended=_ended(own),
        export_w=float(change_w[change_w > 0].sum()),
        import_w=float(np.abs(change_w[change_w < 0]).sum()),
        gap=max((side.found.gap for side in sides), default=0.0),
        fairness=jain(shares),
        rounds=sum(side.found.rounds for side in sides),
        preexisting=own.preexisting,
    )


def _ended(own: Interval) -> Ended:
    if own.status is not Status.SOLVED:
        return Ended.FAILED
    return max((side.found.ended for side in own.sides), key=_SEVERITY.index, default=Ended.UNLIMITED)


def proof(own: Interval, side: Side, interval: int) -> Proof:
    """What has been shown of one box."""
    monitor, evidence = own.rows.monitor, side.evidence
    corner = side.corner_excess.max(axis=1, initial=-np.inf)
    row, excess = evidence.row, evidence.excess
    if len(corner) and corner.max() > excess:
        row, excess = int(np.argmax(corner)), float(corner.max())
    label = monitor.label(row) if row >= 0 else None
    return Proof(
        interval=interval,
        direction=side.box.direction,
        runs=evidence.runs,
        violations=evidence.violations,
        corners=side.corner_excess.shape[1],
        corner_violations=int((side.corner_excess.max(axis=0, initial=-np.inf) > VIOLATION).sum()),
        asset_id=label.asset_id if label else "",
        reason=label.reason if label else None,
        phase=label.phase if label else "",
        case=label.case if label else "",
        value=float(_values(monitor, np.array([excess]), row)[0]) if label else 0.0,
        limit=float(monitor.limit[row]) if label else 0.0,
        unit=label.unit if label else "",
    )


def envelopes(problem: Problem, own: Interval, interval: int) -> tuple[Envelope, ...]:
    """An envelope for every adjustable participant; without supply it may do nothing."""
    ends: dict[tuple[int, bool], tuple[float, Binding | None]] = {}
    for side in own.sides:
        bindings = _bindings(own, side)
        power_w = side.box.base_w[side.box.who] + side.box.span_w * side.found.share
        for k, j in enumerate(side.box.who.tolist()):
            ends[j, bool(side.box.span_w[k] > 0)] = (float(power_w[k]), bindings[k])
    nothing_w = np.clip(0.0, problem.floor_w, problem.ceiling_w)
    result = []
    for j, participant in enumerate(problem.study.participants):
        if participant.resource in problem.unsupplied:
            outage = Binding(participant.bus, Reason.OUTAGE)
            result.append(Envelope(participant.resource, interval, 0.0, 0.0, outage))
        elif problem.adjustable[j]:
            floor = ends.get((j, False), (float(nothing_w[j]), None))
            ceiling = ends.get((j, True), (float(nothing_w[j]), None))
            lost_w = (floor[0] - float(problem.floor_w[j]), float(problem.ceiling_w[j]) - ceiling[0])
            tighter, other = (floor[1], ceiling[1]) if lost_w[0] > lost_w[1] else (ceiling[1], floor[1])
            result.append(
                Envelope(participant.resource, interval, floor[0], ceiling[0], tighter or other, floor[1], ceiling[1])
            )
    return tuple(result)


def _bindings(own: Interval, side: Side) -> list[Binding | None]:
    """Per column, what sets its share; None where it has all."""
    found, monitor = side.found, own.rows.monitor
    if found.division is None:
        row = np.where(found.share < 1, found.level.row, -1)
        gain_w = np.full(len(row), side.level_gain_w)
    else:
        own_row = found.division.row
        row = np.where(own_row >= 0, np.append(found.row, -1)[own_row], -1)
        gain_w = found.division.gain_w
    after = _values(monitor, side.corner_excess.max(axis=1), slice(None))
    known: dict[tuple[int, float], Binding] = {}
    result: list[Binding | None] = []
    for r, gain in zip(row.tolist(), gain_w.tolist(), strict=True):
        if r < 0 or own.base is None:
            result.append(None)
            continue
        if (r, gain) not in known:
            price = gain / float(monitor.tolerance[r])
            known[r, gain] = screen.binding(monitor, r, own.base, after, price)
        result.append(known[r, gain])
    return result


def _values(monitor: Monitor, excess: FloatArray, rows: int | slice) -> FloatArray:
    """Values in the rows' own units; not a number where a bound is waived."""
    with np.errstate(invalid="ignore"):
        return np.asarray(monitor.bound[rows] + monitor.sign[rows] * monitor.tolerance[rows] * excess)
