"""Our client on inverters of models 101 to 113 and on a battery of model 802: it reads, limits and beats its heart."""

import asyncio

import pytest

from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.settings import SunSpecDer
from protocols.points import Phase, Point, Quantity
from protocols.signals import Bounds, LinkChanged, LinkState, Outcome
from tests.protocols.modbus import virtual
from tests.protocols.modbus.server import Line
from tests.protocols.modbus.test_adapter import power, running

pytestmark = pytest.mark.filterwarnings("ignore:delta is less than resolution")

SOLAR = DeviceSpec("D1", 6e6, kind="pv", initial_w=4e6)
BATTERY = DeviceSpec("D1", 2.5e6, -2.5e6, kind="bess", energy_wh=5e6, initial_w=1e6)


class AtPresent:
    """A device's registers at the time of the event loop."""

    def __init__(self, spec: DeviceSpec, series: str, phases: str) -> None:
        self.truth = SimulatedDevice(spec, 0.0)
        self.face = SunSpecFace(self.truth, lambda: 1.0, series=series, phases=phases)

    def read(self, address: int, count: int) -> list[int]:
        self.truth.advance(asyncio.get_running_loop().time())
        return self.face.read(address, count)

    def write(self, address: int, values) -> None:
        self.truth.advance(asyncio.get_running_loop().time())
        self.face.write(address, values)


def played(scene, spec: DeviceSpec, series: str, phases: str = "abc") -> None:
    async def main():
        device = AtPresent(spec, series, phases)
        der = SunSpecDer("D1", spec.p_max_w, spec.p_min_w)
        async with running(Line({1: device}), units=(der,)) as site:
            await asyncio.sleep(1.5)
            await scene(site, device)

    virtual.run(main())


@pytest.mark.parametrize("series", ["legacy", "legacy_float"])
@pytest.mark.parametrize(("phases", "conductors"), [("a", "a"), ("s1s2", "ab"), ("abc", "abc")])
def test_it_reads_and_limits_an_inverter_whatever_its_phases(series, phases, conductors):
    async def scene(site, device):
        assert site.values(power("D1"))[-1].value == pytest.approx(4e6, abs=500)
        for letter in "abc":
            volts = site.values(Point("D1", Quantity.VOLTAGE_V, Phase(letter)))
            assert bool(volts) == (letter in conductors), letter
        ack = await site.adapter.apply(site.control(1, limit=Bounds(None, 1.5e6), lease_s=60))
        assert ack.outcome is Outcome.WRITTEN, ack
        await asyncio.sleep(1.5)
        assert site.values(power("D1"))[-1].value == pytest.approx(1.5e6, abs=500)
        site.line.deaf.add(1)
        await asyncio.sleep(61)
        device.truth.advance(asyncio.get_running_loop().time())
        assert device.truth.power_w == 4e6

    played(scene, SOLAR, series, phases)


def test_it_reads_a_battery_of_model_802_and_beats_its_heart_there():
    async def scene(site, device):
        charge = site.values(Point("D1", Quantity.STATE_OF_CHARGE_PU))
        assert charge[-1].value == pytest.approx(0.5, abs=0.01)
        ack = await site.adapter.apply(site.control(1, limit=Bounds(None, 0.5e6)))
        assert ack.outcome is Outcome.WRITTEN, ack
        first = device.face._image.get("802.CtrlHb")
        await asyncio.sleep(5)
        assert device.face._image.get("802.CtrlHb") > first > 0

    played(scene, BATTERY, "legacy_float")


def test_a_battery_whose_heart_stops_is_told_as_degraded():
    async def scene(site, device):
        await asyncio.sleep(5)
        device.truth.advance = lambda _: None
        await asyncio.sleep(120)
        states = [s.state for _, s in site.said if isinstance(s, LinkChanged)]
        assert states[-1] is not LinkState.ONLINE
        assert "heart" in [s.detail for _, s in site.said if isinstance(s, LinkChanged)][-1]

    played(scene, BATTERY, "legacy_float")
