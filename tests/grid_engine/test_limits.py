"""Bounds on what meters read: which rows there are, what they are called, and how excess is counted."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.flow.nodal import build
from grid_engine.results import NetworkState, Purpose, Rating, Reason, Study, Violation
from grid_engine.studies.limits import NORMAL, Label, Monitor, monitor
from grid_engine.studies.problem import pose
from tests.grid_engine.small import small
from tests.grid_engine.studies import NETWORK, der


def bounded(study: Study, *losses: str) -> Monitor:
    cases = [(NORMAL, build(NETWORK, study.state))]
    return monitor(
        study, [*cases, *((name, build(NETWORK, NetworkState(in_service={name: False}))) for name in losses)]
    )


def study(**more: object) -> Study:
    plain = Study("s", Purpose.IMPACT, 1, (), margin_pct=0.0)
    return replace(plain, **more)  # type: ignore[arg-type]


def rows(of: Monitor) -> dict[Label, list[int]]:
    found: dict[Label, list[int]] = {}
    for row in range(of.size):
        found.setdefault(of.label(row), []).append(row)
    return found


def test_every_asset_has_its_rows_and_no_other() -> None:
    found = rows(bounded(study()))
    lines = {label for label in found if label.unit == "A"}
    assert lines == {Label(name, Reason.THERMAL, "A", phase) for name in NETWORK.lines.ids for phase in "abc"}
    assert {label.asset_id for label in found if label.unit == "VA"} == {"T1", "T2"}
    volts = {(label.asset_id, label.reason) for label in found if label.unit == "pu"}
    assert volts == {(f"B{n}", side) for n in range(1, 8) for side in (Reason.VOLT_HI, Reason.VOLT_LO)}
    assert {label.unit for label in found} == {"A", "VA", "pu"}


def test_what_is_not_limited_has_no_row() -> None:
    endless = replace(NETWORK.lines.ratings, normal=np.full(len(NETWORK.lines.ids), np.inf))
    network = replace(NETWORK, lines=replace(NETWORK.lines, ratings=endless))
    own = monitor(study(), [(NORMAL, build(network, NetworkState()))])
    assert "A" not in {label.unit for label in rows(own)}


def test_limits_that_are_asked_for_have_rows() -> None:
    ratings = {"L12": Rating(reverse_power_w=1e6, neutral_a=50)}
    found = rows(bounded(study(ratings=ratings, unbalance_max_pct=2.0)))
    assert Label("L12", Reason.REVERSE_POWER, "W") in found
    assert len(found[Label("L12", Reason.THERMAL, "A", "n")]) == 2
    assert {label.asset_id for label in found if label.unit == "%"} == {f"B{n}" for n in range(1, 8)}


def test_neutral_conductor_has_the_rating_of_the_others_unless_told() -> None:
    network = small()

    def limit(neutral_a: float) -> float:
        ratings = replace(network.lines.ratings, neutral_a=np.array([neutral_a, np.nan]))
        own = replace(network, lines=replace(network.lines, ratings=ratings))
        of = monitor(study(), [(NORMAL, build(own, NetworkState()))])
        found = rows(of)
        assert Label("lateral", Reason.THERMAL, "A", "n") not in found
        return float(of.limit[found[Label("main", Reason.THERMAL, "A", "n")][0]])

    assert limit(np.nan) == 400
    assert limit(120.0) == 120


def test_own_limits_of_a_bus_hold_in_place_of_the_band() -> None:
    network = small()
    of = monitor(study(), [(NORMAL, build(network, NetworkState()))])
    low = {label.asset_id: float(of.limit[n[0]]) for label, n in rows(of).items() if label.reason is Reason.VOLT_LO}
    assert low["shop"] == 0.917
    assert low["house"] == 0.95
    legs = {label.phase for label in rows(of) if label.asset_id == "house" and label.unit == "pu"}
    assert legs == {"s1", "s2"}


def test_contingency_rows_have_emergency_limits_and_the_name_of_the_case() -> None:
    asked = study(ratings={"T1": Rating(emergency_va=12e6)}, emergency_min_pu=0.9, emergency_max_pu=1.1)
    of = bounded(asked, "T2")
    found = rows(of)
    assert of.limit[found[Label("T1", Reason.THERMAL, "VA", "a")][0]] == 10e6
    assert of.limit[found[Label("T1", Reason.N1, "VA", "a", "T2")][0]] == 12e6
    low, high = sorted(float(of.limit[n]) for n in found[Label("B4", Reason.N1, "pu", "a", "T2")])
    assert (low, high) == (0.9, 1.1)


@pytest.mark.parametrize("margin_pct", [0.0, 2.0, 10.0])
def test_margins_come_off_ratings_and_off_both_ends_of_the_band(margin_pct: float) -> None:
    of = bounded(study(margin_pct=margin_pct, unbalance_max_pct=2.0, ratings={"L12": Rating(reverse_power_w=1e6)}))
    found, left = rows(of), 1 - margin_pct / 100

    def bound(label: Label) -> float:
        return float(of.bound[found[label][0]])

    assert bound(Label("L12", Reason.THERMAL, "A", "a")) == pytest.approx(154.2 * left)
    assert bound(Label("T1", Reason.THERMAL, "VA", "a")) == pytest.approx(10e6 * left)
    assert bound(Label("L12", Reason.REVERSE_POWER, "W")) == pytest.approx(1e6 * left)
    assert bound(Label("B4", Reason.UNBALANCE, "%")) == pytest.approx(2.0 * left)
    assert bound(Label("B4", Reason.VOLT_HI, "pu", "a")) == pytest.approx(1.05 - 0.1 * margin_pct / 100)
    assert bound(Label("B4", Reason.VOLT_LO, "pu", "a")) == pytest.approx(0.95 + 0.1 * margin_pct / 100)


def test_violation_is_more_than_a_ten_thousandth_of_the_voltage_or_a_thousandth_of_a_rating() -> None:
    of = bounded(study())
    found = rows(of)
    high = found[Label("B4", Reason.VOLT_HI, "pu", "a")][0]
    low = found[Label("B4", Reason.VOLT_LO, "pu", "a")][0]
    line = found[Label("L12", Reason.THERMAL, "A", "a")][0]
    values = np.where(of.sign > 0, -np.inf, np.inf)[:, None] * np.ones((1, 3))
    values[high], values[low] = [1.05009, 1.05011, np.nan], [0.94991, 0.94989, 0.95]
    values[line] = [154.2 * 1.0009, 154.2 * 1.0011, 154.2]
    beyond = of.excess(values) > 1
    assert beyond[[high, low, line]].tolist() == [[False, True, True], [False, True, False], [False, True, False]]


def test_worst_row_of_many_cases_is_the_one_with_the_largest_excess() -> None:
    problem = pose(NETWORK, study(participants=(der("A", 0), der("B", 4)), contingencies=("T2",)))
    power_w = np.array([np.linspace(-2, 2, 150), np.linspace(6, 0, 150)]) * 1e6
    solved = problem.solve(power_w, [0] * 150)
    excess = problem.monitor.excess(problem.monitor.values(solved.voltages))
    largest, row = problem.monitor.worst(solved.voltages)
    np.testing.assert_allclose(largest, excess.max(axis=0), rtol=1e-12)
    np.testing.assert_allclose(excess[row, np.arange(150)], largest, rtol=1e-12)


def test_relaxed_rows_stay_where_they_stand_and_say_so() -> None:
    of = bounded(study())
    values = np.where(of.sign > 0, 0.0, 2.0)
    n = rows(of)[Label("B4", Reason.VOLT_HI, "pu", "a")][0]
    values[n] = 1.07
    eased = of.relaxed(values)
    assert eased.label(n).reason is Reason.PREEXISTING
    assert eased.bound[n] == pytest.approx(1.07, abs=2e-5)
    others = np.arange(of.size) != n
    np.testing.assert_array_equal(eased.bound[others], of.bound[others])
    assert (of.without(~others).excess(np.full((of.size, 1), 2.0))[n] == -np.inf).all()
    assert of.tightened(np.full(of.size, 2.0)).bound[n] == pytest.approx(1.05 - 2e-4)


def test_of_a_limit_of_nothing_no_flow_is_a_part() -> None:
    assert Violation("L31", Reason.REVERSE_POWER, 0, 6e5, 0.0, "W").loading_pct == 0.0
