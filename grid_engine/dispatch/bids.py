"""A market's offers as arrays, and what is wrong with it where it cannot be cleared."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from math import isfinite

import numpy as np

from grid_engine.dispatch.words import Block, Market, Offer, Store
from grid_engine.model import FloatArray, IntArray
from grid_engine.studies.problem import Problem

WATTS_PER_MW = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """Offers of one market in megawatts; blocks of all offers one after the other."""

    market: Market
    problem: Problem
    who: IntArray
    """Shape (n_offer,): its participant."""
    owner: IntArray
    """Shape (n_block,): its offer."""
    sign: FloatArray
    """Shape (n_block,): 1 where taking it injects, -1 where it consumes."""
    size_mw: FloatArray
    """Shape (n_block, n_interval)."""
    price: FloatArray
    """Shape (n_block,): per MWh; of consumption, what is paid."""
    base_mw: FloatArray
    """Shape (n_offer, n_interval): power with no block taken."""
    floor_mw: FloatArray
    """Shape (n_offer, n_interval): capability, availability and limits together."""
    ceiling_mw: FloatArray

    @property
    def hours(self) -> float:
        """Length of an interval."""
        return self.market.interval_s / 3600

    @property
    def shape(self) -> tuple[int, int]:
        """Offers and intervals."""
        return len(self.who), self.market.study.intervals


def book(market: Market, problem: Problem) -> Book:
    """The offers of `market`, which must have no faults, on the problem of its study."""
    offers = market.offers
    place = {p.resource: n for n, p in enumerate(market.study.participants)}
    blocks = [(n, sign, b) for n, offer in enumerate(offers) for sign, b in _blocks(offer)]
    who = np.array([place[offer.resource] for offer in offers], dtype=np.int64)
    floor_w, ceiling_w = _capability(market, problem, who)
    return Book(
        market=market,
        problem=problem,
        who=who,
        owner=np.array([n for n, _, _ in blocks], dtype=np.int64),
        sign=np.array([sign for _, sign, _ in blocks], dtype=np.float64),
        size_mw=np.tile(
            np.array([[b.power_w / WATTS_PER_MW] for _, _, b in blocks]).reshape(-1, 1), (1, floor_w.shape[1])
        ),
        price=np.array([b.price_per_mwh for _, _, b in blocks], dtype=np.float64),
        base_mw=np.zeros(floor_w.shape),
        floor_mw=np.minimum(floor_w, ceiling_w) / WATTS_PER_MW,
        ceiling_mw=ceiling_w / WATTS_PER_MW,
    )


def _capability(market: Market, problem: Problem, who: IntArray) -> tuple[FloatArray, FloatArray]:
    shape = (len(who), market.study.intervals)
    floor_w = np.broadcast_to(problem.floor_w[who][:, None], shape).copy()
    ceiling_w = np.broadcast_to(problem.ceiling_w[who][:, None], shape).copy()
    row = {}
    for n, offer in enumerate(market.offers):
        row[offer.resource] = n
        ceiling_w[n] = np.minimum(ceiling_w[n], offer.available_w or np.inf)
    for limit in market.limits:
        if limit.resource in row:
            at = row[limit.resource], limit.interval
            floor_w[at], ceiling_w[at] = max(floor_w[at], limit.floor_w), min(ceiling_w[at], limit.ceiling_w)
    without_supply = ~problem.adjustable[who]
    floor_w[without_supply] = ceiling_w[without_supply] = 0.0
    return floor_w, ceiling_w


def _blocks(offer: Offer) -> Iterator[tuple[float, Block]]:
    yield from ((1.0, block) for block in offer.blocks)
    yield from ((-1.0, block) for block in offer.intake)


def faults(market: Market) -> tuple[str, ...]:
    """Every fault of the market beside those of its study, for people."""
    return tuple(chain(_name_faults(market), _length_faults(market), _number_faults(market)))


def _name_faults(market: Market) -> Iterator[str]:
    participants = {p.resource: p for p in market.study.participants}
    seen: set[str] = set()
    for offer in market.offers:
        if offer.resource not in participants:
            yield f"offer of {offer.resource}: not a participant"
        elif not participants[offer.resource].adjustable:
            yield f"offer of {offer.resource}: it is not adjustable"
        if offer.resource in seen:
            yield f"offer of {offer.resource}: given twice"
        seen.add(offer.resource)
    for need in market.needs:
        yield from (f"need {need.need_id}: {name} offers nothing" for name in sorted(set(need.effect) - seen))


def _length_faults(market: Market) -> Iterator[str]:
    n = market.study.intervals
    given = [
        ("delivery", market.delivery_w or (0.0,) * n),
        *((f"need {need.need_id}", need.required_w) for need in market.needs),
        *((f"availability of {o.resource}", o.available_w) for o in market.offers if o.available_w),
    ]
    yield from (f"{what}: {len(values)} values for {n} intervals" for what, values in given if len(values) != n)
    yield from (
        f"limit of {limit.resource}: interval {limit.interval} of {n}"
        for limit in market.limits
        if not 0 <= limit.interval < n
    )


def _number_faults(market: Market) -> Iterator[str]:
    if not (market.interval_s > 0 and isfinite(market.interval_s)):
        yield f"interval of {market.interval_s} s"
    numbers = [
        ("delivery", market.delivery_w),
        ("price of a shortfall", (market.shortfall_per_mwh,)),
        *((f"need {n.need_id}", (*n.required_w, *n.effect.values(), n.penalty_per_mwh)) for n in market.needs),
        *((f"limit of {e.resource}", (e.floor_w, e.ceiling_w)) for e in market.limits),
    ]
    yield from (f"{what}: not a number" for what, values in numbers if not all(map(isfinite, values)))
    for offer in market.offers:
        yield from (f"offer of {offer.resource}: {fault}" for fault in _offer_faults(offer))


def _offer_faults(offer: Offer) -> Iterator[str]:
    for name, blocks, order in (("blocks", offer.blocks, 1), ("intake", offer.intake, -1)):
        if not all(isfinite(b.power_w) and b.power_w > 0 and isfinite(b.price_per_mwh) for b in blocks):
            yield f"{name}: sizes must be positive and prices numbers"
        if any(order * (after.price_per_mwh - before.price_per_mwh) < 0 for before, after in pairwise(blocks)):
            yield f"{name}: prices must not {'fall' if order > 0 else 'rise'}"
    if offer.blocks and offer.intake and offer.intake[0].price_per_mwh > offer.blocks[0].price_per_mwh:
        yield "intake: it pays more to consume than it asks to inject"
    least = (offer.ramp_up_w_per_min, offer.ramp_down_w_per_min, offer.min_block_w, offer.energy_wh)
    if not all(x >= 0 for x in least) or not isfinite(offer.min_block_w) or offer.min_run < 1:
        yield "ramps, smallest block, energy and shortest run must not be negative"
    if not all(map(isfinite, (*offer.available_w, offer.initial_w or 0.0))):
        yield "power: not a number"
    if offer.store is not None:
        yield from _store_faults(offer.store)


def _store_faults(store: Store) -> Iterator[str]:
    if not (isfinite(store.capacity_wh) and 0 <= store.charge_wh <= store.capacity_wh):
        yield f"store: {store.charge_wh} Wh in a capacity of {store.capacity_wh} Wh"
    highest = min(store.charge_max_wh, store.capacity_wh)
    if not 0 <= store.charge_min_wh <= highest:
        yield f"store: from {store.charge_min_wh} to {highest} Wh"
    if not 0 <= store.final_wh <= highest:
        yield f"store: {store.final_wh} Wh at the end, of {highest} Wh"
    if not (0 < store.efficiency_in <= 1 and 0 < store.efficiency_out <= 1):
        yield f"store: efficiencies {store.efficiency_in} and {store.efficiency_out}"
