"""An offer of a party in the engine's words: what of it there is now, and where it starts from."""

from collections.abc import Sequence
from itertools import pairwise
from math import inf

from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market_messages import Block as Step
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import OfferRecord, Source
from gateway.coordination.zone import Resource
from grid_engine.dispatch.words import Block, Offer, Store
from protocols.points import Quantity

OUT = frozenset({OrderState.NON_RESPONSE, OrderState.DECLINED})
"""States of an instruction that will not be followed."""


def offer_of(at: Situation, record: OfferRecord, *, ramped: bool = True) -> Offer:
    """An offer of a party in the engine's words: sizes of blocks in place of sums, from where it stands."""
    offer, resource = record.offer, at.zone.resources[record.offer.resource]
    ramps = [] if resource.ramp_w_per_s is None else [60.0 * resource.ramp_w_per_s]
    ramps += [] if offer.ramp_mw_per_min is None else [1e6 * offer.ramp_mw_per_min]
    ramp_w_per_min = min(ramps, default=inf)
    return Offer(
        resource.id,
        _blocks(offer.blocks),
        initial_w=anchor_w(at, resource) if ramped and ramp_w_per_min < inf else None,
        ramp_up_w_per_min=ramp_w_per_min,
        ramp_down_w_per_min=ramp_w_per_min,
        available_w=available_w(at, resource) if ramped else _outage_w(at, resource),
        divisible=offer.divisible,
        min_block_w=offer.minimum_w,
        store=_store(at, resource),
    )


def available_w(at: Situation, resource: Resource) -> tuple[float, ...]:
    """What an outage or an emergency leaves of it now; nothing is said where there is neither."""
    left, emergency = _outage_w(at, resource), at.book.emergencies.control(resource.id)
    return left if emergency is None else (min((*left, max(emergency.ceiling_w, 0.0))),)


def anchor_w(at: Situation, resource: Resource) -> float:
    """Where it ramps from: what it was told last, else where it stands."""
    told = [
        i
        for i in at.book.trade.instances.values()
        if i.resource == resource.id and i.source is Source.INSTRUCTION and i.start_s <= at.now_s < i.end_s + 1.0
    ]
    newest = max(told, key=lambda i: (i.start_s, i.version), default=None)
    if newest is not None and newest.state not in (OrderState.INTERRUPTED, *OUT):
        return newest.asked_w
    return at.snapshot.power_w(resource.id, stale=True) or 0.0


def _outage_w(at: Situation, resource: Resource) -> tuple[float, ...]:
    outage = at.book.outages.get(resource.id)
    lost = outage is not None and outage.start_s <= at.now_s < outage.end_s
    return (max(outage.available_w, 0.0),) if outage is not None and lost else ()


def _blocks(steps: Sequence[Step]) -> tuple[Block, ...]:
    sums = (0.0, *(step.power_w for step in steps))
    sizes = [after - before for before, after in pairwise(sums)]
    return tuple(Block(size_w, step.price_per_mwh) for size_w, step in zip(sizes, steps, strict=True))


def _store(at: Situation, resource: Resource) -> Store | None:
    charge = at.snapshot.reading(resource.id, Quantity.STATE_OF_CHARGE_PU)
    storage = resource.storage
    if storage is None or charge is None:
        return None
    return Store(
        storage.energy_wh,
        min(max(charge.value, 0.0), 1.0) * storage.energy_wh,
        storage.least_pu * storage.energy_wh,
        storage.energy_wh,
        storage.efficiency_in,
        storage.efficiency_out,
    )
