"""What has been offered, needed, ordered and instructed so far, rebuilt by folding messages through the life cycles."""

from dataclasses import dataclass, field
from typing import TypeVar

from gateway.coordination.lifecycle import (
    NEED,
    ORDER,
    NeedEvent,
    NeedState,
    OrderEvent,
    OrderState,
    StateViolation,
)
from gateway.coordination.market_messages import (
    BidAggregate,
    MarketSide,
    NeedPost,
    NeedWithdraw,
    OfferReject,
    OfferRevoke,
    OfferSubmit,
    OrderCommit,
    OrderIssue,
    OrderRevoke,
    Register,
    RegisterAccept,
    RegisterReject,
)
from gateway.coordination.messages import AckCommit, AckReceipt, Dispatch, Message, OutageNotice
from gateway.coordination.operation_messages import DispatchRelay, Instruction, ShortfallNotice
from gateway.coordination.payload import written
from gateway.coordination.schedules import BACKED, Schedules
from gateway.coordination.trade_records import Instance, NeedRecord, NodeDispatch, OfferRecord, Source, answers_of

SAME_W = 1_000.0
"""A need that is met to within this is met."""
KEPT = 20_000
"""Ended orders, offers and needs that are remembered each; the oldest go first."""


_Item = TypeVar("_Item")


@dataclass(slots=True)
class Trade:
    """The state of the market; `received` and `sent` are its only mutations."""

    registered: dict[str, Register] = field(default_factory=dict)
    asked: dict[str, Register] = field(default_factory=dict)
    """Registrations that nobody has decided yet, by party and id."""
    offers: dict[str, OfferRecord] = field(default_factory=dict)
    needs: dict[str, NeedRecord] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    owing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By resource: its instances that are not over."""
    nodes: dict[str, tuple[NodeDispatch, ...]] = field(default_factory=dict)
    """Dispatches that came to us, by node (total DSO) or resource (market facilitator), by start."""
    bids: dict[str, BidAggregate] = field(default_factory=dict)
    """What was offered to the system operator last, by node and start."""
    effects: dict[str, dict[str, float]] = field(default_factory=dict)
    """By need: what a watt of each resource is worth where it is needed."""
    schedules: Schedules = field(default_factory=Schedules)
    touched_s: float = 0.0
    """When offers last changed."""
    violations: int = 0
    """Events that their life cycle did not know."""

    def of(self, resource: str) -> tuple[Instance, ...]:
        """What a resource was asked and is not over."""
        return tuple(self.instances[one] for one in self.owing.get(resource, ()))

    def live(self, resource: str, time_s: float) -> tuple[Instance, ...]:
        """What a resource owes at a time."""
        return tuple(i for i in self.of(resource) if i.live and i.start_s <= time_s < i.end_s)

    def node_dispatch(self, node: str, time_s: float) -> NodeDispatch | None:
        """The dispatch of a node in force: the latest start among those not over."""
        begun = [d for d in self.nodes.get(node, ()) if d.dispatch.start_s <= time_s < d.dispatch.end_s]
        return begun[-1] if begun else None

    def open_offers(self, market: MarketSide, start_s: float, end_s: float) -> tuple[OfferRecord, ...]:
        """Valid offers for a market that cover an interval, ordered ones included."""
        wanted = (market, MarketSide.BOTH)
        return tuple(
            record
            for record in self.offers.values()
            if record.state in (OrderState.OFFERED, OrderState.SELECTED, OrderState.SCHEDULED)
            and record.offer.market in wanted
            and record.offer.start_s <= start_s
            and record.offer.end_s >= end_s
        )

    def is_stale(self, message: Message) -> bool:
        """Whether an offer or a schedule is no newer than the one that is held."""
        body = message.body
        if isinstance(body, OfferSubmit):
            held_offer = self.offers.get(body.offer_id)
            return held_offer is not None and held_offer.offer.version >= body.version
        return self.schedules.is_stale(message)

    def received(self, message: Message, at_s: float) -> None:
        """Take in what a party said."""
        self.schedules.received(message, at_s)
        match message.body:
            case Register() as body:
                self.asked[f"{message.header.sender}/{body.registration_id}"] = body
            case OfferSubmit() as body:
                self._offered(body, message, at_s)
            case OfferRevoke() as body:
                record = self.offers.get(body.offer_id)
                if record is not None and ORDER.allows(record.state, OrderEvent.REVOKE):
                    record.state, self.touched_s = ORDER.step(record.state, OrderEvent.REVOKE), at_s
            case Dispatch() as body:
                self._dispatched(body, written(message), at_s)
            case OutageNotice() as body:
                self._outage(body)
            case _:
                self._answered(message, at_s)

    def sent(self, message: Message, at_s: float) -> None:
        """Take in what we said."""
        match message.body:
            case NeedPost() as body:
                self._need_posted(body, message.header.recipient, at_s)
            case NeedWithdraw() as body:
                self.need_step(body.need_id, NeedEvent.CLOSE)
            case OrderIssue() as body:
                self._ordered(body, at_s)
            case OrderRevoke() as body:
                if self.step(body.order_id, OrderEvent.WITHDRAW):  # no end of an emergency brings it back
                    self.instances[body.order_id].revoked_s, self.instances[body.order_id].before = at_s, None
            case OfferReject() as body:
                self._rejected(body)
            case Instruction() as body:
                self._instructed(body, at_s)
            case _:
                self._told(message, at_s)

    def _told(self, message: Message, at_s: float) -> None:
        match message.body:
            case DispatchRelay() as body:
                self._relayed(body, at_s)
            case AckReceipt() | AckCommit() | ShortfallNotice():
                self.schedules.sent(message)
                self._node_told(message)
            case BidAggregate() as body:
                self.bids[f"{body.node}@{body.start_s:.0f}"] = body
                self.bids = _newest(self.bids)
            case RegisterAccept() | RegisterReject() as body:
                asked = self.asked.pop(f"{message.header.recipient}/{body.registration_id}", None)
                if asked is not None and isinstance(body, RegisterAccept):
                    self.registered[asked.resource] = asked
            case _:
                pass  # nothing that the market keeps

    def step(self, instance_id: str, event: OrderEvent) -> bool:
        """Let an event happen to an instance; False where its life cycle does not know it."""
        instance = self.instances.get(instance_id)
        if instance is None:
            self.violations += 1
            return False
        try:
            after = ORDER.step(instance.state, event)
        except StateViolation:
            self.violations += 1
            return False
        if event is OrderEvent.EMERGENCY:
            instance.before, instance.excused = instance.state, True
        elif event is OrderEvent.CALM and instance.before is not None:
            after, instance.before = instance.before, None
        instance.state = after
        return True

    def silent(self, instance_id: str) -> None:
        """Nobody has committed to an instance in time."""
        if ORDER.allows(self.instances[instance_id].state, OrderEvent.SILENCE):
            self.step(instance_id, OrderEvent.SILENCE)

    def need_step(self, need_id: str, event: NeedEvent) -> None:
        """Let an event happen to a need; one that its life cycle does not know is counted."""
        record = self.needs.get(need_id)
        if record is None or not NEED.allows(record.state, event):
            self.violations += 1
        else:
            record.state = NEED.step(record.state, event)

    def pass_time(self, now_s: float) -> None:
        """What happens by the clock alone: intervals begin and end, offers run out, needs are over."""
        for resource, owed in list(self.owing.items()):
            for one in owed:
                self._tick(self.instances[one], now_s)
            left = tuple(one for one in owed if now_s < self.instances[one].end_s)
            if not left:
                del self.owing[resource]
            elif len(left) < len(owed):
                self.owing[resource] = left
        for record in self.offers.values():
            over = now_s >= min(record.offer.end_s, record.offer.valid_until_s)
            if over and record.state is OrderState.OFFERED:
                record.state = ORDER.step(record.state, OrderEvent.EXPIRE)
        for need in self.needs.values():
            if now_s >= need.need.end_s and need.state is not NeedState.CLOSED:
                need.state = NEED.step(need.state, NeedEvent.CLOSE)

    def _tick(self, instance: Instance, now_s: float) -> None:
        if instance.state is OrderState.ACKNOWLEDGED and now_s >= instance.start_s:
            self.step(instance.id, OrderEvent.START)
        if now_s < instance.end_s:
            return
        for event in (OrderEvent.SILENCE, OrderEvent.END):  # what nobody has committed to by now is not answered
            if ORDER.allows(instance.state, event):
                self.step(instance.id, event)

    def bound(self, resource: str, floor_w: float, ceiling_w: float, now_s: float) -> None:
        """A limit of a resource is in force from now on: what it owes becomes what is left of it."""
        for instance in self.of(resource):
            if not instance.live or now_s >= instance.end_s:
                continue
            effective_w = min(max(instance.asked_w, floor_w), ceiling_w)
            limited = effective_w != instance.asked_w
            event = OrderEvent.LIMIT if limited else OrderEvent.UNLIMIT
            if effective_w != instance.effective_w and ORDER.allows(instance.state, event):
                self.step(instance.id, event)
            instance.effective_w = effective_w
            instance.excused = instance.excused or limited

    def _offered(self, offer: OfferSubmit, message: Message, at_s: float) -> None:
        self.offers[offer.offer_id] = OfferRecord(offer, message.header.sender, at_s)
        self.touched_s = at_s
        self.offers = _newest(self.offers)
        if offer.need_id in self.needs:
            record = self.needs[offer.need_id]
            if NEED.allows(record.state, NeedEvent.OFFER):
                record.state = NEED.step(record.state, NeedEvent.OFFER)

    def _rejected(self, body: OfferReject) -> None:
        record = self.offers.get(body.offer_id)
        if record is None or record.offer.version != body.version:
            return
        if ORDER.allows(record.state, OrderEvent.REJECT):
            record.state = ORDER.step(record.state, OrderEvent.REJECT)

    def _dispatched(self, body: Dispatch, raw: str, at_s: float) -> None:
        held = self.nodes.get(body.resource, ())
        others = [
            d
            for d in held
            if d.dispatch.dispatch_id != body.dispatch_id
            and d.dispatch.start_s != body.start_s
            and d.dispatch.end_s > at_s - 3600.0
        ]
        known = (d for d in held if d.dispatch == body)  # said again: it is answered again, and stays as it is
        one = next(known, NodeDispatch(body, at_s, raw))
        by_start = sorted([*others, one], key=lambda d: d.dispatch.start_s)
        self.nodes[body.resource] = tuple(by_start)

    def _outage(self, body: OutageNotice) -> None:
        for instance in self.of(body.resource):
            meets = instance.end_s > body.start_s and instance.start_s < body.end_s
            if instance.live and meets and instance.asked_w > body.available_w:
                self.step(instance.id, OrderEvent.OUTAGE)

    def _answered(self, message: Message, at_s: float) -> None:
        for event, subject in answers_of(message):
            instance = self.instances.get(subject)
            if instance is None or not self.step(subject, event):
                continue
            if event is OrderEvent.RECEIPT and instance.received_s is None:
                instance.received_s = at_s
            if event is OrderEvent.COMMIT:
                instance.received_s = at_s if instance.received_s is None else instance.received_s
                instance.committed_s = at_s
                body = message.body
                instance.committed_w = body.power_w if isinstance(body, AckCommit | OrderCommit) else None

    def _need_posted(self, need: NeedPost, recipient: str, at_s: float) -> None:
        factors = {effect.resource: effect.factor for effect in need.effects}
        self.effects[need.need_id] = {**self.effects.get(need.need_id, {}), **factors}
        self.effects = _newest(self.effects)
        record = self.needs.get(need.need_id)
        if record is None or record.need.version < need.version:
            self.needs[need.need_id] = NeedRecord(need, at_s, recipients=(recipient,))
            self.needs = _newest(self.needs)
            return
        record.recipients = (*record.recipients, recipient)

    def _ordered(self, body: OrderIssue, at_s: float) -> None:
        record = self.offers.get(body.offer_id)
        if record is not None and record.state is OrderState.OFFERED:
            record.state = ORDER.step(ORDER.step(record.state, OrderEvent.SELECT), OrderEvent.ISSUE)
            self.touched_s = at_s
        self._begin(
            Instance(
                body.order_id,
                body.resource,
                Source.SCHEDULE if body.need_id.endswith(BACKED) else Source.ORDER,
                body.version,
                body.power_w,
                body.start_s,
                body.end_s,
                at_s,
                offer_id=body.offer_id,
                program=body.program,
                need_id=body.need_id,
                price_per_mwh=body.price_per_mwh,
                effective_w=body.power_w,
            )
        )
        self._covered(body.need_id)

    def _covered(self, need_id: str) -> None:
        """An order meets a need, whole or in part."""
        record = self.needs.get(need_id)
        if record is None:
            return
        factor = self.effects.get(need_id, {})
        met_w = sum(i.asked_w * factor.get(i.resource, 1.0) for i in self.instances.values() if i.need_id == need_id)
        event = NeedEvent.COVER if met_w >= record.need.required_w - SAME_W else NeedEvent.PART
        if NEED.allows(record.state, event):
            record.state = NEED.step(record.state, event)

    def _instructed(self, body: Instruction, at_s: float) -> None:
        self._supersede(body.resource, Source.INSTRUCTION, body.start_s, body.end_s)
        self._begin(
            Instance(
                body.instruction_id,
                body.resource,
                Source.INSTRUCTION,
                body.version,
                body.power_w,
                body.start_s,
                body.end_s,
                at_s,
                ref=body.ref,
                floor_w=body.floor_w,
                ceiling_w=body.ceiling_w,
                effective_w=min(max(body.power_w, body.floor_w), body.ceiling_w),
            )
        )

    def _supersede(self, resource: str, source: Source, start_s: float, end_s: float) -> None:
        """What was asked before for the same time no longer counts."""
        for instance in self.of(resource):
            overlaps = instance.start_s < end_s and start_s < instance.end_s
            if instance.source is source and overlaps and ORDER.allows(instance.state, OrderEvent.SUPERSEDE):
                self.step(instance.id, OrderEvent.SUPERSEDE)

    def _relayed(self, body: DispatchRelay, at_s: float) -> None:
        found = [d for held in self.nodes.values() for d in held if d.dispatch.dispatch_id == body.dispatch_id]
        for one in found:
            dispatch = one.dispatch
            self._supersede(dispatch.resource, Source.RELAY, dispatch.start_s, dispatch.end_s)
            self._begin(
                Instance(
                    dispatch.dispatch_id,
                    dispatch.resource,
                    Source.RELAY,
                    dispatch.version,
                    dispatch.power_w,
                    dispatch.start_s,
                    dispatch.end_s,
                    at_s,
                    ref=dispatch.dispatch_id,
                    effective_w=dispatch.power_w,
                )
            )

    def _begin(self, instance: Instance) -> None:
        """What is asked of somebody is dispatched with the message that says so."""
        held = self.instances.get(instance.id)
        if held is not None and held.version >= instance.version:
            self.violations += 1
            return
        self.instances.pop(instance.id, None)
        instance.state = ORDER.step(instance.state, OrderEvent.DISPATCH)
        self.instances[instance.id] = instance
        owed = self.owing.get(instance.resource, ())
        self.owing[instance.resource] = owed if instance.id in owed else (*owed, instance.id)
        if len(self.instances) > KEPT:
            kept = {one for owed in self.owing.values() for one in owed}
            over = [one for one in self.instances if one not in kept]
            for one in over[: KEPT // 2]:
                del self.instances[one]

    def _node_told(self, message: Message) -> None:
        body = message.body
        for one in (d for held in self.nodes.values() for d in held):
            match body:
                case AckReceipt(ref, version) if (ref, version) == (one.dispatch.dispatch_id, one.dispatch.version):
                    one.receipted = True
                case AckCommit(ref, version) if (ref, version) == (one.dispatch.dispatch_id, one.dispatch.version):
                    one.answered, one.answered_w = body.status, body.power_w
                case ShortfallNotice() if body.ref == one.dispatch.dispatch_id:
                    one.shortfall_w = body.capability_w


def _newest(items: dict[str, _Item]) -> dict[str, _Item]:
    """At most `KEPT`, the oldest gone first."""
    return items if len(items) <= KEPT else dict(list(items.items())[-KEPT // 2 :])
