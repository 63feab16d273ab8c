"""Rows as functions of power: slopes against finite differences, twins, and what is not looked at."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.results import Purpose, Rating, Study
from grid_engine.studies.problem import Problem, pose
from grid_engine.studies.rows import Rows, Spent
from tests.grid_engine.der_feeders import european_lv
from tests.grid_engine.studies import NETWORK, der

MEMBERS = tuple(der(name, 0.0) for name in "ABCDEG")


def problem(**more: object) -> Problem:
    return pose(NETWORK, Study("rows", Purpose.ENVELOPE, 1, MEMBERS, margin_pct=0.0, **more))


def rows_of(posed: Problem, *scenes: int) -> Rows:
    return Rows(posed, posed.monitor, 0, Spent(), scenes or (0,))


@pytest.mark.parametrize("many", [True, False], ids=["one solve per participant", "one solve per row"])
def test_slopes_are_those_of_the_power_flow(many: bool) -> None:
    rows = rows_of(problem(ratings={"L12": Rating(reverse_power_w=3e6)}, unbalance_max_pct=2.0))
    at = np.array([1.0, 2.0, 0.5, 0.3, 0.2, 0.1]) * 1e6
    asked = np.arange(rows.monitor.size)
    chosen = asked if many else asked[[3, len(asked) // 2, -1]]
    found = rows.slopes(chosen, at)
    assert found is not None
    step_w = 100.0
    around = at[:, None] + step_w * np.concatenate([np.eye(6), -np.eye(6)], axis=1)
    excess = rows.excess(around)[chosen]
    differences = (excess[:, :6] - excess[:, 6:]) / (2 * step_w)
    steep = np.abs(rows.excess(at[:, None])[chosen, 0]) < 1e4
    np.testing.assert_allclose(found.per_watt[steep], differences[steep], atol=2e-5 * np.abs(differences).max())
    np.testing.assert_allclose(found.excess, rows.excess(at[:, None])[chosen, 0], atol=1e-3)


def test_currents_along_an_unloaded_line_are_twins_and_the_tightest_stays() -> None:
    posed = pose(*european_lv())
    rows = rows_of(posed)
    powers = np.random.default_rng(2).uniform(0, 3e3, (len(posed.study.participants), 10))
    excess = rows.excess(powers)
    twins = rows.twins(excess)
    assert twins.mean() > 0.4
    left = excess[~twins]
    # Whatever has gone, something that stays is as near to its bound or nearer, in every case.
    np.testing.assert_allclose(left.max(axis=0), excess.max(axis=0), rtol=1e-6, atol=1e-3)


def test_scenes_that_are_not_looked_at_limit_nobody() -> None:
    posed = problem(contingencies=("T2",))
    powers = np.zeros((6, 1))
    both, first = rows_of(posed, 0, 1).excess(powers), rows_of(posed, 0).excess(powers)
    after = posed.monitor.case == 1
    assert np.isneginf(first[after]).all()
    np.testing.assert_array_equal(first[~after], both[~after])
    assert np.isfinite(both).all()


def test_worst_row_is_the_largest_excess_of_its_case() -> None:
    rows = rows_of(problem(contingencies=("T2",)), 0, 1)
    powers = np.random.default_rng(1).uniform(0, 4e6, (6, 70))
    excess, (largest, row) = rows.excess(powers), rows.worst(powers)
    np.testing.assert_array_equal(largest, excess.max(axis=0))
    np.testing.assert_array_equal(excess[row, np.arange(70)], largest)


def test_without_a_solution_every_limit_is_broken() -> None:
    rows = rows_of(problem())
    assert np.isinf(rows.worst(np.full((6, 1), -1e9))[0]).all()
    assert rows.slopes(np.array([0]), np.full(6, -1e9)) is None


def test_power_flows_are_counted() -> None:
    rows = rows_of(problem(contingencies=("T2",)), 0, 1)
    rows.worst(np.zeros((6, 5)))
    assert rows.spent.power_flows == 10
    assert replace(rows, scenes=(0,)).spent is rows.spent
