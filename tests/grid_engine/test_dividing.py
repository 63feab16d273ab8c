"""Rules on linear limits: closed forms, and the whole programme at once beside rows that enter one by one."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from grid_engine.envelopes.box import Box
from grid_engine.envelopes.budget import UNLIMITED, Budget
from grid_engine.envelopes.facets import Facets, linearised
from grid_engine.envelopes.fair import Product, total_gain
from grid_engine.envelopes.programme import Total
from grid_engine.envelopes.rules import Rule
from grid_engine.envelopes.words import Direction, Sharing
from grid_engine.lp import Programme, maximise
from grid_engine.studies.rows import Slopes

NOBODY = np.zeros(0, dtype=np.int64)


def limits(worst: np.ndarray, room: np.ndarray) -> Facets:
    return Facets(np.arange(len(room)), worst.astype(np.float32), -room)


def many(seed: int, rows: int = 400, columns: int = 60, signed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    worst = rng.random((rows, columns)).astype(np.float32).astype(np.float64)
    if signed:
        worst[rng.random(worst.shape) < 0.2] *= -0.3
    return worst, rng.uniform(0.3, 0.6, rows) * np.maximum(worst, 0).sum(axis=1)


@pytest.mark.parametrize("signed", [False, True])
def test_rows_one_by_one_lead_to_the_optimum_of_all_rows(signed: bool) -> None:
    worst, room = many(1, signed=signed)
    worth = np.linspace(1, 3, 60)
    found = Total(limits(worst, room), worth, NOBODY).solve(np.zeros(60), np.ones(60), UNLIMITED)
    whole = maximise(Programme(worth, np.zeros(60), np.ones(60), csr_array(worst), np.full(400, -np.inf), room))
    assert found is not None
    assert found.complete
    assert worth @ found.share == pytest.approx(whole.objective, rel=1e-5)
    np.testing.assert_allclose(found.price, np.maximum(whole.price, 0), rtol=1e-3, atol=1e-4)


def test_programme_follows_corrections_and_new_facets() -> None:
    facets = limits(np.array([[1.0, 1.0]]), np.array([1.5]))
    total = Total(facets, np.array([1.0, 2.0]), NOBODY)
    first = total.solve(np.zeros(2), np.ones(2), UNLIMITED)
    assert first is not None
    np.testing.assert_allclose(first.share, [0.5, 1.0])
    facets.correction[0] = 0.3
    second = total.solve(np.zeros(2), np.ones(2), UNLIMITED)
    assert second is not None
    np.testing.assert_allclose(second.share, [0.2, 1.0])
    facets.add(np.array([7]), np.array([[0.0, 2.0]], dtype=np.float32), np.array([-1.0]))
    third = total.solve(np.zeros(2), np.ones(2), UNLIMITED)
    assert third is not None
    np.testing.assert_allclose(third.share, [0.7, 0.5])
    assert total.solve(np.array([0.9, 0.9]), np.ones(2), UNLIMITED) is None


def test_fair_shares_of_one_row_are_equal_parts_of_its_room() -> None:
    worst = np.array([[1.0, 2.0, 4.0]])
    found = Product(limits(worst, np.array([1.2])), NOBODY).solve(UNLIMITED)
    assert found is not None
    np.testing.assert_allclose(found.share, [0.4, 0.2, 0.1], rtol=1e-5)
    np.testing.assert_allclose(found.price, [3 / 1.2], rtol=1e-5)


@pytest.mark.parametrize("signed", [False, True])
def test_fair_shares_are_where_prices_balance(signed: bool) -> None:
    """The conditions of optimality by Karush, Kuhn and Tucker are enough, the problem being convex."""
    worst, room = many(5, signed=signed)
    found = Product(limits(worst, room), NOBODY).solve(UNLIMITED)
    assert found is not None
    slack = room - worst @ found.share
    assert slack.min() > -1e-4
    assert (found.price >= 0).all()
    assert np.abs(found.price * slack).max() < 1e-4
    pull = 1 / found.share - worst.T @ found.price
    below = found.share < 1 - 1e-5
    np.testing.assert_allclose(pull[below], 0, atol=1e-4)
    assert (pull[~below] > -1e-4).all()


def test_worth_of_room_under_fair_shares_is_what_more_room_gives() -> None:
    worst, room = many(9, rows=8, columns=5)
    worth, row = np.arange(1.0, 6.0), 0
    found = Product(limits(worst, room), NOBODY).solve(UNLIMITED)
    assert found is not None
    row = int(np.argmax(found.price))
    gain = total_gain(worst.astype(np.float32), found.price, found.share, worth)[row]
    more = room.copy()
    more[row] += 0.01
    after = Product(limits(worst, more), NOBODY).solve(UNLIMITED)
    assert after is not None
    assert gain == pytest.approx(worth @ (after.share - found.share) / 0.01, rel=0.05)


def test_row_without_room_leaves_who_loads_it_nothing_and_the_others_theirs() -> None:
    worst, room = np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([0.0, 0.8])
    rule = Rule(Sharing.PROPORTIONAL, np.ones(2), None)
    found = rule.under(limits(worst, room), NOBODY).divide(np.zeros(2), np.ones(2), UNLIMITED)
    assert found is not None
    np.testing.assert_allclose(found.share, [0.0, 0.8], atol=1e-5)
    np.testing.assert_array_equal(found.row, [0, 1])


def test_no_time_is_no_division() -> None:
    late = Budget(lambda: -1.0)
    worst, room = many(2)
    assert Product(limits(worst, room), NOBODY).solve(late) is None
    found = Total(limits(worst, room), np.ones(60), NOBODY).solve(np.zeros(60), np.ones(60), late)
    assert found is not None
    assert not found.complete


def box(least: float, direction: Direction = Direction.BOTH) -> Box:
    """Two participants; the second one can also consume."""
    return Box(direction, np.array([0, 1, 1]), np.array([10.0, 20.0, -5.0]), np.array([1.0, 0.0]), least)


def test_worst_corner_of_a_row_uses_what_loads_it_and_the_least_of_the_rest() -> None:
    slopes = Slopes(np.array([3]), np.array([-50.0]), np.array([[2.0, -1.0]], dtype=np.float32))
    robust = linearised(box(0.0), slopes, np.zeros(3), reachable=False)
    np.testing.assert_allclose(robust.worst, [[20.0, 0.0, 5.0]])
    half = linearised(box(0.5), slopes, np.zeros(3), reachable=False)
    np.testing.assert_allclose(half.worst, [[20.0, -10.0, 5.0]])
    np.testing.assert_allclose(half.excess(np.ones(3)), [-35.0])


def test_linearisation_away_from_nothing_is_carried_back_to_it() -> None:
    slopes = Slopes(np.array([3]), np.array([-20.0]), np.array([[2.0, -1.0]], dtype=np.float32))
    found = linearised(box(0.0), slopes, np.array([0.5, 0.5, 0.0]), reachable=False)
    np.testing.assert_allclose(found.start, [-20.0])
    np.testing.assert_allclose(found.excess(np.array([0.5, 0.0, 0.0])), [-10.0])


def test_what_no_share_can_break_is_left_out() -> None:
    slopes = Slopes(np.array([3, 4]), np.array([-50.0, -24.0]), np.array([[2.0, -1.0]] * 2, dtype=np.float32))
    np.testing.assert_array_equal(linearised(box(0.0), slopes, np.zeros(3), reachable=True).row, [4])


def test_ends_and_use_of_a_box_are_each_others_inverse() -> None:
    share = np.array([0.5, 0.2, 1.0])
    low_w, high_w = box(0.0).ends_w(share)
    np.testing.assert_allclose([low_w, high_w], [[1.0, -5.0], [6.0, 4.0]])
    np.testing.assert_allclose(box(0.0).use(high_w, share), [1.0, 1.0, 0.0])
    np.testing.assert_allclose(box(0.0).use(low_w, share), [0.0, 0.0, 1.0])
    np.testing.assert_allclose(box(0.0).power_w(share[:, None])[:, 0], [6.0, -1.0])
