"""Sharing rules on one lossless constraint, with the numbers of the specification's worked example."""

import numpy as np
import pytest

from grid_engine.envelopes.fairness import Climb, climb, jain
from grid_engine.envelopes.filling import Filled, fill
from grid_engine.envelopes.words import Sharing
from grid_engine.results import Participant

POWER_W = np.array([2e6, 4e6, 1e6])
PRICE = (20.0, 35.0, 10.0)
SINCE = ("2021-05-01", "2018-03-01", "2023-09-01")
CAPACITY_MW = np.array([4.5])


def members(curtailed_wh: tuple[float, ...] = (0.0, 0.0, 0.0)) -> list[Participant]:
    """A, B and H."""
    return [
        Participant(name, "bus", (0.0,), (0.0,), 0.0, power_w, connected_on=since, price_per_mwh=price, curtailed_wh=wh)
        for name, power_w, since, price, wh in zip("ABH", POWER_W, SINCE, PRICE, curtailed_wh, strict=True)
    ]


def divide(sharing: Sharing, curtailed_wh: tuple[float, ...] = (0.0, 0.0, 0.0), interval_s: float = 3600.0) -> Filled:
    rising = climb(sharing, members(curtailed_wh), POWER_W, interval_s)
    assert rising is not None
    return fill(POWER_W[None, :] / 1e6, CAPACITY_MW, rising, POWER_W)


@pytest.mark.parametrize(
    ("sharing", "allowed_mw", "fairness"),
    [
        pytest.param(Sharing.PRO_RATA, [1.286, 2.571, 0.643], 1.0, id="pro rata"),
        pytest.param(Sharing.LIFO, [0.5, 4.0, 0.0], 0.490, id="last in, first out"),
        pytest.param(Sharing.MERIT, [2.0, 1.5, 1.0], 0.878, id="merit"),
        pytest.param(Sharing.MAX_MIN, [1.75, 1.75, 1.0], 0.911, id="equal cap"),
    ],
)
def test_rule_shares_one_constraint(sharing: Sharing, allowed_mw: list[float], fairness: float) -> None:
    found = divide(sharing)
    np.testing.assert_allclose(found.share * POWER_W / 1e6, allowed_mw, atol=5e-4)
    assert jain(found.share) == pytest.approx(fairness, abs=5e-4)


def test_rotation_equalises_what_was_given_up_within_the_hour() -> None:
    found = divide(Sharing.ROTATIONAL, curtailed_wh=(0.5e6, 0.0, 1.0e6))
    allowed_w = found.share * POWER_W
    np.testing.assert_allclose((POWER_W - allowed_w + [0.5e6, 0.0, 1e6]) / 1e6, [4 / 3] * 3)
    assert allowed_w.sum() == pytest.approx(4.5e6)


def test_rotation_protects_who_gave_up_most_where_an_interval_cannot_make_up_for_it() -> None:
    found = divide(Sharing.ROTATIONAL, curtailed_wh=(50e6, 0.0, 30e6), interval_s=300.0)
    np.testing.assert_allclose(found.share * POWER_W / 1e6, [2.0, 1.5, 1.0])


def test_same_date_is_stopped_together() -> None:
    same = [Participant(n, "bus", (0.0,), (0.0,), 0.0, 1e6, connected_on="2020-01-01") for n in "AB"]
    rising = climb(Sharing.LIFO, same, np.full(2, 1e6), 300.0)
    assert rising is not None
    found = fill(np.ones((1, 2)), np.array([1.0]), rising, np.ones(2))
    np.testing.assert_allclose(found.share, [0.5, 0.5])


def test_room_is_worth_the_watts_it_gives() -> None:
    found = divide(Sharing.PRO_RATA)
    np.testing.assert_array_equal(found.row, [0, 0, 0])
    np.testing.assert_allclose(found.gain, 1e6)


def test_who_meets_no_constraint_goes_on_when_others_are_stopped() -> None:
    effect = np.array([[2.0, 4.0, 0.0], [0.0, 0.0, 1.0]])
    found = fill(effect, np.array([3.0, 0.8]), Climb(np.zeros(3), np.ones(3)), np.ones(3))
    np.testing.assert_allclose(found.share, [0.5, 0.5, 0.8])
    np.testing.assert_array_equal(found.row, [0, 0, 1])


def test_who_was_stopped_goes_on_when_others_have_made_room() -> None:
    effect = np.array([[1.0, -0.5]])
    found = fill(effect, np.array([0.2]), Climb(np.array([0.0, 5.0]), np.ones(2)), np.ones(2))
    np.testing.assert_allclose(found.share, [0.7, 1.0])


def test_without_room_nobody_rises_who_loads_the_row() -> None:
    found = fill(np.array([[1.0, 0.0]]), np.array([0.0]), Climb(np.zeros(2), np.ones(2)), np.ones(2))
    np.testing.assert_allclose(found.share, [0.0, 1.0])
    np.testing.assert_array_equal(found.row, [0, -1])


def test_filling_agrees_with_a_level_found_by_linear_programming() -> None:
    rng = np.random.default_rng(3)
    effect = rng.random((6, 9)) * (rng.random((6, 9)) < 0.6)
    room = effect.sum(axis=1) * rng.uniform(0.2, 0.7, 6)
    found = fill(effect, room, Climb(np.zeros(9), np.ones(9)), np.ones(9))
    assert (effect @ found.share <= room + 1e-9).all()
    for column in np.flatnonzero(found.row >= 0):
        row = found.row[column]
        assert effect[row] @ found.share == pytest.approx(room[row])
        # Max-min: in the row that stops it, nobody that loads the row has more, save who was stopped earlier.
        others = found.share[effect[row] > 0]
        assert found.share[column] >= others.max() - 1e-9


@pytest.mark.parametrize(
    ("allowed", "index"), [([1.0, 1.0, 1.0], 1.0), ([1.0, 0.0, 0.0], 1 / 3), ([0.0, 0.0], 1.0), ([], 1.0)]
)
def test_jain_index_lies_between_one_for_all_and_one_of_many(allowed: list[float], index: float) -> None:
    assert jain(np.array(allowed)) == pytest.approx(index)
