"""Market facilitator: dispatches are relayed unchanged, whatever is done to the network and to limits beside them.

What is left to limit is told to owner and system operator alike. Nobody is dispatched in another's place:
that is the system operator's business in its next interval.
"""

from collections.abc import Generator, Iterator, Sequence

from gateway.coordination import study
from gateway.coordination.inquiry import Asked, Told, studied
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market_messages import MarketSide
from gateway.coordination.masking import above
from gateway.coordination.messages import LimitInfo, LimitIssue, Message, Supporting
from gateway.coordination.operation_messages import DispatchRelay
from gateway.coordination.payload import sha256_of
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import NodeDispatch, OfferRecord, Source
from grid_engine.results import Answer, Purpose, Status

_CURTAILED_W = 1.0


def relays(at: Situation) -> Iterator[Message]:
    """Dispatches that have come and not been passed on, byte by byte."""
    for held in at.book.trade.nodes.values():
        for one in held:
            resource = at.zone.resources.get(one.dispatch.resource)
            if resource is None or _passed_on(at, one) or at.now_s >= one.dispatch.end_s:
                continue
            dispatch = one.dispatch
            relay = DispatchRelay(dispatch.dispatch_id, dispatch.version, resource.id, one.raw, sha256_of(one.raw))
            yield at.message(resource.owner, dispatch.dispatch_id, relay, suffix=f":{dispatch.version}")


def _passed_on(at: Situation, one: NodeDispatch) -> bool:
    instance = at.book.trade.instances.get(one.dispatch.dispatch_id)
    return instance is not None and instance.source is Source.RELAY and instance.version >= one.dispatch.version


def informed(at: Situation, messages: Sequence[Message]) -> Iterator[Message]:
    """Every limit with the notes on it for system operator and owner."""
    for message in messages:
        yield message
        body = message.body
        if isinstance(body, LimitIssue) and at.zone.system_operator:
            info = LimitInfo(
                body.limit_id,
                body.version,
                body.resource,
                body.start_s,
                body.end_s,
                body.ceiling_w,
                body.floor_w,
                body.reason,
                body.constraint_id,
                body.supporting,
            )
            for recipient, told in ((at.zone.system_operator, above(info)), (message.header.recipient, info)):
                yield at.message(recipient, body.limit_id, told, suffix=f":{body.version}:{recipient}")


def annotations(at: Situation) -> Generator[Asked, Told, tuple[Message, ...]]:
    """What the network allows of wholesale offers that were passed on and not yet looked at."""
    fresh = [record for record in at.book.trade.offers.values() if _to_annotate(at, record)]
    if not fresh:
        return ()
    found: list[Message] = []
    for record in fresh:
        start_s = max(record.offer.start_s, at.now_s)
        question = study.look_at(at, Purpose.ENVELOPE, (start_s,), f"{at.cycle_id}-{record.offer.offer_id}")
        answer = yield from studied(question)
        found += _annotated(at, record, answer)
    return tuple(found)


def _to_annotate(at: Situation, record: OfferRecord) -> bool:
    """Whether it had come when this cycle began, and not yet when the one before did."""
    wholesale = record.offer.market is not MarketSide.DISTRIBUTION
    last = at.book.last_answer
    fresh = record.received_s < at.now_s and (last is None or record.received_s >= last.at_s)
    return fresh and wholesale and record.state is OrderState.OFFERED and at.now_s < record.offer.end_s


def _annotated(at: Situation, record: OfferRecord, answer: Answer) -> Iterator[Message]:
    offer, envelope = record.offer, next((e for e in answer.envelopes if e.resource == record.offer.resource), None)
    if answer.status is not Status.SOLVED or envelope is None or envelope.binding is None:
        return
    if envelope.ceiling_w >= offer.blocks[-1].power_w - _CURTAILED_W or not at.zone.system_operator:
        return
    binding = envelope.binding
    scale = 100.0 if binding.unit == "pu" else 100.0 / binding.limit if binding.limit else 0.0
    info = LimitInfo(
        f"{offer.offer_id}:{offer.version}",
        offer.version,
        offer.resource,
        offer.start_s,
        offer.end_s,
        envelope.ceiling_w,
        envelope.floor_w,
        binding.reason,
        binding.asset_id,
        Supporting(
            binding.value_before * scale, binding.value_after * scale, answer.model_version, at.cycle_id, binding.case
        ),
    )
    for recipient in (at.zone.system_operator, record.owner):
        yield at.message(recipient, offer.offer_id, info, suffix=f":{offer.version}:{recipient}")
