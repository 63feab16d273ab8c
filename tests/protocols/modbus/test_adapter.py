"""The adapter in virtual time: several units on one connection, some of them unwell."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise

import pytest

from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.register import Encoding, Register
from protocols.modbus.settings import MappedRegister, MappedStation, ModbusSettings, Quirks, SunSpecDer
from protocols.points import Point, Quantity
from protocols.signals import (
    Ack,
    Baseline,
    Bounds,
    Control,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
    Release,
    Signal,
)
from tests.protocols.modbus import virtual
from tests.protocols.modbus.server import Line, battery_image, legacy_image

pytestmark = pytest.mark.filterwarnings("ignore:delta is less than resolution")

EPOCH_S = 1_800_000_000.0
LIMIT = Bounds(None, 1.2e6)


class Site:
    """A running adapter on a line of units, and all it said with the time."""

    def __init__(self, line: Line, **options) -> None:
        self.line = line
        self.said: list[tuple[float, Signal]] = []
        self.now_offset_s = 0.0
        ders = tuple(SunSpecDer(f"D{unit}", 2.5e6, -2.5e6, unit_id=unit) for unit in line.images)
        options = {"units": ders, **options}
        rng = options.pop("rng", random.Random(7))
        settings = ModbusSettings(line.host, port=line.port, **options)
        self.adapter = ModbusAdapter(settings, self.now, rng)

    def now(self) -> float:
        return EPOCH_S + self.now_offset_s + asyncio.get_running_loop().time()

    def emit(self, batch: Sequence[Signal]) -> None:
        self.said += [(asyncio.get_running_loop().time(), signal) for signal in batch]

    def times(self, resource: str) -> list[float]:
        return [t for t, s in self.said if isinstance(s, Measurement) and s.point == power(resource)]

    def of(self, kind, resource: str = "D1") -> list:
        return [s for _, s in self.said if isinstance(s, kind) and s.resource == resource]

    def values(self, point: Point) -> list[Measurement]:
        return [s for _, s in self.said if isinstance(s, Measurement) and s.point == point]

    def control(self, version=1, resource="D1", lease_s=900, limit=LIMIT, **rest) -> Control:
        start_s = self.now()
        return Control(f"c{version}", resource, version, start_s, start_s + lease_s, limit, **rest)


def power(resource: str) -> Point:
    return Point(resource, Quantity.ACTIVE_POWER_W)


@asynccontextmanager
async def running(line: Line, **options) -> AsyncIterator[Site]:
    await line.start()
    site = Site(line, **options)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(site.adapter.run(site.emit))
        yield site
        task.cancel()
        await line.stop()


def test_a_dead_unit_costs_its_neighbours_nothing():
    async def main():
        line = Line({unit: battery_image() for unit in (1, 2, 3, 4)})
        async with running(line) as site:
            line.deaf = {3}
            await asyncio.sleep(40)
            for resource in ("D1", "D2", "D4"):
                times = site.times(resource)
                assert len(times) >= 40
                assert max(b - a for a, b in pairwise(times)) <= 1.3
            assert not site.times("D3")
            assert line.accepted == 1

    virtual.run(main())


def test_connections_that_come_up_together_are_polled_at_once_and_then_in_turn():
    async def main():
        async with AsyncExitStack() as stack:
            lines = [Line({1: battery_image()}, port=5020 + k) for k in range(40)]
            sites = [await stack.enter_async_context(running(line, rng=None)) for line in lines]
            await asyncio.sleep(9.9)
            for times in (site.times("D1") for site in sites):
                assert times[0] < 0.1
                assert max(b - a for a, b in pairwise(times)) <= 1.01
            quarters = Counter(int(4 * (site.times("D1")[-1] % 1)) for site in sites)
            assert max(quarters.values()) < 20

    virtual.run(main())


def test_ends_when_cancelled_in_the_moment_in_which_an_answer_arrives():
    async def main():
        line = Line({1: battery_image()})
        await line.start()
        loop = asyncio.get_running_loop()
        stuck = []
        for turns in range(120):
            adapter = ModbusAdapter(
                ModbusSettings(line.host, (SunSpecDer("D1", 2.5e6),), line.port), loop.time, random.Random(7)
            )
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(adapter.run(lambda _: None))
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task], timeout=30)
                if not task.done():
                    stuck.append(turns)
                    task.cancel()
        assert not stuck
        await line.stop()

    virtual.run(main())


def test_a_unit_that_dies_is_demoted_and_comes_back():
    async def main():
        line = Line({1: battery_image(), 2: battery_image()})
        async with running(line, retry_max_s=10) as site:
            await asyncio.sleep(5)
            line.deaf = {2}
            await asyncio.sleep(5)
            assert [c.state for c in site.of(LinkChanged, "D2")] == [
                LinkState.ONLINE,
                LinkState.DEGRADED,
                LinkState.LOST,
            ]
            before = len([entry for entry in line.log if entry[0] == 2])
            await asyncio.sleep(300)
            asked = len([entry for entry in line.log if entry[0] == 2]) - before
            assert asked <= 32
            assert max(b - a for a, b in pairwise(site.times("D1"))) <= 1.3
            line.deaf = set()
            await asyncio.sleep(11)
            assert site.of(LinkChanged, "D2")[-1].state is LinkState.ONLINE
            assert [c.state for c in site.of(LinkChanged, "D1")] == [LinkState.ONLINE]
            assert len(site.of(Baseline, "D2")) == 2

    virtual.run(main())


def test_polls_keep_their_pace():
    async def main():
        async with running(Line({1: battery_image()})) as site:
            await asyncio.sleep(60.5)
            assert len(site.times("D1")) == 61

    virtual.run(main())


def test_a_closed_connection_is_lost_at_once_and_an_unreachable_one_too():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(2.5)
            await line.stop()
            await asyncio.sleep(0.1)
            assert site.of(LinkChanged)[-1].state is LinkState.LOST
            assert "closed the connection" in site.of(LinkChanged)[-1].detail
            await asyncio.sleep(100)
            assert len(site.of(LinkChanged)) == 2
            await line.start()
            await asyncio.sleep(10.1)
            assert site.of(LinkChanged)[-1].state is LinkState.ONLINE

    virtual.run(main())


def test_a_write_without_an_answer_is_settled_by_reading_back():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
            line.silent_writes = True
            ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.WRITTEN
            assert "no answer" in ack.detail
            assert len(line.writes) == 1

    virtual.run(main())


def test_a_write_that_never_arrived_is_found_out_at_once_and_not_repeated():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
            line.lose_writes = True
            began_s = asyncio.get_running_loop().time()
            ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.UNDELIVERED
            assert asyncio.get_running_loop().time() - began_s < 1.1, "the deadline of the write, and one look"
            assert ack.requested["704.WMaxLimPct"] == 48.0
            assert ack.read_back["704.WMaxLimPct"] == 100.0
            await asyncio.sleep(60)
            assert len(line.writes) == 1

    virtual.run(main())


def test_a_device_that_asks_for_time_or_wears_is_given_all_of_it_before_a_write_counts_as_lost():
    async def main(*, wears: bool):
        line = Line({1: battery_image()})
        quirks = Quirks(writes_per_day=100) if wears else Quirks()
        async with running(line, units=(SunSpecDer("D1", 2.5e6, -2.5e6, quirks=quirks),), settle_s=3.0) as site:
            await asyncio.sleep(1.5)
            if wears:
                line.lose_writes = True
            else:
                line.refusing = {1: 5}  # ACKNOWLEDGE: still working on it
            began_s = asyncio.get_running_loop().time()
            ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.UNDELIVERED
            assert asyncio.get_running_loop().time() - began_s >= 3.0

    virtual.run(main(wears=True))
    virtual.run(main(wears=False))


def test_an_unanswered_renewal_counts_only_if_the_device_shows_it():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
            await site.adapter.apply(site.control())
            line.images[1].set("704.WMaxLimPctRvrtRem", 450)
            line.lose_writes = True
            ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.UNKNOWN
            assert "held the same before" in ack.detail
            line.images[1].set("704.WMaxLimPctRvrtRem", 899)
            ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.WRITTEN

    virtual.run(main())


def test_a_write_that_is_accepted_and_ignored_is_rejected():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
            line.ignoring = {1}
            ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.REJECTED
            assert "WMaxLimPct is 100.0" in ack.detail

    virtual.run(main())


def test_the_limit_and_its_reversion_go_out_in_one_write():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
            ack = await site.adapter.apply(site.control(fallback=Bounds(None, 0.5e6), lease_s=899.2))
            assert ack.outcome is Outcome.WRITTEN
            image, model = line.images[1], line.images[1].models[704]
            assert line.writes == [(1, 16, model.address + model.points["WMaxLimPctEna"].offset, 6)]
            assert image.get("704.WMaxLimPct") == 48.0
            assert image.get("704.WMaxLimPctRvrt") == 20.0
            assert image.get("704.WMaxLimPctEnaRvrt") == 1
            assert image.get("704.WMaxLimPctRvrtTms") == 900
            assert "704.WMaxLimPctRvrtRem" in ack.read_back

    virtual.run(main())


def test_legacy_limit_arms_the_timer_before_the_enable():
    async def main():
        line = Line({1: legacy_image()})
        async with running(line, units=(SunSpecDer("D1", 6e6),)) as site:
            await asyncio.sleep(1.5)
            ack = await site.adapter.apply(site.control(limit=Bounds(None, 4e6)))
            assert ack.outcome is Outcome.WRITTEN
            model = line.images[1].models[123]
            written = [entry[2] - model.address for entry in line.writes]
            order = ("WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena")
            assert written == [model.points[name].offset for name in order]
            assert line.images[1].get("123.WMaxLimPct") == 66
            await asyncio.sleep(1.1)
            assert site.values(Point("D1", Quantity.CEILING_W))[-1].value == pytest.approx(0.66 * 6e6)

    virtual.run(main())


def test_n2_a_nameplate_is_told_once_a_connection_and_when_it_changes():
    async def main():
        line = Line({1: legacy_image()})
        async with running(line, units=(SunSpecDer("D1", 6e6),)) as site:
            await asyncio.sleep(15)
            rated = Point("D1", Quantity.RATED_POWER_W)
            assert [one.value for one in site.values(rated)] == [6e6]
            line.images[1].set("120.WRtg", 5e6)
            await asyncio.sleep(15)
            assert [one.value for one in site.values(rated)] == [6e6, 5e6]

    virtual.run(main())


def test_release_restores_what_was_there_first():
    async def main():
        line = Line({1: battery_image()})
        image = line.images[1]
        image.set("704.WMaxLimPctEna", 1)
        image.set("704.WMaxLimPct", 80)
        async with running(line) as site:
            await asyncio.sleep(1.5)
            (first,) = site.of(Baseline)
            await site.adapter.apply(site.control(1))
            await site.adapter.apply(site.control(2, target_w=-1e6))
            assert image.get("704.WSetEna") == 1
            ack = await site.adapter.apply(Release("r", "D1", 3, first.values))
            assert ack.outcome is Outcome.WRITTEN
            assert image.get("704.WMaxLimPctEna") == 1
            assert image.get("704.WMaxLimPct") == 80
            assert image.get("704.WSetEna") == 0

    virtual.run(main())


def test_a_target_that_is_taken_back_gives_the_set_point_back():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
            await site.adapter.apply(site.control(1, target_w=0.7e6))
            assert line.images[1].get("704.WSet") == 0.7e6
            await site.adapter.apply(site.control(2))
            assert line.images[1].get("704.WSetEna") == 0
            assert line.images[1].get("704.WMaxLimPctEna") == 1

    virtual.run(main())


def test_a_queued_older_version_gives_way():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site, asyncio.TaskGroup() as tasks:
            await asyncio.sleep(1.5)
            first = tasks.create_task(site.adapter.apply(site.control(1)))
            second = tasks.create_task(site.adapter.apply(site.control(2, limit=Bounds(None, 0.8e6))))
            third = tasks.create_task(site.adapter.apply(site.control(3, limit=Bounds(None, 0.6e6))))
            await asyncio.sleep(5)
            outcomes = [task.result().outcome for task in (first, second, third)]
            assert outcomes[1:] == [Outcome.SUPERSEDED, Outcome.WRITTEN]
            assert line.images[1].get("704.WMaxLimPct") == 24

    virtual.run(main())


def test_a_device_without_a_map_never_comes_online_and_says_why():
    async def main():
        line = Line({1: battery_image()})
        line.images[1].registers[0] = 0
        async with running(line) as site:
            await asyncio.sleep(10)
            (change,) = site.of(LinkChanged)
            assert change.state is LinkState.LOST
            assert "no SunSpec marker" in change.detail
            ack: Ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.UNDELIVERED

    virtual.run(main())


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"TT\0\0\0\x03\x01\x03\x04",
        b"TT\0\0\0\x02\x01\x63",
        b"TT\0\0\0\x05\x01\x03\x02\0\0",
        b"TT\0\0\0\x04\x01\x03\xff\0",
        b"TT\0\0\0\x03\x02\x83\x02",
        b"TT\0\0\xff\xff\x01\x03" + bytes(300),
        bytes(8),
        b"",
    ],
)
def test_nonsense_from_the_wire_costs_the_link_and_nothing_else(garbage):
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(2.5)
            line.garbage = garbage
            ack = await site.adapter.apply(site.control())
            assert ack.outcome is Outcome.UNDELIVERED
            await asyncio.sleep(20)
            assert site.of(LinkChanged)[-1].state is LinkState.LOST
            line.garbage = None
            await asyncio.sleep(15)
            assert site.of(LinkChanged)[-1].state is LinkState.ONLINE
            assert all(m.quality is Quality.GOOD for m in site.values(power("D1")))

    virtual.run(main())


def test_a_restarted_run_begins_with_a_lost_link():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
        await line.start()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(site.adapter.run(site.emit))
            await asyncio.sleep(1.5)
            task.cancel()
        states = [c.state for c in site.of(LinkChanged)]
        assert states == [LinkState.ONLINE, LinkState.LOST, LinkState.ONLINE]

    virtual.run(main())


def test_stations_are_read_and_one_refused_block_spoils_no_other():
    async def main():
        current, voltage = Point("L12", Quantity.CURRENT_A), Point("B4", Quantity.VOLTAGE_PU)
        nowhere, nan = Point("L13", Quantity.CURRENT_A), Point("L14", Quantity.CURRENT_A)
        station = MappedStation(
            "SCADA",
            (
                MappedRegister(current, Register(40000, Encoding.UINT16, scale=0.1)),
                MappedRegister(voltage, Register(40001, Encoding.UINT16)),
                MappedRegister(nan, Register(40002, Encoding.FLOAT32)),
                MappedRegister(nowhere, Register(60000)),
            ),
        )
        line = Line({1: battery_image()})
        line.images[1].registers[:4] = [1542, 1, 0x7FC0, 0]
        async with running(line, units=(station,)) as site:
            await asyncio.sleep(0.5)
            assert site.adapter.resources == {"L12", "B4", "L13", "L14"}
            assert site.values(current)[0].value == pytest.approx(154.2)
            assert site.values(voltage)[0].value == 1
            assert [site.values(p)[0].quality for p in (nowhere, nan)] == [Quality.BAD] * 2
            assert {c.resource for _, c in site.said if isinstance(c, LinkChanged)} == site.adapter.resources
            ack = await site.adapter.apply(site.control(resource="L12"))
            assert ack.outcome is Outcome.REJECTED

    virtual.run(main())
