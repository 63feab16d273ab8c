"""Given powers verified on R1; the numbers are the specification's, or come from bisection on pandapower."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from grid_engine.dispatch.operation_words import Verdict, Verification, Weights
from grid_engine.dispatch.verification import verify
from grid_engine.results import NetworkState, Participant, Policy, Preexisting, Rating, Reason
from tests.grid_engine.markets import study
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import NETWORK, der


def check(*members: Participant, weights: Weights | None = None, **more: Any) -> Verification:
    return verify(NETWORK, study(*members, **more), weights or Weights())


def allowed(result: Verification) -> dict[str, float]:
    return {c.resource: round(c.allowed_w / 1e6, 6) for c in result.curtailments}


def losses_mw(oracle: Oracle) -> float:
    return float(oracle.net.res_line.pl_mw.sum() + oracle.net.res_trafo.pl_mw.sum())


def test_dispatch_that_breaks_nothing_holds() -> None:
    result = check(der("A", 0, 1), der("B", 4))
    assert (result.verdict, result.curtailments, result.severity) == (Verdict.HOLDS, (), 0.0)
    oracle = Oracle().solve({"A": 1.0, "B": 4.0})
    assert result.losses_w == pytest.approx((losses_mw(oracle) * 1e6,), rel=1e-6)
    assert result.draw_w == pytest.approx((float(oracle.net.res_ext_grid.p_mw.sum()) * 1e6,), rel=1e-6)


def test_overload_costs_the_least_curtailment_that_cures_it() -> None:
    result = check(der("A", 0, 2), der("B", 4))
    assert result.verdict is Verdict.CURTAILED
    assert allowed(result) == {"A": 1.2}
    assert result.curtailed_wh == pytest.approx(0.8e6 / 12)
    assert result.curtailment_cost == pytest.approx(0.8 / 12 * 1000)
    (limit,) = result.limits
    assert (limit.floor_w, limit.ceiling_w) == (-2.5e6, 1.2e6)
    assert limit.binding is not None
    assert (limit.binding.asset_id, limit.binding.reason, limit.binding.case) == ("L12", Reason.THERMAL, "N-0")
    assert 100 * limit.binding.value_before / limit.binding.limit == pytest.approx(120.8, abs=0.05)
    assert 1e6 / limit.binding.shadow_price == pytest.approx(40.1, abs=0.1)


def test_severity_counts_tolerances_of_every_violated_asset() -> None:
    result = check(der("A", 0, 2), der("B", 4), ratings={"L13": Rating(ampacity_a=100)})
    oracle = Oracle().solve({"A": 2.0, "B": 4.0})
    beyond = [(oracle.amperes(name) / rating - 1) / 1e-3 for name, rating in (("L12", 154.2), ("L13", 100.0))]
    assert result.severity == pytest.approx(sum(beyond), rel=1e-3)


def test_standing_power_is_given_up_last() -> None:
    result = check(der("A", 0, 2), der("B", 4), ratings={"L12": Rating(ampacity_a=80)})
    oracle = Oracle()
    room_mw = bisect(lambda p: oracle.solve({"A": 0.0, "B": p}).amperes("L12") <= 80.0, 0.0, 4.0)
    assert allowed(result) == {"A": 0.0, "B": pytest.approx(room_mw, abs=0.01)}


def test_price_of_giving_up_decides_who_does() -> None:
    members = (der("A", 0, 2), der("B", 0, 4))
    cheap_b = Weights(per_resource={"B": 10.0})
    oracle = Oracle()
    room_mw = bisect(lambda p: oracle.solve({"A": 2.0, "B": p}).holds(), 0.0, 4.0)
    assert allowed(check(*members, weights=cheap_b)) == {"B": pytest.approx(room_mw, abs=0.01)}
    assert allowed(check(*members)) == {"A": 1.2}


def test_equal_prices_and_effects_share_what_is_given_up() -> None:
    twin = replace(der("A", 0, 1), resource="H")
    powers = allowed(check(der("A", 0, 2), twin, der("B", 4), ratings={"L12": Rating(ampacity_a=140)}))
    assert powers["A"] / 2 == pytest.approx(powers["H"] / 1, abs=0.011)


def test_charging_is_curtailed_towards_nothing() -> None:
    result = check(der("A", 0, -2.5), load_scale=(1.2,), taps=-3)
    assert allowed(result) == {"A": -1.75}
    assert (result.limits[0].floor_w, result.limits[0].ceiling_w) == (-1.75e6, 2.5e6)


def test_every_interval_is_verified_by_itself() -> None:
    result = check(der("A", [0, 0], [1, 2]), der("B", [4, 4]))
    assert [(c.resource, c.interval) for c in result.curtailments] == [("A", 1)]


def test_what_must_survive_a_loss_is_verified_too() -> None:
    ratings = {name: Rating(emergency_va=3e6) for name in ("T1", "T2")} | {"L12": Rating(ampacity_a=300)}
    more: dict[str, Any] = {"taps": 2, "load_scale": (0.3,), "ratings": ratings}
    assert check(der("A", 0, 2), der("B", 4), **more).verdict is Verdict.HOLDS
    result = check(der("A", 0, 2), der("B", 4), contingencies=("T2",), **more)
    assert result.limits[0].binding is not None
    assert (result.limits[0].binding.asset_id, result.limits[0].binding.case) == ("T1", "T2")


def test_given_power_of_the_uncontrollable_counts_as_requested() -> None:
    result = check(der("A", 0, 2), der("B", 0, 4, adjustable=False))
    assert allowed(result) == {"A": 1.2}


LOW = {"load_scale": (1.4,)}


def test_violation_that_nobody_cures_stands() -> None:
    result = check(der("A", 0, 0), **LOW)
    assert result.verdict is Verdict.STANDING
    assert result.curtailments == ()
    assert {violation.reason for violation in result.standing} == {Reason.VOLT_LO}
    worse = check(der("A", 0, -1), **LOW)
    assert (worse.verdict, allowed(worse)) == (Verdict.STANDING, {"A": 0.0})


def test_violation_of_the_uncontrollable_stands() -> None:
    result = check(der("B", 5.5, adjustable=False))
    assert (result.verdict, [violation.asset_id for violation in result.standing]) == (Verdict.STANDING, ["L12"])


def test_violation_that_nobody_cures_is_infeasible_where_the_study_says_so() -> None:
    result = check(der("A", 0, 0), preexisting=Preexisting.HARD, **LOW)
    assert result.verdict is Verdict.INFEASIBLE
    assert result.violations


def test_collapse_is_told_with_its_bus() -> None:
    result = check(der("A", 0), load_scale=(20.0,))
    assert result.verdict is Verdict.NOT_CONVERGED
    assert "bus B" in result.detail


def test_request_beyond_collapse_is_curtailed_to_what_holds() -> None:
    vast = replace(der("A", 0, -2.5), floor_w=-90e6, requested_w=(-90e6,))
    result = check(vast, taps=-3)
    assert result.severity == inf
    oracle = Oracle()
    room_mw = bisect(lambda p: oracle.solve({"A": -p}, taps={"T1": -3, "T2": -3}).holds(), 0.0, 5.0)
    assert allowed(result) == {"A": pytest.approx(-room_mw, abs=0.01)}


def test_other_policies_have_no_standing_power() -> None:
    result = check(der("A", 0, 2), der("B", 4), policy=Policy.MERIT, weights=Weights(per_resource={"A": 2000.0}))
    oracle = Oracle()
    room_mw = bisect(lambda p: oracle.solve({"A": 2.0, "B": p}).holds(), 0.0, 4.0)
    assert allowed(result) == {"B": pytest.approx(room_mw, abs=0.01)}


def test_impossible_study_is_refused_with_the_reason() -> None:
    result = check(der("A", 0), state=NetworkState(taps={"T1": 99}))
    assert result.verdict is Verdict.BAD_INPUT
    assert "tap of T1" in result.detail
