"""One market as one programme: offers, ramps, stores, delivery and needs, under straight lines through the network.

Money is in the objective as it is for the whole interval; what a bound costs is turned into money per
hour. Lines of the network, delivery and needs give way at a price above any offer's, so that there is
always a point, and what gave way says what is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.dispatch.bids import WATTS_PER_MW, Book
from grid_engine.dispatch.draft import Cheapest, Draft, among_equals, cheapest
from grid_engine.lp import Ending
from grid_engine.model import BoolArray, FloatArray, IntArray

BREACH_PER_H = 1e5
"""Per tolerance that a line of the network is breached."""
_LATER = 1e-7
"""Part of the price of a shortfall that waiting one interval saves: where something must miss, it is what is last."""
_MOVE, _LEVEL = 1.0, 1e-3
"""Among equally cheap points, weight of megawatts moved, and of filling equal blocks unequally."""
_BOTH_MW = 1e-6
"""A store that takes in and gives out more than this at once is made to choose."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A straight line through one row of the monitor in one interval: slope·power <= room, all in tolerances."""

    interval: int
    row: int
    slope: FloatArray
    """Shape (n_participant,): per MW."""
    room: float
    """Over the powers of the offers alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Counting:
    """How delivery follows from power: offset + sum over the offers of weight * power."""

    weight: FloatArray
    """Shape (n_participant, n_interval)."""
    offset_mw: FloatArray
    """Shape (n_interval,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """Tighter bounds on powers than the book's."""

    floor_mw: FloatArray
    """Shape (n_offer, n_interval)."""
    ceiling_mw: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Cleared:
    """The cheapest powers, and what every bound costs; arrays over intervals are in MW, MWh and money per MWh."""

    objective: float
    """Penalties included."""
    power_mw: FloatArray
    """Shape (n_offer, n_interval)."""
    take_mw: FloatArray
    """Shape (n_block, n_interval)."""
    charge_mwh: FloatArray
    """Shape (n_offer, n_interval): at the end of the interval, not a number without a store."""
    short_mw: FloatArray
    """Shape (n_interval,): negative where more is delivered than asked."""
    lack_mw: FloatArray
    """Shape (n_need, n_interval)."""
    energy_price: FloatArray
    """Shape (n_interval,): of one more MW delivered; 0 where nothing is asked."""
    need_price: FloatArray
    """Shape (n_need, n_interval): of one more MW at the need's reference location."""
    bound_price: FloatArray
    """Shape (n_offer, n_interval): what one MW more of the bound that the power stands at costs; saved if negative."""
    breach: FloatArray
    """Shape (n_cut,): tolerances that each cut gave way."""
    cut_price: FloatArray
    """Shape (n_cut,): saved per hour by one tolerance more of room."""


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where the parts of one market stand in its programme, first columns, then rows."""

    take: IntArray
    power: IntArray
    charge: IntArray
    """-1 without a store."""
    short: IntArray
    over: IntArray
    lack: IntArray
    breach: IntArray
    delivery: IntArray
    needs: IntArray
    cuts: IntArray


def clear(
    book: Book, cuts: Sequence[Cut], counting: Counting, bounds: Bounds, *, prefer: bool = True
) -> Cleared | None:
    """The cheapest powers under `cuts`, or None where ramps, energy and capability contradict each other.

    Among equally cheap ones those with little movement, and with equal blocks filled alike, if `prefer` says so.
    """
    choosing = np.zeros(book.shape, dtype=np.bool_)
    while True:
        draft = Draft()
        at = _write(draft, book, cuts, counting, bounds)
        _choose(draft, book, at, choosing)
        preference = _preference(draft, book, at) if prefer else None
        programme = draft.programme()
        best = cheapest(programme)
        if best.ending is not Ending.OPTIMAL:
            return None
        both = _both_ways(book, best.x[at.take]) & ~choosing
        if not both.any():
            return _cleared(book, at, best if preference is None else among_equals(programme, best, preference))
        choosing |= both


def _write(draft: Draft, book: Book, cuts: Sequence[Cut], counting: Counting, bounds: Bounds) -> _Places:
    market, hours, (_, n_interval) = book.market, book.hours, book.shape
    cost = (book.sign * book.price * hours)[:, None]
    take = draft.columns((len(book.owner), n_interval), 0.0, book.size_mw, cost)
    power = draft.columns(book.shape, bounds.floor_mw, bounds.ceiling_mw)
    balance = draft.rows(book.shape, book.base_mw, book.base_mw)
    draft.enter(balance, power)
    draft.enter(balance[book.owner], take, -book.sign[:, None])
    _ramp(draft, book, power, bounds)
    for n, offer in enumerate(market.offers):
        _commit(draft, book, n, take)
        if np.isfinite(offer.energy_wh):
            total = draft.rows((), upper=offer.energy_wh / WATTS_PER_MW)
            draft.enter(total, take[(book.owner == n) & (book.sign > 0)], hours)
    short, over, delivery = _deliver(draft, book, power, counting)
    lack, needs = _need(draft, book, power)
    breach = draft.columns((len(cuts),), cost=BREACH_PER_H * hours)
    lines = draft.rows((len(cuts),), upper=np.array([cut.room for cut in cuts]))
    draft.enter(lines, breach, -1.0)
    for line, cut in zip(lines, cuts, strict=True):
        draft.enter(line, power[:, cut.interval], cut.slope[book.who])
    return _Places(take, power, _charge(draft, book, take), short, over, lack, breach, delivery, needs, lines)


def _ramp(draft: Draft, book: Book, power: IntArray, bounds: Bounds) -> None:
    """Between ends of intervals; whoever loses its capability faster than it ramps may follow it."""
    minutes = book.market.interval_s / 60
    for n, offer in enumerate(book.market.offers):
        up, down = (rate * minutes / WATTS_PER_MW for rate in (offer.ramp_up_w_per_min, offer.ramp_down_w_per_min))
        floor, ceiling = bounds.floor_mw[n], bounds.ceiling_mw[n]
        if np.isinf(up) and np.isinf(down):
            continue
        if offer.initial_w is not None:
            start = offer.initial_w / WATTS_PER_MW
            first = draft.rows((), min(start - down, ceiling[0]), max(start + up, floor[0]))
            draft.enter(first, power[n, 0])
        lower = -np.maximum(down, ceiling[:-1] - ceiling[1:])
        change = draft.rows((len(ceiling) - 1,), lower, np.maximum(up, floor[1:] - floor[:-1]))
        draft.enter(change, power[n, 1:])
        draft.enter(change, power[n, :-1], -1.0)


def _commit(draft: Draft, book: Book, n: int, take: IntArray) -> None:
    """On or off, where the offer is not for any amount at any time."""
    offer, n_interval = book.market.offers[n], book.shape[1]
    mine = np.flatnonzero((book.owner == n) & (book.sign > 0))
    size = book.size_mw[mine]
    if not offer.divisible:
        whole = draft.columns((len(mine), n_interval), 0.0, 1.0, whole=True)
        exact = draft.rows(whole.shape, 0.0, 0.0)
        draft.enter(exact, take[mine])
        draft.enter(exact, whole, -size)
    if offer.min_block_w <= 0 and offer.min_run <= 1:
        return
    on = draft.columns((n_interval,), 0.0, 1.0, whole=True)
    only = draft.rows((len(mine), n_interval), upper=0.0)
    draft.enter(only, take[mine])
    draft.enter(only, on, -size)
    least = draft.rows((n_interval,), lower=0.0)
    draft.enter(least, take[mine])
    draft.enter(least, on, -offer.min_block_w / WATTS_PER_MW)
    was_on = float((offer.initial_w or 0.0) > 0)
    for i in range(n_interval):
        for later in range(i + 1, min(i + offer.min_run, n_interval)):
            stay = draft.rows((), upper=was_on if i == 0 else 0.0)
            draft.enter(stay, on[[i, later]], [1.0, -1.0])
            if i:
                draft.enter(stay, on[i - 1], -1.0)


def _charge(draft: Draft, book: Book, take: IntArray) -> IntArray:
    """What is in every store at the end of every interval."""
    result = np.full(book.shape, -1)
    for n, offer in enumerate(book.market.offers):
        store = offer.store
        if store is None:
            continue
        held, final = store.charge_wh / WATTS_PER_MW, store.final_wh / WATTS_PER_MW
        lower = np.full(book.shape[1], min(store.charge_min_wh / WATTS_PER_MW, held))
        lower[-1] = max(lower[-1], final)
        highest = max(min(store.charge_max_wh, store.capacity_wh) / WATTS_PER_MW, held)
        charge = draft.columns((book.shape[1],), lower, highest)
        kept = np.zeros(book.shape[1])
        kept[0] = held
        flow = draft.rows(charge.shape, kept, kept)
        draft.enter(flow, charge)
        draft.enter(flow[1:], charge[:-1], -1.0)
        mine = np.flatnonzero(book.owner == n)
        rate = np.where(book.sign[mine] > 0, 1 / store.efficiency_out, -store.efficiency_in)
        draft.enter(flow, take[mine], book.hours * rate[:, None])
        result[n] = charge
    return result


def _deliver(draft: Draft, book: Book, power: IntArray, counting: Counting) -> tuple[IntArray, IntArray, IntArray]:
    """Columns of what is short and over, and rows of what is delivered; all empty where nothing is asked."""
    n = len(book.market.delivery_w)
    asked = np.array(book.market.delivery_w) / WATTS_PER_MW
    price = book.market.shortfall_per_mwh * book.hours * (1 - _LATER * np.arange(n))
    short, over = draft.columns((n,), cost=price), draft.columns((n,), cost=price)
    left = asked - counting.offset_mw[:n]
    row = draft.rows((n,), left, left)
    draft.enter(row, short)
    draft.enter(row, over, -1.0)
    draft.enter(row, power[:, :n], counting.weight[book.who, :n])
    return short, over, row


def _need(draft: Draft, book: Book, power: IntArray) -> tuple[IntArray, IntArray]:
    """Columns of what local needs lack, and their rows, both (n_need, n_interval)."""
    needs, shape = book.market.needs, (len(book.market.needs), book.shape[1])
    required = np.array([need.required_w for need in needs]).reshape(shape) / WATTS_PER_MW
    penalty = np.array([need.penalty_per_mwh for need in needs]).reshape(-1, 1)
    lack, row = draft.columns(shape, cost=penalty * book.hours), draft.rows(shape, lower=required)
    draft.enter(row, lack)
    for n, need in enumerate(needs):
        effect = np.array([need.effect.get(offer.resource, 0.0) for offer in book.market.offers])
        draft.enter(row[n], power, effect[:, None])
    return lack, row


def _choose(draft: Draft, book: Book, at: _Places, choosing: BoolArray) -> None:
    """Intervals in which a store either takes in or gives out."""
    for n, i in np.argwhere(choosing):
        out = draft.columns((), 0.0, 1.0, whole=True)
        for sign in (1.0, -1.0):
            mine = np.flatnonzero((book.owner == n) & (book.sign == sign))
            size = float(book.size_mw[mine, i].sum())
            row = draft.rows((), upper=0.0 if sign > 0 else size)
            draft.enter(row, at.take[mine, i])
            draft.enter(row, out, -sign * size)


def _both_ways(book: Book, take_mw: FloatArray) -> BoolArray:
    """Shape (n_offer, n_interval): stores that take in and give out."""
    flows = np.zeros((2, *book.shape))
    np.add.at(flows, ((book.sign < 0).astype(np.int64), book.owner), take_mw)
    stores = np.array([offer.store is not None for offer in book.market.offers], dtype=np.bool_)
    return np.asarray((flows > _BOTH_MW).all(axis=0) & stores[:, None])


def _preference(draft: Draft, book: Book, at: _Places) -> FloatArray:
    """Cost (n_column,) by which equally cheap points differ: little moves, and equal blocks are filled alike."""
    moved = draft.columns(book.shape)
    for sign in (1.0, -1.0):
        start = [np.inf if o.initial_w is None else sign * o.initial_w / WATTS_PER_MW for o in book.market.offers]
        upper = np.zeros(book.shape)
        upper[:, 0] = start
        rows = draft.rows(book.shape, upper=upper)
        draft.enter(rows, at.power, sign)
        draft.enter(rows[:, 1:], at.power[:, :-1], -sign)
        draft.enter(rows, moved, -1.0)
    kinds, kind = np.unique(np.stack([book.sign, book.price]), axis=1, return_inverse=True)
    level = draft.columns((kinds.shape[1], book.shape[1]))
    filled = draft.rows(at.take.shape, upper=0.0)
    draft.enter(filled, at.take)
    draft.enter(filled, level[kind], -book.size_mw)
    cost = np.zeros(draft.n_column)
    cost[moved], cost[level] = _MOVE, _LEVEL
    return cost


def _cleared(book: Book, at: _Places, best: Cheapest) -> Cleared:
    x, hours = best.x, book.hours
    n = len(at.short)
    short, energy = np.zeros(book.shape[1]), np.zeros(book.shape[1])
    short[:n], energy[:n] = x[at.short] - x[at.over], best.row_cost[at.delivery] / hours
    return Cleared(
        objective=best.cost,
        power_mw=x[at.power],
        take_mw=x[at.take],
        charge_mwh=np.where(at.charge >= 0, x[at.charge], np.nan),
        short_mw=short,
        lack_mw=x[at.lack],
        energy_price=energy,
        need_price=best.row_cost[at.needs] / hours,
        bound_price=best.column_cost[at.power] / hours,
        breach=x[at.breach],
        cut_price=-best.row_cost[at.cuts] / hours,
    )
