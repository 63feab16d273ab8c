"""Non-delivery risk against the specification's numbers, the binomial law and all subsets."""

from itertools import combinations, product
from math import comb, prod
from random import Random

import pytest

from grid_engine.dispatch.risk import Method, Unit, availability, chance, cover


def units(n: int, power_w: float = 1e6, likely: float = 0.95, cost: float = 1.0) -> list[Unit]:
    return [Unit(f"u{k}", power_w, likely, cost) for k in range(n)]


def mixed(n: int, seed: int) -> list[Unit]:
    rng = Random(seed)
    return [Unit(f"u{k}", rng.uniform(0.2, 1.5) * 1e6, rng.uniform(0.7, 0.99), rng.uniform(10, 100)) for k in range(n)]


@pytest.mark.parametrize(
    ("likely", "n", "expected"), [(0.95, 3, 0.857), (0.95, 4, 0.986), (0.90, 4, 0.948), (0.90, 5, 0.991)]
)
def test_probability_of_three_megawatts_from_units_of_one(likely: float, n: int, expected: float) -> None:
    assert chance(units(n, likely=likely), 3e6).probability == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(("likely", "n"), [(0.95, 4), (0.90, 5)])
def test_as_many_units_are_taken_as_make_it_sure_enough(likely: float, n: int) -> None:
    found = cover(units(8, likely=likely), 3e6, 0.95)
    assert (len(found.units), found.enough, found.proven) == (n, True, True)
    assert found.chance.method is Method.EXACT


def test_distribution_of_unequal_units_is_that_of_all_outcomes() -> None:
    some = mixed(9, seed=4)
    expected = 0.0
    for outcome in product((0, 1), repeat=9):
        if sum(unit.power_w for unit, is_on in zip(some, outcome, strict=True) if is_on) >= 4e6:
            expected += prod(
                unit.availability if is_on else 1 - unit.availability for unit, is_on in zip(some, outcome, strict=True)
            )
    assert chance(some, 4e6).probability == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_cheapest_cover_is_that_of_all_subsets(seed: int) -> None:
    some = mixed(9, seed)
    sets = [s for n in range(10) for s in combinations(some, n) if chance(s, 3e6).probability >= 0.95]
    found = cover(some, 3e6, 0.95)
    assert found.proven
    assert found.cost == pytest.approx(min(sum(unit.cost for unit in s) for s in sets))
    assert found.chance.probability >= 0.95


def test_twenty_different_units_are_searched_to_the_end() -> None:
    found = cover(mixed(20, seed=1), 3e6, 0.95)
    assert found.proven
    assert found.chance.probability >= 0.95


def test_all_units_that_are_not_enough_are_told_as_such() -> None:
    found = cover(units(3), 3e6, 0.95)
    assert (found.enough, len(found.units)) == (False, 3)
    assert found.chance.probability == pytest.approx(0.95**3)


def test_many_units_are_sampled_with_the_given_numbers() -> None:
    many = units(30, likely=0.9)
    exact = sum(comb(30, k) * 0.9**k * 0.1 ** (30 - k) for k in range(25, 31))
    sampled = chance(many, 25e6, Random(7))
    assert sampled == chance(many, 25e6, Random(7))
    assert sampled.method is Method.SAMPLED
    assert sampled.probability == pytest.approx(exact, abs=0.01)


def test_many_units_are_normal_without_numbers() -> None:
    found = chance(units(30, likely=0.9), 27e6)
    assert (found.method, found.probability) == (Method.NORMAL, 0.5)


def test_many_units_are_covered_by_merit() -> None:
    dear, cheap = units(20, cost=9.0), units(20, cost=1.0)
    found = cover([*dear, *cheap], 10e6, 0.95, Random(3))
    assert found.enough
    assert not found.proven
    assert {unit.cost for unit in found.units} == {1.0}
    assert len(found.units) == 12


def test_nothing_is_needed_for_no_need() -> None:
    assert cover(units(3), 0.0, 0.95).units == ()


def test_history_shrinks_to_what_little_of_it_says() -> None:
    assert availability(0, 0) == 0.5
    assert availability(19, 20) == pytest.approx(19.5 / 21)
    with pytest.raises(ValueError, match="5 of 4"):
        availability(5, 4)


@pytest.mark.parametrize(
    "unit", [Unit("u", 0.0, 0.9), Unit("u", 1.0, 1.1), Unit("u", 1.0, 0.9, -1.0), Unit("u", float("nan"), 0.9)]
)
def test_impossible_unit_is_named(unit: Unit) -> None:
    with pytest.raises(ValueError, match="u: "):
        chance([unit], 1.0)


def test_probability_to_reach_must_be_one() -> None:
    with pytest.raises(ValueError, match=r"a probability of 1\.0"):
        cover(units(3), 1e6, 1.0)
