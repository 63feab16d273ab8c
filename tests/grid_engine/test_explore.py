"""Combinations of moves, against sorting all of them."""

from dataclasses import dataclass
from itertools import product

import pytest

from grid_engine.dispatch.explore import explored
from grid_engine.dispatch.moves import Move


@dataclass(frozen=True)
class Seen:
    operations: float
    rest: float
    held: bool = True

    @property
    def cost(self) -> float:
        return self.operations + self.rest


CHOICES = [[Move(cost=c) for c in costs] for costs in ([0.0, 1.0, 1.0, 2.0, 2.0], [0.0, 3.0], [0.0, 20.0, 20.0])]


def total(chosen: tuple[Move, ...]) -> float:
    return sum(move.cost for move in chosen)


def test_every_combination_is_seen_once_the_cheapest_first() -> None:
    seen = explored(CHOICES, lambda chosen: Seen(total(chosen), 0.0, held=False), 1000, 0.0)
    expected = sorted(total(chosen) for chosen in product(*CHOICES))
    assert [one.operations for one in seen] == pytest.approx(expected)


def test_search_ends_where_operations_alone_cost_more_than_the_best() -> None:
    seen = explored(CHOICES, lambda chosen: Seen(total(chosen), 10.0 if not total(chosen) else 0.5), 1000, 0.0)
    assert [one.operations for one in seen] == [0.0, 1.0, 1.0]


def test_search_without_a_bound_sees_everything_it_may() -> None:
    assert len(explored(CHOICES, lambda chosen: Seen(total(chosen), 0.0), 1000, None)) == 30
    assert len(explored(CHOICES, lambda chosen: Seen(total(chosen), 0.0), 7, None)) == 7


def test_what_does_not_hold_is_no_bound() -> None:
    seen = explored(CHOICES, lambda chosen: Seen(total(chosen), 0.0, held=total(chosen) >= 4.0), 1000, 0.0)
    assert max(one.operations for one in seen) == 4.0
