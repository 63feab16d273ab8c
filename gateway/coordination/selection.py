"""Total DSO: what the system operator has selected of the node ahead, shared out by hour and ordered.

An order of it is backed by the wholesale market. It holds where no dispatch of the node comes; a dispatch is
shared out anew, and what that gives a resource takes the order's place. The system operator hears of the node
alone: what is committed of its schedule, and which hours fall short.
"""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gateway.coordination import forecasts, study
from gateway.coordination.events import Dispatched
from gateway.coordination.inquiry import Asked, Told, cleared, studied
from gateway.coordination.market_messages import MarketSide, OrderIssue, OrderRevoke, SchedulePoint
from gateway.coordination.messages import AckCommit, AckStatus, Message
from gateway.coordination.offering import OUT, offer_of
from gateway.coordination.operation_messages import ShortfallNotice
from gateway.coordination.portions import SAME_W, WAITING, promise_w
from gateway.coordination.schedules import BACKED, Heard
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Instance, OfferRecord, Source
from grid_engine.dispatch.questions import Clear
from grid_engine.dispatch.words import LocalNeed, Market, Offer, Outcome, Schedule
from grid_engine.results import Purpose, Status, Study

_SOLVED = frozenset({Outcome.DELIVERED, Outcome.SHORTFALL})


@dataclass(frozen=True, slots=True)
class Chosen:
    """What follows for the schedules of the node."""

    messages: tuple[Message, ...] = ()
    selected: tuple[Dispatched, ...] = ()


@dataclass(frozen=True, slots=True)
class _Hour:
    """One point of a schedule that has not begun, with the offers that stand for it."""

    id: str
    point: SchedulePoint
    records: dict[str, OfferRecord]
    key: str
    """Names everything that its shares stand on."""

    @property
    def length_s(self) -> float:
        return self.point.end_s - self.point.start_s

    @property
    def sells(self) -> tuple[object, ...]:
        """What is offered for it: hours of the same offers are shared out together."""
        offers = ((name, record.offer) for name, record in self.records.items())
        return tuple((n, o.blocks, o.divisible, o.minimum_w, o.ramp_mw_per_min) for n, o in offers)


_Run = list[_Hour]
"""Hours that follow each other, equally long and with the same offers."""
_Left = dict[str, tuple[float | None, float | None]]
"""By resource: its power, unless time passed since, and what is in its store, when the run before has ended."""


def chosen(at: Situation) -> Generator[Asked, Told, Chosen]:
    """Share out what is scheduled and not begun wherever anything has changed; answer what is settled."""
    node = next(iter(at.zone.market.nodes), "")
    points = at.book.trade.schedules.points.get(node, ())
    hours = [_hour(at, node, point) for point in points if point.start_s > at.now_s]
    messages = list(_gone(at, hours))
    if all(_known(at, hour) for hour in hours):
        return Chosen((*messages, *_answers(at, node, hours)))
    selected: list[Dispatched] = []
    left, until_s = _Left(), 0.0
    for run in _runs(hours):
        if run[0].point.start_s > until_s:
            left = {name: (None, charge_wh) for name, (_, charge_wh) in left.items()}
        schedule = yield from _cheapest(at, run, left)
        left, until_s = left | _left(run, schedule), run[-1].point.end_s
        for n, hour in enumerate(run):
            selected.append(_noted(at, hour, schedule, n))
            if schedule.outcome in _SOLVED:
                messages += _orders(at, hour, schedule, n)
    return Chosen(tuple(messages), tuple(selected))


# --- hours and what they stand on


def _hour(at: Situation, node: str, point: SchedulePoint) -> _Hour:
    hour_id = f"{node}-{point.start_s:.0f}"
    orders = [at.book.trade.instances.get(f"{hour_id}:{resource}") for resource in at.zone.resources]
    out = {order.resource for order in orders if order is not None and order.state in OUT}
    records: dict[str, OfferRecord] = {}
    for record in at.book.trade.open_offers(MarketSide.WHOLESALE, point.start_s, point.end_s):
        offer = record.offer
        if offer.standby or offer.need_id or offer.resource in out or offer.resource not in at.zone.resources:
            continue
        held = records.get(offer.resource)
        if held is None or offer.blocks[0].price_per_mwh < held.offer.blocks[0].price_per_mwh:
            records[offer.resource] = record
    known = {name: records[name] for name in sorted(records)}
    state = study.states(at, (point.start_s,))[0]
    network = (sorted(state.taps.items()), sorted(state.switches_closed.items()), sorted(state.in_service.items()))
    outages = [(o.resource, o.available_w) for o in at.book.outages.values() if _meet(o.start_s, o.end_s, point)]
    offers = [(r.offer.offer_id, r.offer.version) for r in known.values()]
    local = [(need_id, power_w) for need_id, _, power_w in _local_at(at, point.start_s)]
    what = (point, offers, sorted(out), sorted(outages), local, network, at.zone.model_version)
    return _Hour(hour_id, point, known, hashlib.sha256(repr(what).encode()).hexdigest()[:16])


def _meet(start_s: float, end_s: float, point: SchedulePoint) -> bool:
    return start_s < point.end_s and point.start_s < end_s


def _known(at: Situation, hour: _Hour) -> bool:
    """Whether it was shared out as things stand; what the engine could not say is asked again an interval later."""
    found = at.book.shared.get(f"{hour.id}{BACKED}")
    if found is None or found.key != hour.key:
        return False
    return found.outcome in _SOLVED or at.now_s < found.at_s + at.zone.clocks.interval_s


def _runs(hours: Sequence[_Hour]) -> list[_Run]:
    runs: list[_Run] = []
    for hour in hours:
        last = runs[-1][-1] if runs else None
        same = last is not None and (last.point.end_s, last.length_s) == (hour.point.start_s, hour.length_s)
        if last is not None and same and last.sells == hour.sells:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return runs


# --- sharing out


def _cheapest(at: Situation, run: _Run, left: _Left) -> Generator[Asked, Told, Schedule]:
    """The cheapest shares of a run, within limits, ramps and stored energy over all its hours."""
    starts_s, records = tuple(hour.point.start_s for hour in run), run[0].records
    name = f"{at.cycle_id}-ahead-{starts_s[0]:.0f}"
    answer = yield from studied(_unsold(at, study.look_at(at, Purpose.ENVELOPE, starts_s, f"{name}-limits"), run))
    solved = answer.status is Status.SOLVED
    market = Market(
        study.look_at(at, Purpose.IMPACT, starts_s, name),
        tuple(_offer(at, run, record, left) for record in records.values()),
        tuple(hour.point.power_w for hour in run),
        run[0].length_s,
        tuple(_local(at, starts_s)),
        tuple(e for e in answer.envelopes if e.resource in records) if solved else (),
        at.zone.market.shortfall_per_mwh,
    )
    found = yield from cleared(Clear(market))
    return found.schedule


def _unsold(at: Situation, question: Study, run: _Run) -> Study:
    """Everybody who offers stands where it is forecast, else at nothing: no limit follows from an earlier choice."""
    members = []
    for member in question.participants:
        if member.resource in run[0].records:
            powers = (_forecast_w(at, member.resource, hour.point.start_s) for hour in run)
            stands_w = tuple(min(max(power_w, member.floor_w), member.ceiling_w) for power_w in powers)
            member = replace(member, held_w=stands_w, requested_w=stands_w)  # noqa: PLW2901
        members.append(member)
    return replace(question, participants=tuple(members))


def _forecast_w(at: Situation, resource: str, time_s: float) -> float:
    told_w, usual = forecasts.expected(at, resource, time_s), at.zone.resources[resource].forecast
    return told_w if told_w is not None else 0.0 if usual is None else usual.at(time_s)


def _offer(at: Situation, run: _Run, record: OfferRecord, left: _Left) -> Offer:
    """An offer over the hours of a run, from where the run before leaves it."""
    offer, resource = offer_of(at, record, ramped=False), at.zone.resources[record.offer.resource]
    outage = at.book.outages.get(resource.id)
    available = tuple(
        max(outage.available_w, 0.0)
        if outage is not None and _meet(outage.start_s, outage.end_s, hour.point)
        else max(resource.ceiling_w, 0.0)
        for hour in run
    )
    power_w, charge_wh = left.get(resource.id, (None, None))
    store = offer.store
    if store is not None and charge_wh is not None:
        store = replace(store, charge_wh=charge_wh)
    return replace(offer, available_w=available, initial_w=power_w, store=store)


def _left(run: _Run, schedule: Schedule) -> _Left:
    last = len(run) - 1
    return {i.resource: (i.power_w, i.charge_wh) for i in schedule.instructions if i.interval == last}


def _local(at: Situation, starts_s: tuple[float, ...]) -> Iterator[LocalNeed]:
    """Distribution orders are rows of the same problem: the same megawatts may serve both."""
    found: dict[str, tuple[str, list[float]]] = {}
    for n, start_s in enumerate(starts_s):
        for order_id, resource, power_w in _local_at(at, start_s):
            found.setdefault(order_id, (resource, [0.0] * len(starts_s)))[1][n] = power_w
    for order_id, (resource, required_w) in found.items():
        yield LocalNeed(order_id, tuple(required_w), {resource: 1.0})


def _local_at(at: Situation, time_s: float) -> Iterator[tuple[str, str, float]]:
    """Distribution orders at a time: id, resource and power."""
    for resource in at.zone.resources:
        for order in at.book.trade.live(resource, time_s):
            if order.source is Source.ORDER and not order.need_id.endswith(":balance"):
                yield order.id, resource, order.effective_w


def _noted(at: Situation, hour: _Hour, schedule: Schedule, n: int) -> Dispatched:
    done = schedule.outcome in _SOLVED
    return Dispatched(
        at.cycle_id,
        at.now_s,
        hour.key,
        f"{hour.id}{BACKED}",
        schedule.outcome.value,
        schedule.delivered_w[n] if done else 0.0,
        max(schedule.shortfall_w[n], 0.0) if done else hour.point.power_w,
        schedule.cost_per_h[n] if done else 0.0,
        detail=schedule.detail,
    )


# --- orders


def _orders(at: Situation, hour: _Hour, schedule: Schedule, n: int) -> Iterator[Message]:
    """What differs from what is ordered: given, changed under a new version, or taken back."""
    held = {order.resource: order for order in _ordered(at, hour)}
    wanted = {
        i.resource: _order(at, hour, i.resource, i.power_w, held.get(i.resource))
        for i in schedule.instructions
        if i.interval == n and i.power_w > SAME_W
    }
    live = {name: order for name, order in held.items() if order.live}
    if live.keys() == wanted.keys() and _as_good(at, live, wanted):
        return
    for name, old in live.items():
        if name not in wanted:
            yield _revoked(at, old)
    for name, order in wanted.items():
        if name not in live or not _same(live[name], order, SAME_W):
            yield at.message(hour.records[name].owner, order.order_id, order, suffix=f":{order.version}")


def _order(at: Situation, hour: _Hour, resource: str, power_w: float, held: Instance | None) -> OrderIssue:
    record = hour.records[resource]
    return OrderIssue(
        f"{hour.id}:{resource}",
        1 if held is None else held.version + 1,
        resource,
        record.offer.offer_id,
        at.zone.market.program,
        power_w,
        hour.point.start_s,
        hour.point.end_s,
        _mean_price(record, power_w),
        f"{hour.id}{BACKED}",
    )


def _as_good(at: Situation, live: Mapping[str, Instance], wanted: Mapping[str, OrderIssue]) -> bool:
    """Whether what is ordered sums up to the same, and is nowhere further from it than limits are rounded."""
    apart_w = sum(order.asked_w for order in live.values()) - sum(order.power_w for order in wanted.values())
    step_w = at.zone.limits.step_w + SAME_W
    return abs(apart_w) < SAME_W and all(_same(live[name], order, step_w) for name, order in wanted.items())


def _same(held: Instance, order: OrderIssue, within_w: float) -> bool:
    what = (held.start_s, held.end_s, held.offer_id) == (order.start_s, order.end_s, order.offer_id)
    return what and abs(held.asked_w - order.power_w) < within_w


def _mean_price(record: OfferRecord, power_w: float) -> float:
    """Of the blocks that a power takes, as bid, per MWh."""
    blocks = record.offer.blocks
    ends_w = (0.0, *(block.power_w for block in blocks))
    cost = sum(
        max(min(end_w, power_w) - begin_w, 0.0) * block.price_per_mwh
        for (begin_w, end_w), block in zip(pairwise(ends_w), blocks, strict=True)
    )
    return cost / power_w


def _gone(at: Situation, hours: Sequence[_Hour]) -> Iterator[Message]:
    """Orders of hours that a newer schedule no longer knows are taken back."""
    known = {hour.id for hour in hours}
    for resource in at.zone.resources:
        for order in at.book.trade.of(resource):
            if order.source is not Source.SCHEDULE or not order.live or order.start_s <= at.now_s:
                continue
            if order.need_id.removesuffix(BACKED) not in known:
                yield _revoked(at, order)


def _revoked(at: Situation, order: Instance) -> Message:
    body = OrderRevoke(order.id, order.version, order.resource, "the schedule of the node has changed")
    return at.message(at.zone.resources[order.resource].owner, order.id, body, suffix=f":{order.version}")


# --- the system operator


def _answers(at: Situation, node: str, hours: Sequence[_Hour]) -> Iterator[Message]:
    """What is committed of each schedule, until its first hour begins; which hours fall short, until they begin."""
    settled = {hour.point: _committed_w(at, hour) for hour in hours if _is_settled(at, hour)}
    for heard in at.book.trade.schedules.heard.values():
        if heard.body.resource != node:
            continue
        points = [point for point in heard.body.points if point.start_s > heard.at_s]
        if points and all(point in settled for point in points):
            yield from _commitment(at, heard, [(point, settled[point]) for point in points])
        for point in points:
            if point in settled:
                yield from _shortfall(at, heard, point, settled[point])


def _is_settled(at: Situation, hour: _Hour) -> bool:
    """Whether everybody who was ordered has answered, and nothing waits for an operator."""
    found = at.book.shared[f"{hour.id}{BACKED}"]
    proposals = at.book.approvals.waiting.values()
    held = {m.body.need_id for one in proposals for m in one.messages if isinstance(m.body, OrderIssue)}
    waiting = any(order.state in WAITING for order in _ordered(at, hour))
    return found.outcome in _SOLVED and found.ref not in held and not waiting


def _ordered(at: Situation, hour: _Hour) -> list[Instance]:
    found = (at.book.trade.instances.get(f"{hour.id}:{resource}") for resource in at.zone.resources)
    return [order for order in found if order is not None]


def _committed_w(at: Situation, hour: _Hour) -> float:
    """What is committed, where that falls short of the schedule; else the schedule itself."""
    promised_w = sum(promise_w(order) for order in _ordered(at, hour) if order.live)
    return hour.point.power_w if promised_w >= hour.point.power_w - SAME_W else promised_w


def _commitment(at: Situation, heard: Heard, found: Sequence[tuple[SchedulePoint, float]]) -> Iterator[Message]:
    """One answer to a schedule: whether all its hours are committed, and the mean power over them."""
    whole = all(power_w >= point.power_w for point, power_w in found)
    length_s = sum(point.end_s - point.start_s for point, _ in found)
    mean_w = sum(power_w * (point.end_s - point.start_s) for point, power_w in found) / length_s
    status = AckStatus.ACCEPT if whole else AckStatus.PARTIAL
    if heard.answered is status and heard.answered_w is not None and abs(heard.answered_w - mean_w) <= SAME_W:
        return
    body = AckCommit(heard.body.schedule_id, heard.body.version, heard.body.resource, status, mean_w)
    suffix = f":{body.version}:{at.cycle_id}"
    yield at.message(at.zone.system_operator, body.ref, body, suffix=suffix)


def _shortfall(at: Situation, heard: Heard, point: SchedulePoint, capability_w: float) -> Iterator[Message]:
    """What the node can do in an hour where that is less than its schedule; and again when it changes."""
    told_w, short = heard.short_w.get(point.start_s), capability_w < point.power_w
    if told_w is None and not short:
        return
    if told_w is not None and abs(told_w - capability_w) <= SAME_W:
        return
    out = any(_meet(outage.start_s, outage.end_s, point) for outage in at.book.outages.values())
    cause = "RESTORED" if not short else "DER_OUTAGE" if out else "CONSTRAINT"
    ref = heard.body.schedule_id
    notice = ShortfallNotice(heard.body.resource, capability_w, point.start_s, point.end_s, cause, ref)
    suffix = f":{point.start_s:.0f}:{at.cycle_id}"
    yield at.message(at.zone.system_operator, ref, notice, suffix=suffix)
