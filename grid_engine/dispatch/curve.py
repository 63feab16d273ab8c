"""All offers behind one node as one curve: what can be delivered together at which price, and how fast.

The cost of delivering D is convex and piecewise straight in D, with the price of energy as its slope. So
where the tangents at two points meet, the cost is on both of them, or there are more breakpoints between
(Mousavi and Wu build the same curve by parametric programming). What is offered is inside the true
curve: never more power, never at a lower price.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor, inf, nan

import numpy as np

from grid_engine.dispatch import bids
from grid_engine.dispatch.bids import WATTS_PER_MW
from grid_engine.dispatch.counting import counter
from grid_engine.dispatch.look import Grid, Look, grid
from grid_engine.dispatch.secure import secure
from grid_engine.dispatch.words import CurvePoint, Market, OfferCurve, Outcome
from grid_engine.model import Network
from grid_engine.results import Status
from grid_engine.studies.problem import Problem, pose
from grid_engine.studies.study_faults import faults

_MISSING_MW = 1e-5
_SAME_PER_H = 0.01
"""A chord within this of the curve is the curve."""
_NARROW_MW = 1e-4
_CENTS = 100
_EXACT = 1e-3
"""Part of a cent, or of a step of power, that is rounding."""
_STEPS_BACK = 20


@dataclass(frozen=True, slots=True)
class _Point:
    """The cheapest way to deliver `power_mw`."""

    power_mw: float
    cost_per_h: float
    slope: float
    """Of the cost, per MWh."""
    missing_mw: float
    """Over all intervals."""
    surplus_mw: float
    """Delivered beyond `power_mw` in the worst interval."""
    first_mw: float
    """Delivered in the first interval."""
    outcome: Outcome
    """`SHORTFALL` where some local need is not covered; the numbers mean nothing where no powers were found."""
    detail: str = ""

    @property
    def found(self) -> bool:
        """Whether there are such powers."""
        return self.outcome in {Outcome.DELIVERED, Outcome.SHORTFALL}


@dataclass(frozen=True, slots=True)
class _Piece:
    """A straight part of the curve."""

    start_mw: float
    end_mw: float
    price: float


@dataclass(frozen=True, slots=True, eq=False)
class _Tracer:
    """One market, asked for one delivery after the other."""

    market: Market
    problem: Problem
    net: Grid
    start: Look

    def at(self, power_mw: float) -> _Point:
        """The point of the curve at `power_mw`."""
        n = self.market.study.intervals
        book = bids.book(replace(self.market, delivery_w=(power_mw * WATTS_PER_MW,) * n), self.problem)
        found = secure(book, self.net, self.start)
        if found.exact is None or found.status is not Status.SOLVED:
            outcome = Outcome.INFEASIBLE if found.status is Status.INFEASIBLE else Outcome.NOT_CONVERGED
            return _Point(power_mw, nan, nan, nan, nan, nan, outcome, found.detail)
        cleared = found.exact.cleared
        return _Point(
            power_mw=power_mw,
            cost_per_h=cleared.objective / (n * book.hours),
            slope=float(cleared.energy_price.mean()),
            missing_mw=float(np.maximum(cleared.short_mw, 0.0).sum()),
            surplus_mw=float(np.maximum(-cleared.short_mw, 0.0).max()),
            first_mw=float(power_mw - cleared.short_mw[0]),
            outcome=Outcome.SHORTFALL if (cleared.lack_mw > _MISSING_MW).any() else Outcome.DELIVERED,
        )

    def pieces(self, low: _Point, high: _Point) -> list[_Piece]:
        """The straight parts between two points, in their order."""
        width = high.power_mw - low.power_mw
        if width <= _NARROW_MW:
            return []
        chord = (high.cost_per_h - low.cost_per_h) / width
        bend = high.slope - low.slope
        # Where the tangents meet, from the left end, and how far the chord is above them there.
        meet = (low.cost_per_h - high.cost_per_h + high.slope * width) / bend if bend > 0 else 0.0
        gap = (chord - low.slope) * meet
        middle = self.at(low.power_mw + meet) if _NARROW_MW < meet < width - _NARROW_MW and gap > _SAME_PER_H else None
        if middle is None or not middle.found:
            return [_Piece(low.power_mw, high.power_mw, chord)]
        return [*self.pieces(low, middle), *self.pieces(middle, high)]


def offer_curve(network: Network, market: Market, most: int = 20) -> OfferCurve:
    """What all offers of `market` can deliver in every interval alike, told in `most` so many points.

    What the market says about delivery is not looked at. Local needs stay covered all along.
    """
    blank = OfferCurve(market.study.study_id, Outcome.BAD_INPUT, network.version)
    found = (*faults(network, market.study), *bids.faults(market))
    if found:
        return replace(blank, detail="; ".join(found))
    problem = pose(network, market.study)
    book = bids.book(market, problem)
    net = grid(problem, book.who, problem.held_w, counter(book))
    start = net.start()
    if not start.solved.converged.all():
        return replace(blank, outcome=Outcome.NOT_CONVERGED, detail=net.where(start))
    told = _traced(_Tracer(market, problem, net, start), replace(blank, power_flows=net.power_flows), most)
    return replace(told, power_flows=net.power_flows)


def _traced(tracer: _Tracer, blank: OfferCurve, most: int) -> OfferCurve:
    everything = 1 + sum(block.power_w for offer in tracer.market.offers for block in offer.blocks) / WATTS_PER_MW
    nothing, top, bottom = (tracer.at(power_mw) for power_mw in (0.0, everything, -everything))
    for end in (nothing, top, bottom):
        if not end.found:
            return replace(blank, outcome=end.outcome, detail=end.detail)
    low = tracer.at(nothing.surplus_mw) if nothing.surplus_mw > _MISSING_MW else nothing
    high = _highest(tracer, top)
    step = tracer.problem.study.limit_step_w / WATTS_PER_MW
    points = _points(tracer.pieces(low, high), low.power_mw, step) if low.found and high.found else []
    up, down = _ramps(tracer, top, bottom)
    return replace(
        blank,
        outcome=high.outcome,
        detail=high.detail,
        points=tuple(_fewer(points, low.power_mw * WATTS_PER_MW, most)),
        least_w=low.power_mw * WATTS_PER_MW,
        ramp_up_w_per_min=up,
        ramp_down_w_per_min=down,
        breakpoints=len(points),
    )


def _highest(tracer: _Tracer, top: _Point) -> _Point:
    """The largest delivery that every interval can have, from above.

    What is missing is convex in what is asked; where the price of energy is that of a shortfall, it grows
    as fast as what is asked. So each step ends above the answer or on it.
    """
    point = top
    for _ in range(_STEPS_BACK):
        if point.missing_mw <= _MISSING_MW or not point.found:
            break
        n = tracer.market.study.intervals
        rate = n * max(point.slope / tracer.market.shortfall_per_mwh, 1 / n)
        point = tracer.at(point.power_mw - point.missing_mw / rate)
    return point


def _points(pieces: Sequence[_Piece], least_mw: float, step: float) -> list[CurvePoint]:
    """On the grid of powers and whole cents, each piece cut short and made no cheaper."""
    result: list[CurvePoint] = []
    last_mw = least_mw
    for piece in pieces:
        end_mw = floor(piece.end_mw / step + _EXACT) * step
        price = ceil(piece.price * _CENTS - _EXACT) / _CENTS
        if end_mw <= last_mw + step * _EXACT:
            continue
        if result and price <= result[-1].price_per_mwh:
            price = result.pop().price_per_mwh
        result.append(CurvePoint(round(end_mw * WATTS_PER_MW, 3), price))
        last_mw = end_mw
    return result


def _fewer(points: list[CurvePoint], least_w: float, most: int) -> list[CurvePoint]:
    """At `most` so many points; neighbours whose common mean price is the least dearer become one."""
    points = list(points)
    while len(points) > most:
        start = [least_w, *(point.power_w for point in points)]
        size = [after - before for before, after in pairwise(start)]
        dearer = [
            (b.price_per_mwh - a.price_per_mwh) * m * n / (m + n)
            for a, b, m, n in zip(points, points[1:], size, size[1:], strict=False)
        ]
        k = dearer.index(min(dearer))
        total = size[k] * points[k].price_per_mwh + size[k + 1] * points[k + 1].price_per_mwh
        price = ceil(total / (size[k] + size[k + 1]) * _CENTS - _EXACT) / _CENTS
        points[k : k + 2] = [CurvePoint(points[k + 1].power_w, price)]
    return points


def _ramps(tracer: _Tracer, top: _Point, bottom: _Point) -> tuple[float, float]:
    """How fast all offers together rise and fall in the first interval, W per minute."""
    offers = tracer.market.offers
    if all(offer.initial_w is None for offer in offers):
        return inf, inf
    stands = {p.resource: p.held_w[0] for p in tracer.market.study.participants}
    now_w = sum(stands[o.resource] if o.initial_w is None else o.initial_w for o in offers)
    minutes = tracer.market.interval_s / 60
    ends_w = (top.first_mw * WATTS_PER_MW, bottom.first_mw * WATTS_PER_MW)
    return max(ends_w[0] - now_w, 0.0) / minutes, max(now_w - ends_w[1], 0.0) / minutes
