"""How far a message has come: its life cycle, and which answers to it are owed, by whom and until when. Pure."""

from gateway.coordination.lifecycle import LimitState, OrderState
from gateway.coordination.market_messages import NeedPost, OfferSubmit, OrderIssue, Register
from gateway.coordination.messages import Dispatch, LimitIssue, Message
from gateway.coordination.operation_messages import DispatchRelay, Instruction
from gateway.parties.view import Reader, dispatch_answers, limit_answer, limit_state, order_answers
from gateway.parties.words import MessageState

RECEIVED = MessageState("RECEIVED")


def state_of(reader: Reader, message: Message) -> MessageState:
    """What became of a message that the party has sent or was told."""
    match message.body:
        case LimitIssue() as limit:
            found = _limit(reader, limit)
        case OrderIssue(order_id, version):
            found = _instance(reader, order_id, version)
        case Instruction(instruction_id, version):
            found = _instance(reader, instruction_id, version)
        case DispatchRelay(dispatch_id, version):
            found = _instance(reader, dispatch_id, version)
        case Dispatch() as dispatch:
            found = _dispatch(reader, dispatch)
        case _:
            found = _market(reader, message)
    return found


def _market(reader: Reader, message: Message) -> MessageState:
    trade = reader.book.trade
    match message.body:
        case NeedPost(need_id, version):
            need = trade.needs.get(need_id)
            held = need is not None and need.need.version == version
            return MessageState(need.state.value) if need is not None and held else _superseded()
        case OfferSubmit(offer_id, version):
            offer = trade.offers.get(offer_id)
            held = offer is not None and offer.offer.version == version and offer.owner == message.header.sender
            return MessageState(offer.state.value) if offer is not None and held else _superseded()
        case Register(registration_id, resource):
            if registration_id in trade.asked:
                return RECEIVED
            known = trade.registered.get(resource)
            accepted = known is not None and known.registration_id == registration_id
            return MessageState("ACCEPTED" if accepted else "REJECTED")
        case _:
            return RECEIVED


def _limit(reader: Reader, limit: LimitIssue) -> MessageState:
    for record in reader.book.limits.get(limit.resource, ()):
        if (record.limit.limit_id, record.limit.version) == (limit.limit_id, limit.version):
            answer = limit_answer(reader, record)
            return MessageState(limit_state(reader, record).value, answer, answer)
    over = LimitState.EXPIRED if reader.now_s >= limit.expires_s else LimitState.SUPERSEDED
    return MessageState(over.value)


def _instance(reader: Reader, instance_id: str, version: int) -> MessageState:
    instance = reader.book.trade.instances.get(instance_id)
    if instance is None or instance.version != version:
        return _superseded()
    return MessageState(instance.state.value, *order_answers(reader, instance))


def _dispatch(reader: Reader, dispatch: Dispatch) -> MessageState:
    for one in reader.book.trade.nodes.get(dispatch.resource, ()):
        if (one.dispatch.dispatch_id, one.dispatch.version) == (dispatch.dispatch_id, dispatch.version):
            committed = one.answered is not None
            state = OrderState.ACKNOWLEDGED if committed else OrderState.RECEIVED
            return MessageState(state.value, *dispatch_answers(reader, one))
    return _superseded()


def _superseded() -> MessageState:
    """No longer held: something newer has taken its place, or it is over."""
    return MessageState(OrderState.SUPERSEDED.value)
