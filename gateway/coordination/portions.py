"""A dispatch of the node in portions: what resources were instructed to do of it, and what was bought for it."""

from gateway.coordination.lifecycle import OrderState
from gateway.coordination.offering import OUT
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Instance, NodeDispatch, Source

SAME_W = 1_000.0
"""Powers closer than this are the same towards the system operator."""

BALANCE = ":balance"
"""Ends the id of a need of what is missing of a dispatch of the node."""

WAITING = frozenset({OrderState.DISPATCHED, OrderState.RECEIVED})
"""States of a portion that nobody has committed to yet."""


def need_id(one: NodeDispatch) -> str:
    """Of what is missing of a dispatch, in the local market."""
    return f"{one.dispatch.dispatch_id}{BALANCE}"


def instructed(at: Situation, one: NodeDispatch) -> list[Instance]:
    """Instructions that a dispatch was shared out into, the newest of each resource."""
    ref = one.dispatch.dispatch_id
    found = (at.book.trade.instances.get(f"{ref}:{resource}") for resource in at.zone.resources)
    return [i for i in found if i is not None and i.source is Source.INSTRUCTION]


def bought(at: Situation, one: NodeDispatch) -> list[Instance]:
    """What was bought for it and counts: not what was declined or never answered."""
    return [order for order in _orders(at, one) if order.live]


def out(at: Situation, one: NodeDispatch) -> frozenset[str]:
    """Resources that declined their portion, or never answered."""
    return frozenset(i.resource for i in (*instructed(at, one), *_orders(at, one)) if i.state in OUT)


def promise_w(instance: Instance) -> float:
    """What its owner has committed to of what was asked."""
    if instance.committed_w is None:
        return 0.0
    return min(instance.committed_w, instance.asked_w) if instance.asked_w >= 0 else instance.committed_w


def _orders(at: Situation, one: NodeDispatch) -> list[Instance]:
    wanted = need_id(one)
    held = (order for resource in at.zone.resources for order in at.book.trade.of(resource))
    return [order for order in held if order.source is Source.ORDER and order.need_id == wanted]
