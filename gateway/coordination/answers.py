"""What is answered or passed on at once, before the next cycle: receipts, verdicts on offers, relays of answers."""

from collections.abc import Iterator

from gateway.coordination import hosting, offers, registration
from gateway.coordination.market_messages import (
    BidForward,
    MarketSide,
    OfferAccept,
    OfferRevoke,
    OfferSubmit,
    Register,
    ScheduleDayAhead,
    SchedulePreDispatch,
    ScheduleRelay,
)
from gateway.coordination.messages import AckCommit, AckReceipt, Dispatch, Message, OutageAck, OutageNotice
from gateway.coordination.operation_messages import HeartbeatIn, HeartbeatOut, HostInclude
from gateway.coordination.payload import sha256_of, written
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Source
from gateway.coordination.zone import DsoModel, Role


def answers(at: Situation, message: Message) -> tuple[Message, ...]:
    """Answers to a message that was taken, and what is passed on of it, in their order."""
    return tuple(_answers(at, message))


def _answers(at: Situation, message: Message) -> Iterator[Message]:
    match message.body:
        case OutageNotice() as body:
            yield from _outage(at, message, body)
        case Dispatch() as body:
            yield from _receipt(at, message, body)
        case OfferSubmit() as body:
            yield from _offer(at, message, body)
        case Register() as body:
            yield registration.answer(at, message, body)
        case OfferRevoke() as body:
            refused = offers.revocation(at, message, body)
            yield from () if refused is None else (refused,)
        case ScheduleDayAhead() | SchedulePreDispatch() as body:
            yield from _schedule(at, message, body)
        case AckReceipt() | AckCommit() as body:
            yield from _forwarded(at, message, body)
        case HostInclude() as body:
            yield from hosting.answered(at, message, body)
        case HeartbeatOut() as body:
            header = message.header
            yield at.message(header.sender, header.corr_id, HeartbeatIn(body.sequence), suffix=_to(message))
        case _:
            pass  # nothing is owed for it at once


def _outage(at: Situation, message: Message, body: OutageNotice) -> Iterator[Message]:
    yield at.message(message.header.sender, body.outage_id, OutageAck(body.outage_id, body.resource), _to(message))
    if at.zone.model is DsoModel.MARKET_FACILITATOR and at.zone.system_operator:
        yield at.message(at.zone.system_operator, body.outage_id, body, suffix=_to(message))


def _receipt(at: Situation, message: Message, body: Dispatch) -> Iterator[Message]:
    receipt = AckReceipt(body.dispatch_id, body.version, body.resource)
    yield at.message(message.header.sender, body.dispatch_id, receipt, suffix=_to(message))


def _offer(at: Situation, message: Message, body: OfferSubmit) -> Iterator[Message]:
    verdict = offers.answer(at, message, body)
    yield verdict
    facilitates = at.zone.model is DsoModel.MARKET_FACILITATOR and body.market is not MarketSide.DISTRIBUTION
    if isinstance(verdict.body, OfferAccept) and facilitates and at.zone.system_operator:
        raw = written(message)
        bid = BidForward(body.offer_id, body.version, body.resource, raw, sha256_of(raw))
        yield at.message(at.zone.system_operator, body.offer_id, bid, suffix=_to(message))


def _schedule(at: Situation, message: Message, body: ScheduleDayAhead | SchedulePreDispatch) -> Iterator[Message]:
    """A market facilitator passes schedules on as they are; a total DSO says that it has the node's."""
    if at.zone.model is DsoModel.TOTAL_DSO and body.resource in at.zone.market.nodes:
        receipt = AckReceipt(body.schedule_id, body.version, body.resource)
        yield at.message(message.header.sender, body.schedule_id, receipt, suffix=_to(message))
    resource = at.zone.resources.get(body.resource)
    if at.zone.model is not DsoModel.MARKET_FACILITATOR or resource is None:
        return
    raw = written(message)
    relay = ScheduleRelay(body.schedule_id, body.version, body.resource, raw, sha256_of(raw))
    yield at.message(resource.owner, body.schedule_id, relay, suffix=_to(message))


def _forwarded(at: Situation, message: Message, body: AckReceipt | AckCommit) -> Iterator[Message]:
    """A market facilitator hands the answers to relayed dispatches to the system operator."""
    instance = at.book.trade.instances.get(body.ref)
    from_dera = at.zone.parties.get(message.header.sender) is Role.DERA
    if instance is None or instance.source is not Source.RELAY or not from_dera or isinstance(body, AckReceipt):
        return
    yield at.message(at.zone.system_operator, body.ref, body, suffix=_to(message))


def _to(message: Message) -> str:
    """Tells an answer apart from those to other messages of the same conversation."""
    return f":{message.header.msg_id}"
