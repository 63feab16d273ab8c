"""Orders by hand: given from an offer, and taken back as long as they have not begun."""

from gateway.coordination.lifecycle import ORDER, OrderEvent, OrderState
from gateway.coordination.market import Program
from gateway.coordination.market_messages import OrderIssue, OrderRevoke
from gateway.coordination.messages import Message
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import ORDERED, Instance, Source

SAME_W = 1.0


def ordered(at: Situation, offer_id: str, power_w: float) -> Message:
    """The order of a part of an offer.

    Raises:
        ValueError: the offer does not stand, is of less, or cannot be divided so.
    """
    record = at.book.trade.offers.get(offer_id)
    if record is None or record.state is not OrderState.OFFERED:
        state = "unknown" if record is None else record.state.value
        raise ValueError(f"offer {offer_id!r} is {state}: only one that stands can be ordered")
    offer = record.offer
    if not 0 < power_w <= offer.blocks[-1].power_w + SAME_W or power_w < offer.minimum_w - SAME_W:
        least, most = offer.minimum_w / 1e6, offer.blocks[-1].power_w / 1e6
        raise ValueError(f"offer {offer_id} is of {least:.3f} to {most:.3f} MW, not of {power_w / 1e6:.3f} MW")
    price = next(b.price_per_mwh for b in offer.blocks if b.power_w >= power_w - SAME_W)
    body = OrderIssue(
        f"{offer_id}:order",
        1,
        offer.resource,
        offer_id,
        at.zone.market.program,
        power_w,
        offer.start_s,
        offer.end_s,
        price,
        offer.need_id,
    )
    return at.message(record.owner, body.order_id, body)


def revoked(at: Situation, order_id: str, detail: str) -> Message:
    """The withdrawal of an order that has not begun, or that an emergency has interrupted.

    Raises:
        ValueError: there is no such order, or its life does not allow it any more.
    """
    order = at.book.trade.instances.get(order_id)
    if order is None or order.source not in ORDERED:
        raise ValueError(f"order {order_id!r} is unknown")
    begun = at.now_s >= order.start_s and order.state is not OrderState.EMERGENCY
    if begun or not ORDER.allows(order.state, OrderEvent.WITHDRAW):
        raise ValueError(
            f"order {order_id} is {order.state.value} and began or begins at {order.start_s:.0f}: "
            "only an emergency ends what has begun"
        )
    owner = at.zone.resources[order.resource].owner
    due = order.source is Source.ORDER and at.now_s > order.start_s - notice_s(at, order)
    late = "availability is due; " if due else ""
    return at.message(owner, order_id, OrderRevoke(order_id, order.version, order.resource, f"{late}{detail}"[:256]))


def notice_s(at: Situation, order: Instance) -> float:
    """How long before its start an order can be taken back without pay."""
    return at.zone.market.programs.get(order.program, Program(order.program)).notice_s
