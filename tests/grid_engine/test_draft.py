"""Programmes of least cost on examples that are solved by hand."""

import numpy as np
import pytest

from grid_engine.dispatch.draft import Draft, among_equals, cheapest
from grid_engine.lp import Ending


def test_cheapest_plant_runs_first_and_the_next_one_sets_the_price() -> None:
    draft = Draft()
    power = draft.columns((2,), 0.0, [3.0, 5.0], [10.0, 20.0])
    demand = draft.rows((), 4.0, 4.0)
    draft.enter(demand, power)
    best = cheapest(draft.programme())
    assert best.ending is Ending.OPTIMAL
    np.testing.assert_allclose(best.x[power], [3.0, 1.0])
    assert best.cost == pytest.approx(50.0)
    assert best.row_cost[demand] == pytest.approx(20.0)
    np.testing.assert_allclose(best.column_cost[power], [-10.0, 0.0])


def test_costs_beside_whole_numbers_are_those_with_them_fixed() -> None:
    draft = Draft()
    power = draft.columns((2,), 0.0, [3.0, 5.0], [10.0, 12.0])
    on = draft.columns((), 0.0, 1.0, whole=True)
    demand, least, most = draft.rows((), 4.0, 4.0), draft.rows((), lower=0.0), draft.rows((), upper=0.0)
    draft.enter(demand, power)
    for row, size in ((least, 2.0), (most, 5.0)):
        draft.enter(row, power[1])
        draft.enter(row, on, -size)
    best = cheapest(draft.programme())
    np.testing.assert_allclose(best.x[power], [2.0, 2.0])
    assert best.row_cost[demand] == pytest.approx(10.0)


def test_entries_in_one_place_add_up() -> None:
    draft = Draft()
    x = draft.columns((), 0.0, 10.0, -1.0)
    row = draft.rows((), upper=6.0)
    draft.enter(row, x)
    draft.enter(row, x, 2.0)
    assert cheapest(draft.programme()).x[x] == pytest.approx(2.0)


def test_second_cost_decides_among_equals_only() -> None:
    draft = Draft()
    power = draft.columns((3,), 0.0, 2.0, [10.0, 10.0, 20.0])
    demand = draft.rows((), 3.0, 3.0)
    draft.enter(demand, power)
    programme = draft.programme()
    best = cheapest(programme)
    for preferred in (0, 1):
        second = np.array([1.0, 1.0, -9.0])
        second[preferred] = 0.0
        found = among_equals(programme, best, second)
        assert found.x[power[preferred]] == pytest.approx(2.0)
        assert found.x[power[2]] == pytest.approx(0.0)
        np.testing.assert_allclose(found.row_cost, best.row_cost)


def test_without_a_point_the_ending_says_so() -> None:
    draft = Draft()
    x = draft.columns((), 0.0, 1.0)
    row = draft.rows((), lower=2.0)
    draft.enter(row, x)
    assert cheapest(draft.programme()).ending is Ending.INFEASIBLE


@pytest.mark.parametrize(("lower", "ending"), [(-1.0, Ending.OPTIMAL), (1.0, Ending.INFEASIBLE)])
def test_programme_without_columns_has_one_point(lower: float, ending: Ending) -> None:
    draft = Draft()
    draft.rows((), lower=lower)
    programme = draft.programme()
    best = cheapest(programme)
    assert (best.ending, len(best.x)) == (ending, 0)
    assert among_equals(programme, best, best.x) is best
