"""What a party may see of the book: its own, and nothing else. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.coordination import masking
from gateway.coordination.book import Book
from gateway.coordination.book_records import LimitRecord
from gateway.coordination.lifecycle import LimitState, OrderState
from gateway.coordination.messages import AckStatus, DispatchCopy, Message
from gateway.coordination.trade_records import Instance, NodeDispatch
from gateway.coordination.zone import DsoModel, Resource, Role, ZoneFacts
from gateway.parties.words import Owed, OwnDispatch, OwnLimit, OwnOffer, OwnOrder, OwnResource

MOST: Final = 1_000
"""Items of one answer."""

_REFUSING = {OrderState.DECLINED: AckStatus.DECLINE, OrderState.NON_RESPONSE: AckStatus.NON_RESPONSE}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks, and when."""

    party: str
    zone: ZoneFacts
    book: Book
    now_s: float
    receipt_s: float
    """How soon a receipt is due."""

    @property
    def role(self) -> Role:
        """What the party is to the DSO."""
        return self.zone.parties[self.party]

    @property
    def own(self) -> tuple[Resource, ...]:
        """The resources that it speaks for."""
        return self.zone.owned_by(self.party)


def resources(reader: Reader) -> Iterator[OwnResource]:
    """The party's DERs, with what holds for each now."""
    for one in reader.own:
        record = reader.book.limit_at(one.id, reader.now_s)
        owed = max(reader.book.trade.live(one.id, reader.now_s), key=lambda i: i.sent_s, default=None)
        outage = reader.book.outages.get(one.id)
        limit = None if record is None else record.limit
        yield OwnResource(
            one.id,
            one.ceiling_w,
            one.floor_w,
            "" if limit is None else limit.limit_id,
            None if limit is None else limit.ceiling_w,
            None if limit is None else limit.floor_w,
            None if limit is None else limit.expires_s,
            _asked(reader, one.id) if owed is None else owed.effective_w,
            outage is not None and outage.start_s <= reader.now_s < outage.end_s,
        )


def limits(reader: Reader) -> Iterator[OwnLimit]:
    """The envelopes of the party's DERs that are neither cleared nor superseded."""
    for one in reader.own:
        for record in reader.book.limits.get(one.id, ()):
            limit = record.limit
            yield OwnLimit(
                limit.limit_id,
                limit.version,
                limit.resource,
                limit.start_s,
                limit.end_s,
                limit.expires_s,
                limit.ceiling_w,
                limit.floor_w,
                limit.reason.value,
                limit.constraint_id,
                limit_state(reader, record).value,
                limit_answer(reader, record),
            )


def orders(reader: Reader) -> Iterator[OwnOrder]:
    """What was asked of the party's DERs, newest first."""
    own = {one.id for one in reader.own}
    for instance in reversed(reader.book.trade.instances.values()):
        if instance.resource in own:
            receipt, commitment = order_answers(reader, instance)
            yield OwnOrder(
                instance.id,
                instance.source.value,
                instance.version,
                instance.resource,
                instance.state.value,
                instance.asked_w,
                instance.effective_w,
                instance.start_s,
                instance.end_s,
                receipt,
                commitment,
                instance.offer_id,
                instance.need_id,
                instance.ref,
            )


def offers(reader: Reader) -> Iterator[OwnOffer]:
    """What the party has offered, newest first."""
    for record in reversed(reader.book.trade.offers.values()):
        offer = record.offer
        if record.owner == reader.party:
            yield OwnOffer(
                offer.offer_id,
                offer.version,
                offer.resource,
                offer.market,
                offer.start_s,
                offer.end_s,
                offer.valid_until_s,
                offer.need_id,
                record.received_s,
                record.state.value,
            )


def dispatches(reader: Reader) -> Iterator[OwnDispatch]:
    """To the system operator, what it has dispatched; to a DER/A in dual participation, what its DERs were."""
    if reader.role is Role.SYSTEM_OPERATOR:
        for held in reader.book.trade.nodes.values():
            for one in held:
                yield from _masked(reader, _node_dispatch(reader, one))
    if reader.zone.model is DsoModel.DUAL_PARTICIPATION:
        own = {one.id for one in reader.own}
        for resource, copies in reader.book.dispatches.items():
            if reader.role is Role.SYSTEM_OPERATOR or resource in own:
                yield from map(_copy, copies)


Items = Callable[[Reader], Iterable[object]]

LISTS: Final[Mapping[str, tuple[type, Items, frozenset[Role]]]] = {
    "resources": (OwnResource, resources, frozenset({Role.DERA})),
    "limits": (OwnLimit, limits, frozenset({Role.DERA})),
    "orders": (OwnOrder, orders, frozenset({Role.DERA})),
    "offers": (OwnOffer, offers, frozenset({Role.DERA})),
    "dispatches": (OwnDispatch, dispatches, frozenset({Role.DERA, Role.SYSTEM_OPERATOR})),
}
"""By name: what an item is, where it comes from, and to whom it is shown."""


def limit_state(reader: Reader, record: LimitRecord) -> LimitState:
    """Of an envelope that the book still holds."""
    limit, now_s = record.limit, reader.now_s
    if now_s >= limit.expires_s:
        return LimitState.EXPIRED
    if record.ack is not None:
        return LimitState.ACTIVE if now_s >= limit.start_s else LimitState.COMMITTED
    late = now_s >= record.sent_s + reader.zone.clocks.commit_s
    return LimitState.UNCONFIRMED if late else LimitState.ISSUED


def limit_answer(reader: Reader, record: LimitRecord) -> Owed:
    """Receipt and commitment to an envelope are one."""
    due_s, ack = record.sent_s + reader.zone.clocks.commit_s, record.ack
    owner = reader.zone.resources[record.limit.resource].owner
    if ack is None:
        return Owed(owner, due_s, done=False)
    return Owed(owner, due_s, done=True, status=ack.status.value, power_w=ack.power_w)


def order_answers(reader: Reader, instance: Instance) -> tuple[Owed, Owed]:
    """Receipt and commitment of what was asked."""
    owner = reader.zone.resources[instance.resource].owner
    received_s, committed_s = instance.received_s, instance.committed_s
    receipt = Owed(owner, instance.sent_s + reader.receipt_s, received_s is not None, received_s)
    refusing = _REFUSING.get(instance.state)
    status = "" if committed_s is None else AckStatus.ACCEPT.value
    due_s = instance.sent_s + reader.zone.clocks.commit_s
    done = committed_s is not None or refusing is AckStatus.DECLINE
    status = status if refusing is None else refusing.value
    return receipt, Owed(owner, due_s, done, committed_s, status, instance.committed_w)


def dispatch_answers(reader: Reader, one: NodeDispatch) -> tuple[Owed, Owed]:
    """What we have told the system operator about its dispatch."""
    dso, commit_s = reader.zone.dso, reader.zone.clocks.commit_s
    status = "" if one.answered is None else one.answered.value
    receipt = Owed(dso, one.received_s + reader.receipt_s, one.receipted)
    due_s = one.received_s + commit_s
    return receipt, Owed(dso, due_s, one.answered is not None, status=status, power_w=one.answered_w)


def may_see(reader: Reader, message: Message) -> bool:
    """Whether a message concerns the party: it has sent it or is told it, and no more than it may know."""
    header = message.header
    return reader.party in (header.sender, header.recipient) and masking.refusal(reader.zone, message) is None


def _asked(reader: Reader, resource: str) -> float | None:
    """What the system operator itself has dispatched, within the limit."""
    dispatch = reader.book.dispatch_at(resource, reader.now_s)
    if dispatch is None:
        return None
    record = reader.book.limit_at(resource, reader.now_s)
    return dispatch.power_w if record is None else record.bounds.clamp(dispatch.power_w)


def _node_dispatch(reader: Reader, one: NodeDispatch) -> OwnDispatch:
    body = one.dispatch
    answers = dispatch_answers(reader, one)
    told = (body.dispatch_id, body.version, body.resource, body.power_w, body.start_s, body.end_s)
    return OwnDispatch(*told, *answers, one.shortfall_w)


def _copy(body: DispatchCopy) -> OwnDispatch:
    return OwnDispatch(body.dispatch_id, body.version, body.resource, body.power_w, body.start_s, body.end_s)


def _masked(reader: Reader, item: OwnDispatch) -> Iterator[OwnDispatch]:
    if reader.zone.model is DsoModel.DUAL_PARTICIPATION or masking.leak(reader.zone, item) is None:
        yield item
