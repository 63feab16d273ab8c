"""Ids in a message are the sender's own: nobody answers, withdraws or replaces what belongs to another.

Whoever tries is told that there is no such thing, so that ids cannot be guessed.
"""

from gateway.coordination.market_messages import OfferRevoke, OfferSubmit, Register
from gateway.coordination.messages import Message
from gateway.coordination.operation_messages import HostLimit, HostNoObjection, HostObject, HostTelemetry
from gateway.coordination.trade import Trade
from gateway.coordination.trade_records import answers_of
from gateway.coordination.zone import Role, ZoneFacts


def refusal(zone: ZoneFacts, trade: Trade, message: Message) -> str | None:
    """Why a message refers to what is not its sender's; `None` where it does not."""
    sender = message.header.sender
    for _, subject in answers_of(message) if zone.parties.get(sender) is Role.DERA else ():
        instance = trade.instances.get(subject)
        if instance is not None and instance.resource != message.resource:
            return f"UNKNOWN_REFERENCE: {subject} was never asked of {sender}"
    found: str | None = None
    match message.body:
        case OfferSubmit(offer_id) | OfferRevoke(offer_id):
            offer = trade.offers.get(offer_id)
            if offer is not None and offer.owner != sender:
                found = f"UNKNOWN_REFERENCE: {sender} may not use the id {offer_id} for an offer"
        case Register(registration_id, resource):
            asked = trade.asked.get(registration_id)
            if asked is not None and asked.resource != resource:
                found = f"UNKNOWN_REFERENCE: {sender} may not use the id {registration_id} for a registration"
        case HostLimit(interface=interface) | HostTelemetry(interface=interface) | HostObject(interface=interface):
            found = _interface(zone, interface, sender)
        case HostNoObjection(include_id):
            found = _interface(zone, include_id.partition(":")[0], sender)
        case _:
            pass  # about the sender's own resource, or nothing
    return found


def _interface(zone: ZoneFacts, interface: str, sender: str) -> str | None:
    known = zone.around.interfaces.get(interface)
    if known is None or known.party == sender:
        return None
    return f"UNKNOWN_REFERENCE: {interface} is no interface to {sender}"
