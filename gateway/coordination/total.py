"""Total DSO: one resource towards the system operator, shared out among the offers behind it.

A dispatch of the node is shared out at least cost within limits, ramps and energy; what is missing is
bought from standby offers, and only what is missing then is reported. Nothing below the node is named.
"""

import hashlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from gateway.coordination import operating, study
from gateway.coordination.events import Dispatched, Planned
from gateway.coordination.inquiry import Asked, Told, cleared, studied
from gateway.coordination.lifecycle import NeedState, OrderState
from gateway.coordination.market_messages import (
    Effect,
    MarketSide,
    NeedKind,
    NeedPost,
    OrderIssue,
)
from gateway.coordination.messages import AckCommit, AckStatus, Message
from gateway.coordination.offering import OUT, anchor_w, available_w, offer_of
from gateway.coordination.operating import available
from gateway.coordination.operation_messages import Instruction, ShortfallNotice
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Instance, NodeDispatch, OfferRecord, Source
from gateway.coordination.zone import Controllable, Resource
from grid_engine.dispatch.questions import Clear
from grid_engine.dispatch.words import LocalNeed, Market, Outcome, Schedule
from grid_engine.results import Envelope, Purpose, Status

SAME_W = 1_000.0
"""Powers closer than this are the same towards the system operator."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What follows for one dispatch of a node."""

    messages: tuple[Message, ...] = ()
    selected: tuple[Dispatched, ...] = ()
    plan: Planned | None = None
    """What to operate in the network, where that delivers more."""


def share_out(at: Situation) -> Generator[Asked, Told, Shared]:
    """Share out the node's dispatch where anything has changed, and answer the system operator when it is settled."""
    node = next(iter(at.zone.market.nodes), "")
    one = at.book.trade.node_dispatch(node, at.now_s)
    if one is None:
        return Shared()
    known, key = at.book.shared.get(one.dispatch.dispatch_id), _key(at, one)
    if known is not None and known.key == key:
        return Shared(tuple(_settled(at, one, known)))
    found = yield from _cheapest(at, one)
    schedule, records, noted = found.schedule, found.records, (_noted(at, one, key, found.schedule),)
    if schedule.outcome not in (Outcome.DELIVERED, Outcome.SHORTFALL):
        return Shared(selected=noted)
    messages = [*_instructions(at, one, schedule, records), *_bought(at, one, schedule, records)]
    short_w = max(schedule.shortfall_w[0], 0.0)
    if short_w > SAME_W and found.plan is None:
        messages += _asked_for(at, one, short_w)
    return Shared(tuple(messages), noted, found.plan)


def _noted(at: Situation, one: NodeDispatch, key: str, schedule: Schedule) -> Dispatched:
    bought_w = sum(order.effective_w for order in _orders(at, one))
    done = schedule.outcome in (Outcome.DELIVERED, Outcome.SHORTFALL)
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
    )


def _key(at: Situation, one: NodeDispatch) -> str:
    """Names everything that the shares stand on."""
    trade = at.book.trade
    offers = [(r.offer.offer_id, r.offer.version, r.state.value) for r in _records(at, one, standby=True)]
    out = sorted((i.resource, i.state.value) for i in _parts(at, one) if i.state in OUT)
    orders = sorted((i.id, i.state.value) for i in _orders(at, one))
    outages = sorted((o.resource, o.available_w) for o in at.book.outages.values() if o.start_s <= at.now_s < o.end_s)
    limits = sorted(
        (r, record.limit.ceiling_w, record.limit.floor_w)
        for r in at.zone.resources
        if (record := at.book.limit_at(r, at.now_s)) is not None
    )
    state = study.states(at, (at.now_s,))[0]
    network = (sorted(state.taps.items()), sorted(state.switches_closed.items()), sorted(state.in_service.items()))
    emergencies = [record.declared.emergency_id for record in at.book.emergencies.lasting]
    asked = (one.dispatch.dispatch_id, one.dispatch.version, one.dispatch.power_w, at.zone.model_version)
    what = (asked, offers, out, orders, outages, limits, network, emergencies, trade.needs.get(_need_id(one)) is None)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class _Found:
    """The cheapest shares, and the offers that they are of."""

    schedule: Schedule
    records: dict[str, OfferRecord]
    plan: Planned | None = None


def _cheapest(at: Situation, one: NodeDispatch) -> Generator[Asked, Told, _Found]:
    """The schedule of the firm offers; where these fall short, with the network operated, or with standby offers."""
    limits = yield from _limits(at)
    records = {r.offer.resource: r for r in _records(at, one, standby=False)}
    market = _market(at, one, records, limits)
    found = yield from cleared(Clear(market))
    if not _short(found.schedule):
        return _Found(found.schedule, records)
    room = at.zone.room
    if room is not None and at.book.operating.running is None:
        helped = yield from cleared(Clear(market, available(room, at.book.operating, at.now_s)))
        if helped.operations and not _short(helped.schedule):
            plan = operating.plan(at, room, _key(at, one), helped.operations)
            return _Found(found.schedule, records, plan)
    more = {r.offer.resource: r for r in _records(at, one, standby=True)}
    if len(more) == len(records):
        return _Found(found.schedule, records)
    found = yield from cleared(Clear(_market(at, one, more, limits)))
    return _Found(found.schedule, more)


def _market(at: Situation, one: NodeDispatch, records: dict[str, OfferRecord], limits: tuple[Envelope, ...]) -> Market:
    return Market(
        study.look_at(at, Purpose.IMPACT, (at.now_s,), f"{at.cycle_id}-share"),
        tuple(offer_of(at, record) for record in records.values()),
        (one.dispatch.power_w - sum(order.effective_w for order in _orders(at, one)),),
        at.zone.clocks.interval_s,
        tuple(_local(at)),
        tuple(e for e in limits if e.resource in records),
        at.zone.market.shortfall_per_mwh,
    )


def _short(schedule: Schedule) -> bool:
    return schedule.outcome is Outcome.SHORTFALL and schedule.shortfall_w[0] > SAME_W


def _limits(at: Situation) -> Generator[Asked, Told, tuple[Envelope, ...]]:
    """How far each resource may go with the others where they are expected: limits come before shares."""
    question = study.look_at(at, Purpose.ENVELOPE, (at.now_s,), f"{at.cycle_id}-limits")
    answer = yield from studied(question)
    return answer.envelopes if answer.status is Status.SOLVED else ()


def _records(at: Situation, one: NodeDispatch, *, standby: bool) -> list[OfferRecord]:
    """Valid offers for the interval, one per resource: the cheapest first block; without who is out or ordered."""
    out = {i.resource for i in _parts(at, one) if i.state in OUT} | {i.resource for i in _orders(at, one)}
    dispatch = one.dispatch
    found: dict[str, OfferRecord] = {}
    sides = (MarketSide.WHOLESALE, MarketSide.DISTRIBUTION) if standby else (MarketSide.WHOLESALE,)
    for side in sides:
        for record in at.book.trade.open_offers(side, dispatch.start_s, dispatch.end_s):
            offer = record.offer
            called = offer.standby or offer.need_id == _need_id(one)
            if offer.resource in out or offer.resource not in at.zone.resources:
                continue
            if called is not True and side is MarketSide.DISTRIBUTION:
                continue  # an offer for something else
            if called and not standby:
                continue
            held = found.get(offer.resource)
            if held is None or offer.blocks[0].price_per_mwh < held.offer.blocks[0].price_per_mwh:
                found[offer.resource] = record
    return [found[name] for name in sorted(found)]


def _local(at: Situation) -> Iterator[LocalNeed]:
    """Distribution orders in force are rows of the same problem: the same megawatts may serve both."""
    for resource in at.zone.resources.values():
        for order in at.book.trade.live(resource.id, at.now_s):
            if order.source is Source.ORDER and not order.need_id.endswith(":balance"):
                yield LocalNeed(order.id, (order.effective_w,), {resource.id: 1.0})


def _instructions(
    at: Situation, one: NodeDispatch, schedule: Schedule, records: dict[str, OfferRecord]
) -> Iterator[Message]:
    dispatch = one.dispatch
    for told in schedule.instructions:
        record = records[told.resource]
        if record.offer.standby or record.offer.need_id == _need_id(one):
            continue  # it is ordered, not instructed
        resource = at.zone.resources[told.resource]
        held = at.book.trade.instances.get(f"{dispatch.dispatch_id}:{resource.id}")
        standing = held is not None and (held.live or held.state in OUT)
        same = standing and held is not None and abs(held.asked_w - told.power_w) < 1.0
        still = held is None and told.power_w <= 0.0 and anchor_w(at, resource) <= 0.0
        idle = still and not _scheduled(at, resource)
        if same or idle:
            continue
        yield _instruction(at, one, resource, told.power_w, 1 if held is None else held.version + 1)


def _scheduled(at: Situation, resource: Resource) -> bool:
    """Whether an order of the schedule ahead would make it run where no instruction takes its place."""
    return any(i.source is Source.SCHEDULE for i in at.book.trade.live(resource.id, at.now_s))


def _instruction(at: Situation, one: NodeDispatch, resource: Resource, power_w: float, version: int) -> Message:
    """With the box: it may not do more than it is told to, and no less than it may stand at."""
    dispatch = one.dispatch
    limit = at.book.limit_at(resource.id, at.now_s)
    floor_w = resource.floor_w if limit is None else limit.limit.floor_w
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


def _bought(at: Situation, one: NodeDispatch, schedule: Schedule, records: dict[str, OfferRecord]) -> Iterator[Message]:
    """Standby offers are ordered for what they are scheduled to."""
    dispatch = one.dispatch
    for told in schedule.instructions:
        record = records[told.resource]
        offer = record.offer
        called = offer.standby or offer.need_id == _need_id(one)
        if not called or told.power_w <= SAME_W or record.state is not OrderState.OFFERED:
            continue
        order = OrderIssue(
            f"{dispatch.dispatch_id}:{offer.offer_id}",
            1,
            offer.resource,
            offer.offer_id,
            at.zone.market.program,
            told.power_w,
            dispatch.start_s,
            dispatch.end_s,
            next(b.price_per_mwh for b in offer.blocks if b.power_w >= told.power_w - SAME_W),
            _need_id(one),
        )
        yield at.message(record.owner, order.order_id, order)


def _asked_for(at: Situation, one: NodeDispatch, short_w: float) -> list[Message]:
    """Back to the local market: everybody who could help is asked, once."""
    if _need_id(one) in at.book.trade.needs:
        return []
    dispatch, out = one.dispatch, {i.resource for i in _parts(at, one) if i.state in OUT}
    owners: dict[str, list[Resource]] = {}
    for resource in at.zone.resources.values():
        able = resource.controllable is not Controllable.NONE and resource.ceiling_w > 0
        if able and resource.id not in out and available_w(at, resource) != (0.0,):
            owners.setdefault(resource.owner, []).append(resource)
    found = []
    for owner, resources in owners.items():
        need = NeedPost(
            _need_id(one),
            1,
            NeedKind.BALANCE,
            dispatch.resource,
            short_w,
            dispatch.start_s,
            dispatch.end_s,
            at.now_s + at.zone.market.standby_s,
            tuple(Effect(resource.id, 1.0) for resource in resources),
        )
        found.append(at.message(owner, dispatch.dispatch_id, need, suffix=f":{owner}"))
    return found


def _settled(at: Situation, one: NodeDispatch, known: Dispatched) -> Iterator[Message]:
    """The answer to the system operator, once everybody has answered us or it is due; then only what changes."""
    parts = [*_parts(at, one), *_orders(at, one)]
    due = _due(at, one)
    if not due and any(i.state in (OrderState.DISPATCHED, OrderState.RECEIVED) for i in parts):
        return
    need = at.book.trade.needs.get(_need_id(one))
    short = known.shortfall_w > SAME_W
    asking = need is not None and need.state in (NeedState.POSTED, NeedState.OFFERED) and at.now_s < need.need.closes_s
    if short and (need is None or asking) and not due:
        return
    promised_w = sum(promise_w(i) for i in parts if i.live)
    dispatch = one.dispatch
    status = AckStatus.ACCEPT if promised_w >= dispatch.power_w - SAME_W else AckStatus.PARTIAL
    told_w = dispatch.power_w if status is AckStatus.ACCEPT else promised_w
    if one.answered is None or one.answered_w is None or abs(one.answered_w - told_w) > SAME_W:
        commit = AckCommit(dispatch.dispatch_id, dispatch.version, dispatch.resource, status, told_w)
        yield at.message(at.zone.system_operator, dispatch.dispatch_id, commit, suffix=f":{at.cycle_id}")
    yield from _shortfall(at, one, told_w, short=status is AckStatus.PARTIAL)


def _due(at: Situation, one: NodeDispatch) -> bool:
    """Whether the system operator has to know before the next cycle what it gets, whoever has not answered yet."""
    lost_s = [o.start_s for o in at.book.outages.values() if o.start_s <= at.now_s < o.end_s]
    since_s = max(one.dispatch.start_s, one.received_s, *lost_s)
    return at.now_s >= since_s + at.zone.market.shortfall_s - at.zone.clocks.tick_s


def _shortfall(at: Situation, one: NodeDispatch, capability_w: float, *, short: bool) -> Iterator[Message]:
    """What the node can do where that is less than was asked; and again when it is restored."""
    told_w, dispatch = one.shortfall_w, one.dispatch
    if told_w is None and not short:
        return
    if told_w is not None and abs(told_w - capability_w) <= SAME_W:
        return
    out = any(o.start_s <= at.now_s < o.end_s for o in at.book.outages.values())
    cause = "RESTORED" if not short else "DER_OUTAGE" if out else "CONSTRAINT"
    notice = ShortfallNotice(dispatch.resource, capability_w, at.now_s, dispatch.end_s, cause, dispatch.dispatch_id)
    yield at.message(at.zone.system_operator, dispatch.dispatch_id, notice, suffix=f":{at.cycle_id}")


def promise_w(instance: Instance) -> float:
    """What its owner has committed to of what was asked."""
    if instance.committed_w is None:
        return 0.0
    return min(instance.committed_w, instance.asked_w) if instance.asked_w >= 0 else instance.committed_w


def _parts(at: Situation, one: NodeDispatch) -> list[Instance]:
    """Instructions that a dispatch was shared out into, the newest of each resource."""
    ref = one.dispatch.dispatch_id
    found = (at.book.trade.instances.get(f"{ref}:{resource}") for resource in at.zone.resources)
    return [i for i in found if i is not None and i.source is Source.INSTRUCTION]


def _orders(at: Situation, one: NodeDispatch) -> list[Instance]:
    """What was bought for it and counts: not what was declined or never answered."""
    need_id = _need_id(one)
    return [
        i
        for resource in at.zone.resources
        for i in at.book.trade.of(resource)
        if i.source is Source.ORDER and i.need_id == need_id and i.live
    ]


def _need_id(one: NodeDispatch) -> str:
    return f"{one.dispatch.dispatch_id}:balance"
