"""Real sockets on loopback; a raw client for what pymodbus's server gets wrong, the project's own adapter besides."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.server import FailedError, ModbusServer, RefusedError, Unit

pytestmark = pytest.mark.sockets

BASE = 40000


class OneDevice:
    """A device as a world of its own."""

    def __init__(self) -> None:
        self.device = SimulatedDevice(DeviceSpec("A", p_max_w=2.5e6, p_min_w=-2.5e6), 0)

    def advance(self, now_s: float) -> None:
        self.device.advance(now_s)


@asynccontextmanager
async def _serving() -> AsyncIterator[tuple[ModbusServer, SimulatedDevice]]:
    world = OneDevice()
    unit = Unit(SunSpecFace(world.device, lambda: 1.0), world.device.faults)
    server = ModbusServer("127.0.0.1", 0, {1: unit}, world, lambda: 0.0)
    listening = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.run(listening))
        async with asyncio.timeout(10):
            await listening.wait()
            yield server, world.device
        running.cancel()


def _request(transaction: int, unit: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def _read(transaction: int, address: int, count: int, unit: int = 1) -> bytes:
    return _request(transaction, unit, struct.pack(">BHH", 3, address, count))


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    transaction, _, length, _ = struct.unpack(">HHHB", await reader.readexactly(7))
    return transaction, await reader.readexactly(length - 1)


async def test_requests_in_one_segment_are_all_answered_in_order() -> None:
    async with _serving() as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"".join(_read(number, BASE, 2) for number in range(1, 60)))
        for number in range(1, 60):
            assert await _answer(reader) == (number, b"\x03\x04SunS")
        writer.close()


async def test_a_request_split_over_segments_is_answered_once_whole() -> None:
    async with _serving() as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        first, second = _read(1, BASE, 2), _read(2, BASE, 2)
        writer.write(first + second[:5])
        assert await _answer(reader) == (1, b"\x03\x04SunS")
        writer.write(second[5:])
        assert await _answer(reader) == (2, b"\x03\x04SunS")
        writer.close()


@pytest.mark.parametrize(
    ("request_pdu", "unit", "answer"),
    [
        (struct.pack(">BHH", 3, 100, 2), 1, b"\x83\x02"),
        (struct.pack(">BHH", 3, BASE, 2), 9, b"\x83\x0b"),
        (struct.pack(">BHH", 6, BASE, 2), 1, b"\x86\x02"),
        (b"\x55", 1, b"\xd5\x01"),
    ],
)
async def test_what_cannot_be_done_is_a_modbus_exception(request_pdu: bytes, unit: int, answer: bytes) -> None:
    async with _serving() as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_request(5, unit, request_pdu))
        assert (await _answer(reader))[1] == answer
        writer.close()


async def test_a_refusing_device_answers_with_an_exception_and_keeps_its_registers() -> None:
    async with _serving() as (server, device):
        device.faults.refuse = True
        face = SunSpecFace(device, lambda: 1.0)
        address = face._image.models[704].address + face._image.models[704].points["WMaxLimPctEna"].offset
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_request(1, 1, struct.pack(">BHH", 6, address, 1)))
        assert (await _answer(reader))[1] == b"\x86\x03"
        device.faults.refuse = False
        writer.write(_request(2, 1, struct.pack(">BHH", 6, address, 1)))
        assert (await _answer(reader))[1] == struct.pack(">BHH", 6, address, 1)
        assert device.limit.ceiling_w == 2.5e6
        writer.close()


async def test_a_dropped_link_cuts_and_refuses_connections_until_it_is_back() -> None:
    async with _serving() as (server, device):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        device.faults.drop_link = True
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)
        device.faults.drop_link = False
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)
            else:
                break
        writer.write(_read(1, BASE, 2))
        assert await _answer(reader) == (1, b"\x03\x04SunS")
        writer.close()


async def test_a_delayed_answer_comes_late() -> None:
    async with _serving() as (server, device):
        device.faults.delay, device.faults.delay_s = True, 0.2
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_read(1, BASE, 2))
        began_s = asyncio.get_running_loop().time()
        await _answer(reader)
        assert asyncio.get_running_loop().time() - began_s >= 0.19
        writer.close()


@pytest.mark.parametrize("garbage", [b"\x00" * 300, b"GET / HTTP/1.1\r\n" * 40])
async def test_garbage_costs_only_its_own_connection(garbage: bytes) -> None:
    async with _serving() as (server, _):
        _, bad = await asyncio.open_connection("127.0.0.1", server.port)
        bad.write(garbage)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_read(1, BASE, 2))
        assert await _answer(reader) == (1, b"\x03\x04SunS")
        bad.close()
        writer.close()


async def test_a_taken_port_is_an_error_that_names_it() -> None:
    async with _serving() as (server, device):
        other = ModbusServer(
            "127.0.0.1",
            server.port,
            {1: Unit(SunSpecFace(device, lambda: 1.0), device.faults)},
            OneDevice(),
            lambda: 0.0,
        )
        with pytest.raises(ExceptionGroup) as caught:
            await other.run()
        assert str(server.port) in str(caught.value.exceptions[0])


class SlowFace:
    """One register, which takes what it is told once `settled` is set; 9 fails and 8 is refused by then."""

    base, size = 100, 1

    def __init__(self) -> None:
        self.settled = asyncio.Event()
        self.value = 0

    def read(self, address: int, count: int) -> list[int]:
        return [self.value]

    async def write(self, address: int, values) -> None:
        await self.settled.wait()
        if values[0] >= 8:
            raise FailedError("not now") if values[0] == 9 else RefusedError("never")
        self.value = values[0]


async def test_the_answer_to_a_write_waits_until_the_unit_has_taken_it() -> None:
    face = SlowFace()
    server = ModbusServer("127.0.0.1", 0, {1: Unit(face)}, OneDevice(), lambda: 0.0)
    listening = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.run(listening))
        await listening.wait()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(_request(1, 1, struct.pack(">BHH", 6, 100, 5)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.readexactly(1)
        face.settled.set()
        assert await _answer(reader) == (1, struct.pack(">BHH", 6, 100, 5))
        assert face.value == 5
        for value, code in ((9, 4), (8, 3)):
            writer.write(_request(2, 1, struct.pack(">BHH", 6, 100, value)))
            assert await _answer(reader) == (2, bytes((0x86, code)))
        assert face.value == 5
        writer.close()
        running.cancel()
