"""Total DSO: what firm offers leave of an hour ahead goes back to the local market before anybody hears of it.

Offers that may be called without asking again are looked at first. What they do not cover is posted to everybody
else who could help, for as long as the zone gives hours ahead but so that orders can be committed before the hour
begins. The cheapest are ordered once they suffice or the time is up, and the hour is told of only after that.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.coordination import standby, study
from gateway.coordination.events import Dispatched
from gateway.coordination.hours import MISSING, Hour, meets, ordered, unsold_w
from gateway.coordination.inquiry import Asked, Told, cleared, studied
from gateway.coordination.market_messages import NeedWithdraw
from gateway.coordination.messages import Message
from gateway.coordination.offering import offer_of
from gateway.coordination.portions import SAME_W
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import OfferRecord
from grid_engine.dispatch.questions import Clear
from grid_engine.dispatch.words import Market, Offer, Outcome, Schedule
from grid_engine.results import Envelope, Purpose, Status, Study


@dataclass(frozen=True, slots=True)
class Called:
    """What offers that are called add to an hour."""

    short_w: float
    """What is missing all the same."""
    power_w: Mapping[str, float] = field(default_factory=dict)
    """By resource."""
    cost_per_h: float = 0.0

    @property
    def total_w(self) -> float:
        """What they deliver together."""
        return sum(self.power_w.values())


def called(at: Situation, hour: Hour, schedule: Schedule, n: int) -> Generator[Asked, Told, Called]:
    """What the offers that may be called do for what the firm ones leave of hour `n` of a schedule."""
    short_w = max(schedule.shortfall_w[n], 0.0)
    if short_w <= SAME_W or not hour.called:
        return Called(short_w)
    firm_w = {i.resource: i.power_w for i in schedule.instructions if i.interval == n}
    name = f"{at.cycle_id}-called-{hour.point.start_s:.0f}"
    limits = yield from _limits(at, hour, firm_w, name)
    market = Market(
        _with_firm(at, hour, firm_w, Purpose.IMPACT, name),
        tuple(_offer(at, hour, record) for record in hour.called.values()),
        (short_w,),
        hour.length_s,
        limits=limits,
        shortfall_per_mwh=at.zone.market.shortfall_per_mwh,
    )
    found = (yield from cleared(Clear(market))).schedule
    if found.outcome not in (Outcome.DELIVERED, Outcome.SHORTFALL):
        return Called(short_w)
    powers = {i.resource: i.power_w for i in found.instructions if i.power_w > SAME_W}
    return Called(max(found.shortfall_w[0], 0.0), powers, found.cost_per_h[0])


def held_back(at: Situation, hour: Hour, found: Called) -> Called:
    """What of that is ordered now: while more is asked for, only what is ordered already; others may be cheaper."""
    if found.short_w <= SAME_W:
        return found
    orders = {order.resource: order.asked_w for order in ordered(at, hour) if order.live}
    kept = {name: min(power_w, orders[name]) for name, power_w in found.power_w.items() if name in orders}
    return Called(found.short_w + found.total_w - sum(kept.values()), kept)


def asked_for(at: Situation, hour: Hour, short_w: float, known: Dispatched | None) -> list[Message]:
    """Ask everybody who has no firm offer for what is missing of an hour: once, and again where more goes missing."""
    held, clocks = at.book.trade.needs.get(hour.need_id), at.zone.clocks
    fresh = short_w > SAME_W and (held is None or known is None or known.shortfall_w <= SAME_W)
    latest_s = hour.point.start_s - 2 * clocks.commit_s
    closes_s = min(at.now_s + at.zone.market.standby_ahead_s, latest_s)
    if not fresh or standby.is_open(at, hour.need_id) or closes_s < at.now_s + clocks.tick_s:
        return []
    span, version = (hour.point.start_s, hour.point.end_s), 1 if held is None else held.need.version + 1
    node = next(iter(at.zone.market.nodes))
    wanted = standby.Wanted(hour.need_id, node, short_w, *span, closes_s, version)
    return list(standby.posts(at, wanted, hour.id, hour.out | hour.records.keys() | _lost(at, hour)))


def withdrawn(at: Situation, node: str, short: Sequence[Hour]) -> Iterator[Message]:
    """Take back what is still asked for and of an hour ahead that is not short any more."""
    wanted = {hour.need_id for hour in short}
    for need_id, record in at.book.trade.needs.items():
        ours = need_id.startswith(f"{node}-") and need_id.endswith(MISSING)
        if ours and need_id not in wanted and standby.is_open(at, need_id):
            body = NeedWithdraw(need_id, record.need.version)
            for recipient in record.recipients:
                yield at.message(recipient, need_id, body, suffix=f":{record.need.version}:{recipient}")


def _lost(at: Situation, hour: Hour) -> frozenset[str]:
    """Resources with nothing to give in an hour."""
    outages = at.book.outages.values()
    return frozenset(o.resource for o in outages if o.available_w <= 0.0 and meets(o.start_s, o.end_s, hour.point))


def _limits(
    at: Situation, hour: Hour, firm_w: Mapping[str, float], name: str
) -> Generator[Asked, Told, tuple[Envelope, ...]]:
    answer = yield from studied(_with_firm(at, hour, firm_w, Purpose.ENVELOPE, f"{name}-limits"))
    return tuple(e for e in answer.envelopes if e.resource in hour.called) if answer.status is Status.SOLVED else ()


def _with_firm(at: Situation, hour: Hour, firm_w: Mapping[str, float], purpose: Purpose, study_id: str) -> Study:
    """The hour with every firm offer where it was chosen to be, and nobody called yet."""
    start_s = hour.point.start_s
    question = study.look_at(at, purpose, (start_s,), study_id)
    members = []
    for member in question.participants:
        if member.resource in hour.called:
            stands_w = unsold_w(at, member.resource, start_s)
        else:
            stands_w = firm_w.get(member.resource, member.held_w[0])
        stands = (min(max(stands_w, member.floor_w), member.ceiling_w),)
        members.append(replace(member, held_w=stands, requested_w=stands))
    return replace(question, participants=tuple(members))


def _offer(at: Situation, hour: Hour, record: OfferRecord) -> Offer:
    offer, outage = offer_of(at, record, ramped=False), at.book.outages.get(record.offer.resource)
    left = outage is not None and meets(outage.start_s, outage.end_s, hour.point)
    return replace(offer, available_w=(max(outage.available_w, 0.0),) if outage is not None and left else ())
