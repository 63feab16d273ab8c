"""Whole studies on R1; the numbers are the specification's or the bisection oracle's."""

from dataclasses import replace
from typing import Any

import pytest

from grid_engine.results import NetworkState, Policy, Preexisting, Purpose, Rating, Reason, Status
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import ask, bounds_mw, der


def test_dispatch_that_overloads_a_line_is_limited_to_what_the_line_carries() -> None:
    result = ask(der("A", 0, 2), der("B", 4))
    assert result.status is Status.SOLVED
    assert bounds_mw(result) == {"A": (-2.5, 1.20)}
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason, why.phase, why.unit) == ("L12", Reason.THERMAL, "", "A")
    assert 100 * why.value_before / why.limit == pytest.approx(120.8, abs=0.05)
    assert 100 * why.value_after / why.limit == pytest.approx(100.0, abs=0.1)
    assert 1e6 / why.shadow_price == pytest.approx(40.1, abs=0.1)
    (violation,) = result.violations
    assert (violation.asset_id, violation.reason) == ("L12", Reason.THERMAL)
    assert violation.loading_pct == pytest.approx(120.8, abs=0.05)


def test_dispatch_that_breaks_nothing_needs_no_limit() -> None:
    result = ask(der("A", 0, 1), der("B", 4))
    assert (result.status, result.envelopes, result.violations) == (Status.SOLVED, (), ())
    loading = {flow.asset_id: flow.loading_pct for flow in result.flows}
    assert loading["L12"] == pytest.approx(94.8, abs=0.05)


def test_of_a_rating_of_nothing_no_flow_is_a_part() -> None:
    result = ask(der("A", 0, 1), der("B", 4), ratings={"L12": Rating(ampacity_a=0.0)})
    assert next(flow.loading_pct for flow in result.flows if flow.asset_id == "L12") == 0.0


@pytest.mark.parametrize("held_mw", [4.0, 5.0])
def test_overvoltage_limits_the_one_who_raises_it(held_mw: float) -> None:
    result = ask(der("A", 0), der("B", held_mw, 5), taps=-3)
    assert bounds_mw(result) == {"B": (0, 4.16)}
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason) == ("B4", Reason.VOLT_HI)
    assert why.value_before == pytest.approx(1.0566, abs=1e-4)


def test_look_ahead_leaves_room_for_the_forecast_of_others() -> None:
    result = ask(
        der("A", [0] * 6), der("B", [4.0, 4.2, 4.4, 4.6, 4.8, 5.0], adjustable=False), purpose=Purpose.ENVELOPE
    )
    ceilings = [round(e.ceiling_w / 1e6, 6) for e in result.envelopes]
    assert ceilings == [1.20, 1.00, 0.80, 0.60, 0.40, 0.20]


def test_pro_rata_is_the_same_share_of_what_each_requested() -> None:
    result = ask(der("A", 0, 2), der("B", 0, 4), policy=Policy.PRO_RATA)
    assert bounds_mw(result) == {"A": (-2.5, 1.73), "B": (0, 3.46)}


@pytest.mark.parametrize(("margin_pct", "ceiling_mw"), [(0, 1.20), (2, 1.12), (10, 0.81)])
def test_margin_is_taken_off_the_rating(margin_pct: float, ceiling_mw: float) -> None:
    assert bounds_mw(ask(der("A", 0, 2), der("B", 4), margin_pct=margin_pct))["A"][1] == ceiling_mw


@pytest.mark.parametrize(
    ("rating", "ceiling_mw"),
    [
        (Rating(derate_pct=15), 0.62),
        (Rating(ampacity_a=120), 0.34),
    ],
)
def test_lower_rating_lowers_the_limit(rating: Rating, ceiling_mw: float) -> None:
    assert bounds_mw(ask(der("A", 0, 2), der("B", 4), ratings={"L12": rating}))["A"][1] == ceiling_mw


def test_draw_limit_binds_where_it_is_set() -> None:
    rating = Rating(reverse_power_w=0.6e6, forward_power_w=2.5e6)
    storage = replace(der("G", 0), requested_w=(-2e6,), floor_w=-2e6)
    result = ask(storage, ratings={"L31": rating})
    assert bounds_mw(result)["G"][0] == pytest.approx(-0.47, abs=0.011)  # 2.0 MW of load and 33 kW lost in L31
    (found,) = result.violations
    assert (found.asset_id, found.reason) == ("L31", Reason.FORWARD_POWER)
    export = ask(der("G", 0, 3), ratings={"L31": rating})
    assert bounds_mw(export)["G"][1] == pytest.approx(2.60, abs=0.011)
    assert export.violations[0].reason is Reason.REVERSE_POWER


def test_reverse_power_limit_binds_where_it_is_set() -> None:
    result = ask(der("A", 0, 2), der("B", 4), ratings={"L12": Rating(reverse_power_w=3e6)})
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason) == ("L12", Reason.REVERSE_POWER)


def test_charging_is_limited_by_its_floor() -> None:
    members = (der("A", 0), der("B", 0, adjustable=False))
    result = ask(*members, purpose=Purpose.ENVELOPE, load_scale=(1.2,), taps=-3)
    assert bounds_mw(result) == {"A": (-1.75, 2.5)}


def test_low_voltage_that_nobody_cures_may_not_get_worse() -> None:
    members = (der("A", 0), der("B", 0, adjustable=False))
    result = ask(*members, purpose=Purpose.ENVELOPE, load_scale=(1.2,))
    assert bounds_mw(result) == {"A": (0, 2.5)}
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason) == ("B4", Reason.PREEXISTING)
    assert {(v.asset_id, v.reason) for v in result.violations} >= {("B4", Reason.VOLT_LO)}


def test_charging_request_moves_the_floor() -> None:
    result = ask(der("A", 0, -2.5), load_scale=(1.2,), taps=-3)
    assert bounds_mw(result) == {"A": (-1.75, 2.5)}


def test_tap_that_lowers_the_voltage_makes_room_for_injection() -> None:
    result = ask(der("B", 5), purpose=Purpose.ENVELOPE, taps=-2)
    assert bounds_mw(result)["B"][1] == 5.31


def test_those_who_stand_are_not_limited_for_those_who_move() -> None:
    result = ask(der("A", 0, 2), der("B", 4), der("G", 3), ratings={"L31": Rating(ampacity_a=30)})
    limits = bounds_mw(result)
    assert limits.keys() == {"A", "G"}
    assert limits["A"] == (-2.5, 1.20)


def test_what_was_instructed_gives_way_before_what_the_weather_brings() -> None:
    assert bounds_mw(ask(der("A", 0, 2), der("B", 4, 4.5, instructed=False))) == {"A": (-2.5, 0.70)}
    alone = bounds_mw(ask(der("A", 1.2), der("B", 4, 4.5, instructed=False)))
    assert alone == {"B": (0, 4.0)}, "where nothing was instructed anew, what rises does"


def test_earlier_connection_is_limited_last() -> None:
    members = (der("A", 0, 2, connected_on="2021-01-01"), der("B", 0, 4, connected_on="2018-01-01"))
    assert bounds_mw(ask(*members, policy=Policy.LIFO)) == {"A": (-2.5, 1.20)}


def test_highest_price_is_limited_first() -> None:
    members = (der("A", 0, 2, price_per_mwh=20.0), der("B", 0, 4, price_per_mwh=35.0))
    assert bounds_mw(ask(*members, policy=Policy.MERIT)) == {"B": (0, 3.19)}


def test_equal_cap_spares_the_small() -> None:
    assert bounds_mw(ask(der("A", 0, 2), der("B", 0, 4), policy=Policy.MAX_MIN)) == {"B": (0, 3.19)}
    both = bounds_mw(
        ask(der("A", 0, 2.5), der("B", 0, 4), policy=Policy.MAX_MIN, ratings={"L12": Rating(ampacity_a=120)})
    )
    assert both["A"][1] == both["B"][1]


def test_violation_that_nobody_cures_leaves_everyone_where_they_stand() -> None:
    members = (der("A", 0, -1), der("B", 1))
    at_rest = ask(der("A", 0), der("B", 1), load_scale=(1.4,))
    assert at_rest.status is Status.SOLVED
    assert at_rest.violations
    assert at_rest.envelopes == ()
    result = ask(*members, load_scale=(1.4,))
    assert bounds_mw(result) == {"A": (0, 2.5)}
    assert ask(*members, load_scale=(1.4,), preexisting=Preexisting.HARD).status is Status.INFEASIBLE
    ignoring = bounds_mw(ask(*members, load_scale=(1.4,), preexisting=Preexisting.IGNORE))
    assert ignoring["A"][0] < 0


def test_nobody_is_made_to_inject() -> None:
    result = ask(der("C", 2, 0), load_scale=(1.2,))
    assert result.status is Status.SOLVED
    assert {v.reason for v in result.violations} == {Reason.VOLT_LO}
    assert result.envelopes == ()
    (envelope,) = ask(der("C", 2), load_scale=(1.2,), purpose=Purpose.ENVELOPE).envelopes
    assert envelope.floor_w == 0


def test_single_phase_injection_is_limited_on_its_phase() -> None:
    result = ask(der("E", 0, 1, phases="a"), der("B", 4), ratings={"L11": Rating(ampacity_a=150)})
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.phase) == ("L11", "a")


def test_transformer_loading_after_loss_of_the_other() -> None:
    state = NetworkState(taps={"T1": -3, "T2": -3}, in_service={"T2": False})
    result = ask(der("C", 0), load_scale=(1.25,), state=state)
    violation = next(v for v in result.violations if v.asset_id == "T1")
    assert (violation.reason, violation.unit) == (Reason.THERMAL, "VA")
    assert violation.loading_pct == pytest.approx(134.1, abs=0.05)


def test_dead_island_is_told() -> None:
    result = ask(der("A", 0, 1), der("C", 0), state=NetworkState(switches_closed={"SW12": False}))
    assert result.status is Status.SOLVED
    assert result.unsupplied == ("B3", "B4", "LD_B3", "LD_B4", "A")
    assert bounds_mw(result) == {"A": (0, 0)}
    why = result.envelopes[0].binding
    assert why is not None
    assert why.reason is Reason.OUTAGE
    assert {flow.asset_id for flow in result.flows if flow.unit == "pu"} == {"B1", "B2", "B5", "B6", "B7"}


def test_collapse_is_not_a_clean_network() -> None:
    result = ask(der("A", 0), load_scale=(20.0,))
    assert result.status is Status.NOT_CONVERGED
    assert "bus B" in result.detail
    assert result.envelopes == ()


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"load_scale": (float("nan"),)}, "load_scale: not a number"),
        ({"ratings": {"L99": Rating()}}, "rating of L99: not in the network"),
        ({"load_w": {"LD_B2": (1.0, 2.0)}}, "LD_B2: 2 values for 1 intervals"),
        ({"state": NetworkState(taps={"T1": 9})}, "tap of T1: 9 is outside -8 to 8"),
        ({"state": NetworkState(switches_closed={"SW": True})}, "switch SW: not in the network"),
        ({"voltage_min_pu": 1.1}, "voltage band"),
    ],
)
def test_impossible_question_is_refused_with_the_reason(more: dict[str, Any], what: str) -> None:
    result = ask(der("A", 0), **more)
    assert result.status is Status.BAD_INPUT
    assert what in result.detail


def test_same_question_has_the_same_answer() -> None:
    assert ask(der("A", 0, 2), der("B", 4)) == ask(der("A", 0, 2), der("B", 4))


def test_known_consumption_replaces_the_load_of_the_network() -> None:
    known = {"LD_B3": (2e6,), "LD_B4": (1e6,)}
    result = ask(der("A", 0, 2), der("B", 4), load_w=known)
    assert result.violations == ()
    assert "LD_B1: not in the network" in ask(der("A", 0), load_w={"LD_B1": (0.0,)}).detail


def test_loss_of_a_transformer_needs_support() -> None:
    ratings = {name: Rating(emergency_va=12e6) for name in ("T1", "T2")}
    more: dict[str, Any] = {"load_scale": (1.25,), "taps": -3, "ratings": ratings, "contingencies": ("T2",)}
    result = ask(der("C", 0), **more)
    (violation,) = (v for v in result.violations if v.unit == "VA")
    assert (violation.asset_id, violation.reason, violation.case) == ("T1", Reason.N1, "T2")
    assert 10 * violation.value / 1e6 == pytest.approx(134.1, abs=0.05)
    # A single resource cures it from 1.295 MW on, says the bisection oracle.
    assert [v for v in ask(der("C", 1.30), **more).violations if v.unit == "VA"] == []
    assert [v for v in ask(der("C", 1.27), **more).violations if v.unit == "VA"]


def test_what_the_network_must_survive_sets_the_limit() -> None:
    ratings = {name: Rating(emergency_va=3e6) for name in ("T1", "T2")}
    more: dict[str, Any] = {"taps": 2, "load_scale": (0.3,), "ratings": ratings | {"L12": Rating(ampacity_a=300)}}
    assert bounds_mw(ask(der("A", 0, 2), der("B", 4), **more)) == {}
    result = ask(der("A", 0, 2), der("B", 4), contingencies=("T2",), **more)
    (ceiling_mw,) = (e.ceiling_w / 1e6 for e in result.envelopes)
    oracle = Oracle()

    def survives(p_mw: float) -> bool:
        state = {"taps": {"T1": 2}, "in_service": {"T2": False}}
        return oracle.solve({"A": p_mw, "B": 4.0}, scale=0.3, **state).transformer_pct("T1") <= 30

    assert ceiling_mw == pytest.approx(bisect(survives, 0, 2), abs=0.01)
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason, why.case) == ("T1", Reason.N1, "T2")
    both = ask(der("A", 0), der("B", 4), contingencies=("T2",), purpose=Purpose.ENVELOPE, **more)
    assert bounds_mw(both)["A"][1] == pytest.approx(ceiling_mw, abs=0.011)
