"""The engine's part of the specification's scenarios, each also with other ratings, loads and taps.

Numbers are the specification's, or found by bisection on pandapower.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from grid_engine.results import (
    Answer,
    Contingency,
    Need,
    NetworkState,
    Participant,
    Policy,
    Purpose,
    Rating,
    Reason,
    Status,
    Study,
)
from grid_engine.studies.needs import need
from tests.grid_engine.r1 import LINES, Oracle, bisect, row
from tests.grid_engine.studies import NETWORK, ask, bounds_mw, der

EMERGENCY = {name: Rating(emergency_va=12e6) for name in ("T1", "T2")}


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


def on_both(tap: int) -> dict[str, int]:
    return {"T1": tap, "T2": tap}


def holds(oracle: Oracle, rated: dict[str, float], **state: Any) -> Callable[[dict[str, float]], bool]:
    return lambda der_mw: oracle.solve(der_mw, **state).holds(rated)


def ceiling_of(result: Answer, resource: str) -> float:
    return bounds_mw(result)[resource][1]


# S01, S02: a dispatch is limited to what the network carries.


def test_s01_dispatch_is_limited_to_what_the_line_carries() -> None:
    result = ask(der("A", 0, 2), der("B", 4))
    (limit,) = result.envelopes
    assert (limit.resource, round(limit.ceiling_w)) == ("A", 1_200_000)
    why = limit.binding
    assert why is not None
    assert (why.asset_id, why.reason) == ("L12", Reason.THERMAL)
    assert 100 * why.value_before / why.limit == pytest.approx(120.8, abs=0.05)
    assert {f.asset_id: f.loading_pct for f in result.flows}["L12"] == pytest.approx(100.0, abs=0.1)


@pytest.mark.parametrize("rating_a", [130.0, 140.0, 165.0])
@pytest.mark.parametrize(("scale", "tap"), [(1.0, 0), (0.6, 1), (1.1, -2)])
def test_s01_with_other_ratings_loads_and_taps(oracle: Oracle, rating_a: float, scale: float, tap: int) -> None:
    fits = holds(oracle, {"L12": rating_a}, scale=scale, taps=on_both(tap))
    assert fits({"A": 0.0, "B": 4.0})
    expected = bisect(lambda p: fits({"A": p, "B": 4.0}), 0.0, 2.0)
    more: dict[str, Any] = {"load_scale": (scale,), "taps": tap, "ratings": {"L12": Rating(ampacity_a=rating_a)}}
    assert ceiling_of(ask(der("A", 0, 2), der("B", 4), **more), "A") == pytest.approx(expected, abs=0.01)


def test_s02_dispatch_that_fits_is_not_limited() -> None:
    result = ask(der("A", 0, 1), der("B", 4))
    assert (result.violations, result.envelopes) == ((), ())
    assert {f.asset_id: f.loading_pct for f in result.flows}["L12"] == pytest.approx(94.8, abs=0.05)


# S03: forecasts of others are left room for.


@pytest.mark.parametrize("forecast", [(4.0, 4.2, 4.4, 4.6, 4.8, 5.0), (5.2, 3.0, 4.1)])
def test_s03_look_ahead(oracle: Oracle, forecast: Sequence[float]) -> None:
    members = (der("A", [0.0] * len(forecast)), der("B", forecast, adjustable=False))
    found = [e.ceiling_w / 1e6 for e in ask(*members, purpose=Purpose.ENVELOPE).envelopes]
    fits = holds(oracle, {})
    expected = [bisect(lambda p, b=b: fits({"A": p, "B": b}), 0.0, 2.5) for b in forecast]
    assert found == pytest.approx(expected, abs=0.01)
    if forecast[0] == 4.0:
        assert found == pytest.approx([1.20, 1.00, 0.80, 0.60, 0.40, 0.20], abs=1e-9)


# S04, S15: voltage, and the tap that makes room.


def test_s04_high_voltage_limits_who_raises_it() -> None:
    result = ask(der("A", 0), der("B", 4, 5), taps=-3)
    assert bounds_mw(result) == {"B": (0, 4.16)}
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason) == ("B4", Reason.VOLT_HI)
    assert why.value_before == pytest.approx(1.057, abs=5e-4)


@pytest.mark.parametrize(("tap", "scale"), [(-3, 0.8), (-3, 1.1), (-2, 0.4)])
def test_s04_with_other_loads_and_taps(oracle: Oracle, tap: int, scale: float) -> None:
    fits = holds(oracle, {}, scale=scale, taps=on_both(tap))
    expected = bisect(lambda p: fits({"B": p}), 0.0, 5.0)
    result = ask(der("B", 2, 5), load_scale=(scale,), taps=tap)
    assert ceiling_of(result, "B") == pytest.approx(expected, abs=0.01)


def test_s15_one_tap_lets_everything_in() -> None:
    envelope = ask(der("B", 5), taps=-2, purpose=Purpose.ENVELOPE)
    assert ceiling_of(envelope, "B") == 5.31
    result = ask(der("B", 4, 5), taps=-2)
    assert result.envelopes == ()
    volts = {f.asset_id: f.value for f in result.flows if f.unit == "pu"}
    assert volts["B4"] == pytest.approx(1.043, abs=5e-4)


@pytest.mark.parametrize(
    ("tap", "capacitor", "expected_mw"),
    [(0, False, 1.20), (-1, False, 1.25), (-2, False, 1.30), (-3, False, 0.19), (0, True, 1.29)],
)
def test_s16_what_each_move_of_the_network_leaves_to_the_resource(
    tap: int, capacitor: bool, expected_mw: float
) -> None:
    state = NetworkState(taps=on_both(tap), in_service={"C1": capacitor})
    assert ceiling_of(ask(der("A", 0, 2), der("B", 4), state=state), "A") == expected_mw


def test_s16_capacitor_and_raised_tap_are_too_much() -> None:
    state = NetworkState(taps=on_both(-1), in_service={"C1": True})
    found = ask(der("A", 0), der("B", 4), state=state).violations
    assert ("B4", Reason.VOLT_HI) in {(v.asset_id, v.reason) for v in found}


# S05 and D.3: two who share one line.


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy.PRO_RATA, {"A": 1.73, "B": 3.46}),
        (Policy.LIFO, {"A": 1.20}),
        (Policy.MAX_MIN, {"B": 3.19}),
    ],
)
def test_s05_policies_on_one_line(policy: Policy, expected: dict[str, float]) -> None:
    members = (der("A", 0, 2, connected_on="2021-01-01"), der("B", 0, 4, connected_on="2018-01-01"))
    found = {name: ceiling for name, (_, ceiling) in bounds_mw(ask(*members, policy=policy)).items()}
    assert found == expected
    assert bounds_mw(ask(der("A", 0, 0), der("B", 4, 5), policy=policy)) == {}


# S38: what a balanced model hides.


def test_s38_single_phase_injection_unbalances(oracle: Oracle) -> None:
    result = ask(der("B", 4), der("E", 1, phases="a"), unbalance_alarm_pct=1.4)
    alarms = {v.asset_id: v.value for v in result.alarms}
    assert alarms["B2"] == pytest.approx(1.43, abs=0.01)
    net = oracle.solve({"B": 4.0, "E": 1.0}, phases={"E": "a"}).net
    b2 = net.res_bus_3ph.loc[row(net, "bus", "B2")]
    assert alarms["B2"] == pytest.approx(b2["unbalance_percent"], abs=1e-4)
    currents = {f.asset_id: f.value for f in result.flows}
    assert currents["L11"] == pytest.approx(170, abs=0.5)
    assert ask(der("B", 4), der("E", 1, phases="a")).alarms == ()


@pytest.mark.parametrize(("phases", "limit_pct"), [("a", 1.0), ("b", 0.8), ("bc", 0.5)])
def test_s38_unbalance_can_be_a_limit(oracle: Oracle, phases: str, limit_pct: float) -> None:
    result = ask(der("B", 4), der("E", 0, 1, phases=phases), unbalance_max_pct=limit_pct)

    def fits(p_mw: float) -> bool:
        net = oracle.solve({"B": 4.0, "E": p_mw}, phases={"E": phases}).net
        return bool(net.res_bus_3ph.unbalance_percent.max() <= limit_pct)

    assert ceiling_of(result, "E") == pytest.approx(bisect(fits, 0.0, 1.0, 12), abs=0.01)
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.reason, why.unit) == (Reason.UNBALANCE, "%")


# S39: what the loss of a transformer needs.


def needed(held: dict[str, float], **more: Any) -> Need:
    """The need at the transformer that is left."""
    members = tuple(der(name, held.get(name, 0.0)) for name in "ACDE")
    more.setdefault("load_scale", (1.25,))
    more.setdefault("state", NetworkState(taps=on_both(-3)))
    more.setdefault("ratings", EMERGENCY)
    study = Study("s", Purpose.IMPACT, 1, members, contingencies=("T2",), margin_pct=0.0, **more)
    (found,) = (n for n in need(NETWORK, study) if n.violation.unit == "VA")
    assert (found.violation.asset_id, found.violation.reason, found.violation.case) == ("T1", Reason.N1, "T2")
    return found


def test_s39_single_resources_that_cure_the_loss_of_a_transformer() -> None:
    found = needed({})
    assert found.violation.value / 1e5 == pytest.approx(134.1, abs=0.05)
    amounts = {e.resource: e.increase_w / 1e6 for e in found.equivalents}
    assert amounts == pytest.approx({"C": 1.30, "A": 1.32, "D": 1.34, "E": 1.36})
    assert {e.resource: e.capable for e in found.equivalents} == {"C": True, "A": True, "D": True, "E": False}
    assert [e.resource for e in found.equivalents] == ["C", "A", "D", "E"]


def test_s39_what_is_left_when_one_is_on() -> None:
    amounts = {e.resource: e.increase_w / 1e6 for e in needed({"C": 1.0}).equivalents}
    assert amounts["D"] == pytest.approx(0.31)


@pytest.mark.parametrize(("scale", "tap", "emergency_pct"), [(1.25, 0, 120.0), (1.15, -3, 110.0), (1.3, -2, 130.0)])
def test_s39_with_other_loads_taps_and_ratings(oracle: Oracle, scale: float, tap: int, emergency_pct: float) -> None:
    found = needed(
        {},
        load_scale=(scale,),
        state=NetworkState(taps=on_both(tap)),
        ratings={name: Rating(emergency_va=emergency_pct * 1e5) for name in ("T1", "T2")},
    )
    state: dict[str, Any] = {"scale": scale, "taps": on_both(tap), "in_service": {"T2": False}}
    for one in found.equivalents:
        fits = lambda p, name=one.resource: oracle.solve({name: p}, **state).transformer_pct("T1") <= emergency_pct  # noqa: E731
        exact = bisect(fits, 4.0, 0.0)
        assert 0 <= one.increase_w / 1e6 - exact <= 0.0101, one.resource


# S40: every rating moves the limit.


@pytest.mark.parametrize(
    ("rating", "expected_mw"),
    [
        (Rating(derate_pct=15), 0.62),
        (Rating(ampacity_a=120), 0.34),
    ],
)
def test_s40_lower_ratings(rating: Rating, expected_mw: float) -> None:
    assert ceiling_of(ask(der("A", 0, 2), der("B", 4), ratings={"L12": rating}), "A") == expected_mw


@pytest.mark.parametrize("rating", [Rating(derate_pct=20), Rating(condition_score=0), Rating(derate_pct=10)])
def test_s40_with_other_deratings(oracle: Oracle, rating: Rating) -> None:
    left = (1 - rating.derate_pct / 100) * min(1.0, 0.8 + 0.2 * rating.condition_score / 50)
    fits = holds(oracle, {"L12": 154.2 * left})
    expected = bisect(lambda p: fits({"A": p, "B": 4.0}), 0.0, 2.5)
    result = ask(der("A", 0, 2.5), der("B", 4), ratings={"L12": rating})
    assert ceiling_of(result, "A") == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("limit_mw", [3.0, 3.5, 2.9])
def test_s40_reverse_power(oracle: Oracle, limit_mw: float) -> None:
    result = ask(der("A", 0, 2), der("B", 4), ratings={"L12": Rating(reverse_power_w=limit_mw * 1e6)})

    def fits(p_mw: float) -> bool:
        net = oracle.solve({"A": p_mw, "B": 4.0}).net
        back = -net.res_line.at[row(net, "line", "L12"), "p_from_mw"]
        return bool(back <= limit_mw and oracle.amperes("L12") <= LINES["L12"][3])

    assert ceiling_of(result, "A") == pytest.approx(bisect(fits, 0.0, 2.0), abs=0.01)


# S41: the same for what is drawn.


def test_s41_charging_is_limited_by_the_line() -> None:
    members = (der("A", 0), der("B", 0, adjustable=False))
    assert bounds_mw(ask(*members, purpose=Purpose.ENVELOPE, load_scale=(1.2,), taps=-3))["A"][0] == -1.75


def test_s41_low_voltage_leaves_nothing_to_charge_and_needs_support() -> None:
    members = (der("A", 0), der("B", 0, adjustable=False))
    result = ask(*members, purpose=Purpose.ENVELOPE, load_scale=(1.2,))
    assert bounds_mw(result)["A"][0] == 0
    (low,) = (v for v in result.violations if v.asset_id == "B4")
    assert (low.reason, round(low.value, 4)) == (Reason.VOLT_LO, 0.9498)
    assert ("B4", Reason.PREEXISTING) in {(alarm.asset_id, alarm.reason) for alarm in result.alarms}
    state = NetworkState(taps=on_both(0))
    study = Study("s", Purpose.IMPACT, 1, members, load_scale=(1.2,), state=state, margin_pct=0.0)
    told = {n.violation.asset_id: n for n in need(NETWORK, study)}
    oracle = Oracle()
    exact = bisect(lambda p: oracle.solve({"A": p}, scale=1.2).voltage("B4") >= 0.95, 2.0, 0.0)
    (support,) = told["B4"].equivalents
    assert support.resource == "A"
    assert 0 <= support.increase_w / 1e6 - exact <= 0.0101


@pytest.mark.parametrize(("scale", "tap", "rating_a"), [(1.0, -3, 154.2), (0.8, -1, 130.0), (1.2, -4, 140.0)])
def test_s41_with_other_loads_taps_and_ratings(oracle: Oracle, scale: float, tap: int, rating_a: float) -> None:
    fits = holds(oracle, {"L12": rating_a}, scale=scale, taps=on_both(tap))
    expected = bisect(lambda p: fits({"A": p}), 0.0, -2.5)
    more: dict[str, Any] = {"load_scale": (scale,), "taps": tap, "ratings": {"L12": Rating(ampacity_a=rating_a)}}
    result = ask(der("A", 0), purpose=Purpose.ENVELOPE, **more)
    assert bounds_mw(result)["A"][0] == pytest.approx(expected, abs=0.01)


# S42: planned work changes the network at its boundaries.


def test_s42_work_window_frees_the_resource() -> None:
    members = (der("A", 0), der("B", 4, adjustable=False))
    window = NetworkState(switches_closed={"SW12": False, "SWT": True})
    inside = ask(*members, purpose=Purpose.ENVELOPE, state=window)
    outside = ask(*members, purpose=Purpose.ENVELOPE)
    assert (ceiling_of(inside, "A"), ceiling_of(outside, "A")) == (2.5, 1.20)


@pytest.mark.parametrize("tie_a", [150.0, 190.0])
def test_s42_with_another_rating_of_the_tie(oracle: Oracle, tie_a: float) -> None:
    closed = {"SW12": False, "SWT": True}
    fits = holds(oracle, {"LT": tie_a}, closed=closed)
    assert fits({"A": 0.0, "B": 4.0})
    expected = bisect(lambda p: fits({"A": p, "B": 4.0}), 0.0, 2.5)
    members = (der("A", 0), der("B", 4, adjustable=False))
    more: dict[str, Any] = {"ratings": {"LT": Rating(ampacity_a=tie_a)}, "state": NetworkState(switches_closed=closed)}
    result = ask(*members, purpose=Purpose.ENVELOPE, **more)
    assert ceiling_of(result, "A") == pytest.approx(expected, abs=0.01)


# N-1 by list: losses, a tie closed, a capacitor out, named states.


def test_contingencies_of_every_kind_are_looked_at(oracle: Oracle) -> None:
    members: tuple[Participant, ...] = (der("A", 0), der("B", 4))
    state = NetworkState(in_service={"C1": True})
    tie = Contingency("tie first", NetworkState(switches_closed={"SWT": True, "SW12": False}))
    low_tap = Contingency("tap stuck", NetworkState(taps=on_both(6)))
    cases = ("L21", "T2", "C1", "SWT", tie, low_tap)
    result = ask(*members, state=state, contingencies=cases, load_scale=(1.0,))
    assert result.status is Status.SOLVED
    found = {(v.asset_id, v.case) for v in result.violations}
    assert {(bus, "tap stuck") for bus in ("B1", "B5", "B6", "B7")} <= found
    assert not {case for _, case in found} & {"SWT", "tie first", "C1"}
    oracle.solve({"B": 4.0}, taps=on_both(6), in_service={"C1": True})
    worst = min(oracle.voltage(f"B{n}") for n in range(1, 8))
    told = min(v.value for v in result.violations if v.case == "tap stuck")
    assert told == pytest.approx(worst, abs=1e-6)
    (island,) = result.islands
    assert (island.case, island.ids) == ("L21", ("B5", "B6", "LD_B5", "LD_B6"))


def test_emergency_band_holds_after_a_contingency() -> None:
    more: dict[str, Any] = {
        "contingencies": ("T2",),
        "load_scale": (1.0,),
        "ratings": {"T1": Rating(emergency_va=14e6)},
    }
    tight = ask(der("B", 4), **more)
    assert any(v.reason is Reason.N1 and v.unit == "pu" for v in tight.violations)
    lenient = ask(der("B", 4), **more, emergency_min_pu=0.90)
    assert not [v for v in lenient.violations if v.unit == "pu"]


def test_contingency_without_a_solution_is_told_with_its_bus() -> None:
    short = Contingency("collapse", NetworkState(source_voltage_pu=0.3))
    result = ask(der("A", 0), contingencies=(short,), load_scale=(1.5,))
    assert result.status is Status.NOT_CONVERGED
    assert "case collapse" in result.detail
    assert "bus B" in result.detail


# S26: what rests on estimates gets a wider margin.


def test_s26_estimates_cost_ten_points_where_they_matter() -> None:
    members = (der("A", 0, 2), der("B", 4))
    assert ceiling_of(ask(*members, estimated=("B3", "B4")), "A") == 0.81
    assert ceiling_of(ask(*members, estimated=("B6",)), "A") == 1.20
    assert ceiling_of(ask(*members, estimated=("B4",), margin_pct=2.0), "A") < 0.81
    assert "B9: not in the network" in ask(*members, estimated=("B9",)).detail


def test_s26_estimates_matter_for_voltages_of_their_own_feeder_only() -> None:
    band = {"voltage_max_pu": 1.05, "voltage_min_pu": 0.95}
    quiet = ask(der("B", 4, 4.5), taps=-3, estimated=("B6",), **band)
    wary = ask(der("B", 4, 4.5), taps=-3, estimated=("B3",), **band)
    assert ceiling_of(wary, "B") < ceiling_of(quiet, "B")
    np.testing.assert_allclose(ceiling_of(quiet, "B"), 4.16)
