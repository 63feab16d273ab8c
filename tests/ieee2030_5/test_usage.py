"""What a client has mirrored comes back as UsagePoints: only to it, only the newest, in the order of the edition."""

from dataclasses import replace

import pytest

from ieee2030_5 import resources as r
from ieee2030_5.enrolment import build
from ieee2030_5.tree import Tree
from tests.ieee2030_5.world import T0, Caller, lfdi, power, samples, settings

SERIES = "5" * 32


@pytest.fixture
def tree() -> Tree:
    return Tree(build(settings(), lfdi("server"), T0), lambda _: None)


def point(name: str) -> r.MirrorUsagePoint:
    found = samples(name, "0" * 32)["MirrorUsagePoint"]
    assert isinstance(found, r.MirrorUsagePoint)
    return replace(found, meter_readings=(power(5, SERIES),))


def reading_set(number: int, values: int) -> r.MirrorReadingSet:
    period = r.DateTimeInterval(duration=300, start=T0 + 300 * number)
    return r.MirrorReadingSet(
        mRID=f"{number:032X}",
        timePeriod=period,
        readings=tuple(r.Reading(value=n, localID=f"{n:04X}") for n in reversed(range(values))),
    )


def test_a_mirrored_meter_is_a_usage_point_of_its_client_alone(tree: Tree) -> None:
    a, b = Caller(tree, "A"), Caller(tree, "B")
    place = a.ask("POST", "/mup", point("A")).headers["Location"].replace("/mup", "/upt")
    assert a.get("/dcap", r.DeviceCapability).UsagePointListLink == r.ListLink(href="/upt", all=1)
    shown = a.get("/upt?l=9", r.UsagePointList).items[0]
    assert (shown.href, shown.mRID, shown.deviceLFDI) == (place, point("A").mRID, lfdi("A"))
    reading = a.get(f"{place}/mr/0/r", r.Reading)
    assert (reading.value, reading.href) == (7, f"{place}/mr/0/r"), "the last value of the last set"
    assert a.get(f"{place}/mr/0/rt", r.ReadingType).uom == 38
    for path in ("", "/mr", "/mr/0", "/mr/0/r", "/mr/0/rt", "/mr/0/rs"):
        assert b.ask("GET", place + path).status == 404
        assert a.ask("POST", place + path, reading).status == 405
    assert b.get("/upt?l=9", r.UsagePointList).all == 0
    assert a.ask("GET", f"{place}/mr/1").status == a.ask("GET", f"{place}/mr/x").status == 404


def test_the_newest_sets_stay_and_the_same_set_is_replaced(tree: Tree) -> None:
    a = Caller(tree, "A")
    mirror = a.ask("POST", "/mup", point("A")).headers["Location"]
    place = mirror.replace("/mup", "/upt")
    for number in range(6):
        body = replace(power(number, SERIES), reading=None, reading_sets=(reading_set(number, 3),), reading_type=None)
        assert a.ask("POST", mirror, body).status == 201
    again = replace(power(0, SERIES), reading=None, reading_sets=(reading_set(5, 200),), reading_type=None)
    assert a.ask("POST", mirror, again).status == 201
    sets = a.get(f"{place}/mr/0/rs?l=9", r.ReadingSetList)
    assert [item.timePeriod.start for item in sets.items] == [T0 + 300 * n for n in (5, 4, 3, 2)]
    assert a.get(f"{place}/mr/0/rs?l=9&a={T0 + 1_200}", r.ReadingSetList).results == 1
    values = a.get(f"{sets.items[0].href}/r?l=255", r.ReadingList)
    assert [item.value for item in values.items] == [*range(96)], "in the order of localID, and no more than a day"
    assert a.get(values.items[7].href or "", r.Reading) == replace(values.items[7], href=values.items[7].href)
    assert a.ask("DELETE", mirror).status == 204
    assert a.ask("GET", f"{place}/mr/0/r").status == 404
    assert not tree.utility.recent
