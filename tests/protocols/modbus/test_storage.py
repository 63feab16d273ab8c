"""A storage of the legacy models: how fast it may charge is limited by model 124, beside model 123."""

import asyncio

import pytest

from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.settings import Quirks, SunSpecDer
from protocols.signals import Baseline, Bounds, Outcome, Release
from tests.protocols.modbus import virtual
from tests.protocols.modbus.server import Line
from tests.protocols.modbus.test_adapter import power, running

pytestmark = pytest.mark.filterwarnings("ignore:delta is less than resolution")

SPEC = DeviceSpec("D1", 2.5e6, -2.0e6, kind="bess", energy_wh=50e6, initial_w=-1.8e6)


class Storage:
    """A simulated legacy storage at the time of the event loop."""

    def __init__(self) -> None:
        self.truth = SimulatedDevice(SPEC, 0.0)
        self.face = SunSpecFace(self.truth, lambda: 1.0, series="legacy")

    def at_present(self) -> SimulatedDevice:
        self.truth.advance(asyncio.get_running_loop().time())
        return self.truth

    def read(self, address: int, count: int) -> list[int]:
        self.at_present()
        return self.face.read(address, count)

    def write(self, address: int, values) -> None:
        self.at_present()
        self.face.write(address, values)


def played(scene, **options) -> None:
    async def main():
        storage = Storage()
        der = SunSpecDer("D1", SPEC.p_max_w, SPEC.p_min_w, **options)
        async with running(Line({1: storage}), units=(der,)) as site:
            await asyncio.sleep(1.5)
            await scene(site, storage)

    virtual.run(main())


def test_a_lower_limit_holds_rounded_toward_safety_and_ends_with_the_lease():
    async def scene(site, storage):
        assert site.values(power("D1"))[0].value == -1.8e6
        ack = await site.adapter.apply(site.control(1, limit=Bounds(-0.5001e6, 1e6), lease_s=100))
        assert ack.outcome is Outcome.WRITTEN, ack
        assert ack.requested["124.InWRte"] == ack.read_back["124.InWRte"] == 25.0
        assert ack.requested["124.StorCtl_Mod"] == 1
        assert storage.at_present().limit == Bounds(-0.5e6, 1e6)
        assert storage.at_present().power_w == -0.5e6
        site.line.deaf.add(1)
        await asyncio.sleep(101)
        assert storage.at_present().power_w == -1.8e6

    played(scene)


def test_release_restores_what_was_there_and_a_limit_without_a_floor_gives_it_back():
    async def scene(site, storage):
        await site.adapter.apply(site.control(1, limit=Bounds(-0.4e6, None)))
        assert storage.at_present().limit == Bounds(-0.4e6, None)
        await site.adapter.apply(site.control(2, limit=Bounds(None, 1e6)))
        assert storage.at_present().limit == Bounds(None, 1e6)
        values = site.of(Baseline)[0].values
        assert values["124.InWRte"] == 100
        await site.adapter.apply(site.control(3, limit=Bounds(-0.4e6, None)))
        ack = await site.adapter.apply(Release("r", "D1", 4, values))
        assert ack.outcome is Outcome.WRITTEN
        assert storage.at_present().limit.is_open

    played(scene)


@pytest.mark.parametrize("limit", [Bounds(0.1e6, None), Bounds(None, -0.1e6)])
def test_that_it_must_move_power_is_not_in_its_language(limit):
    async def scene(site, storage):
        ack = await site.adapter.apply(site.control(1, limit=limit))
        assert ack.outcome is Outcome.REJECTED
        assert storage.at_present().limit.is_open

    played(scene)


def test_a_fallback_that_is_a_lower_limit_leaves_the_limit_standing_and_says_so():
    async def scene(site, storage):
        control = site.control(1, limit=Bounds(-0.5e6, None), lease_s=100, fallback=Bounds(-1e6, None))
        ack = await site.adapter.apply(control)
        assert ack.outcome is Outcome.WRITTEN
        assert "stays until it is changed" in ack.detail
        await asyncio.sleep(200)
        assert storage.at_present().power_w == -0.5e6

    played(scene)


def test_the_bit_of_discharge_is_left_alone():
    async def scene(site, storage):
        image = storage.face._image
        image.set("124.StorCtl_Mod", 2)
        storage.face._shown = storage.truth.limit
        ack = await site.adapter.apply(site.control(1, limit=Bounds(-0.5e6, None)))
        assert ack.requested["124.StorCtl_Mod"] == 3

    played(scene)


def test_where_memory_wears_only_tightening_goes_beyond_the_budget():
    async def scene(site, _storage):
        await site.adapter.apply(site.control(1, limit=Bounds(-0.5e6, None)))
        ack = await site.adapter.apply(site.control(2, limit=Bounds(-0.6e6, None)))
        assert ack.outcome is Outcome.REJECTED
        assert "spared" in ack.detail
        ack = await site.adapter.apply(site.control(3, limit=Bounds(-0.3e6, None)))
        assert ack.outcome is Outcome.WRITTEN

    played(scene, quirks=Quirks(writes_per_day=1))
