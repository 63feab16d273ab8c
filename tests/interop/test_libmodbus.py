"""libmodbus, the C library of most Modbus programs: as client of our devices, and as a device of our adapter."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.clock import wall
from gateway.testbed.serial_line import serial_line
from protocols.modbus.medium import Parity, RtuOverTcp, SerialLine
from protocols.modbus.register import Encoding, Order, Register
from protocols.modbus.settings import (
    ControlRegister,
    MappedDer,
    MappedRegister,
    MappedStation,
    ModbusSettings,
    SunSpecDer,
    Term,
)
from protocols.points import Point, Quantity
from protocols.signals import Bounds, Control, Measurement, Outcome
from tests.interop import by_hand
from tests.interop.modbus_site import BATTERY, HOST, PATIENCE_S, adapter_on, address_of, served, served_on_a_line
from tests.peers import need
from tests.protocols.modbus.server import battery_image

pytestmark = [pytest.mark.interop, pytest.mark.sockets]

SOURCE = Path(__file__).parent / "libmodbus" / "peer.c"
LINE = SerialLine(19_200, Parity.NONE)
POWER = Point("A", Quantity.ACTIVE_POWER_W)


@pytest.fixture(scope="module")
def peer(tmp_path_factory) -> str:
    compiler = need("gcc")
    program = tmp_path_factory.mktemp("libmodbus") / "peer"
    done = subprocess.run(
        [compiler, "-O1", "-Wall", "-I/usr/include/modbus", str(SOURCE), "-lmodbus", "-o", str(program)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "modbus.h: No such file" in done.stderr or shutil.which("gcc") is None:
        pytest.skip("libmodbus-dev is not installed; `.ci/run peers` installs it")
    assert done.returncode == 0, done.stderr
    return str(program)


async def said_by(*command: object) -> str:
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(PATIENCE_S):
        out, _ = await process.communicate()
    return out.decode().strip()


@asynccontextmanager
async def libmodbus_device(peer: str, kind: str, where: str, image) -> AsyncIterator[tuple[int, asyncio.StreamReader]]:
    """A SunSpec battery that libmodbus serves; its port, and the writes that it takes."""
    process = await asyncio.create_subprocess_exec(
        peer, "serve", kind, where, "1", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        process.stdin.write(" ".join(map(str, (image.base, *image.registers))).encode())
        process.stdin.close()
        async with asyncio.timeout(PATIENCE_S):
            word, port = (await process.stdout.readline()).split()
        assert word == b"listening"
        yield int(port), process.stdout
    finally:
        process.kill()
        await process.wait()


async def test_it_reads_and_writes_our_device_over_tcp(peer):
    async with served(BATTERY) as (device, face, port):
        assert await said_by(peer, "read", "tcp", port, 1, 40000, 2) == f"{0x5375} {0x6E53}"
        limit = address_of(face, "704.WMaxLimPctEna")
        assert await said_by(peer, "write", "tcp", port, 1, limit, 1, 3200) == "written 2"
        assert device.limit.ceiling_w == 0.8e6
        assert await said_by(peer, "write", "tcp", port, 1, limit, 0) == "written 1"
        assert device.limit.is_open


async def test_it_is_told_what_our_device_refuses(peer):
    async with served(BATTERY) as (device, face, port):
        assert "Illegal data address" in await said_by(peer, "read", "tcp", port, 1, 100, 2)
        assert "Illegal data value" in await said_by(
            peer, "write", "tcp", port, 1, address_of(face, "704.WMaxLimPctEna"), 7
        )
        assert device.limit.is_open


async def test_it_reads_and_writes_our_device_on_a_serial_line(peer):
    async with serial_line() as (near, far), served_on_a_line(BATTERY, far) as (device, face):
        assert await said_by(peer, "read", "rtu", near, 1, 40000, 2) == f"{0x5375} {0x6E53}"
        limit = address_of(face, "704.WMaxLimPctEna")
        assert await said_by(peer, "write", "rtu", near, 1, limit, 1, 3200) == "written 2"
        assert device.limit.ceiling_w == 0.8e6


async def drives(settings: ModbusSettings, writes: asyncio.StreamReader) -> None:
    async with adapter_on(settings) as (adapter, said):
        now_s = wall()
        control = Control("c", "A", 1, now_s, now_s + 900, Bounds(None, 1.2e6), fallback=Bounds(None, 0.5e6))
        ack = await adapter.apply(control)
        assert ack.outcome is Outcome.WRITTEN, ack.detail
        assert ack.read_back["704.WMaxLimPct"] == 48
        assert (await writes.readline()).split()[::2] == [b"16", b"6"]
        assert [s.value for s in said if isinstance(s, Measurement) and s.point == POWER][-1] == 1e6


async def test_our_adapter_drives_a_device_that_it_serves_over_tcp(peer):
    async with libmodbus_device(peer, "tcp", "0", battery_image(power_w=1e6)) as (port, writes):
        der = SunSpecDer("A", 2.5e6, -2.5e6)
        await drives(ModbusSettings(HOST, (der,), port, poll_s=0.1), writes)


async def test_our_adapter_drives_a_device_that_it_serves_on_a_serial_line(peer):
    async with (
        serial_line() as (near, far),
        libmodbus_device(peer, "rtu", far, battery_image(power_w=1e6)) as (
            _,
            writes,
        ),
    ):
        der = SunSpecDer("A", 2.5e6, -2.5e6)
        await drives(ModbusSettings(near, (der,), medium=LINE, poll_s=0.2), writes)


async def test_our_adapter_reads_a_register_map_that_it_serves(peer):
    current = Point("L12", Quantity.CURRENT_A)
    image = battery_image()
    image.registers[:2] = [0x4316, 0x4000]
    station = MappedStation("SCADA", (MappedRegister(current, Register(image.base)),))
    async with (
        libmodbus_device(peer, "tcp", "0", image) as (port, _),
        adapter_on(ModbusSettings(HOST, (station,), port, poll_s=0.1)) as (_, said),
    ):
        assert next(s.value for s in said if isinstance(s, Measurement)) == 150.25


async def test_our_adapter_drives_a_device_without_sunspec_that_it_serves(peer):
    image = battery_image()
    image.registers[:8] = [0x4240, 0x000F, 0, 0, 2500, 0, 802, 0]  # 1 MW, least significant register first
    registers = (MappedRegister(POWER, Register(image.base, Encoding.INT32, order=Order.CDAB)),)
    places = {
        Term.LEASE: Register(image.base + 3, Encoding.UINT16),
        Term.CEILING: Register(image.base + 4, Encoding.UINT16, 1000),
        Term.FLOOR: Register(image.base + 5, Encoding.INT16, 1000),
        Term.LIMIT_ENABLED: Register(image.base + 6, Encoding.UINT16),
    }
    controls = {term: ControlRegister(register, on=803, off=802) for term, register in places.items()}
    der = MappedDer("A", 2.5e6, registers, controls, -2.5e6)
    async with (
        libmodbus_device(peer, "tcp", "0", image) as (port, writes),
        adapter_on(ModbusSettings(HOST, (der,), port, poll_s=0.1)) as (adapter, said),
    ):
        now_s = wall()
        ack = await adapter.apply(Control("c", "A", 1, now_s, now_s + 900, Bounds(None, 1.2e6)))
        assert ack.outcome is Outcome.WRITTEN, ack.detail
        assert ack.read_back == {"lease_s": 900, "ceiling_w": 1.2e6, "floor_w": -2.5e6, "limit_enabled": 1}
        assert (await writes.readline()).split()[:3:2] == [b"16", b"4"], "all in one write"
        assert [s.value for s in said if isinstance(s, Measurement) and s.point == POWER][-1] == 1e6
        limit = Point("A", Quantity.CEILING_W)
        assert next(s.value for s in said if isinstance(s, Measurement) and s.point == limit) == 2.5e6


async def test_our_adapter_drives_our_device_by_serial_frames_through_tcp():
    async with served(BATTERY, serial_frames=True) as (device, _, port):
        der = SunSpecDer("A", 2.5e6, -2.5e6)
        async with adapter_on(ModbusSettings(HOST, (der,), port, RtuOverTcp(), poll_s=0.1)) as (adapter, _):
            now_s = wall()
            ack = await adapter.apply(Control("c", "A", 1, now_s, now_s + 900, Bounds(None, 1.2e6)))
            assert ack.outcome is Outcome.WRITTEN
            assert device.limit.ceiling_w == 1.2e6


async def test_our_tools_scan_read_and_write_a_device_that_it_serves(peer):
    async with libmodbus_device(peer, "tcp", "0", battery_image(power_w=1e6)) as (port, writes):
        target = f"modbus://{HOST}:{port}/1"
        (found,) = await by_hand.scan(target)
        assert found.is_der
        assert any(offer.startswith("704 ") for offer in found.offers)
        assert (await by_hand.read(target, "701.W", "40000:uint16"))["701.W"].value == 1e6
        written = await by_hand.write(target, 60, **{"704.WMaxLimPct": "32"})
        assert written.obeyed, written
        values = {item.address: item.value for item in written.effective}
        assert (values["704.WMaxLimPct"], values["704.WMaxLimPctRvrtTms"], values["704.WMaxLimPctEna"]) == (32, 60, 1)
        assert [(await writes.readline()).split()[0] for _ in range(3)] == [b"16"] * 3
