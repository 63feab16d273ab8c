"""Is an offer one that can be taken? The criteria by which every offer is judged, in their order."""

from dataclasses import dataclass
from itertools import pairwise

from gateway.coordination import registration
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market_messages import (
    MarketSide,
    OfferAccept,
    OfferReject,
    OfferRevoke,
    OfferSubmit,
    RejectCode,
)
from gateway.coordination.messages import Body, Message
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Controllable

MOST_BLOCKS = 20
SAME_W = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an offer is taken, and by what it was judged."""

    reason: RejectCode | None
    criteria: str


def judge(at: Situation, message: Message, offer: OfferSubmit) -> Verdict:
    """The first criterion that the offer fails; it is taken where there is none."""
    for check in (_zone, _place, _curve, _capability, _size, _gate):
        reason, criterion = check(at, message, offer)
        if reason is not None:
            return Verdict(reason, criterion)
    return Verdict(None, "zone, place, curve, capability, size and gate")


def answer(at: Situation, message: Message, offer: OfferSubmit) -> Message:
    """Taken or not, with the criterion."""
    verdict = judge(at, message, offer)
    body: Body = (
        OfferAccept(offer.offer_id, offer.version, offer.resource)
        if verdict.reason is None
        else OfferReject(offer.offer_id, offer.version, offer.resource, verdict.reason, verdict.criteria)
    )
    return at.message(message.header.sender, offer.offer_id, body, suffix=f":{message.header.msg_id}")


def revocation(at: Situation, message: Message, revoke: OfferRevoke) -> Message | None:
    """A refusal where the offer can no longer be taken back; nothing where it was."""
    record = at.book.trade.offers.get(revoke.offer_id)
    if record is not None and record.state in (OrderState.REVOKED_BY_DERA, OrderState.OFFERED):
        return None
    version = 0 if record is None else record.offer.version
    state = "unknown" if record is None else record.state.value
    ordered = record is not None and record.state in (OrderState.SELECTED, OrderState.SCHEDULED)
    reason = RejectCode.ALREADY_ORDERED if ordered else RejectCode.GATE_CLOSED
    body = OfferReject(revoke.offer_id, version, revoke.resource, reason, f"the offer is {state}: it cannot be revoked")
    return at.message(message.header.sender, revoke.offer_id, body, suffix=f":{message.header.msg_id}")


Found = tuple[RejectCode | None, str]


def _zone(at: Situation, message: Message, offer: OfferSubmit) -> Found:  # noqa: ARG001 - as its siblings
    if message.header.zone != at.zone.id:
        return RejectCode.WRONG_ZONE, f"zone {message.header.zone} is not {at.zone.id}"
    return None, ""


def _place(at: Situation, message: Message, offer: OfferSubmit) -> Found:
    resource = at.zone.resources.get(offer.resource)
    if resource is None:
        return RejectCode.UNKNOWN_POI, f"{offer.resource} has no point of interconnection in zone {at.zone.id}"
    if resource.owner != message.header.sender:
        return RejectCode.NOT_REGISTERED, f"{offer.resource} is not registered for {message.header.sender}"
    if not registration.registered(at, resource.id):
        return RejectCode.NOT_REGISTERED, f"{resource.id} has not been registered; REG.Register comes first"
    if resource.controllable is Controllable.NONE:
        return RejectCode.NOT_ELIGIBLE, f"{offer.resource} cannot be controlled"
    return None, ""


def _curve(at: Situation, message: Message, offer: OfferSubmit) -> Found:  # noqa: ARG001 - as its siblings
    blocks = offer.blocks
    if not 1 <= len(blocks) <= MOST_BLOCKS:
        return RejectCode.BAD_CURVE, f"{len(blocks)} blocks where 1 to {MOST_BLOCKS} are allowed"
    if blocks[0].power_w <= 0 or any(b.power_w <= a.power_w for a, b in pairwise(blocks)):
        return RejectCode.BAD_CURVE, "power must rise strictly from block to block, from above 0 MW"
    if any(b.price_per_mwh < a.price_per_mwh for a, b in pairwise(blocks)):
        return RejectCode.BAD_CURVE, "the price must not fall from block to block"
    if offer.end_s <= offer.start_s:
        return RejectCode.BAD_CURVE, "it ends before it starts"
    return None, ""


def _capability(at: Situation, message: Message, offer: OfferSubmit) -> Found:  # noqa: ARG001 - as its siblings
    most_w, able_w = offer.blocks[-1].power_w, at.zone.resources[offer.resource].ceiling_w
    enrolled = at.book.trade.registered.get(offer.resource)
    able_w = able_w if enrolled is None else min(able_w, enrolled.ceiling_w)
    if most_w > able_w + SAME_W:
        return (
            RejectCode.EXCEEDS_NAMEPLATE,
            f"{most_w / 1e6:.3f} MW of {able_w / 1e6:.3f} MW that it is capable of and may inject",
        )
    return None, ""


def _size(at: Situation, message: Message, offer: OfferSubmit) -> Found:  # noqa: ARG001 - as its siblings
    least_w = at.zone.market.minimum_w
    if offer.blocks[-1].power_w < least_w - SAME_W:
        return RejectCode.BELOW_MINIMUM, f"{offer.blocks[-1].power_w / 1e6:.3f} MW; the least is {least_w / 1e6:.3f} MW"
    return None, ""


def _gate(at: Situation, message: Message, offer: OfferSubmit) -> Found:  # noqa: ARG001 - as its siblings
    need = at.book.trade.needs.get(offer.need_id)
    if need is not None:
        late = at.now_s > need.need.closes_s
        return (RejectCode.GATE_CLOSED, f"need {offer.need_id} took offers until then") if late else (None, "")
    rules = at.zone.market
    local = offer.market is MarketSide.DISTRIBUTION or offer.standby
    gate_s = offer.start_s - (rules.local_gate_s if local else rules.wholesale_gate_s)
    if at.now_s > gate_s:
        return RejectCode.GATE_CLOSED, f"offers of this interval were taken until {at.now_s - gate_s:.0f} s ago"
    return None, ""
