"""Selection by merit, on tenders small enough to price by hand, and against all combinations."""

from itertools import product
from random import Random

import pytest

from grid_engine.dispatch.selection import Payment, Tender, eligible, select
from tests.grid_engine.markets import blocks


def tender(name: str, *pairs: tuple[float, float], **more: object) -> Tender:
    return Tender(name.lower(), name, blocks(*pairs), **more)


def taken(result: object) -> dict[str, float]:
    return {award.resource: award.power_w / 1e6 for award in result.awards}


def test_only_who_relieves_noticeably_is_eligible() -> None:
    effects = {"C": 8.0, "A": 7.6, "far": 0.3, "loads": -5.0}
    assert eligible(effects, 0.5, "C") == {"C": 1.0, "A": 0.95}
    assert eligible(effects, 0.5) == eligible(effects, 0.5, "C")
    assert eligible(effects, 9.0) == {}
    with pytest.raises(ValueError, match="reference far"):
        eligible(effects, 0.5, "far")


def test_price_counts_per_effect() -> None:
    result = select(1.3e6, [tender("D", (1.5, 50), effectiveness=0.5), tender("C", (1, 55), (1, 65))])
    assert taken(result) == pytest.approx({"C": 1.3})
    assert result.cost_per_h == pytest.approx(55 + 0.3 * 65)
    assert result.clearing_price_per_mwh == 65.0


def test_less_effective_power_is_taken_for_more() -> None:
    result = select(1.3e6, [tender("D", (1.5, 25), effectiveness=0.5), tender("C", (1, 55), (1, 65))])
    assert taken(result) == pytest.approx({"D": 1.5, "C": 0.55})
    assert result.relief_w == pytest.approx(1.3e6)


def test_uniform_price_pays_everyone_the_dearest_relief() -> None:
    offers = [tender("D", (1.5, 25), effectiveness=0.5), tender("C", (1, 55))]
    result = select(1.3e6, offers, Payment.UNIFORM)
    assert {award.resource: award.cost_per_h for award in result.awards} == pytest.approx(
        {"D": 0.75 * 55, "C": 0.55 * 55}
    )


def test_need_that_is_not_covered_is_told() -> None:
    result = select(3e6, [tender("C", (1, 55))])
    assert result.short_w == pytest.approx(2e6)


def test_indivisible_block_is_left_out_where_others_are_cheaper() -> None:
    whole = tender("D", (1.5, 58), divisible=False)
    assert taken(select(1.3e6, [tender("C", (1, 55)), whole, tender("E", (0.3, 90))])) == {"C": 1.0, "E": 0.3}
    assert taken(select(1.3e6, [tender("C", (1, 55)), whole, tender("E", (0.3, 400))])) == {"C": 1.0, "D": 1.5}


def test_smallest_block_is_kept() -> None:
    result = select(1.1e6, [tender("C", (1, 55)), tender("D", (1.5, 58), min_block_w=0.5e6)])
    assert taken(result) == pytest.approx({"C": 1.0, "D": 0.5})


@pytest.mark.parametrize("seed", range(5))
def test_divisible_selection_is_the_cheapest_of_all(seed: int) -> None:
    rng = Random(seed)
    offers = [
        tender(f"T{k}", (rng.randint(1, 4), rng.randint(20, 90)), effectiveness=rng.choice([0.5, 1.0]))
        for k in range(4)
    ]
    sizes = [[n / 2 for n in range(int(offer.blocks[0].power_w / 5e5) + 1)] for offer in offers]
    combinations = [
        sum(p * o.blocks[0].price_per_mwh for p, o in zip(powers, offers, strict=True))
        for powers in product(*sizes)
        if sum(p * o.effectiveness for p, o in zip(powers, offers, strict=True)) >= 3.0
    ]
    assert select(3e6, offers).cost_per_h <= min(combinations) + 1e-9


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (tender("C", (1, 60), (1, 50)), "c: prices must not fall"),
        (tender("C", (0, 60)), "c: sizes"),
        (tender("C", (1, 60), effectiveness=0.0), "c: effectiveness 0"),
        (tender("C", (1, 60), min_block_w=2e6), "c: smallest block"),
    ],
)
def test_impossible_tender_is_named(bad: Tender, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        select(1e6, [bad])
