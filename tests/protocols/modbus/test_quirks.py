"""Devices that differ from what their models say, in virtual time: budget, percent, single writes, heartbeats."""

import asyncio

import pytest

from protocols.modbus.settings import PercentOf, Quirks, SunSpecDer
from protocols.modbus.sunspec import ModelImage
from protocols.points import Point, Quantity
from protocols.signals import Bounds, LinkChanged, LinkState, Outcome, Release
from tests.protocols.modbus import virtual
from tests.protocols.modbus.server import Line, battery_image
from tests.protocols.modbus.test_adapter import running

DAY_S = 86_400
CEILING = Point("D1", Quantity.CEILING_W)


def der(**options) -> SunSpecDer:
    return SunSpecDer("D1", 2.5e6, -2.5e6, **options)


def with_heart(model_id: int = 715) -> ModelImage:
    plain = battery_image()
    image = ModelImage((1, 701, 702, 704, model_id))
    for model in (1, 701, 702, 704):
        for name in plain.models[model].points:
            if name not in {"ID", "L"}:
                start, _ = plain._find(f"{model}.{name}")
                goal, point = image._find(f"{model}.{name}")
                image.registers[goal : goal + point.size] = plain.registers[start : start + point.size]
    names = ("LocRemCtl", "DERHb", "ControllerHb") if model_id == 715 else ("LocRemCtl", "Hb", "CtrlHb")
    for name in names:
        image.set(f"{model_id}.{name}", 0)
    return image


async def beating(image: ModelImage, name: str) -> None:
    while True:
        await asyncio.sleep(1)
        image.set(name, (image.get(name) or 0) + 1)


def test_a_renewal_writes_the_timer_alone_where_memory_wears():
    async def main():
        line = Line({1: battery_image()})
        quirks = Quirks(writes_per_day=300)
        async with running(line, units=(der(quirks=quirks),)) as site:
            await asyncio.sleep(1.5)
            assert (await site.adapter.apply(site.control(1))).outcome is Outcome.WRITTEN
            await asyncio.sleep(400)
            line.log.clear()
            assert (await site.adapter.apply(site.control(1))).outcome is Outcome.WRITTEN
            model = line.images[1].models[704]
            assert line.writes == [(1, 16, model.address + model.points["WMaxLimPctRvrtTms"].offset, 2)]

    virtual.run(main())


def test_renewals_and_releases_of_a_limit_end_with_the_budget_but_tightening_never_does():
    async def main():
        line = Line({1: battery_image()})
        async with running(line, units=(der(quirks=Quirks(writes_per_day=3)),), poll_s=60.0) as site:
            await asyncio.sleep(1.5)
            outcomes = [(await site.adapter.apply(site.control(1))).outcome for _ in range(3)]
            assert outcomes == [Outcome.WRITTEN] * 3
            ack = await site.adapter.apply(site.control(1))
            assert ack.outcome is Outcome.REJECTED
            assert "spared for another" in ack.detail
            assert len(line.writes) == 3
            tighter = await site.adapter.apply(site.control(2, limit=Bounds(None, 0.5e6)))
            assert tighter.outcome is Outcome.WRITTEN
            looser = await site.adapter.apply(site.control(3, limit=Bounds(None, 2e6)))
            assert looser.outcome is Outcome.REJECTED
            given_back = await site.adapter.apply(Release("r", "D1", 4, {}))
            assert given_back.outcome is Outcome.WRITTEN
            await asyncio.sleep(2 * DAY_S)
            assert (await site.adapter.apply(site.control(5))).outcome is Outcome.WRITTEN

    virtual.run(main())


@pytest.mark.parametrize(
    ("percent_of", "percent"), [(PercentOf.SETTING, 60.0), (PercentOf.RATING, 30.0), (PercentOf.NAMEPLATE, 48.0)]
)
def test_percent_of_what_is_what_the_settings_say(percent_of, percent):
    async def main():
        line = Line({1: battery_image(w_max_w=2e6)})
        line.images[1].set("702.WMaxRtg", 4e6)
        async with running(line, units=(der(quirks=Quirks(percent_of=percent_of)),)) as site:
            await asyncio.sleep(1.5)
            ack = await site.adapter.apply(site.control())
            assert ack.read_back["704.WMaxLimPct"] == percent
            await asyncio.sleep(1.1)
            assert site.values(CEILING)[-1].value == 1.2e6

    virtual.run(main())


def test_a_device_that_takes_no_small_limit_gets_its_smallest_and_that_is_said():
    async def main():
        line = Line({1: battery_image()})
        async with running(line, units=(der(quirks=Quirks(min_percent=1)),)) as site:
            await asyncio.sleep(1.5)
            ack = await site.adapter.apply(site.control(limit=Bounds(None, 0)))
            assert ack.requested["704.WMaxLimPct"] == 1
            assert "no limit below 1 %" in ack.detail

    virtual.run(main())


def test_reads_take_no_more_than_the_device_gives():
    async def main():
        line = Line({1: battery_image()})
        async with running(line, units=(der(quirks=Quirks(read_max=70)),)) as site:
            await asyncio.sleep(1.5)
            assert (await site.adapter.apply(site.control())).outcome is Outcome.WRITTEN
            assert max(count for _, code, _, count in line.log if code == 3) <= 70

    virtual.run(main())


def test_a_lease_is_never_longer_than_the_devices_longest_whatever_our_clock_says():
    async def main():
        line = Line({1: battery_image()})
        async with running(line, units=(der(lease_max_s=900),)) as site:
            await asyncio.sleep(1.5)
            site.now_offset_s = -3600.0
            control = site.control(lease_s=4500)
            assert (await site.adapter.apply(control)).outcome is Outcome.WRITTEN
            assert line.images[1].get("704.WMaxLimPctRvrtTms") == 900

    virtual.run(main())


def test_a_write_whose_time_is_over_before_the_line_is_free_is_not_sent():
    async def main():
        line = Line({1: battery_image(), 2: battery_image()})
        async with running(line, timeout_s=5, shared_timeout_s=5) as site:
            await asyncio.sleep(2.5)
            line.delay_s = {2: 0.9}
            line.log.clear()
            while not line.log or line.log[-1][0] != 2:  # noqa: ASYNC110 - the other unit has the line
                await asyncio.sleep(0.01)
            ack = await site.adapter.apply(site.control(lease_s=0.5))
            assert ack.outcome is not Outcome.WRITTEN
            await asyncio.sleep(10)
            assert not line.writes

    virtual.run(main())


@pytest.mark.parametrize(("model_id", "theirs", "ours"), [(715, "DERHb", "ControllerHb"), (802, "Hb", "CtrlHb")])
def test_our_heart_beats_and_theirs_is_watched(model_id, theirs, ours):
    async def main():
        line = Line({1: with_heart(model_id)})
        image = line.images[1]
        async with running(line) as site, asyncio.TaskGroup() as tasks:
            heart = tasks.create_task(beating(image, f"{model_id}.{theirs}"))
            await asyncio.sleep(30.5)
            assert image.get(f"{model_id}.{ours}") == 31
            assert [change.state for change in site.of(LinkChanged)] == [LinkState.ONLINE]
            heart.cancel()
            await asyncio.sleep(20)
            assert site.of(LinkChanged)[-1].state is LinkState.LOST
            assert "heartbeat stands still" in site.of(LinkChanged)[-1].detail
            heart = tasks.create_task(beating(image, f"{model_id}.{theirs}"))
            await asyncio.sleep(12)
            assert site.of(LinkChanged)[-1].state is LinkState.ONLINE
            heart.cancel()

    virtual.run(main())


def test_a_heart_that_never_beat_tells_nothing_and_one_that_we_may_not_touch_is_left_alone():
    async def main():
        line = Line({1: with_heart()})
        async with running(line, units=(der(quirks=Quirks(heartbeat=False)),)) as site:
            await asyncio.sleep(60)
            assert [change.state for change in site.of(LinkChanged)] == [LinkState.ONLINE]
            assert not line.writes

    virtual.run(main())


def test_a_device_under_local_control_is_left_alone():
    async def main():
        line = Line({1: with_heart()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
            line.images[1].set("715.LocRemCtl", 1)
            ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.REJECTED
            assert "local control" in ack.detail
            assert line.images[1].get("704.WMaxLimPctEna") == 0

    virtual.run(main())
