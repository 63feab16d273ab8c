"""Four units on one connection, one of them dead: what the others lose, by our adapter and by pymodbus as it comes.

The line answers one request at a time, as a serial line behind a gateway does, and is silent for the dead unit.
"""

import asyncio
import random
import struct
import time
from collections.abc import Sequence
from itertools import pairwise

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from gateway import clock
from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.register import Register
from protocols.modbus.settings import MappedRegister, MappedStation, ModbusSettings
from protocols.points import Point, Quantity
from protocols.signals import Measurement, Quality, Signal
from tests.bench.rows import Benchmark, Row, duration, rate

HOST = "127.0.0.1"
UNITS, DEAD = (1, 2, 3, 4), 3
WATCHED_S, POLL_S = 40.0, 1.0
ALLOWED_S = 1.3
Times = dict[int, list[float]]
"""When each unit was heard."""


def run() -> Sequence[Row]:
    return asyncio.run(_run())


async def _run() -> Sequence[Row]:
    server = await asyncio.start_server(_line, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    ours, theirs = await _heard_by_us(port), await _heard_by_pymodbus(port)
    await asyncio.sleep(0.1)  # the line sees that its clients are gone
    server.close()
    (gap_s, samples), (peer_gap_s, peer_samples) = _judged(ours), _judged(theirs)
    assert gap_s <= ALLOWED_S, f"a good unit was silent for {gap_s:.2f} s"
    peer = "pymodbus as it comes"
    return (
        duration("modbus.shared_wire.gap", gap_s, "s", peer, peer_gap_s),
        rate("modbus.shared_wire.samples", samples, "of 40", peer, peer_samples),
    )


def _judged(times: Times) -> tuple[float, int]:
    """Longest silence and fewest samples of any good unit."""
    good = [times[unit] for unit in UNITS if unit != DEAD]
    gaps = [b - a for moments in good for a, b in pairwise([0.0, *moments, WATCHED_S])]
    return max(gaps), min(len(moments) for moments in good)


async def _heard_by_us(port: int) -> Times:
    times: Times = {unit: [] for unit in UNITS}
    stations = tuple(
        MappedStation(f"U{unit}", (MappedRegister(Point(f"U{unit}", Quantity.CURRENT_A), Register(0)),), unit)
        for unit in UNITS
    )
    adapter = ModbusAdapter(ModbusSettings(HOST, stations, port, poll_s=POLL_S), clock.wall, random.Random(1))
    began_s = time.perf_counter()

    def emit(signals: Sequence[Signal]) -> None:
        for signal in signals:
            if isinstance(signal, Measurement) and signal.quality is Quality.GOOD:
                times[int(signal.point.resource[1:])].append(time.perf_counter() - began_s)

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(adapter.run(emit))
        await asyncio.sleep(WATCHED_S)
        running.cancel()
    return times


async def _heard_by_pymodbus(port: int) -> Times:
    """One client for all units, each read in turn, with the library's own timeout and retries."""
    times: Times = {unit: [] for unit in UNITS}
    client = AsyncModbusTcpClient(HOST, port=port)
    await client.connect()
    began_s = time.perf_counter()

    async def poll(unit: int) -> None:
        due_s = time.perf_counter()
        while True:
            try:
                await client.read_holding_registers(0, count=2, device_id=unit)
                times[unit].append(time.perf_counter() - began_s)
            except ModbusException:
                pass
            due_s = max(due_s + POLL_S, time.perf_counter())
            await asyncio.sleep(due_s - time.perf_counter())

    async with asyncio.TaskGroup() as tasks:
        polls = [tasks.create_task(poll(unit)) for unit in UNITS]
        await asyncio.sleep(WATCHED_S)
        for task in polls:
            task.cancel()
    client.close()
    return times


async def _line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Holds 150.25 in the first float of every unit but the dead one."""
    try:
        while True:
            number, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
            await reader.readexactly(length - 1)
            if unit != DEAD:
                writer.write(struct.pack(">HHHBBBf", number, 0, 7, unit, 3, 4, 150.25))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


BENCHMARKS = (Benchmark("modbus.shared_wire", run),)
