"""OPC UA: values read, heard and served per second, beside the bare library at the same server in the same run."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager

from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.server.server import Server

from gateway.clock import wall
from protocols.opcua.served import Shown
from protocols.opcua.settings import Connection
from protocols.opcua.tools import connected
from tests.bench.rows import Benchmark, Row, rate
from tests.bench.serve_opcua import ITEMS, unsecured, variables

ROUNDS, READS, TURNS = 10, 10, 3
PUBLISHING_S = 0.1
PATIENCE_S = 120.0
CALL_S = 30.0
"""Deadline of one call on a busy machine."""
QUEUE = 10 * ROUNDS
PEER = "bare asyncua"
NODES = [f"ns=2;s=N{i}" for i in range(ITEMS)]


def run() -> Sequence[Row]:
    """The server is a process of its own; times are those of a processor on this side, which others do not change."""
    return asyncio.run(_within(_rows()))


async def _within(rows: Coroutine[None, None, list[Row]]) -> list[Row]:
    async with asyncio.timeout(PATIENCE_S):
        return await rows


async def _rows() -> list[Row]:
    async with (
        _served() as (url, count),
        connected(Connection(url, CALL_S), wall) as ours,
        Client(url, CALL_S) as theirs,
    ):
        nodes = [theirs.get_node(node) for node in NODES]
        read = await _in_turns(
            lambda: _processor_s(lambda: _repeated(lambda: ours.read(NODES))),
            lambda: _processor_s(lambda: _repeated(lambda: theirs.read_values(nodes))),
        )
        heard = await _in_turns(lambda: _heard_by_us(url, count), lambda: _heard_by_them(url, count))
    served = await _shown()
    values = ITEMS * READS
    return [
        rate("opcua.read", values / read[0], "values per s of CPU", PEER, values / read[1]),
        rate("opcua.heard", ITEMS * ROUNDS / heard[0], "values per s of CPU", PEER, ITEMS * ROUNDS / heard[1]),
        rate("opcua.served", ITEMS * ROUNDS / served[0], "values per s of CPU", PEER, ITEMS * ROUNDS / served[1]),
    ]


class Counting:
    """How far the server has counted; values go on from run to run."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.last = 0.0

    def start(self) -> None:
        """Let every variable count."""
        assert self._process.stdin is not None
        self.last += ROUNDS
        self._process.stdin.write(f"{ROUNDS}\n".encode())


@asynccontextmanager
async def _served() -> AsyncIterator[tuple[str, Counting]]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.serve_opcua", stdin=pipe, stdout=pipe
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip(), Counting(process)
    finally:
        process.kill()
        await process.wait()


async def _in_turns(
    ours: Callable[[], Awaitable[float]], theirs: Callable[[], Awaitable[float]]
) -> tuple[float, float]:
    """The best of some turns each."""
    found = [(await ours(), await theirs()) for _ in range(TURNS)]
    return min(one for one, _ in found), min(other for _, other in found)


async def _processor_s(work: Callable[[], Awaitable[object]]) -> float:
    began = time.process_time()
    await work()
    return time.process_time() - began


async def _repeated(read: Callable[[], Awaitable[object]]) -> None:
    for _ in range(READS):
        await read()


class Tally:
    """Counts values; every variable comes to the same last one."""

    def __init__(self, first: float, last: float) -> None:
        self._first, self._last = first, last
        self.count = 0
        self._there = 0
        self.ready, self.done = asyncio.Event(), asyncio.Event()

    def take(self, value: object) -> None:
        """One value; those of the beginning only say that the subscription stands."""
        if value == self._first:
            self._there += 1
            if self._there == ITEMS:
                self.ready.set()
                self._there = 0
            return
        self.count += 1
        if value == self._last:
            self._there += 1
            if self._there == ITEMS:
                self.done.set()

    def datachange_notification(self, _node: Node, value: object, _data: object) -> None:
        """As the library hands a value over."""
        self.take(value)


async def _heard_by_us(url: str, count: Counting) -> float:
    tally = Tally(count.last, count.last + ROUNDS)
    async with connected(Connection(url, CALL_S), wall) as client:

        def changed(batch: Sequence[tuple[str, object]]) -> None:
            for _, reading in batch:
                tally.take(reading.value)  # type: ignore[attr-defined]

        await client.subscribe(NODES, PUBLISHING_S, changed, queue=QUEUE)
        return await _until_heard(tally, count)


async def _heard_by_them(url: str, count: Counting) -> float:
    tally = Tally(count.last, count.last + ROUNDS)
    async with Client(url, CALL_S) as client:
        subscription = await client.create_subscription(PUBLISHING_S * 1000, tally, queue_maxsize=ITEMS * (ROUNDS + 1))
        for begin in range(0, ITEMS, 500):
            nodes = [client.get_node(node) for node in NODES[begin : begin + 500]]
            await subscription.subscribe_data_change(nodes, queuesize=QUEUE, sampling_interval=0)
        return await _until_heard(tally, count)


async def _until_heard(tally: Tally, count: Counting) -> float:
    await tally.ready.wait()

    async def all_of_it() -> None:
        count.start()
        await tally.done.wait()

    spent_s = await _processor_s(all_of_it)
    if tally.count != ITEMS * ROUNDS:
        raise RuntimeError(f"{tally.count} of {ITEMS * ROUNDS} values came")
    return spent_s


async def _shown() -> tuple[float, float]:
    """Values brought up to date in a server without subscribers."""
    ours = unsecured()
    await ours.prepare()
    theirs = Server()
    await theirs.init()
    nodes = []
    for i in range(ITEMS):
        if i % 100 == 0:
            folder = await theirs.nodes.objects.add_folder(2, f"F{i}")
        nodes.append(await folder.add_variable(ua.NodeId(f"N{i}", 2), f"2:N{i}", 0.0))
    names = [variable.node for variable in variables()]

    async def show() -> None:
        for value in range(ROUNDS):
            await ours.show({name: Shown(float(value)) for name in names})

    async def write() -> None:
        for value in range(ROUNDS):
            for node in nodes:
                await node.write_value(float(value))

    return await _in_turns(lambda: _processor_s(show), lambda: _processor_s(write))


BENCHMARKS = (Benchmark("opcua", run),)
