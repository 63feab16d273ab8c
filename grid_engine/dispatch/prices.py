"""Locational prices: what one more megawatt-hour costs where, taken apart into energy, congestion, losses and needs.

They are the dual values of the market's programme at its optimum (Schweppe et al., Spot Pricing of
Electricity, 1988). A limit that was set before the dispatch is priced as the constraint behind it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.dispatch.bids import WATTS_PER_MW, Book
from grid_engine.dispatch.clearing import Cleared, Cut
from grid_engine.dispatch.look import Grid, Look
from grid_engine.dispatch.relinearise import Found
from grid_engine.dispatch.words import Congestion, LocationalPrice
from grid_engine.model import FloatArray
from grid_engine.results import Binding, Envelope, Reason
from grid_engine.studies import screen

_WORTH = 1e-6
"""A price below this is rounding."""
_AT_W = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Of one cleared market."""

    locational: tuple[LocationalPrice, ...]
    congestions: tuple[Congestion, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Tight:
    """A line that costs something."""

    cut: Cut
    per_tolerance: float
    """Saved per hour."""


@dataclass(frozen=True, slots=True, eq=False)
class _AtLimits:
    """Offers that limits from before the dispatch stop, in one interval."""

    own: dict[int, float]
    """By participant, what the limit adds to the price there."""
    behind: list[_Tight]
    """Constraints that set these limits."""


def price(book: Book, net: Grid, found: Found) -> Prices:
    """Prices at every participant in every interval."""
    counting = net.count(found.look)
    priced = zip(found.cuts, found.cleared.cut_price.tolist(), strict=True)
    tight = [_Tight(cut, cost) for cut, cost in priced if cost > _WORTH]
    places: list[LocationalPrice] = []
    congestions: list[Congestion] = []
    for i in range(book.shape[1]):
        here, at = [t for t in tight if t.cut.interval == i], _limited(book, net, found, i)
        energy = float(found.cleared.energy_price[i])
        parts = _congested(book, here, at), energy * (counting.weight[:, i] - 1), _needed(book, found.cleared, i)
        places += [
            LocationalPrice(p.resource, i, energy, float(congestion), float(loss), float(need))
            for p, congestion, loss, need in zip(book.market.study.participants, *parts, strict=True)
        ]
        congestions += _congestions(net, found.look, [*here, *at.behind])
    return Prices(tuple(places), tuple(congestions))


def _congested(book: Book, tight: Sequence[_Tight], at: _AtLimits) -> FloatArray:
    """Congestion part (n_participant,): offers have what they are cleared at, the others what stands between."""
    result = np.zeros(len(book.market.study.participants))
    for t in tight:
        result -= t.per_tolerance * t.cut.slope
    others = ~np.isin(np.arange(len(result)), book.who)
    for t in at.behind:
        result[others] -= t.per_tolerance * t.cut.slope[others]
    for j, value in at.own.items():
        result[j] += value
    return result


def _needed(book: Book, cleared: Cleared, i: int) -> FloatArray:
    """What local needs add, shape (n_participant,)."""
    result = np.zeros(len(book.market.study.participants))
    for row, wanted in enumerate(book.market.needs):
        effect = [wanted.effect.get(offer.resource, 0.0) for offer in book.market.offers]
        result[book.who] += cleared.need_price[row, i] * np.array(effect)
    return result


def _limited(book: Book, net: Grid, found: Found, i: int) -> _AtLimits:
    """Who stands at a limit in interval `i`, and which constraint is behind; one of several offers' counts once."""
    place = {offer.resource: n for n, offer in enumerate(book.market.offers)}
    own: dict[int, float] = {}
    behind: dict[int, _Tight] = {}
    for limit in book.market.limits:
        n = place.get(limit.resource)
        if limit.interval != i or n is None or not _stands_at(book, found.cleared, n, limit):
            continue
        j, value = int(book.who[n]), float(found.cleared.bound_price[n, i])
        own[j] = value
        row = None if limit.binding is None else _row(net, found.look, limit.binding, i)
        if row is None:
            continue
        (cut,) = net.lines(found.look, i, np.array([row]))
        per_tolerance = float(abs(value / cut.slope[j])) if cut.slope[j] else 0.0
        if row not in behind or behind[row].per_tolerance < per_tolerance:
            behind[row] = _Tight(cut, per_tolerance)
    return _AtLimits(own, list(behind.values()))


def _stands_at(book: Book, cleared: Cleared, n: int, limit: Envelope) -> bool:
    """Whether it is this limit, not the offer's own capability, that stops the power and costs something."""
    power_w, value = (float(part[n, limit.interval]) for part in (cleared.power_mw, cleared.bound_price))
    end_w = limit.ceiling_w if value < 0 else limit.floor_w
    own_w = (book.problem.ceiling_w if value < 0 else book.problem.floor_w)[book.who[n]]
    return abs(value) > _WORTH and abs(power_w * WATTS_PER_MW - end_w) <= _AT_W and abs(end_w - own_w) > _AT_W


def _row(net: Grid, look: Look, why: Binding, interval: int) -> int | None:
    """The row that a binding speaks of, of several phases the one nearest to its bound."""
    monitor, network = net.problem.monitor, net.problem.network
    names = network.buses.ids if why.unit in {"pu", "%"} else network.branch_ids
    if why.asset_id not in names or why.case not in monitor.cases:
        return None
    case, asset = monitor.cases.index(why.case), names.index(why.asset_id)
    meter, mine = monitor.meters[case], np.flatnonzero(monitor.case == case)
    near = mine[meter.asset[monitor.reading[mine]] == asset]
    rows = [
        row
        for row in near.tolist()
        for label in [monitor.label(row)]
        if (label.asset_id, label.unit) == (why.asset_id, why.unit)
        and why.phase in {"", label.phase}
        and why.reason in {label.reason, Reason.PREEXISTING}
    ]
    return max(rows, key=lambda row: look.excess[row, interval], default=None)


def _congestions(net: Grid, look: Look, tight: Sequence[_Tight]) -> Iterator[Congestion]:
    """One per asset, reason and case: the phases of a balanced network share one price between them."""
    groups: dict[int, list[_Tight]] = {}
    for t in tight:
        groups.setdefault(int(net.problem.monitor.group[t.cut.row]), []).append(t)
    for alike in groups.values():
        first = max(alike, key=lambda t: t.per_tolerance).cut
        monitor, row, i = net.monitors[first.interval], first.row, first.interval
        label = monitor.label(row)
        yield Congestion(
            asset_id=label.asset_id,
            reason=label.reason,
            phase=screen.phase(monitor, row, look.values[:, i]),
            case=label.case,
            interval=i,
            value=float(look.values[row, i]),
            limit=float(monitor.limit[row]),
            unit=label.unit,
            price_per_h=sum(t.per_tolerance for t in alike) / float(monitor.tolerance[row]),
        )
