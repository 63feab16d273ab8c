"""Prices: one at a time, in time, for the group that they are made for, and never edited."""

import pytest

from ieee2030_5 import resources as r
from ieee2030_5.arrangements import Grouped, Placed, Priced, arranged, ended
from ieee2030_5.enrolment import build
from ieee2030_5.groups import GroupKind
from ieee2030_5.records import Record, from_json, to_json
from ieee2030_5.tariffs import Price, PriceError, priced
from ieee2030_5.tree import Tree
from tests.ieee2030_5.world import T0, Caller, lfdi, settings


@pytest.fixture
def records() -> list[Record]:
    return []


@pytest.fixture
def tree(records: list[Record]) -> Tree:
    made = Tree(build(settings(), lfdi("server"), T0), records.append)
    members = (Placed("A", ("north",)), Placed("S", ("north",)))
    for item in (Grouped("north", GroupKind.FEEDER), *members, Priced("day", "north", 1, 124, -5)):
        made.arrange(arranged(item, T0))
    return made


def price(tree: Tree, what: Price, now: int = T0) -> str:
    href = ""
    for document in priced(tree.utility, tree.utility.tariffs["day"], what, now):
        href = document.href or ""
        tree.store(href, document, "", now)
    return href


def statuses(tree: Tree, name: str, now: int) -> list[int]:
    caller = Caller(tree, name, now)
    listed = caller.get("/tp/day/rc/1/tti?l=9", r.TimeTariffIntervalList)
    link = f'<TimeTariffIntervalListLink href="/tp/day/rc/1/tti" all="{listed.all}"/>'
    assert link.encode() in caller.ask("GET", "/tp/day/rc/1").body
    active = caller.get("/tp/day/rc/1/acttti?l=9", r.TimeTariffIntervalList).all
    assert active == sum(item.status.currentStatus == 1 for item in listed.items)
    return [item.status.currentStatus for item in listed.items]


def test_prices_follow_each_other_in_time_for_clients_of_both_editions(tree: Tree) -> None:
    price(tree, Price(T0, 600, ((0, 12), (10_000, 20))))
    price(tree, Price(T0 + 600, 600, ((0, 9),)))
    times = (T0, T0 + 599, T0 + 600, T0 + 1_200)
    seen = [(statuses(tree, "A", now), statuses(tree, "S", now)) for now in times]
    assert seen == [([1, 0], [1, 0]), ([1, 0], [1, 0]), ([1], [5, 1]), ([], [5, 5])]
    assert statuses(tree, "S", T0 + 2_100) == []
    assert tree.utility.tariffs["day"].prices == {}


def test_a_client_finds_what_its_energy_costs(tree: Tree) -> None:
    href = price(tree, Price(T0, 600, ((0, 12), (10_000, 20)), tier=1))
    a = Caller(tree, "A")
    assert a.get("/dcap", r.DeviceCapability).TariffProfileListLink == r.ListLink(href="/tp", all=1)
    profile = a.get("/tp", r.TariffProfileList).items[0]
    assert (profile.currency, profile.pricePowerOfTenMultiplier) == (124, -5)
    blocks = a.get(f"{href}/cti?l=9", r.ConsumptionTariffIntervalList).items
    assert [(block.startValue, block.price) for block in blocks] == [(0, 12), (10_000, 20)]
    assert a.get("/tp/day/rc/1/rt", r.ReadingType).uom == 72
    b = Caller(tree, "B")
    assert b.get("/dcap", r.DeviceCapability).TariffProfileListLink == r.ListLink(href="/tp", all=0)
    for path in ("/tp/day", "/tp/day/rc/1/tti", href, f"{href}/cti", f"{href}/cti/0"):
        assert b.ask("GET", path).status == 404


@pytest.mark.parametrize(
    ("what", "word"),
    [
        (Price(T0 - 600, 600, ((0, 1),)), "over"),
        (Price(T0, 0, ((0, 1),)), "over"),
        (Price(T0 + 899, 10, ((0, 1),)), "already"),
        (Price(T0 + 900, 10, ()), "rise from 0"),
        (Price(T0 + 900, 10, ((1, 1),)), "rise from 0"),
        (Price(T0 + 900, 10, ((0, 1), (5, 1), (5, 2))), "rise from 0"),
    ],
)
def test_a_price_that_cannot_stand_is_refused(tree: Tree, what: Price, word: str) -> None:
    price(tree, Price(T0 + 600, 300, ((0, 1),)))
    with pytest.raises(PriceError, match=word):
        price(tree, what)


def test_a_price_is_taken_back_and_said_anew_never_edited(tree: Tree) -> None:
    first = price(tree, Price(T0, 600, ((0, 12),)))
    tree.remove(first, T0 + 5)
    second = price(tree, Price(T0, 600, ((0, 13),)), T0 + 5)
    assert first != second
    assert sorted(statuses(tree, "A", T0 + 5)) == [1, 2]
    tree.arrange(ended(Priced, "day", T0 + 6))
    assert Caller(tree, "A", T0 + 6).ask("GET", "/tp/day").status == 404


def test_a_restart_forgets_no_price(tree: Tree, records: list[Record]) -> None:
    price(tree, Price(T0, 600, ((0, 12),)))
    again = Tree(build(settings(), lfdi("server"), T0), lambda _: None)
    again.restore([from_json(to_json(record)) for record in records])
    assert Caller(again, "A").walk() == Caller(tree, "A").walk()
