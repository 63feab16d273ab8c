"""Market facilitator: dispatches are relayed unchanged, the network gives way before anybody is limited.

What is left to limit is told to owner and system operator alike. Nobody is dispatched in another's place:
that is the system operator's business in its next interval.
"""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from gateway.coordination import operating, study
from gateway.coordination.events import Planned
from gateway.coordination.inquiry import Asked, Told, planned, studied
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market import ControlRoom
from gateway.coordination.market_messages import MarketSide
from gateway.coordination.masking import above
from gateway.coordination.messages import LimitInfo, LimitIssue, Message, Supporting
from gateway.coordination.operating import PlanRecord, available
from gateway.coordination.operation_messages import DispatchRelay
from gateway.coordination.payload import sha256_of
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import NodeDispatch, OfferRecord, Source
from grid_engine.dispatch.operation_words import Plan
from grid_engine.dispatch.questions import Reconfigure
from grid_engine.results import Answer, Purpose, Status, Study

_COARSE_W = 10_000.0
"""Requests that differ by less are the same question."""
_CURTAILED_W = 1.0


@dataclass(frozen=True, slots=True)
class Facilitated:
    """What a market facilitator does beside its limits."""

    plan: Planned | None
    withheld: frozenset[str]
    """Resources whose new limits wait for the network to be operated."""


def network_first(at: Situation, question: Study, answer: Answer) -> Generator[Asked, Told, Facilitated]:
    """Look for operations of the network that spare the limits which an answer asks for."""
    room, running = at.zone.room, at.book.operating.running
    if room is None or answer.status is not Status.SOLVED:
        return Facilitated(None, frozenset())
    if running is not None:
        return Facilitated(None, frozenset(_patient(at, room, running, answer)))
    violated = any(v.interval == 0 for v in answer.violations)
    now = study.only_now(question)
    key = _key(now)
    if not violated or key == at.book.operating.searched:
        return Facilitated(None, frozenset())
    controls = available(room, at.book.operating, at.now_s)
    found = yield from planned(Reconfigure(now, controls, room.weights, interval_s=at.zone.clocks.interval_s))
    plan = _plan(at, room, key, found)
    withheld = frozenset(e.resource for e in answer.envelopes) if plan.operations else frozenset()
    return Facilitated(plan, withheld)


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


def _patient(at: Situation, room: ControlRoom, running: PlanRecord, answer: Answer) -> Iterator[str]:
    """Resources that do not harm the network yet: the plan has until shortly before they would."""
    for envelope in answer.envelopes:
        if envelope.interval == 0 and at.now_s < _patience_ends_s(
            at, room, running, envelope.resource, envelope.ceiling_w
        ):
            yield envelope.resource


def _patience_ends_s(at: Situation, room: ControlRoom, running: PlanRecord, resource: str, ceiling_w: float) -> float:
    """When a limit can wait no longer: shortly before the ramp reaches it, or when the plan is overdue."""
    overdue_s = running.plan.at_s + room.confirm_s * len(running.steps)
    dispatch = at.book.dispatch_at(resource, at.now_s)
    if dispatch is None or at.now_s >= dispatch.end_s:
        return overdue_s
    from_w = at.book.settled_w.get(resource, 0.0)
    if dispatch.power_w <= ceiling_w or dispatch.power_w <= from_w:
        return overdue_s
    share = max((ceiling_w - from_w) / (dispatch.power_w - from_w), 0.0)
    return dispatch.start_s + share * (dispatch.end_s - dispatch.start_s) - room.guard_s


def without(messages: Sequence[Message], withheld: frozenset[str]) -> tuple[Message, ...]:
    """The messages but for new limits of resources that can wait."""
    return tuple(m for m in messages if not (isinstance(m.body, LimitIssue) and m.resource in withheld))


def relays(at: Situation) -> Iterator[Message]:
    """Dispatches that have come and not been passed on, byte by byte."""
    for held in at.book.trade.nodes.values():
        for one in held:
            resource = at.zone.resources.get(one.dispatch.resource)
            if resource is None or _passed_on(at, one) or at.now_s >= one.dispatch.end_s:
                continue
            dispatch = one.dispatch
            relay = DispatchRelay(dispatch.dispatch_id, dispatch.version, resource.id, one.raw, sha256_of(one.raw))
            yield at.message(resource.owner, dispatch.dispatch_id, relay, suffix=f":{dispatch.version}")


def _passed_on(at: Situation, one: NodeDispatch) -> bool:
    instance = at.book.trade.instances.get(one.dispatch.dispatch_id)
    return instance is not None and instance.source is Source.RELAY and instance.version >= one.dispatch.version


def informed(at: Situation, messages: Sequence[Message]) -> Iterator[Message]:
    """Every limit with the notes on it for system operator and owner."""
    for message in messages:
        yield message
        body = message.body
        if isinstance(body, LimitIssue) and at.zone.system_operator:
            info = LimitInfo(
                body.limit_id,
                body.version,
                body.resource,
                body.start_s,
                body.end_s,
                body.ceiling_w,
                body.floor_w,
                body.reason,
                body.constraint_id,
                body.supporting,
            )
            for recipient, told in ((at.zone.system_operator, above(info)), (message.header.recipient, info)):
                yield at.message(recipient, body.limit_id, told, suffix=f":{body.version}:{recipient}")


def annotations(at: Situation) -> Generator[Asked, Told, tuple[Message, ...]]:
    """What the network allows of wholesale offers that were passed on and not yet looked at."""
    fresh = [record for record in at.book.trade.offers.values() if _to_annotate(at, record)]
    if not fresh:
        return ()
    found: list[Message] = []
    for record in fresh:
        start_s = max(record.offer.start_s, at.now_s)
        question = study.look_at(at, Purpose.ENVELOPE, (start_s,), f"{at.cycle_id}-{record.offer.offer_id}")
        answer = yield from studied(question)
        found += _annotated(at, record, answer)
    return tuple(found)


def _to_annotate(at: Situation, record: OfferRecord) -> bool:
    """Whether it had come when this cycle began, and not yet when the one before did."""
    wholesale = record.offer.market is not MarketSide.DISTRIBUTION
    last = at.book.last_answer
    fresh = record.received_s < at.now_s and (last is None or record.received_s >= last.at_s)
    return fresh and wholesale and record.state is OrderState.OFFERED and at.now_s < record.offer.end_s


def _annotated(at: Situation, record: OfferRecord, answer: Answer) -> Iterator[Message]:
    offer, envelope = record.offer, next((e for e in answer.envelopes if e.resource == record.offer.resource), None)
    if answer.status is not Status.SOLVED or envelope is None or envelope.binding is None:
        return
    if envelope.ceiling_w >= offer.blocks[-1].power_w - _CURTAILED_W or not at.zone.system_operator:
        return
    binding = envelope.binding
    scale = 100.0 if binding.unit == "pu" else 100.0 / binding.limit if binding.limit else 0.0
    info = LimitInfo(
        f"{offer.offer_id}:{offer.version}",
        offer.version,
        offer.resource,
        offer.start_s,
        offer.end_s,
        envelope.ceiling_w,
        envelope.floor_w,
        binding.reason,
        binding.asset_id,
        Supporting(
            binding.value_before * scale, binding.value_after * scale, answer.model_version, at.cycle_id, binding.case
        ),
    )
    for recipient in (at.zone.system_operator, record.owner):
        yield at.message(recipient, offer.offer_id, info, suffix=f":{offer.version}:{recipient}")
