"""Who is asked to cover a need of the network: eligibility by effect, selection by merit.

A watt of a resource is worth its effectiveness at the need's reference location, so offers compare by price
over effectiveness. Selection by optimal power flow, which also keeps every other limit, is
`grid_engine.dispatch.schedule` with the need among the market's needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from math import isfinite

from grid_engine.dispatch.words import Block

_WATTS_PER_MW = 1e6
_NOTHING_W = 1e-3


class Payment(StrEnum):
    """What is paid for power that was selected."""

    AS_BID = "as_bid"
    UNIFORM = "uniform"
    """To everyone the dearest effective price selected, for the effect that theirs has."""


@dataclass(frozen=True, slots=True)
class Tender:
    """One offer for one need."""

    offer_id: str
    resource: str
    blocks: tuple[Block, ...]
    """Taken in this order; prices must not fall."""
    effectiveness: float = 1.0
    """Watts at the reference location per watt, positive."""
    divisible: bool = True
    """False where each block is taken whole or not at all."""
    min_block_w: float = 0.0
    """The least that is worth starting for."""


@dataclass(frozen=True, slots=True)
class Award:
    """What is taken of one offer."""

    offer_id: str
    resource: str
    power_w: float
    relief_w: float
    """At the reference location."""
    effective_price_per_mwh: float
    """Of the dearest block taken, at the reference location."""
    cost_per_h: float
    """Paid for all of it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Who covers a need, with the criteria that decided."""

    awards: tuple[Award, ...]
    relief_w: float
    short_w: float
    """Of the need, not covered by anybody."""
    cost_per_h: float
    clearing_price_per_mwh: float
    """The dearest effective price selected; 0 where nothing is."""


@dataclass(frozen=True, slots=True)
class _Item:
    """One block of one tender."""

    price: float
    tender: Tender
    block: Block


@dataclass(frozen=True, slots=True)
class _Taken:
    """What has been selected so far."""

    power_w: Mapping[str, float]
    """By offer."""
    cost_per_h: float
    missing_w: float
    """At the reference location; negative where more is covered than needed."""

    def joined(self, item: _Item, power_w: float) -> "_Taken":
        """With so much of one block more."""
        offer = item.tender.offer_id
        cost = self.cost_per_h + power_w * item.block.price_per_mwh / _WATTS_PER_MW
        power = {**self.power_w, offer: self.power_w.get(offer, 0.0) + power_w}
        return _Taken(power, cost, self.missing_w - power_w * item.tender.effectiveness)


def eligible(effects: Mapping[str, float], least: float, reference: str = "") -> dict[str, float]:
    """Effectiveness of every resource that relieves a constraint noticeably.

    Args:
        effects: By resource, how much of the constraint's unit a watt more relieves it; negative where it loads it.
        least: Effects below this are no help.
        reference: Whose watt counts 1; the most effective resource's where nothing is said.
    """
    able = {name: effect for name, effect in effects.items() if effect >= least > 0}
    if not able:
        return {}
    unit = able.get(reference) if reference else max(able.values())
    if unit is None:
        raise ValueError(f"reference {reference}: it does not relieve the constraint")
    return {name: effect / unit for name, effect in able.items()}


def select(need_w: float, tenders: Sequence[Tender], payment: Payment = Payment.AS_BID) -> Selection:
    """Blocks by rising effective price until `need_w` is covered at the reference location.

    Where a block that cannot be divided, or the least that an offer is worth starting for, is more than what is
    missing, it is taken whole, or the offer is left out: whichever covers the need at less cost.

    Raises:
        ValueError: a tender that cannot be, such as one whose prices fall; the message names it.
    """
    _check(need_w, tenders)
    items = [
        _Item(block.price_per_mwh / tender.effectiveness, tender, block)
        for tender in tenders
        for block in tender.blocks
    ]
    taken = _cheapest(sorted(items, key=lambda item: item.price), _Taken({}, 0.0, need_w)).power_w
    awards = [_award(tender, taken[tender.offer_id]) for tender in tenders if tender.offer_id in taken]
    clearing = max((award.effective_price_per_mwh for award in awards), default=0.0)
    if payment is Payment.UNIFORM:
        awards = [replace(award, cost_per_h=award.relief_w * clearing / _WATTS_PER_MW) for award in awards]
    relief_w = sum(award.relief_w for award in awards)
    return Selection(
        awards=tuple(sorted(awards, key=lambda award: award.effective_price_per_mwh)),
        relief_w=relief_w,
        short_w=max(need_w - relief_w, 0.0),
        cost_per_h=sum(award.cost_per_h for award in awards),
        clearing_price_per_mwh=clearing,
    )


def _check(need_w: float, tenders: Sequence[Tender]) -> None:
    if not isfinite(need_w):
        raise ValueError(f"a need of {need_w} W")
    for tender in tenders:
        blocks = tender.blocks
        if not all(isfinite(b.power_w) and b.power_w > 0 and isfinite(b.price_per_mwh) for b in blocks):
            raise ValueError(f"{tender.offer_id}: sizes must be positive and prices numbers")
        if any(after.price_per_mwh < before.price_per_mwh for before, after in pairwise(blocks)):
            raise ValueError(f"{tender.offer_id}: prices must not fall")
        if not (isfinite(tender.effectiveness) and tender.effectiveness > 0):
            raise ValueError(f"{tender.offer_id}: effectiveness {tender.effectiveness}")
        if blocks and not 0 <= tender.min_block_w <= blocks[0].power_w:
            raise ValueError(f"{tender.offer_id}: smallest block {tender.min_block_w} W of {blocks[0].power_w} W")


def _cheapest(items: Sequence[_Item], start: _Taken) -> _Taken:
    """More on top of `start`, of `items` in the order of their price."""
    now = start
    for k, item in enumerate(items):
        if now.missing_w <= _NOTHING_W:
            break
        tender, size_w = item.tender, item.block.power_w
        wanted_w = now.missing_w / tender.effectiveness
        least_w = max(tender.min_block_w - now.power_w.get(tender.offer_id, 0.0), 0.0) if tender.divisible else size_w
        taken_w = min(size_w, max(wanted_w, least_w))
        with_it = now.joined(item, taken_w)
        if taken_w > wanted_w + _NOTHING_W:
            without = _cheapest([other for other in items[k + 1 :] if other.tender is not tender], now)
            return min(with_it, without, key=lambda one: (round(max(one.missing_w, 0.0)), one.cost_per_h))
        now = with_it
    return now


def _award(tender: Tender, power_w: float) -> Award:
    left_w, cost, dearest = power_w, 0.0, 0.0
    for block in tender.blocks:
        taken_w = min(block.power_w, left_w)
        if taken_w <= _NOTHING_W:
            break
        cost += taken_w * block.price_per_mwh / _WATTS_PER_MW
        dearest = block.price_per_mwh / tender.effectiveness
        left_w -= taken_w
    relief_w = power_w * tender.effectiveness
    return Award(tender.offer_id, tender.resource, power_w, relief_w, dearest, cost)
