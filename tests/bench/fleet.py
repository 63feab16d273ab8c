"""A fleet of Modbus devices in a process of its own, and a bare client to measure ours against.

The server notes when each request arrived: what a client planned and when it really asked is judged
from outside, in the same way for both.
"""

import asyncio
import resource
import struct
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection

HOST = "127.0.0.1"
BASE, POINTS = 1000, 30
"""Every device holds this many float32 from this register on."""
_CONTEXT = get_context("spawn")
_READ = struct.Struct(">HHHBBHH")
"""Transaction, protocol, length, unit, function code, address, count."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a client did in the time that counts."""

    cpu_share: float
    """Processor seconds of the whole process per second."""


# --- processes ------------------------------------------------------------------------------------


@asynccontextmanager
async def process(work: Callable[..., None], *args: object) -> AsyncIterator[Connection]:
    """A process that runs `work(pipe, *args)`, and our end of its pipe; it is ended on the way out."""
    ours, theirs = _CONTEXT.Pipe()
    child = _CONTEXT.Process(target=work, args=(theirs, *args), daemon=True)
    child.start()
    theirs.close()
    try:
        yield ours
    finally:
        child.terminate()
        child.join(10)
        ours.close()


async def answer(pipe: Connection, within_s: float = 60.0) -> object:
    """The next thing that the process says.

    Raises:
        RuntimeError: it says nothing in time.
        EOFError: it has ended.
    """
    if not await asyncio.to_thread(pipe.poll, within_s):
        raise RuntimeError("a process of the benchmark does not answer")
    return pipe.recv()


def many_files() -> None:
    """Allow as many sockets as the system does."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def cpu_s() -> float:
    """Processor time of this process with all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


# --- server ---------------------------------------------------------------------------------------


def serve(pipe: Connection, devices: int) -> None:
    """One listener per device; tells the ports, and at each message from the pipe all arrivals since the last."""
    many_files()
    asyncio.run(_serve(pipe, devices))


async def _serve(pipe: Connection, devices: int) -> None:
    loop = asyncio.get_running_loop()
    arrivals: list[tuple[int, float]] = []
    ports = []
    for device in range(devices):
        server = await loop.create_server(partial(_Device, device, arrivals), HOST, 0)
        ports.append(server.sockets[0].getsockname()[1])
    pipe.send(ports)
    while await asyncio.to_thread(_told, pipe):
        found, arrivals[:] = list(arrivals), []
        pipe.send(found)


def _told(pipe: Connection) -> bool:
    """Wait for a message; false where the other end is gone."""
    try:
        pipe.recv()
    except EOFError:
        return False
    return True


class _Device(asyncio.Protocol):
    """Answers reads of holding registers."""

    def __init__(self, device: int, arrivals: list[tuple[int, float]]) -> None:
        self._device, self._arrivals = device, arrivals
        self._values = struct.pack(f">{POINTS}f", *(device + k for k in range(POINTS)))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._arrivals.append((self._device, time.perf_counter()))
        transaction, _, _, unit, code, address, count = _READ.unpack(data)
        start = 2 * (address - BASE)
        values = self._values[start : start + 2 * count]
        self._transport.write(struct.pack(">HHHBBB", transaction, 0, 3 + len(values), unit, code, len(values)) + values)


# --- the bare client ------------------------------------------------------------------------------


class _Bare(asyncio.Protocol):
    """The least that can poll a device: one read at a time, its values as a tuple."""

    def __init__(self) -> None:
        self._transaction = 0
        self._answer: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(data)

    async def read(self) -> tuple[float, ...]:
        self._transaction = (self._transaction + 1) & 0xFFFF
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(_READ.pack(self._transaction, 0, 6, 1, 3, BASE, 2 * POINTS))
        async with asyncio.timeout(1.0):
            data = await self._answer
        return struct.unpack_from(f">{POINTS}f", data, 9)


def bare(pipe: Connection, ports: Sequence[int], poll_s: float, warm_s: float, measure_s: float) -> None:
    """Poll the fleet without a gateway, the devices spread over the interval."""
    many_files()
    pipe.send(asyncio.run(_bare(ports, poll_s, warm_s, measure_s)))


async def _bare(ports: Sequence[int], poll_s: float, warm_s: float, measure_s: float) -> Load:
    async with asyncio.TaskGroup() as tasks:
        values: dict[int, tuple[float, ...]] = {}
        polls = [tasks.create_task(_poll(port, k / len(ports), poll_s, values)) for k, port in enumerate(ports)]
        load = await measured(warm_s, measure_s)
        for poll in polls:
            poll.cancel()
    return load


async def _poll(port: int, offset_s: float, poll_s: float, values: dict[int, tuple[float, ...]]) -> None:
    loop = asyncio.get_running_loop()
    _, client = await loop.create_connection(_Bare, HOST, port)
    due_s = loop.time() + offset_s * poll_s
    while True:
        await asyncio.sleep(due_s - loop.time())
        values[port] = await client.read()
        due_s += poll_s


async def measured(warm_s: float, measure_s: float) -> Load:
    """What this process needs in `measure_s`, after the first `warm_s`."""
    await asyncio.sleep(warm_s)
    began_s, began_cpu_s = time.perf_counter(), cpu_s()
    await asyncio.sleep(measure_s)
    return Load((cpu_s() - began_cpu_s) / (time.perf_counter() - began_s))
