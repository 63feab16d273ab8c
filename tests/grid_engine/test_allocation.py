"""Policies on one lossless constraint, with the numbers of the specification's worked example."""

import numpy as np
import pytest

from grid_engine.studies.allocation import allocate

POWER_W = np.array([2e6, 4e6, 1e6])
ONE_ROW = POWER_W[None, :] / 1e6
ROOM = np.array([4.5])
TOGETHER = [[0, 1, 2]]


@pytest.mark.parametrize(
    ("tiers", "step", "allowed_mw", "fairness"),
    [
        pytest.param(TOGETHER, np.ones(3), [1.286, 2.571, 0.643], 1.0, id="pro rata"),
        pytest.param([[1], [0], [2]], np.ones(3), [0.5, 4.0, 0.0], 0.490, id="last in, first out"),
        pytest.param([[2], [0], [1]], np.ones(3), [2.0, 1.5, 1.0], 0.878, id="merit"),
        pytest.param(TOGETHER, POWER_W.max() / POWER_W, [1.75, 1.75, 1.0], 0.911, id="equal cap"),
    ],
)
def test_policy_shares_one_constraint(
    tiers: list[list[int]], step: np.ndarray, allowed_mw: list[float], fairness: float
) -> None:
    found = allocate(ONE_ROW, ROOM, tiers, step, POWER_W)
    assert found is not None
    np.testing.assert_allclose(found.share * POWER_W / 1e6, allowed_mw, atol=5e-4)
    jain = found.share.sum() ** 2 / (3 * (found.share**2).sum())
    assert jain == pytest.approx(fairness, abs=5e-4)


def test_room_is_worth_the_watts_it_gives() -> None:
    found = allocate(ONE_ROW, ROOM, TOGETHER, np.ones(3), POWER_W)
    assert found is not None
    np.testing.assert_array_equal(found.row, [0, 0, 0])
    np.testing.assert_allclose(found.gain_w, 1e6)


def test_who_meets_no_constraint_goes_on_when_others_are_stopped() -> None:
    effect = np.array([[2.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    found = allocate(effect, np.array([3.0, 0.8]), TOGETHER, np.ones(3), POWER_W)
    assert found is not None
    np.testing.assert_allclose(found.share, [0.5, 0.5, 0.8])
    np.testing.assert_array_equal(found.row, [0, 0, 1])


def test_no_room_at_nothing_is_no_allocation() -> None:
    assert allocate(ONE_ROW, np.array([-0.1]), TOGETHER, np.ones(3), POWER_W) is None


def test_who_relieves_a_constraint_is_stopped_where_the_others_need_it_not_below():
    effect = np.array([[1.0, -1.0], [0.0, 1.0]])
    found = allocate(effect, np.array([0.0, 0.5]), [[0, 1]], np.array([1.0, 0.1]), np.ones(2))
    assert found is not None
    assert found.share.tolist() == pytest.approx([0.5, 0.5])
    assert found.row.tolist() == [0, 1]
