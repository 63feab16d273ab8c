"""The network gives way before anybody is limited: the first remedy of a market facilitator and of a total DSO.

The engine looks for operations that spare the limits which an answer asks for. While they are under way, or wait for
an operator, the limits that they spare are withheld, but never beyond what is safe:

- who is on his way to his limit is limited a guard time before his ramp reaches it;
- everybody is limited once the operations are overdue, have failed, or were not approved in time;
- a total DSO, whose word the node's total is, limits who stands beyond his limit already at once, unless a single
  operation that is on its way relieves the network as fast: what it limited too much it gives back as soon as the
  field shows the operations.

What is not approved is not proposed again in the same market interval.
"""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from gateway.coordination import operating, study
from gateway.coordination.events import Planned
from gateway.coordination.inquiry import Asked, Told, planned
from gateway.coordination.market import ControlRoom, Mode
from gateway.coordination.messages import LimitIssue, Message
from gateway.coordination.operating import available
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Source
from gateway.coordination.zone import DsoModel
from grid_engine.dispatch.operation_words import Plan
from grid_engine.dispatch.questions import Reconfigure
from grid_engine.results import Answer, Envelope, Status, Study

_COARSE_W = 10_000.0
"""Requests that differ by less are the same question."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What the network can do about limits."""

    plan: Planned | None = None
    withheld: frozenset[str] = frozenset()
    """Resources whose new limits wait for the network to be operated."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Operations that were found and are not shown by the field yet."""

    plan: Planned
    overdue_s: float
    """When nobody waits for them any longer."""
    released: bool
    """Under way; else they wait for an operator."""

    @property
    def helps(self) -> bool:
        """Whether anything is gained by them: not where they only take others back."""
        return not self.plan.undoes


def network_first(at: Situation, question: Study, answer: Answer) -> Generator[Asked, Told, Tried]:
    """Look for operations of the network that spare the limits which an answer asks for."""
    room = at.zone.room
    if room is None or answer.status is not Status.SOLVED:
        return Tried()
    under_way = pending(at)
    if under_way is not None:
        return Tried(None, frozenset(_patient(at, room, under_way, answer)))
    violated = any(v.interval == 0 for v in answer.violations)
    now = study.only_now(question)
    key = _key(now)
    if not violated or key == at.book.operating.searched or was_skipped(at):
        return Tried()
    controls = available(room, at.book.operating, at.now_s)
    found = yield from planned(Reconfigure(now, controls, room.weights, interval_s=at.zone.clocks.interval_s))
    plan = _plan(at, room, key, found)
    if not plan.operations:
        return Tried(plan)
    fresh = Pending(plan, _overdue_s(at, room, plan), released=at.zone.approval.mode is Mode.AUTO)
    return Tried(plan, frozenset(e.resource for e in _now(answer) if not _harms(at, fresh, e)))


def pending(at: Situation) -> Pending | None:
    """Operations under way, or waiting for an operator."""
    room, running = at.zone.room, at.book.operating.running
    if room is None:
        return None
    if running is not None:
        return Pending(running.plan, running.plan.at_s + room.confirm_s * len(running.steps), released=True)
    waiting = (one for one in at.book.approvals.waiting.values() if one.plan is not None)
    return next((Pending(one.plan, one.expires_s, released=False) for one in waiting if one.plan is not None), None)


def was_skipped(at: Situation) -> bool:
    """Whether operations were turned down, or not approved in time, in this market interval."""
    skipped_s = at.book.approvals.skipped_s
    return skipped_s is not None and skipped_s >= at.zone.clocks.interval_start(at.now_s)


def without(messages: Sequence[Message], withheld: frozenset[str]) -> tuple[Message, ...]:
    """The messages but for new limits of resources that can wait."""
    return tuple(m for m in messages if not (isinstance(m.body, LimitIssue) and m.resource in withheld))


def _plan(at: Situation, room: ControlRoom, key: str, found: Plan) -> Planned:
    best = found.options[0] if found.options and found.verdict.held else None
    operations = () if best is None else best.operations
    return operating.plan(at, room, key, operations, found.detail)


def _key(question: Study) -> str:
    """Names a question, coarsely: small changes of what is measured do not set off another search."""
    members = tuple((p.resource, round(p.requested_w[0] / _COARSE_W), p.adjustable) for p in question.participants)
    state = question.state
    what = (
        members,
        sorted(state.taps.items()),
        sorted(state.switches_closed.items()),
        sorted(state.in_service.items()),
    )
    rules = (question.load_scale, sorted(question.ratings.items(), key=lambda item: item[0]))
    return hashlib.sha256(repr((what, rules)).encode()).hexdigest()[:16]


# --- how long a limit may wait


def _now(answer: Answer) -> Iterator[Envelope]:
    return (envelope for envelope in answer.envelopes if envelope.interval == 0)


def _overdue_s(at: Situation, room: ControlRoom, plan: Planned) -> float:
    if at.zone.approval.mode is Mode.AUTO:
        return plan.at_s + room.confirm_s * len(plan.operations)
    return plan.at_s + at.zone.approval.operation_patience_s


def _patient(at: Situation, room: ControlRoom, under_way: Pending, answer: Answer) -> Iterator[str]:
    """Resources that do not harm the network yet: the plan has until shortly before they would."""
    for envelope in _now(answer):
        if at.now_s < _patience_ends_s(at, room, under_way, envelope) and not _harms(at, under_way, envelope):
            yield envelope.resource


def _patience_ends_s(at: Situation, room: ControlRoom, under_way: Pending, envelope: Envelope) -> float:
    """When a limit can wait no longer: shortly before the ramp reaches it, or when the plan is overdue."""
    asked = _asked(at, envelope.resource)
    if asked is None:
        return under_way.overdue_s
    power_w, start_s, end_s = asked
    from_w = at.book.settled_w.get(envelope.resource, 0.0)
    if power_w <= envelope.ceiling_w or power_w <= from_w:
        return under_way.overdue_s
    share = max((envelope.ceiling_w - from_w) / (power_w - from_w), 0.0)
    return start_s + share * (end_s - start_s) - room.guard_s


def _asked(at: Situation, resource: str) -> tuple[float, float, float] | None:
    """What a resource ramps to now, of a dispatch or of our instruction: power, start and end."""
    told = [i for i in at.book.trade.live(resource, at.now_s) if i.source is Source.INSTRUCTION]
    newest = max(told, key=lambda i: (i.start_s, i.version), default=None)
    if newest is not None:
        return newest.asked_w, max(newest.start_s, newest.sent_s), newest.end_s
    dispatch = at.book.dispatch_at(resource, at.now_s)
    if dispatch is None or at.now_s >= dispatch.end_s:
        return None
    return dispatch.power_w, dispatch.start_s, dispatch.end_s


def _harms(at: Situation, under_way: Pending, envelope: Envelope) -> bool:
    """Whether a total DSO waits no moment with a limit: nothing spares it, or its resource is beyond it already."""
    if at.zone.model is not DsoModel.TOTAL_DSO:
        return False
    if under_way.plan.undoes:
        return True  # it spares no limit
    if under_way.released and len(under_way.plan.operations) == 1:
        return False
    resource, power_w = at.zone.resources[envelope.resource], at.snapshot.power_w(envelope.resource)
    if power_w is None:
        return True
    band_w = resource.verify_band_w
    return power_w > envelope.ceiling_w + band_w or power_w < envelope.floor_w - band_w
