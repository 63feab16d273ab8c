"""Total DSO: one resource towards the system operator, shared out among the offers behind it.

A dispatch of the node is shared out at least cost within limits, ramps and energy. What a new limit, an outage or
somebody who does not answer takes away comes back by the remedies in this order: the network is operated
(`network`), the committed offers are dispatched anew, the local market is asked (`standby`), and what is missing
then is reported (`node_answers`). Nothing is shared out anew while operations of the network are under way, and
nothing is bought while they wait for an operator. Nothing below the node is named.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.coordination import network, node_answers, operating, portions, standby, study, supply
from gateway.coordination.events import Alarmed, Dispatched, Planned
from gateway.coordination.inquiry import Asked, Told, cleared, studied
from gateway.coordination.messages import LimitClear, LimitIssue, Message
from gateway.coordination.offering import OUT, anchor_w, offer_of
from gateway.coordination.operating import available
from gateway.coordination.operation_messages import Instruction
from gateway.coordination.portions import SAME_W
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import NodeDispatch, OfferRecord, Source
from gateway.coordination.zone import Resource
from grid_engine.dispatch.questions import Clear
from grid_engine.dispatch.words import Market, Outcome, Schedule
from grid_engine.results import Envelope, Purpose, Status, Study
from protocols.signals import Bounds

_SOLVED = frozenset({Outcome.DELIVERED, Outcome.SHORTFALL})


@dataclass(frozen=True, slots=True)
class Shared:
    """What follows for one dispatch of a node."""

    messages: tuple[Message, ...] = ()
    selected: tuple[Dispatched, ...] = ()
    plan: Planned | None = None
    """What to operate in the network, where that delivers more."""
    alarms: tuple[Alarmed, ...] = ()


def share_out(
    at: Situation, limits: Sequence[Message] = (), *, operated: bool = False
) -> Generator[Asked, Told, Shared]:
    """Share out the node's dispatch where anything has changed, and answer the system operator when it is settled.

    Args:
        limits: what this cycle says about limits: portions keep within them already.
        operated: this cycle has found operations of the network already.
    """
    node = next(iter(at.zone.market.nodes), "")
    one = at.book.trade.node_dispatch(node, at.now_s)
    if one is None:
        return Shared()
    under_way = network.pending(at)
    hoped = under_way is not None and under_way.helps
    waits = operated or hoped
    boxes = _boxes(at, limits)
    known, key = at.book.shared.get(one.dispatch.dispatch_id), _key(at, one, boxes, waits=waits)
    switching = operated or (under_way is not None and hoped and under_way.released)
    if known is not None and _stands(at, known, key, switching=switching):
        need = at.book.trade.needs.get(portions.need_id(one))
        trying = waits or standby.is_open(at, portions.need_id(one)) or known.outcome not in _SOLVED
        answers = node_answers.settled(at, one, known, trying=trying)
        return Shared(tuple(answers), alarms=tuple(standby.uncovered(at, need)))
    found = yield from _cheapest(at, one, boxes, waits=waits)
    waits = waits or found.plan is not None
    key = _key(at, one, boxes, waits=waits)
    noted = _noted(at, one, key, known, found)
    if found.schedule.outcome not in _SOLVED:
        return Shared(selected=(noted,))
    messages = list(_instructions(at, one, boxes, found))
    if not waits:
        messages += standby.ordered(at, one, found.schedule, found.records)
        if noted.shortfall_w > SAME_W:
            fresh = known is None or known.shortfall_w <= SAME_W
            messages += standby.asked_for(at, one, noted.shortfall_w, fresh=fresh)
    return Shared(tuple(messages), (noted,), found.plan)


def _noted(at: Situation, one: NodeDispatch, key: str, known: Dispatched | None, found: "_Found") -> Dispatched:
    schedule, bought_w = found.schedule, sum(order.effective_w for order in portions.bought(at, one))
    done = schedule.outcome in _SOLVED
    return Dispatched(
        at.cycle_id,
        at.now_s,
        key,
        one.dispatch.dispatch_id,
        schedule.outcome.value,
        bought_w + (schedule.delivered_w[0] if done else 0.0),
        max(schedule.shortfall_w[0], 0.0) if done else one.dispatch.power_w,
        schedule.cost_per_h[0] if done else 0.0,
        schedule.prices,
        schedule.detail,
        since_s=_since_s(at, one, key, known) if found.firm_short_w + bought_w > SAME_W or not done else None,
    )


def _since_s(at: Situation, one: NodeDispatch, key: str, known: Dispatched | None) -> float:
    """Since when more than the committed offers is needed; anew for what goes missing after the answer.

    Of a new dispatch that is since it came or began.
    """
    if known is None or not _same_question(known, key):
        return max(one.received_s, one.dispatch.start_s)
    new = one.answered is not None and known.shortfall_w <= SAME_W
    return at.now_s if known.since_s is None or new else known.since_s


# --- what the portions stand on


def _boxes(at: Situation, limits: Sequence[Message]) -> dict[str, Bounds]:
    """The limits in force once what this cycle says about them is told."""
    found = {r: record.bounds for r in at.zone.resources if (record := at.book.limit_at(r, at.now_s)) is not None}
    for message in limits:
        if isinstance(message.body, LimitIssue):
            found[message.resource] = Bounds(message.body.floor_w, message.body.ceiling_w)
        elif isinstance(message.body, LimitClear):
            found.pop(message.resource, None)
    return found


def _key(at: Situation, one: NodeDispatch, boxes: Mapping[str, Bounds], *, waits: bool) -> str:
    """Names everything that the portions stand on, the dispatch itself first."""
    offers = [
        (r.offer.offer_id, r.offer.version, r.state.value) for r in supply.records(at, one, standby=True).values()
    ]
    orders = sorted((i.id, i.state.value) for i in portions.bought(at, one))
    outages = sorted((o.resource, o.available_w) for o in at.book.outages.values() if o.start_s <= at.now_s < o.end_s)
    limits = sorted((r, box.ceiling_w, box.floor_w) for r, box in boxes.items())
    emergencies = [record.declared.emergency_id for record in at.book.emergencies.lasting]
    what = (offers, sorted(portions.out(at, one)), orders, outages, limits, _network(at), emergencies, waits)
    return f"{_hash(_asked(at, one))}-{_hash(what)}"


def _asked(at: Situation, one: NodeDispatch) -> tuple[object, ...]:
    return one.dispatch.dispatch_id, one.dispatch.version, one.dispatch.power_w, at.zone.model_version


def _network(at: Situation) -> tuple[object, ...]:
    state = study.states(at, (at.now_s,))[0]
    return sorted(state.taps.items()), sorted(state.switches_closed.items()), sorted(state.in_service.items())


def _hash(what: object) -> str:
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def _same_question(known: Dispatched, key: str) -> bool:
    return known.key.split("-")[0] == key.split("-", maxsplit=1)[0]


def _stands(at: Situation, known: Dispatched, key: str, *, switching: bool) -> bool:
    """Whether what was shared out still holds; what the engine could not say is asked again after a while."""
    if known.key == key:
        return known.outcome in _SOLVED or at.now_s < known.at_s + at.zone.clocks.impact_check_s
    return switching and _same_question(known, key)


# --- sharing out


@dataclass(frozen=True, slots=True)
class _Found:
    """The cheapest portions, and the offers that they are of."""

    schedule: Schedule
    records: dict[str, OfferRecord]
    firm_short_w: float
    """What the committed offers leave."""
    plan: Planned | None = None


def _cheapest(
    at: Situation, one: NodeDispatch, boxes: Mapping[str, Bounds], *, waits: bool
) -> Generator[Asked, Told, _Found]:
    """The schedule of the firm offers; where these fall short, with the network operated, or with called offers."""
    limits = yield from _limits(at, boxes)
    question = study.look_within(at, Purpose.IMPACT, boxes, f"{at.cycle_id}-share")
    firm = supply.records(at, one, standby=False)
    market = _market(at, one, question, firm, limits)
    found = yield from cleared(Clear(market))
    short_w = _short_w(found.schedule)
    if short_w <= SAME_W or waits:
        return _Found(found.schedule, firm, short_w)
    plan = yield from _operated(at, one, market, short_w)
    more = supply.records(at, one, standby=True)
    if plan is not None or more.keys() == firm.keys():
        return _Found(found.schedule, firm, short_w, plan)
    found = yield from cleared(Clear(_market(at, one, question, more, limits)))
    return _Found(found.schedule, more, short_w)


def _operated(
    at: Situation, one: NodeDispatch, market: Market, short_w: float
) -> Generator[Asked, Told, Planned | None]:
    """Operations of the network with which the committed offers deliver more; each network is searched once."""
    room, newest = at.zone.room, at.book.operating.newest
    key = _hash((_asked(at, one), _network(at)))
    if room is None or network.was_skipped(at) or (newest is not None and newest.plan.key == key):
        return None
    found = yield from cleared(Clear(market, available(room, at.book.operating, at.now_s)))
    if not found.operations or found.schedule.outcome not in _SOLVED:
        return None
    helps = _short_w(found.schedule) < short_w - SAME_W
    return operating.plan(at, room, key, found.operations) if helps else None


def _market(
    at: Situation, one: NodeDispatch, question: Study, records: dict[str, OfferRecord], limits: Sequence[Envelope]
) -> Market:
    return Market(
        question,
        tuple(offer_of(at, record) for record in records.values()),
        (one.dispatch.power_w - sum(order.effective_w for order in portions.bought(at, one)),),
        at.zone.clocks.interval_s,
        tuple(supply.local(at)),
        tuple(e for e in limits if e.resource in records),
        at.zone.market.shortfall_per_mwh,
    )


def _short_w(schedule: Schedule) -> float:
    return max(schedule.shortfall_w[0], 0.0) if schedule.outcome is Outcome.SHORTFALL else 0.0


def _limits(at: Situation, boxes: Mapping[str, Bounds]) -> Generator[Asked, Told, tuple[Envelope, ...]]:
    """How far each resource may go with the others where they are expected, and within its own limit."""
    question = study.look_within(at, Purpose.ENVELOPE, boxes, f"{at.cycle_id}-limits")
    answer = yield from studied(question)
    found = {e.resource: e for e in answer.envelopes} if answer.status is Status.SOLVED else {}
    for name, box in boxes.items():
        resource = at.zone.resources[name]
        held = found.get(name, Envelope(name, 0, resource.floor_w, resource.ceiling_w))
        ceiling_w = box.clamp(held.ceiling_w)
        found[name] = replace(held, ceiling_w=ceiling_w, floor_w=min(box.clamp(held.floor_w), ceiling_w))
    return tuple(found.values())


# --- instructions


def _instructions(at: Situation, one: NodeDispatch, boxes: Mapping[str, Bounds], found: _Found) -> Iterator[Message]:
    dispatch = one.dispatch
    for told in found.schedule.instructions:
        if supply.is_called(at, one, found.records[told.resource]):
            continue  # it is ordered, not instructed
        resource = at.zone.resources[told.resource]
        held = at.book.trade.instances.get(f"{dispatch.dispatch_id}:{resource.id}")
        standing = held is not None and (held.live or held.state in OUT)
        same = standing and held is not None and abs(held.asked_w - told.power_w) < 1.0
        still = held is None and told.power_w <= 0.0 and anchor_w(at, resource) <= 0.0
        idle = still and not _scheduled(at, resource)
        if same or idle:
            continue
        floor_w = boxes.get(resource.id, Bounds()).floor_w
        least_w = resource.floor_w if floor_w is None else floor_w
        yield _instruction(at, one, resource, (least_w, told.power_w), 1 if held is None else held.version + 1)


def _scheduled(at: Situation, resource: Resource) -> bool:
    """Whether an order of the schedule ahead would make it run where no instruction takes its place."""
    return any(i.source is Source.SCHEDULE for i in at.book.trade.live(resource.id, at.now_s))


def _instruction(
    at: Situation, one: NodeDispatch, resource: Resource, span_w: tuple[float, float], version: int
) -> Message:
    """With the box: it may not do more than it is told to, and no less than it may stand at."""
    dispatch, (floor_w, power_w) = one.dispatch, span_w
    body = Instruction(
        f"{dispatch.dispatch_id}:{resource.id}",
        version,
        resource.id,
        power_w,
        dispatch.start_s,
        dispatch.end_s,
        max(power_w, floor_w),
        min(floor_w, power_w),
        dispatch.dispatch_id,
    )
    return at.message(resource.owner, body.instruction_id, body, suffix=f":{version}")
