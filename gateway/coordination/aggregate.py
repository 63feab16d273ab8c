"""All offers behind a node as one curve towards the system operator (total DSO); nothing below it is named."""

from collections.abc import Generator, Iterator
from math import inf

from gateway.coordination import study
from gateway.coordination.inquiry import Asked, Told, studied, traced
from gateway.coordination.market_messages import BidAggregate, MarketSide
from gateway.coordination.market_messages import Block as Step
from gateway.coordination.messages import Message
from gateway.coordination.offering import offer_of
from gateway.coordination.situation import Situation
from grid_engine.dispatch.questions import Trace
from grid_engine.dispatch.words import Market, OfferCurve, Outcome
from grid_engine.results import Purpose

LOCK_S = 60.0
"""How long after the gate the offers of before it are still put together."""


def bids(at: Situation) -> Generator[Asked, Told, tuple[Message, ...]]:
    """All offers of an hour as one curve of the node, whenever offers have changed and until the gate.

    While the system operator takes no messages nothing is offered: what came late would be of an hour ago.
    """
    last, rules = at.book.last_answer, at.zone.market
    node = next(iter(rules.nodes), "")
    reached_s = at.reached_s.get(at.zone.system_operator, -inf)
    if not node or not at.zone.system_operator or reached_s == inf:
        return ()
    if last is not None and max(at.book.trade.touched_s, reached_s) < last.at_s:
        return ()
    found: list[Message] = []
    for window in _windows(at):
        records = {r.offer.resource: r for r in at.book.trade.open_offers(MarketSide.WHOLESALE, *window)}
        firm = [r for r in records.values() if not r.offer.standby and r.offer.resource in at.zone.resources]
        if not firm:
            continue
        answer = yield from studied(study.look_at(at, Purpose.ENVELOPE, window[:1], f"{at.cycle_id}-bid-limits"))
        limits = tuple(e for e in answer.envelopes if e.resource in records)
        question = study.look_at(at, Purpose.IMPACT, window[:1], f"{at.cycle_id}-bid")
        offers = tuple(offer_of(at, record, ramped=False) for record in firm)
        curve = yield from traced(Trace(Market(question, offers, limits=limits), 20))
        found += _bid(at, node, window, curve)
    return tuple(found)


def _windows(at: Situation) -> list[tuple[float, float]]:
    gate_s = at.zone.market.wholesale_gate_s - LOCK_S
    windows = {
        (record.offer.start_s, record.offer.end_s)
        for record in at.book.trade.offers.values()
        if record.offer.market is not MarketSide.DISTRIBUTION and at.now_s <= record.offer.start_s - gate_s
    }
    return sorted(windows)


def _bid(at: Situation, node: str, window: tuple[float, float], curve: OfferCurve) -> Iterator[Message]:
    if curve.outcome not in (Outcome.DELIVERED, Outcome.SHORTFALL) or not curve.points:
        return
    held = at.book.trade.bids.get(f"{node}@{window[0]:.0f}")
    blocks = tuple(Step(point.power_w, point.price_per_mwh) for point in curve.points)
    ramp = None if curve.ramp_up_w_per_min == inf else curve.ramp_up_w_per_min / 1e6
    if held is not None and held.blocks == blocks:
        return
    version = 1 if held is None else held.version + 1
    bid = BidAggregate(f"{node}-{window[0]:.0f}", version, node, *window, blocks, ramp)
    yield at.message(at.zone.system_operator, bid.bid_id, bid, suffix=f":{version}")
