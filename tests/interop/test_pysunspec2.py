"""SunSpec's own Python client against our simulated devices, and our adapter's work seen through its eyes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from gateway.clock import wall
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.modbus import ModbusServer, Unit
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.settings import ModbusSettings, SunSpecDer
from protocols.signals import Bounds, Control, Outcome, Signal

pytestmark = [pytest.mark.interop, pytest.mark.sockets]

HOST = "127.0.0.1"
BATTERY = DeviceSpec("A", 2.5e6, -2.5e6, kind="bess", energy_wh=5e6, initial_w=1e6)
SOLAR = DeviceSpec("B", 6e6, kind="pv", initial_w=4e6)
PATIENCE_S = 20.0
T = TypeVar("T")


class Peer:
    """The foreign client, which blocks, in a thread beside our loop."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, work: Callable[[SunSpecModbusClientDeviceTCP], T]) -> T:
        return await asyncio.to_thread(self._connected, work)

    def _connected(self, work: Callable[[SunSpecModbusClientDeviceTCP], T]) -> T:
        client = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr=HOST, ipport=self._port, timeout=5)
        try:
            client.scan()
            return work(client)
        finally:
            client.close()


@asynccontextmanager
async def served(spec: DeviceSpec, *, legacy: bool = False) -> AsyncIterator[tuple[SimulatedDevice, int, Peer]]:
    device = SimulatedDevice(spec, wall())
    unit = Unit(SunSpecFace(device, lambda: 1.0, legacy=legacy), device.faults)
    server = ModbusServer(HOST, 0, {1: unit}, device, wall)
    listening = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run(listening))
        await listening.wait()
        yield device, server.port, Peer(server.port)
        task.cancel()


async def test_scans_every_model_without_an_error():
    async with served(BATTERY) as (_, _, peer):

        def scan(client):
            problems = [model.error_info for models in client.models.values() for model in models if model.error_info]
            ids = [key for key in client.models if isinstance(key, int)]
            return ids, problems, client.common[0].Mn.value, client.common[0].SN.value

        assert await peer.ask(scan) == ([1, 701, 702, 704, 713], [], "Ampacity testbed", "A")


async def test_reads_what_the_device_does():
    async with served(BATTERY) as (_, _, peer):

        def read(client):
            ac, capacity = client.DERMeasureAC[0], client.DERCapacity[0]
            return ac.W.cvalue, ac.Hz.cvalue, capacity.WMax.cvalue, client.DERStorageCapacity[0].SoC.cvalue

        power_w, frequency_hz, w_max_w, soc_pct = await peer.ask(read)
        assert power_w == pytest.approx(1e6, abs=500)
        assert frequency_hz == pytest.approx(60)
        assert w_max_w == 2.5e6
        assert soc_pct == pytest.approx(50, abs=0.2)


async def test_its_limit_obliges_the_device():
    async with served(BATTERY) as (device, _, peer):

        def limit(client):
            controls = client.DERCtlAC[0]
            controls.WMaxLimPct.cvalue = 32.0
            controls.WMaxLimPctRvrt.cvalue = 20.0
            controls.WMaxLimPctEnaRvrt.value = 1
            controls.WMaxLimPctRvrtTms.value = 600
            controls.WMaxLimPctEna.value = 1
            controls.write()
            controls.read()
            client.DERMeasureAC[0].read()
            remaining_s, power_w = controls.WMaxLimPctRvrtRem.value, client.DERMeasureAC[0].W.cvalue
            return controls.WMaxLimPct.cvalue, controls.WMaxLimPctEna.value, remaining_s, power_w

        percent, enabled, remaining_s, power_w = await peer.ask(limit)
        assert (percent, enabled) == (32.0, 1)
        assert 590 <= remaining_s <= 600
        assert power_w == pytest.approx(0.8e6, abs=500)
        assert device.limit.ceiling_w == pytest.approx(0.8e6)
        assert device.fallback.ceiling_w == pytest.approx(0.5e6)


async def test_its_set_point_moves_the_device():
    async with served(BATTERY) as (device, _, peer):

        def charge(client):
            controls = client.DERCtlAC[0]
            controls.WSet.cvalue = -400_000
            controls.WSetMod.value = 1
            controls.WSetEna.value = 1
            controls.write()
            client.DERMeasureAC[0].read()
            return client.DERMeasureAC[0].W.cvalue

        assert await peer.ask(charge) == pytest.approx(-0.4e6, abs=500)
        assert device.power_w == -0.4e6


async def test_a_refused_write_reaches_it_as_an_exception():
    async with served(BATTERY) as (device, _, peer):
        device.faults.refuse = True

        def limit(client):
            controls = client.DERCtlAC[0]
            controls.WMaxLimPctEna.value = 1
            with pytest.raises(Exception, match="exception: 3") as caught:
                controls.write()
            return type(caught.value)

        assert (await peer.ask(limit)).__module__.startswith("sunspec2.")
        assert device.limit.is_open


async def test_reads_and_limits_a_legacy_inverter():
    async with served(SOLAR, legacy=True) as (device, _, peer):

        def limit(client):
            power_w = client.models[103][0].W.cvalue
            controls = client.controls[0]
            controls.WMaxLimPct.cvalue = 25.0
            controls.WMaxLimPct_RvrtTms.value = 600
            controls.WMaxLim_Ena.value = 1
            controls.write()
            client.models[103][0].read()
            return power_w, client.models[103][0].W.cvalue

        assert await peer.ask(limit) == pytest.approx((4e6, 1.5e6), abs=500)
        assert device.limit.ceiling_w == pytest.approx(1.5e6)


async def test_sees_what_our_adapter_wrote():
    async with served(BATTERY) as (_, port, peer), asyncio.TaskGroup() as tasks:
        settings = ModbusSettings(HOST, (SunSpecDer("A", 2.5e6, -2.5e6),), port, poll_s=0.05)
        adapter = ModbusAdapter(settings, wall)
        said: list[Signal] = []
        task = tasks.create_task(adapter.run(said.extend))
        async with asyncio.timeout(PATIENCE_S):
            while not said:  # noqa: ASYNC110 - the adapter's first word is the condition
                await asyncio.sleep(0.01)
        now_s = wall()
        control = Control("c", "A", 1, now_s, now_s + 900, Bounds(None, 1.2e6), fallback=Bounds(None, 0.5e6))
        assert (await adapter.apply(control)).outcome is Outcome.WRITTEN

        def look(client):
            controls = client.DERCtlAC[0]
            return controls.WMaxLimPct.cvalue, controls.WMaxLimPctEna.value, controls.WMaxLimPctRvrt.cvalue

        assert await peer.ask(look) == (48.0, 1, 20.0)
        task.cancel()
