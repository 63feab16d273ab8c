import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from protocols.modbus.client import ModbusClient, NotConnectedError, RefusedError, SilenceError
from protocols.modbus.sunspec import MARKER
from tests.protocols.modbus import virtual
from tests.protocols.modbus.server import Line, battery_image


@asynccontextmanager
async def connected(line: Line, **options) -> AsyncIterator[tuple[ModbusClient, list[str]]]:
    await line.start()
    lost: list[str] = []
    client = ModbusClient(line.host, line.port, random.Random(1), lost.append, **options)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(client.run())
        await client.connected()
        yield client, lost
        task.cancel()
        await line.stop()


def line_of(*units: int) -> Line:
    return Line({unit: battery_image() for unit in units})


def address(line: Line, point: str) -> int:
    model = line.images[1].models[704]
    return model.address + model.points[point].offset


def test_reads_and_writes():
    async def main():
        line = line_of(1)
        async with connected(line) as (client, _):
            assert await client.read(1, 40000, 2, 1.0) == MARKER
            where = address(line, "WMaxLimPct")
            await client.write(1, where, [4800], 1.0)
            assert await client.read(1, where, 1, 1.0) == (4800,)
            assert line.writes == [(1, 16, where, 1)]

    virtual.run(main())


def test_a_write_without_an_answer_is_sent_once():
    async def main():
        line = line_of(1)
        line.silent = {1}
        async with connected(line) as (client, _):
            with pytest.raises(SilenceError, match=r"write of 1 registers .* to unit 1 .*: no answer in 0.5 s"):
                await client.write(1, address(line, "WMaxLimPct"), [4800], 0.5)
            await asyncio.sleep(60)
            assert len(line.writes) == 1
            assert line.images[1].get("704.WMaxLimPct") == 48

    virtual.run(main())


def test_one_silent_unit_does_not_cost_the_connection():
    async def main():
        line = line_of(1, 2)
        line.deaf = {2}
        async with connected(line) as (client, lost):
            for _ in range(50):
                await client.read(1, 40000, 2, 0.3)
                with pytest.raises(SilenceError):
                    await client.read(2, 40000, 2, 0.3)
            assert line.accepted == 1
            assert not lost

    virtual.run(main())


def test_a_connection_on_which_nobody_answers_is_made_anew():
    async def main():
        line = line_of(1)
        line.deaf = {1}
        async with connected(line, silent_limit=4) as (client, lost):
            for _ in range(4):
                with pytest.raises(SilenceError):
                    await client.read(1, 40000, 2, 0.3)
            assert not client.is_connected
            line.deaf = set()
            await client.connected()
            assert await client.read(1, 40000, 2, 0.3) == MARKER
            assert line.accepted == 2
            assert lost == [f"{client.name} left 4 requests in a row unanswered"]

    virtual.run(main())


def test_waiting_ends_when_the_connection_does():
    async def main():
        line = line_of(1)
        line.deaf = {1}
        async with connected(line) as (client, _), asyncio.TaskGroup() as tasks:
            began = asyncio.get_running_loop().time()
            tasks.create_task(_later(1.0, line.stop))
            with pytest.raises(SilenceError, match="closed the connection"):
                await client.read(1, 40000, 2, 30.0)
            assert asyncio.get_running_loop().time() - began < 1.1

    virtual.run(main())


def test_nothing_is_sent_without_a_connection():
    async def main():
        line = line_of(1)
        async with connected(line) as (client, _):
            await line.stop()
            await asyncio.sleep(0.01)
            with pytest.raises(NotConnectedError, match="not sent"):
                await client.write(1, 40000, [0], 1.0)
            assert not line.writes

    virtual.run(main())


def test_reconnects_within_the_longest_pause_after_a_long_outage():
    async def main():
        line = line_of(1)
        async with connected(line, retry_max_s=10) as (client, lost):
            await client.read(1, 40000, 2, 1.0)
            await line.stop()
            await asyncio.sleep(3600)
            assert len(lost) < 800
            await line.start()
            async with asyncio.timeout(10.1):
                await client.connected()

    virtual.run(main())


def test_time_in_the_queue_does_not_count_against_the_deadline():
    async def main():
        line = line_of(1, 2)
        line.deaf = {2}
        async with connected(line, silent_limit=100) as (client, _), asyncio.TaskGroup() as tasks:
            dead = [tasks.create_task(_silence(client, 2)) for _ in range(3)]
            good = tasks.create_task(client.read(1, 40000, 2, 0.3))
            assert await good == MARKER
            assert all(task.done() for task in dead)

    virtual.run(main())


def test_a_late_answer_is_not_taken_for_the_next_one():
    async def main():
        line = line_of(1, 2)
        line.images[1].set("701.W", 1000)
        line.images[2].set("701.W", 2000)
        line.delay_s = {1: 0.4}
        where = line.images[1].models[701].address + line.images[1].models[701].points["W"].offset
        async with connected(line) as (client, _):
            with pytest.raises(SilenceError):
                await client.read(1, where, 1, 0.3)
            assert await client.read(2, where, 1, 0.3) == (2,)

    virtual.run(main())


@pytest.mark.parametrize(
    ("code", "error"), [(1, RefusedError), (4, RefusedError), (6, RefusedError), (5, SilenceError), (11, SilenceError)]
)
def test_exceptions_tell_refusal_from_doubt(code, error):
    async def main():
        line = line_of(1)
        line.refusing = {1: code}
        async with connected(line) as (client, _):
            with pytest.raises(error, match="to unit 1"):
                await client.write(1, address(line, "WMaxLimPct"), [1], 1.0)

    virtual.run(main())


def test_keeps_the_gap_between_requests():
    async def main():
        line = line_of(1)
        async with connected(line, gap_s=0.025) as (client, _):
            began = asyncio.get_running_loop().time()
            for _ in range(10):
                await client.read(1, 40000, 2, 1.0)
            assert asyncio.get_running_loop().time() - began == pytest.approx(0.25)

    virtual.run(main())


async def _later(seconds, call):
    await asyncio.sleep(seconds)
    await call()


async def _silence(client, unit):
    with pytest.raises(SilenceError):
        await client.read(unit, 40000, 2, 0.3)
