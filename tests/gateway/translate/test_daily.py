"""The day of the example zone Maple as decisions read it."""

from pathlib import Path

import pytest

from config.loader import load
from gateway.translate.facts import zone_facts
from grid_engine.feeders.maple.profiles import build_day
from grid_engine.results import Connection
from tests.gateway.translate.zones import zone

ZONES = Path(__file__).parents[3] / "config" / "zones"
T = 1_800_000_000.0
NOON_S = 12 * 3600.0


@pytest.fixture(scope="module")
def facts():
    return zone_facts(load(ZONES / "maple.yaml"), T)


def test_its_members_are_the_loads_and_units_of_the_network(facts):
    day = build_day()
    assert {*facts.daily.loads, *facts.daily.units} == set(day.ids)
    assert all(name.endswith(("-L", "-EV")) for name in facts.daily.loads)
    assert all(name.endswith(("-PV", "-BAT")) for name in facts.daily.units)
    at_noon = facts.daily.clock.utc_offset_s
    assert at_noon == -5 * 3600.0


def test_expected_powers_are_those_of_the_day(facts):
    name = next(iter(facts.daily.units))
    size_w = dict(zip(build_day().ids, build_day().size_w, strict=True))[name]
    midnight_s = T - (T + facts.daily.clock.utc_offset_s) % 86_400
    dark, bright = facts.daily.unit_w([midnight_s, midnight_s + NOON_S + 1800])[name]
    assert dark == 0
    assert 0.8 * size_w < bright < 0.9 * size_w


def test_its_capacitors_and_connections_are_told(facts):
    assert facts.capacitors == {"CAP1", "CAP2"}
    farm, homes, park = (facts.resources[name] for name in ("FARM1", "LAT1", "SUN1"))
    assert (farm.phases, farm.connection) == ("s1s2", Connection.SPLIT)
    assert (homes.phases, homes.connection) == ("b", Connection.WYE)
    assert park.phases == "abc"


def test_a_shortened_market_has_a_shortened_day():
    facts = zone_facts(load(ZONES / "maple_noon.yaml"), T)
    assert facts.daily.clock.speed == 10
    assert 10.5 * 3600 <= facts.daily.clock.at(T) < 13.5 * 3600


def test_a_zone_without_a_day_has_none():
    assert zone_facts(zone(), T).daily is None
    assert zone_facts(zone(), T).capacitors == frozenset()
