"""A simulated DER behind a Modbus server, and our adapter on a foreign one: what the Modbus suites share."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.clock import wall
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.devices import device_of
from gateway.testbed.opender import OpenDerDevice
from gateway.testbed.opender_face import OpenDerFace
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.server import ModbusServer, SerialPort, Unit, serve_serial
from protocols.modbus.server_security import ServerSecurity
from protocols.modbus.settings import ModbusSettings
from protocols.signals import LinkChanged, LinkState, Signal

HOST = "127.0.0.1"
BATTERY = DeviceSpec("A", 2.5e6, -2.5e6, kind="bess", energy_wh=5e6, initial_w=1e6)
SOLAR = DeviceSpec("B", 6e6, kind="pv", initial_w=4e6)
PARK = DeviceSpec("B", 6e6, kind="pv", initial_w=6e6, physics="opender")
PATIENCE_S = 20.0


def address_of(face: SunSpecFace, name: str) -> int:
    """Register of a point, for example `704.WMaxLimPct`."""
    model_id, _, point = name.partition(".")
    model = face.models[int(model_id)]
    return model.address + model.points[point].offset


@asynccontextmanager
async def served(
    spec: DeviceSpec,
    *,
    series: str = "700",
    phases: str = "abc",
    security: ServerSecurity | None = None,
    serial_frames: bool = False,
) -> AsyncIterator[tuple[SimulatedDevice, SunSpecFace, int]]:
    device = device_of(spec, wall())
    face = (
        OpenDerFace(device)
        if isinstance(device, OpenDerDevice)
        else SunSpecFace(device, lambda: 1.0, series=series, phases=phases)
    )
    units = {1: Unit(face, device.faults)}
    server = ModbusServer(HOST, 0, units, device, wall, security=security, serial_frames=serial_frames)
    listening = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run(listening))
        await listening.wait()
        yield device, face, server.port
        task.cancel()


@asynccontextmanager
async def served_on_a_line(spec: DeviceSpec, port: str) -> AsyncIterator[tuple[SimulatedDevice, SunSpecFace]]:
    device = SimulatedDevice(spec, wall())
    face = SunSpecFace(device, lambda: 1.0)
    listening = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        units = {1: Unit(face, device.faults)}
        task = tasks.create_task(serve_serial(SerialPort(port), units, device, wall, listening))
        await listening.wait()
        yield device, face
        task.cancel()


@asynccontextmanager
async def adapter_on(settings: ModbusSettings) -> AsyncIterator[tuple[ModbusAdapter, list[Signal]]]:
    """Our adapter, online."""
    adapter = ModbusAdapter(settings, wall)
    said: list[Signal] = []
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(adapter.run(said.extend))
        async with asyncio.timeout(PATIENCE_S):
            while not is_online(said):  # noqa: ASYNC110 - the adapter's word is the condition
                await asyncio.sleep(0.01)
        yield adapter, said
        task.cancel()


def is_online(said: Sequence[Signal]) -> bool:
    states = [signal.state for signal in said if isinstance(signal, LinkChanged)]
    return bool(states) and states[-1] is LinkState.ONLINE
