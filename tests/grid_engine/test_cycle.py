"""Whole studies on R1; the numbers are the specification's or the bisection oracle's."""

import pytest

from grid_engine.results import Policy, Purpose, Rating, Reason, Status
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
