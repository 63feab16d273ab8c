"""Meters and strings: points of any model as values of a station, over the testbed's own faces, in virtual time."""

import asyncio

import pytest

from gateway.testbed.sunspec_station_face import ServedPoint, SunSpecStationFace
from protocols.modbus.settings import ModelPoint, SunSpecStation
from protocols.points import Phase, Point, Quantity
from protocols.signals import LinkChanged, LinkState, Outcome, Quality
from tests.protocols.modbus import virtual
from tests.protocols.modbus.server import Line
from tests.protocols.modbus.test_adapter import running

pytestmark = pytest.mark.filterwarnings("ignore:delta is less than resolution")

POWER, VOLTAGE = Point("TD1", Quantity.ACTIVE_POWER_W), Point("B4", Quantity.VOLTAGE_V, Phase.A)
STRING, PORT = Point("S3", Quantity.ACTIVE_POWER_W), Point("P1", Quantity.CURRENT_A)
PLACES = {POWER: (203, "W"), VOLTAGE: (203, "PhVphA"), STRING: (160, "module[2].DCW"), PORT: (714, "Prt[0].DCA")}


def station(**other) -> SunSpecStation:
    points = [ModelPoint(point, *place, scale=-1.0 if point == POWER else 1.0) for point, place in PLACES.items()]
    return SunSpecStation("METER", tuple(points), **other)


def face(truth) -> SunSpecStationFace:
    served = [ServedPoint(point, *place, -1.0 if point == POWER else 1.0) for point, place in PLACES.items()]
    return SunSpecStationFace(served, truth.__getitem__)


def test_meters_strings_and_ports_are_read_whatever_their_scale_factors_do():
    truth = {POWER: -1.234e6, VOLTAGE: 347.2, STRING: 4_321.0, PORT: 12.5}

    async def main():
        async with running(Line({1: face(truth)}), units=(station(read_max=60),)) as site:
            await asyncio.sleep(0.5)
            for point, value in truth.items():
                assert site.values(point)[0].value == pytest.approx(value, rel=1e-3)
            truth[POWER] = 2.5
            await asyncio.sleep(1)
            assert site.values(POWER)[-1].value == pytest.approx(2.5, abs=1e-3)
            ack = await site.adapter.apply(site.control(resource="TD1"))
            assert ack.outcome is Outcome.REJECTED

    virtual.run(main())


def test_a_point_that_the_device_does_not_have_is_bad_and_spoils_no_other():
    truth = {POWER: 1e6, VOLTAGE: float("nan"), STRING: 1.0, PORT: 1.0}
    absent = Point("X", Quantity.ACTIVE_POWER_W)
    second = ModelPoint(absent, 203, "W", instance=2)

    async def main():
        wanted = SunSpecStation("METER", (*station().points, second))
        async with running(Line({1: face(truth)}), units=(wanted,)) as site:
            await asyncio.sleep(0.5)
            assert site.values(POWER)[0].quality is Quality.GOOD
            assert [site.values(point)[0].quality for point in (VOLTAGE, absent)] == [Quality.BAD] * 2

    virtual.run(main())


def test_a_device_with_nothing_that_is_wanted_is_never_online_and_says_so():
    async def main():
        wanted = SunSpecStation("METER", (ModelPoint(POWER, 201, "W"),))
        truth = dict.fromkeys(PLACES, 1.0)
        async with running(Line({1: face(truth)}), units=(wanted,)) as site:
            await asyncio.sleep(10)
            (change,) = [s for _, s in site.said if isinstance(s, LinkChanged)]
            assert change.state is LinkState.LOST
            assert "METER has none of the points" in change.detail

    virtual.run(main())
