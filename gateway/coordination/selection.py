"""Total DSO: what the system operator has selected of the node ahead, shared out by hour and ordered.

An order of it is backed by the wholesale market. It holds where no dispatch of the node comes; a dispatch is
shared out anew, and what that gives a resource takes the order's place. The system operator hears of the node
alone: what is committed of its schedule, and which hours fall short.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gateway.coordination import ahead, standby, study
from gateway.coordination.ahead import Called
from gateway.coordination.events import Alarmed, Dispatched
from gateway.coordination.hours import Hour, Run, hour_of, local_at, meets, ordered, runs, unsold_w
from gateway.coordination.inquiry import Asked, Told, cleared, studied
from gateway.coordination.market_messages import OrderIssue, OrderRevoke
from gateway.coordination.messages import Message
from gateway.coordination.offering import offer_of
from gateway.coordination.portions import SAME_W
from gateway.coordination.schedule_answers import SOLVED, answers
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Instance, OfferRecord, Source
from grid_engine.dispatch.questions import Clear
from grid_engine.dispatch.words import LocalNeed, Market, Offer, Schedule
from grid_engine.results import Purpose, Status, Study


@dataclass(frozen=True, slots=True)
class Chosen:
    """What follows for the schedules of the node."""

    messages: tuple[Message, ...] = ()
    selected: tuple[Dispatched, ...] = ()
    alarms: tuple[Alarmed, ...] = ()


_Left = dict[str, tuple[float | None, float | None]]
"""By resource: its power, unless time passed since, and what is in its store, when the run before has ended."""


def chosen(at: Situation) -> Generator[Asked, Told, Chosen]:
    """Share out what is scheduled and not begun wherever anything has changed; answer what is settled."""
    node = next(iter(at.zone.market.nodes), "")
    points = at.book.trade.schedules.points.get(node, ())
    hours = [hour_of(at, node, point) for point in points if point.start_s > at.now_s]
    messages = list(_gone(at, hours))
    if all(_known(at, hour) for hour in hours):
        messages += ahead.withdrawn(at, node, hours)
        return Chosen((*messages, *answers(at, node, hours)), alarms=tuple(_uncovered(at, hours)))
    selected: list[Dispatched] = []
    left, until_s = _Left(), 0.0
    short: list[Hour] = []
    for run in runs(hours):
        if run[0].point.start_s > until_s:
            left = {name: (None, charge_wh) for name, (_, charge_wh) in left.items()}
        schedule = yield from _cheapest(at, run, left)
        left, until_s = left | _left(run, schedule), run[-1].point.end_s
        for n, hour in enumerate(run):
            if schedule.outcome not in SOLVED:
                selected.append(_noted(at, hour, schedule, n, Called(hour.point.power_w)))
                short.append(hour)
                continue
            more = yield from ahead.called(at, hour, schedule, n)
            if schedule.shortfall_w[n] > SAME_W:
                short.append(hour)
            posts = ahead.asked_for(at, hour, more.short_w, at.book.shared.get(hour.ref))
            if posts or standby.is_open(at, hour.need_id):
                more = ahead.held_back(at, hour, more)
            messages += posts
            selected.append(_noted(at, hour, schedule, n, more))
            messages += _orders(at, hour, schedule, n, more)
    messages += ahead.withdrawn(at, node, short)
    return Chosen(tuple(messages), tuple(selected))


def _uncovered(at: Situation, hours: Sequence[Hour]) -> Iterator[Alarmed]:
    for hour in hours:
        yield from standby.uncovered(at, at.book.trade.needs.get(hour.need_id))


def _known(at: Situation, hour: Hour) -> bool:
    """Whether it was shared out as things stand; what the engine could not say is asked again an interval later."""
    found = at.book.shared.get(hour.ref)
    if found is None or found.key != hour.key:
        return False
    return found.outcome in SOLVED or at.now_s < found.at_s + at.zone.clocks.interval_s


# --- sharing out


def _cheapest(at: Situation, run: Run, left: _Left) -> Generator[Asked, Told, Schedule]:
    """The cheapest shares of a run, within limits, ramps and stored energy over all its hours."""
    starts_s, records = tuple(hour.point.start_s for hour in run), run[0].records
    name = f"{at.cycle_id}-ahead-{starts_s[0]:.0f}"
    answer = yield from studied(_unsold(at, study.look_at(at, Purpose.ENVELOPE, starts_s, f"{name}-limits"), run))
    solved = answer.status is Status.SOLVED
    market = Market(
        _unsold(at, study.look_at(at, Purpose.IMPACT, starts_s, name), run),
        tuple(_offer(at, run, record, left) for record in records.values()),
        tuple(hour.point.power_w for hour in run),
        run[0].length_s,
        tuple(_local(at, starts_s)),
        tuple(e for e in answer.envelopes if e.resource in records) if solved else (),
        at.zone.market.shortfall_per_mwh,
    )
    found = yield from cleared(Clear(market))
    return found.schedule


def _unsold(at: Situation, question: Study, run: Run) -> Study:
    """Everybody who offers stands where nobody has bought anything: no limit follows from an earlier choice."""
    members = []
    for member in question.participants:
        stands_w = tuple(
            min(max(unsold_w(at, member.resource, hour.point.start_s), member.floor_w), member.ceiling_w)
            if member.resource in hour.records or member.resource in hour.called
            else power_w
            for hour, power_w in zip(run, member.requested_w, strict=True)
        )
        members.append(replace(member, held_w=stands_w, requested_w=stands_w))
    return replace(question, participants=tuple(members))


def _offer(at: Situation, run: Run, record: OfferRecord, left: _Left) -> Offer:
    """An offer over the hours of a run, from where the run before leaves it."""
    offer, resource = offer_of(at, record, ramped=False), at.zone.resources[record.offer.resource]
    outage = at.book.outages.get(resource.id)
    available = tuple(
        max(outage.available_w, 0.0)
        if outage is not None and meets(outage.start_s, outage.end_s, hour.point)
        else max(resource.ceiling_w, 0.0)
        for hour in run
    )
    power_w, charge_wh = left.get(resource.id, (None, None))
    store = offer.store
    if store is not None and charge_wh is not None:
        store = replace(store, charge_wh=charge_wh)
    return replace(offer, available_w=available, initial_w=power_w, store=store)


def _left(run: Run, schedule: Schedule) -> _Left:
    last = len(run) - 1
    return {i.resource: (i.power_w, i.charge_wh) for i in schedule.instructions if i.interval == last}


def _local(at: Situation, starts_s: tuple[float, ...]) -> Iterator[LocalNeed]:
    """Distribution orders are rows of the same problem: the same megawatts may serve both."""
    found: dict[str, tuple[str, list[float]]] = {}
    for n, start_s in enumerate(starts_s):
        for order_id, resource, power_w in local_at(at, start_s):
            found.setdefault(order_id, (resource, [0.0] * len(starts_s)))[1][n] = power_w
    for order_id, (resource, required_w) in found.items():
        yield LocalNeed(order_id, tuple(required_w), {resource: 1.0})


def _noted(at: Situation, hour: Hour, schedule: Schedule, n: int, more: Called) -> Dispatched:
    done = schedule.outcome in SOLVED
    return Dispatched(
        at.cycle_id,
        at.now_s,
        hour.key,
        hour.ref,
        schedule.outcome.value,
        schedule.delivered_w[n] + more.total_w if done else 0.0,
        more.short_w,
        schedule.cost_per_h[n] + more.cost_per_h if done else 0.0,
        detail=schedule.detail,
    )


# --- orders


def _orders(at: Situation, hour: Hour, schedule: Schedule, n: int, more: Called) -> Iterator[Message]:
    """What differs from what is ordered: given, changed under a new version, or taken back."""
    held = {order.resource: order for order in ordered(at, hour)}
    firm_w = {i.resource: i.power_w for i in schedule.instructions if i.interval == n and i.power_w > SAME_W}
    wanted = {name: _order(at, hour, name, w, held.get(name)) for name, w in {**firm_w, **more.power_w}.items()}
    live = {name: order for name, order in held.items() if order.live}
    if live.keys() == wanted.keys() and _as_good(at, live, wanted):
        return
    for name, old in live.items():
        if name not in wanted:
            yield _revoked(at, old)
    for name, order in wanted.items():
        if name not in live or not _same(live[name], order, SAME_W):
            yield at.message(at.zone.resources[name].owner, order.order_id, order, suffix=f":{order.version}")


def _order(at: Situation, hour: Hour, resource: str, power_w: float, held: Instance | None) -> OrderIssue:
    firm = hour.records.get(resource)
    record = hour.called[resource] if firm is None else firm
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
        hour.need_id if firm is None else hour.ref,
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


def _gone(at: Situation, hours: Sequence[Hour]) -> Iterator[Message]:
    """Orders of hours that a newer schedule no longer knows are taken back."""
    known = {hour.id for hour in hours}
    for resource in at.zone.resources:
        for order in at.book.trade.of(resource):
            if order.source is not Source.SCHEDULE or not order.live or order.start_s <= at.now_s:
                continue
            if order.id.removesuffix(f":{order.resource}") not in known:
                yield _revoked(at, order)


def _revoked(at: Situation, order: Instance) -> Message:
    body = OrderRevoke(order.id, order.version, order.resource, "the schedule of the node has changed")
    return at.message(at.zone.resources[order.resource].owner, order.id, body, suffix=f":{order.version}")
