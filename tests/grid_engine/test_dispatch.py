"""Markets on R1; the numbers are the specification's, or come from order of merit, bisection and enumeration."""

from dataclasses import replace
from itertools import pairwise, product
from math import nan
from typing import Any

import pytest

from grid_engine.dispatch.words import LocalNeed, Outcome, Store
from grid_engine.results import NetworkState, Preexisting, Rating, Reason
from tests.grid_engine.markets import (
    EVERYONE,
    LIMITS,
    SLOW_C,
    A,
    C,
    D,
    E,
    blocks,
    clear,
    megawatts,
    need,
    offer,
    room_of_a,
    standing,
)
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import der


def test_node_dispatch_is_shared_out_by_merit_within_the_limits() -> None:
    result = clear(3.0, limits=LIMITS)
    assert result.outcome is Outcome.DELIVERED
    assert megawatts(result) == {"A": 1.2, "E": 1.0, "C": 0.8, "D": 0.0}
    assert result.cost_per_h == pytest.approx((125.0,))
    oracle = Oracle().solve({"A": 1.2, "B": 4.0, "C": 0.8, "E": 1.0})
    assert 100 * oracle.amperes("L12") / 154.2 == pytest.approx(99.6, abs=0.05)


def test_what_trips_is_replaced_by_the_next_in_merit() -> None:
    result = clear(3.0, (A, C, D), limits=LIMITS)
    assert megawatts(result) == {"A": 1.2, "C": 1.8, "D": 0.0}
    assert result.cost_per_h == pytest.approx((143.0,))


def test_more_than_there_is_is_a_named_shortfall() -> None:
    result = clear(5.0, (A, C, D), limits=LIMITS)
    assert result.outcome is Outcome.SHORTFALL
    assert megawatts(result) == {"A": 1.2, "C": 2.0, "D": 1.5}
    assert result.delivered_w == pytest.approx((4.7e6,))
    assert result.shortfall_w == pytest.approx((0.3e6,))


def test_standby_offer_fills_the_shortfall() -> None:
    members = (*standing(), der("G", 0.0))
    result = clear(5.0, (A, C, D, offer("G", (0.5, 150))), limits=LIMITS, members=members)
    assert result.outcome is Outcome.DELIVERED
    assert megawatts(result)["G"] == pytest.approx(0.3)


def test_ramp_from_where_it_stands_bounds_the_first_interval() -> None:
    result = clear(4.0, (A, E, SLOW_C, D), limits=LIMITS)
    assert megawatts(result) == {"A": 1.2, "E": 1.0, "C": 1.0, "D": 0.8}


def test_same_megawatts_serve_the_node_and_a_local_need_and_are_paid_once() -> None:
    result = clear(4.0, needs=(need(1.3, {"C": 1.0}),), limits=LIMITS)
    assert megawatts(result) == {"A": 1.2, "E": 1.0, "C": 1.8, "D": 0.0}
    assert result.cost_per_h == pytest.approx((36.0 + 45.0 + 55.0 + 0.8 * 65.0,))
    assert result.uncovered_w == {}


def test_price_behind_a_constraint_is_that_of_who_it_stops() -> None:
    result = clear(4.0, needs=(need(1.3, {"C": 1.0}),), limits=LIMITS)
    at = {price.resource: price for price in result.prices}
    for outside in "CDE":
        assert at[outside].price_per_mwh == pytest.approx(65.0)
        assert at[outside].congestion_per_mwh == 0.0
    assert at["A"].price_per_mwh == pytest.approx(30.0)
    assert at["A"].congestion_per_mwh == pytest.approx(-35.0)
    assert at["B"].price_per_mwh == pytest.approx(30.0, abs=0.5)
    (tight,) = result.congestions
    assert (tight.asset_id, tight.reason, tight.unit) == ("L12", Reason.THERMAL, "A")
    # Pandapower's slope of the current of L12 by the power of A there.
    oracle = Oracle()
    slope = [oracle.solve({"A": p, "B": 4.0, "C": 1.8, "E": 1.0}).amperes("L12") for p in (1.19, 1.21)]
    assert tight.price_per_h == pytest.approx(35.0 / ((slope[1] - slope[0]) / 0.02), rel=1e-3)


def test_network_rows_alone_leave_the_room_that_bisection_finds() -> None:
    found = megawatts(result := clear(3.0, limit_step_w=1.0))
    room_mw = room_of_a(Oracle(), {"B": 4.0, "C": found["C"], "E": 1.0})
    assert found == pytest.approx({"A": room_mw, "E": 1.0, "C": 2.0 - room_mw, "D": 0.0}, abs=2e-4)
    at = {price.resource: price.price_per_mwh for price in result.prices}
    assert at["A"] == pytest.approx(30.0)
    assert at["C"] == at["E"] == pytest.approx(55.0)


def test_who_the_network_stops_is_rounded_to_the_safe_side_and_the_marginal_makes_up() -> None:
    assert megawatts(clear(3.0)) == {"A": 1.21, "E": 1.0, "C": 0.79, "D": 0.0}


def test_voltage_stops_who_raises_it() -> None:
    members = (der("B", 0.0), der("C", 0.0))
    result = clear(5.0, (offer("B", (6, 10)), offer("C", (2, 90))), members=members, taps=-3)
    oracle = Oracle()

    def holds(p_mw: float) -> bool:
        return oracle.solve({"B": p_mw, "C": 5.0 - p_mw}, taps={"T1": -3, "T2": -3}).holds()

    room_mw = bisect(holds, 3.0, 5.0)
    assert megawatts(result)["B"] == int(room_mw * 100) / 100
    (tight,) = result.congestions
    assert (tight.asset_id, tight.reason) == ("B4", Reason.VOLT_HI)


def test_loss_of_a_transformer_bounds_what_is_delivered() -> None:
    ratings = {name: Rating(emergency_va=3e6) for name in ("T1", "T2")} | {"L12": Rating(ampacity_a=300)}
    state: dict[str, Any] = {"taps": 2, "load_scale": (0.3,), "ratings": ratings}
    members = (der("A", 0.0), der("B", 4.0))
    assert clear(2.0, (A,), members=members, **state).outcome is Outcome.DELIVERED
    result = clear(2.0, (A,), members=members, contingencies=("T2",), **state)
    oracle = Oracle()

    def survives(p_mw: float) -> bool:
        lost = {"taps": {"T1": 2}, "in_service": {"T2": False}}
        return oracle.solve({"A": p_mw, "B": 4.0}, scale=0.3, **lost).transformer_pct("T1") <= 30

    assert result.outcome is Outcome.SHORTFALL
    assert result.delivered_w[0] / 1e6 == pytest.approx(bisect(survives, 0, 2), abs=0.01)
    (tight,) = result.congestions
    assert (tight.asset_id, tight.case) == ("T1", "T2")


def test_energy_ends_a_delivery_as_late_as_it_can() -> None:
    store = Store(capacity_wh=5e6, charge_wh=2e6, charge_min_wh=0.5e6, efficiency_in=0.95, efficiency_out=0.95)
    result = clear([1.2] * 17, (offer("A", (1.2, 30), store=store),), members=standing(17))
    powers = [round(p / 1e6, 6) for p in result.power_w("A")]
    assert powers == [*[1.2] * 14, 0.3, 0.0, 0.0]
    assert result.instructions[-1].charge_wh == pytest.approx(0.5e6)
    assert result.shortfall_w == pytest.approx((*[0.0] * 14, 0.9e6, 1.2e6, 1.2e6), abs=1.0)


def test_store_gives_back_what_it_took_less_its_losses() -> None:
    store = Store(capacity_wh=2e6, charge_wh=0.0, efficiency_in=0.9, efficiency_out=0.9)
    a = offer("A", (2.5, 60), intake=blocks((2.5, 20)), store=store)
    result = clear([-1.0, 0.81], (a,), members=standing(2), interval_s=3600.0)
    assert result.outcome is Outcome.DELIVERED
    assert [i.power_w for i in result.instructions] == pytest.approx([-1e6, 0.81e6])
    assert [i.charge_wh for i in result.instructions] == pytest.approx([0.9e6, 0.0], abs=1.0)
    assert result.cost_per_h == pytest.approx((-20.0, 0.81 * 60))


def test_store_does_not_burn_energy_by_taking_and_giving_at_once() -> None:
    store = Store(capacity_wh=0.5e6, charge_wh=0.0, efficiency_in=0.8, efficiency_out=0.8)
    a = offer("A", (2.5, 60), intake=blocks((2.5, 20)), store=store)
    result = clear([-1.0], (a,), interval_s=3600.0)
    assert result.outcome is Outcome.SHORTFALL
    assert result.power_w("A") == pytest.approx((-0.625e6,))


def test_store_keeps_what_it_must_have_at_the_end() -> None:
    store = Store(capacity_wh=2e6, charge_wh=1e6, final_wh=0.9e6)
    result = clear([0.5], (offer("A", (2.5, 10), store=store), C), interval_s=3600.0)
    assert megawatts(result) == pytest.approx({"A": 0.1, "C": 0.4})


def test_energy_offered_is_not_exceeded() -> None:
    result = clear([1.0, 1.0], (offer("C", (2, 10), energy_wh=1.5e6), E), members=standing(2), interval_s=3600.0)
    assert sum(result.power_w("C")) == pytest.approx(1.5e6)
    assert result.outcome is Outcome.DELIVERED


def test_smallest_block_is_taken_whole_or_not_at_all() -> None:
    c = replace(C, min_block_w=0.8e6)
    result = clear(2.7, (A, E, c, D), limits=LIMITS)
    # 36 + 0.7 * 45 + 0.8 * 55 is less than 36 + 45 + 0.5 * 120.
    assert megawatts(result) == pytest.approx({"A": 1.2, "E": 0.7, "C": 0.8, "D": 0.0})
    assert {p.resource: p.price_per_mwh for p in result.prices}["E"] == pytest.approx(45.0)


def test_indivisible_blocks_are_taken_whole() -> None:
    result = clear(2.9, (A, E, replace(C, divisible=False), D), limits=LIMITS)
    assert megawatts(result) == pytest.approx({"A": 1.2, "E": 0.7, "C": 1.0, "D": 0.0})


def test_shortest_run_is_kept_at_least_cost() -> None:
    wanted, sizes = [2.4, 3.3, 2.4, 2.2], {"A": (1.2, 30.0), "E": (1.0, 45.0), "D": (1.5, 120.0)}
    c = offer("C", (2, 60), min_block_w=0.5e6, min_run=3, initial_w=0.0)

    def cost(demand_mw: float, *, on: bool) -> float:
        """Order of merit beside C at its least, or without it."""
        stack = sorted([*sizes.values(), *([(1.5, 60.0)] if on else [])], key=lambda block: block[1])
        left, total = demand_mw - 0.5 * on, 0.5 * on * 60.0
        for size, price in stack:
            taken = min(size, left)
            left, total = left - taken, total + taken * price
        return total if left < 1e-9 else float("inf")

    def allowed(pattern: tuple[int, ...]) -> bool:
        padded = (0, *pattern)
        starts = [n for n, (before, after) in enumerate(pairwise(padded)) if after and not before]
        return all(all(pattern[start : start + 3]) for start in starts)

    patterns = [pattern for pattern in product((0, 1), repeat=4) if allowed(pattern)]
    least = min(sum(cost(w, on=bool(on)) for w, on in zip(wanted, p, strict=True)) for p in patterns)
    limits = tuple(replace(limit, interval=i) for limit in LIMITS for i in range(4))
    result = clear(wanted, (A, E, c, D), members=standing(4), limits=limits)
    assert sum(result.cost_per_h) == pytest.approx(least)


def test_equal_offers_share_by_size() -> None:
    members = (der("C", 0.0), der("G", 0.0))
    result = clear(1.0, (offer("C", (2, 50)), offer("G", (3, 50))), members=members)
    assert megawatts(result) == pytest.approx({"C": 0.4, "G": 0.6})


def test_equally_cheap_dispatch_stays_where_it_was() -> None:
    members = (der("C", 0.0), der("G", 0.0))
    offers = (offer("C", (2, 50), initial_w=1e6), offer("G", (3, 50), initial_w=0.0))
    assert megawatts(clear(1.0, offers, members=members)) == pytest.approx({"C": 1.0, "G": 0.0})


def test_local_need_that_nobody_covers_is_named() -> None:
    result = clear(None, (C,), needs=(need(3.0, {"C": 0.5}),))
    assert result.outcome is Outcome.SHORTFALL
    assert megawatts(result) == {"C": 2.0}
    assert result.uncovered_w == {"need": pytest.approx((2e6,))}


def test_local_need_is_covered_at_least_price_per_effect() -> None:
    result = clear(None, (C, E), needs=(need(1.3, {"C": 1.0, "E": 0.5}),))
    # A megawatt of need costs 55 and 65 from C, 90 from E.
    assert megawatts(result) == pytest.approx({"C": 1.3, "E": 0.0})
    at = {price.resource: price for price in result.prices}
    assert (at["C"].need_per_mwh, at["E"].need_per_mwh) == pytest.approx((65.0, 32.5))


def test_what_is_forced_in_beyond_the_order_is_told_as_negative_shortfall() -> None:
    result = clear(0.5, (C,), needs=(need(1.3, {"C": 1.0}),))
    assert result.outcome is Outcome.SHORTFALL
    assert result.shortfall_w == pytest.approx((-0.8e6,))


def test_delivery_at_the_node_counts_losses() -> None:
    result = clear(3.0, limits=LIMITS, at_node=True)
    oracle = Oracle()

    def drawn(der_mw: dict[str, float]) -> float:
        return float(oracle.solve({"B": 4.0} | der_mw).net.res_ext_grid.p_mw.sum())

    found = megawatts(result)
    assert drawn({}) - drawn(found) == pytest.approx(3.0, abs=1e-4)
    assert sum(found.values()) > 3.01
    at = {price.resource: price for price in result.prices}
    for name in "CE":
        less, more = (drawn(found | {name: found[name] + step}) for step in (0.05, -0.05))
        saved = (more - less) / 0.1 - 1
        assert at[name].loss_per_mwh == pytest.approx(at[name].energy_per_mwh * saved, abs=0.02)
    assert at["C"].price_per_mwh == pytest.approx(55.0, abs=0.01)


LOW = {"load_scale": (1.4,)}
HELPLESS = (der("A", 0.0), der("C", 0.0))


def test_violation_that_nobody_cures_is_told_and_not_made_worse() -> None:
    result = clear(None, (offer("A", intake=blocks((2.5, 500))),), members=HELPLESS, **LOW)
    assert result.outcome is Outcome.DELIVERED
    assert megawatts(result) == {"A": 0.0}
    assert {violation.reason for violation in result.violations} == {Reason.VOLT_LO}


def test_violation_that_nobody_cures_is_infeasible_where_the_study_says_so() -> None:
    result = clear(None, (offer("C", (0.1, 20)),), members=HELPLESS, preexisting=Preexisting.HARD, **LOW)
    assert result.outcome is Outcome.INFEASIBLE
    assert result.violations
    assert megawatts(result) == {"C": 0.1}


def test_violation_may_be_ignored() -> None:
    offers = (offer("A", intake=blocks((2.5, 500))),)
    result = clear(None, offers, members=HELPLESS, preexisting=Preexisting.IGNORE, **LOW)
    oracle = Oracle()

    def low(charge_mw: float) -> set[str]:
        oracle.solve({"A": -charge_mw}, scale=1.4)
        return {name for n in range(1, 8) if oracle.voltage(name := f"B{n}") < 0.95}

    already = low(0.0)
    room_mw = bisect(lambda p: low(p) <= already and oracle.amperes("L12") <= 154.2, 0.0, 2.5)
    assert room_mw > 0.1
    assert result.power_w("A")[0] / 1e6 == pytest.approx(-room_mw, abs=0.01)


def test_violation_that_offers_cure_is_cured_by_the_cheapest() -> None:
    members = (der("A", 0.0), der("B", 5.0))
    offers = (offer("A", (2.5, 30), intake=blocks((2.5, -40))),)
    result = clear(None, offers, members=members, taps=-3)
    oracle = Oracle()
    room_mw = bisect(lambda p: oracle.solve({"A": -p, "B": 5.0}, taps={"T1": -3, "T2": -3}).holds(), 2.5, 0.0)
    assert result.power_w("A")[0] / 1e6 == pytest.approx(-room_mw, abs=0.01)
    assert result.violations == ()


def test_capability_that_is_lost_faster_than_it_ramps_may_be_followed() -> None:
    c = offer("C", (2, 50), initial_w=2e6, ramp_down_w_per_min=0.1e6, available_w=(1.0e6, 0.2e6))
    result = clear([2.0, 2.0], (c,), members=standing(2))
    assert [p / 1e6 for p in result.power_w("C")] == pytest.approx([1.0, 0.2])


def test_energy_that_cannot_be_had_is_infeasible() -> None:
    store = Store(capacity_wh=1e6, charge_wh=0.0, final_wh=1e6)
    hopeless = clear(0.0, (offer("A", intake=blocks((0.1, 0)), store=store),))
    assert hopeless.outcome is Outcome.INFEASIBLE
    assert "energy" in hopeless.detail
    assert hopeless.instructions == ()


def test_collapse_is_told_with_its_bus() -> None:
    result = clear(1.0, load_scale=(20.0,))
    assert result.outcome is Outcome.NOT_CONVERGED
    assert "bus B" in result.detail


def test_resource_without_supply_delivers_nothing() -> None:
    state = NetworkState(switches_closed={"SW12": False})
    assert megawatts(clear(1.5, (A, E), state=state)) == {"A": 0.0, "E": 1.0}


def test_price_is_told_wherever_somebody_stands() -> None:
    probe = replace(der("A", 0.0), resource="probe", floor_w=0.0, ceiling_w=0.0, adjustable=False)
    result = clear(4.0, limits=LIMITS, members=(*standing(), probe))
    at = {price.resource: price.price_per_mwh for price in result.prices}
    assert at["probe"] == pytest.approx(at["A"])


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"offers": (offer("X", (1, 1)),)}, "offer of X: not a participant"),
        ({"offers": (A, A)}, "offer of A: given twice"),
        ({"offers": (offer("C", (1, 60), (1, 50)),)}, "offer of C: blocks: prices must not fall"),
        ({"offers": (offer("C", (0, 60)),)}, "offer of C: blocks: sizes"),
        ({"offers": (offer("C", (1, nan)),)}, "offer of C: blocks: sizes"),
        ({"offers": (offer("A", (1, 30), intake=blocks((1, 40))),)}, "it pays more to consume"),
        ({"offers": (offer("A", intake=blocks((1, 10), (1, 20))),)}, "offer of A: intake: prices must not rise"),
        ({"offers": (offer("A", (1, 1), available_w=(1.0, 2.0)),)}, "availability of A: 2 values for 1 intervals"),
        ({"offers": (offer("A", (1, 1), store=Store(1e6, 2e6)),)}, "offer of A: store: 2000000.0 Wh"),
        ({"offers": (offer("A", (1, 1), store=Store(1e6, 0.0, efficiency_in=0.0)),)}, "efficiencies"),
        ({"offers": (offer("A", (1, 1), ramp_up_w_per_min=-1.0),)}, "must not be negative"),
        ({"needs": (need(1.0, {"B": 1.0}),)}, "need need: B offers nothing"),
        ({"needs": (LocalNeed("n", (1.0, 2.0), {}),)}, "need n: 2 values for 1 intervals"),
        ({"delivery_mw": nan}, "delivery: not a number"),
        ({"interval_s": 0.0}, "interval of 0.0 s"),
        ({"limits": (replace(LIMITS[0], interval=3),)}, "limit of A: interval 3 of 1"),
        ({"load_scale": (nan,)}, "load_scale: not a number"),
    ],
)
def test_impossible_market_is_refused_with_the_reason(more: dict[str, Any], what: str) -> None:
    offers, delivery_mw = more.pop("offers", EVERYONE), more.pop("delivery_mw", 1.0)
    result = clear(delivery_mw, offers, **more)
    assert result.outcome is Outcome.BAD_INPUT
    assert what in result.detail


def test_market_without_offers_falls_short_or_asks_for_nothing() -> None:
    assert clear(1.0, ()).shortfall_w == pytest.approx((1e6,))
    assert clear(None, ()).outcome is Outcome.DELIVERED


def test_same_market_has_the_same_schedule() -> None:
    assert clear(3.0) == clear(3.0)
