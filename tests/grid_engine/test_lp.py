"""The door to HiGHS, on programmes that are solved by hand."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from grid_engine.lp import Ending, Programme, Warm, maximise

INF = np.inf


def programme(matrix: list[list[float]], room: list[float], cost: list[float], **changes: object) -> Programme:
    n_row, n_column = len(room), len(cost)
    fields = {
        "cost": np.array(cost),
        "lower": np.zeros(n_column),
        "upper": np.full(n_column, INF),
        "matrix": csr_array(np.array(matrix).reshape(n_row, n_column)),
        "row_lower": np.full(n_row, -INF),
        "row_upper": np.array(room),
    }
    return Programme(**{**fields, **changes})


TEXTBOOK = programme([[1.0, 0.0], [0.0, 2.0], [3.0, 2.0]], [4.0, 12.0, 18.0], [3.0, 5.0])
"""Hillier and Lieberman, Introduction to Operations Research: the Wyndor Glass example."""


def test_textbook_example_has_its_optimum_and_its_prices() -> None:
    found = maximise(TEXTBOOK)
    assert found.optimal
    np.testing.assert_allclose(found.x, [2.0, 6.0])
    assert found.objective == pytest.approx(36.0)
    np.testing.assert_allclose(found.price, [0.0, 1.5, 1.0], atol=1e-12)


def test_lower_bound_that_binds_has_a_negative_price() -> None:
    found = maximise(programme([[1.0]], [INF], [-2.0], row_lower=np.array([3.0])))
    np.testing.assert_allclose(found.x, [3.0])
    np.testing.assert_allclose(found.price, [-2.0])


def test_price_of_a_column_at_its_bound_is_its_own() -> None:
    found = maximise(programme([[1.0]], [10.0], [2.0], upper=np.array([4.0])))
    np.testing.assert_allclose(found.reduced, [2.0])


@pytest.mark.parametrize(
    ("room", "changes", "ending"),
    [
        pytest.param([-1.0], {}, Ending.INFEASIBLE, id="no point holds the row"),
        pytest.param([INF], {}, Ending.UNBOUNDED, id="nothing holds the column"),
    ],
)
def test_without_optimum_the_ending_says_why(room: list[float], changes: dict, ending: Ending) -> None:
    found = maximise(programme([[1.0]], room, [1.0], **changes))
    assert found.ending is ending
    assert np.isnan(found.x).all()
    assert np.isnan(found.objective)


def test_whole_numbers_are_kept() -> None:
    found = maximise(programme([[2.0, 3.0]], [7.0], [1.0, 1.6], whole=np.array([True, True])))
    np.testing.assert_allclose(found.x, [2.0, 1.0])


def test_no_time_is_no_optimum() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.random((60, 80))
    found = maximise(programme(matrix.tolist(), [1.0] * 60, [1.0] * 80, whole=np.ones(80, dtype=bool)), limit_s=0.0)
    assert found.ending is Ending.STOPPED


def test_warm_programme_follows_its_changes() -> None:
    warm = Warm(TEXTBOOK)
    assert warm.solve().objective == pytest.approx(36.0)
    warm.add_rows(csr_array(np.array([[1.0, 1.0]])), np.array([-INF]), np.array([7.0]))
    np.testing.assert_allclose(warm.solve().x, [1.0, 6.0])
    warm.bound_rows(np.array([3]), np.array([-INF]), np.array([6.5]))
    np.testing.assert_allclose(warm.solve().x, [0.5, 6.0])
    warm.bound_columns(np.zeros(2), np.array([4.0, 3.0]))
    np.testing.assert_allclose(warm.solve().x, [3.5, 3.0])
    warm.value_columns(np.array([0.0, 1.0]))
    assert warm.solve().objective == pytest.approx(3.0)


def test_warm_programme_without_rows_takes_its_bounds() -> None:
    warm = Warm(programme([], [], [1.0, -1.0], upper=np.array([2.0, 2.0])))
    np.testing.assert_allclose(warm.solve().x, [2.0, 0.0])
    warm.add_rows(csr_array((0, 2)), np.zeros(0), np.zeros(0))
    np.testing.assert_allclose(warm.solve().x, [2.0, 0.0])
