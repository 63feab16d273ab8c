"""Offer curves on R1; the numbers are the specification's, or come from dispatching point by point."""

from dataclasses import replace
from itertools import pairwise

import pytest

from grid_engine.dispatch.curve import offer_curve
from grid_engine.dispatch.words import Market, Offer, OfferCurve, Outcome, Store
from grid_engine.results import Preexisting
from tests.grid_engine.markets import EVERYONE, LIMITS, SLOW_C, A, C, D, E, blocks, need, offer, standing, study
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import NETWORK, der


def curve(*offers: Offer, **more: object) -> OfferCurve:
    return offer_curve(NETWORK, Market(study(), offers or EVERYONE, **more))


def told(result: OfferCurve) -> list[tuple[float, float]]:
    return [(round(point.power_w / 1e6, 6), point.price_per_mwh) for point in result.points]


def test_aggregate_offers_what_the_network_carries_not_the_sum() -> None:
    result = curve(limits=LIMITS)
    assert result.outcome is Outcome.DELIVERED
    assert told(result) == [(1.2, 30.0), (2.2, 45.0), (3.2, 55.0), (4.2, 65.0), (5.7, 120.0)]
    assert result.least_w == 0.0


def test_five_minute_capability_is_what_ramps_reach() -> None:
    result = curve(A, E, SLOW_C, D, limits=LIMITS)
    assert told(result) == [(1.2, 30.0), (2.2, 45.0), (3.2, 55.0), (4.7, 120.0)]
    assert result.ramp_up_w_per_min == pytest.approx(4.7e6 / 5)
    assert result.ramp_down_w_per_min == 0.0


def test_end_of_the_curve_is_the_most_that_pandapower_carries() -> None:
    result = curve()
    oracle = Oracle()
    room_mw = bisect(lambda p: oracle.solve({"A": p, "B": 4.0, "C": 2.0, "D": 1.5, "E": 1.0}).holds(), 0.0, 2.5)
    end_mw, price = told(result)[-1]
    assert room_mw + 4.5 - 0.011 <= end_mw <= room_mw + 4.5
    assert price == pytest.approx(120.0, abs=0.2)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(told(result)))


def test_fewer_points_are_never_cheaper() -> None:
    many = tuple(offer(name, *[(0.02, price + k) for k in range(25)]) for name, price in (("C", 20), ("E", 30)))
    whole = offer_curve(NETWORK, Market(study(), many), most=1000)
    few = offer_curve(NETWORK, Market(study(), many), most=6)
    assert few.breakpoints == len(whole.points) > 20 >= len(curve(*many).points)
    assert len(few.points) == 6
    assert few.points[-1].power_w == whole.points[-1].power_w
    assert all(a.power_w < b.power_w and a.price_per_mwh < b.price_per_mwh for a, b in pairwise(few.points))

    def cost(of: OfferCurve, power_w: float) -> float:
        starts = [0.0, *(point.power_w for point in of.points)]
        sizes = [max(min(power_w, end) - start, 0.0) for start, end in pairwise(starts)]
        return sum(size * point.price_per_mwh for size, point in zip(sizes, of.points, strict=True))

    for part in range(1, 21):
        power_w = part / 20 * whole.points[-1].power_w
        assert cost(few, power_w) >= cost(whole, power_w) - 1e-3


def test_local_need_is_delivered_at_any_rate() -> None:
    result = curve(limits=LIMITS, needs=(need(1.3, {"C": 1.0}),))
    assert result.least_w == pytest.approx(1.3e6)
    assert told(result) == [(2.5, 30.0), (3.5, 45.0), (4.2, 65.0), (5.7, 120.0)]


def test_capability_held_through_the_hour_is_what_the_store_has() -> None:
    store = Store(capacity_wh=5e6, charge_wh=0.9e6)
    a = offer("A", (2.5, 30), store=store)
    market = Market(study(*standing(3)), (a, C), interval_s=1200.0)
    assert told(offer_curve(NETWORK, market)) == [(0.9, 30.0), (1.9, 55.0), (2.9, 65.0)]


def test_losses_on_the_way_to_the_node_make_power_dearer() -> None:
    result = curve(limits=LIMITS, at_node=True)
    prices = [price for _, price in told(result)]
    assert result.outcome is Outcome.DELIVERED
    assert len(prices) <= 20
    # A stands at the end of a long line that is full of B's power.
    assert prices[0] > 30.5
    oracle = Oracle()

    def drawn(der_mw: dict[str, float]) -> float:
        return float(oracle.solve({"B": 4.0} | der_mw).net.res_ext_grid.p_mw.sum())

    most = drawn({}) - drawn({"A": 1.2, "C": 2.0, "D": 1.5, "E": 1.0})
    assert result.points[-1].power_w / 1e6 == pytest.approx(most, abs=0.011)


def test_impossible_question_is_refused_with_the_reason() -> None:
    result = curve(offer("X", (1, 1)))
    assert (result.outcome, result.points) == (Outcome.BAD_INPUT, ())
    assert "offer of X: not a participant" in result.detail


def test_network_that_no_powers_hold_offers_nothing() -> None:
    helpless = study(der("C", 0.0), load_scale=(1.4,), preexisting=Preexisting.HARD)
    result = offer_curve(NETWORK, Market(helpless, (offer("C", (0.1, 20)),)))
    assert (result.outcome, result.points) == (Outcome.INFEASIBLE, ())


def test_intake_is_no_delivery() -> None:
    a = replace(A, intake=blocks((2.5, 20)))
    assert told(curve(a, limits=LIMITS)) == [(1.2, 30.0)]


def test_collapse_is_told() -> None:
    result = offer_curve(NETWORK, Market(study(load_scale=(20.0,)), (E,)))
    assert result.outcome is Outcome.NOT_CONVERGED
    assert "bus B" in result.detail
