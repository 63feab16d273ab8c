"""Which messages come too late: of parties, and our own where something else has happened since they were decided."""

from typing import TYPE_CHECKING

from gateway.coordination.lifecycle import ORDER, OrderState
from gateway.coordination.market_messages import OrderIssue
from gateway.coordination.messages import Dispatch, DispatchCopy, LimitIssue, Message
from gateway.coordination.operation_messages import Instruction
from gateway.coordination.schedules import BACKED
from gateway.coordination.trade_records import answers_of

if TYPE_CHECKING:
    from gateway.coordination.book import Book
    from gateway.coordination.trade import Trade

_ORDERED_OF = frozenset({OrderState.OFFERED})
_BACKED_OF = _ORDERED_OF | {OrderState.SELECTED, OrderState.SCHEDULED}


def refusal(trade: "Trade", message: Message, at_s: float) -> str | None:
    """Why an answer cannot be taken: it is to nothing that was asked, or it comes too late."""
    for event, subject in answers_of(message):
        instance = trade.instances.get(subject)
        if instance is None:
            return f"UNKNOWN_REFERENCE: {subject} was never asked of {message.header.sender}"
        if at_s >= instance.end_s or not ORDER.allows(instance.state, event):
            return (
                f"STATE_VIOLATION: {subject} is {instance.state.value}, {event.value} of "
                f"{message.header.sender} comes too late or twice"
            )
    return None


def overtaken(held: Dispatch | DispatchCopy, new: Dispatch | DispatchCopy) -> bool:
    """Whether what is held is newer, or the same version of the same dispatch in other words."""
    if held.dispatch_id != new.dispatch_id:
        return held.start_s == new.start_s and held.version > new.version
    return held.version > new.version or (held.version == new.version and held != new)


def copy_of(of: Dispatch | DispatchCopy) -> DispatchCopy:
    """What it says, without whom it is for."""
    return DispatchCopy(of.dispatch_id, of.version, of.resource, of.power_w, of.start_s, of.end_s)


def outdated(book: "Book", message: Message) -> bool:
    """Whether what we are about to say was decided before somebody revoked, ordered or limited something else."""
    match message.body:
        case LimitIssue() as limit:
            return limit.version <= book.limit_versions.get(limit.resource, 0)
        case OrderIssue() as order:
            offer, held = book.trade.offers.get(order.offer_id), book.trade.instances.get(order.order_id)
            # The hours of a schedule are ordered of one offer, one after the other.
            open_in = _BACKED_OF if order.need_id.endswith(BACKED) else _ORDERED_OF
            known = held is not None and held.version >= order.version
            return known or offer is None or offer.state not in open_in
        case Instruction() as told:
            held = book.trade.instances.get(told.instruction_id)
            return held is not None and held.version >= told.version
        case _:
            return False
