"""What is offered for a dispatch of the node, in the engine's words: firm, or to be called where firm is not enough."""

from collections.abc import Iterator

from gateway.coordination import portions
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market_messages import MarketSide
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import NodeDispatch, OfferRecord, Source
from grid_engine.dispatch.words import LocalNeed

_SIDES = (MarketSide.WHOLESALE, MarketSide.DISTRIBUTION)


def records(at: Situation, one: NodeDispatch, *, standby: bool) -> dict[str, OfferRecord]:
    """Valid offers for the interval, one per resource: the cheapest first block; without who is out or ordered.

    Args:
        standby: also those that are ordered only where the firm ones are not enough.
    """
    gone = portions.out(at, one) | {order.resource for order in portions.bought(at, one)}
    found: dict[str, OfferRecord] = {}
    for side in _SIDES:
        for record in at.book.trade.open_offers(side, one.dispatch.start_s, one.dispatch.end_s):
            resource = record.offer.resource
            if resource in gone or resource not in at.zone.resources:
                continue
            if is_called(at, one, record):
                counts = standby and record.state is OrderState.OFFERED
            else:
                counts = _is_firm(at, record, side)
            held = found.get(resource)
            cheaper = held is None or record.offer.blocks[0].price_per_mwh < held.offer.blocks[0].price_per_mwh
            if counts and cheaper:
                found[resource] = record
    return {name: found[name] for name in sorted(found)}


def is_called(at: Situation, one: NodeDispatch, record: OfferRecord) -> bool:
    """Whether an offer is ordered where it is needed; any other is instructed."""
    offer = record.offer
    return (offer.standby or offer.need_id == portions.need_id(one)) and not _is_ordered_ahead(at, record)


def _is_firm(at: Situation, record: OfferRecord, side: MarketSide) -> bool:
    """Committed to the wholesale market by its owner, or by an order of the schedule ahead."""
    wholesale = side is MarketSide.WHOLESALE and not record.offer.need_id  # that is for something else
    return wholesale or _is_ordered_ahead(at, record)


def _is_ordered_ahead(at: Situation, record: OfferRecord) -> bool:
    orders = at.book.trade.live(record.offer.resource, at.now_s)
    return any(i.source is Source.SCHEDULE and i.offer_id == record.offer.offer_id for i in orders)


def local(at: Situation) -> Iterator[LocalNeed]:
    """Distribution orders in force are rows of the same problem: the same megawatts may serve both."""
    for resource in at.zone.resources.values():
        for order in at.book.trade.live(resource.id, at.now_s):
            if order.source is Source.ORDER and not order.need_id.endswith(portions.BALANCE):
                yield LocalNeed(order.id, (order.effective_w,), {resource.id: 1.0})
