"""Back to the local market: what is missing of a dispatch is posted to everybody who could help, and ordered of them.

Offers that may be called without asking again are ordered at once; a need is posted only for what they do not cover.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.coordination import portions, supply
from gateway.coordination.book import NEED_UNCOVERED
from gateway.coordination.events import Alarmed
from gateway.coordination.lifecycle import NeedState, OrderState
from gateway.coordination.market_messages import Effect, NeedKind, NeedPost, OrderIssue
from gateway.coordination.messages import Message
from gateway.coordination.offering import available_w
from gateway.coordination.portions import SAME_W
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import NeedRecord, NodeDispatch, OfferRecord
from gateway.coordination.zone import Controllable, Resource
from grid_engine.dispatch.words import Schedule

_UNMET = frozenset({NeedState.POSTED, NeedState.OFFERED})
_OPEN = _UNMET | {NeedState.PARTIAL}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Power that is missing at a node for a while."""

    need_id: str
    node: str
    short_w: float
    start_s: float
    end_s: float
    closes_s: float
    """Offers are taken until then."""
    version: int = 1


def posts(at: Situation, wanted: Wanted, corr_id: str, out: frozenset[str]) -> Iterator[Message]:
    """The need to every owner of something that could help, but for resources that are `out`."""
    owners: dict[str, list[Resource]] = {}
    for resource in at.zone.resources.values():
        if resource.controllable is not Controllable.NONE and resource.id not in out and resource.ceiling_w > 0:
            owners.setdefault(resource.owner, []).append(resource)
    again = "" if wanted.version == 1 else f":{wanted.version}"
    for owner, resources in owners.items():
        need = NeedPost(
            wanted.need_id,
            wanted.version,
            NeedKind.BALANCE,
            wanted.node,
            wanted.short_w,
            wanted.start_s,
            wanted.end_s,
            wanted.closes_s,
            tuple(Effect(resource.id, 1.0) for resource in resources),
        )
        yield at.message(owner, corr_id, need, suffix=f"{again}:{owner}")


def is_open(at: Situation, need_id: str) -> bool:
    """Whether offers for a need are still taken, because it is not met in whole."""
    record = at.book.trade.needs.get(need_id)
    return record is not None and record.state in _OPEN and at.now_s < record.need.closes_s


def uncovered(at: Situation, record: NeedRecord | None) -> Iterator[Alarmed]:
    """A need that nothing was ordered for when its time was up."""
    if record is not None and record.state in _UNMET and at.now_s >= record.need.closes_s:
        need = record.need
        what = f"{need.required_w / 1e6:.2f} MW of need {need.need_id} were not offered"
        yield Alarmed(NEED_UNCOVERED, need.need_id, at.now_s, what)


def asked_for(at: Situation, one: NodeDispatch, short_w: float, *, fresh: bool) -> Iterator[Message]:
    """Go back to the market for what is missing of a dispatch: once, and once more where more goes missing later.

    Args:
        fresh: nothing was missing until now.
    """
    need_id, dispatch = portions.need_id(one), one.dispatch
    held = at.book.trade.needs.get(need_id)
    if held is not None and (not fresh or is_open(at, need_id)):
        return
    version = 1 if held is None else held.need.version + 1
    closes_s = at.now_s + at.zone.market.standby_s
    wanted = Wanted(need_id, dispatch.resource, short_w, dispatch.start_s, dispatch.end_s, closes_s, version)
    lost = {resource.id for resource in at.zone.resources.values() if available_w(at, resource) == (0.0,)}
    yield from posts(at, wanted, dispatch.dispatch_id, portions.out(at, one) | lost)


def ordered(
    at: Situation, one: NodeDispatch, schedule: Schedule, records: Mapping[str, OfferRecord]
) -> Iterator[Message]:
    """Called offers are ordered for what they are scheduled to."""
    dispatch = one.dispatch
    for told in schedule.instructions:
        record = records[told.resource]
        offer = record.offer
        if not supply.is_called(at, one, record) or told.power_w <= SAME_W or record.state is not OrderState.OFFERED:
            continue
        order = OrderIssue(
            f"{dispatch.dispatch_id}:{offer.offer_id}",
            1,
            offer.resource,
            offer.offer_id,
            at.zone.market.program,
            told.power_w,
            dispatch.start_s,
            dispatch.end_s,
            next(b.price_per_mwh for b in offer.blocks if b.power_w >= told.power_w - SAME_W),
            portions.need_id(one),
        )
        yield at.message(record.owner, order.order_id, order)
