"""DNP3: points decoded per second on the master's side, and a poll of 1,000 analogs over loopback.

Goals of the DNP3 specification: 250,000 points per second, counted in CPU time of the master, and a median poll below
5 ms. The peer is opendnp3 (yadnp3) in processes of its own: both masters poll the same opendnp3 outstation, and both
outstations are polled by our master.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

from dnp3_sim.plant import Plant
from dnp3_sim.pointmap import PointMap, SimPoint
from dnp3_sim.server import RtuServer
from protocols.dnp3.database import PointConfig
from protocols.dnp3.fragment import Function
from protocols.dnp3.headers import all_header, class_header
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master import MasterSession
from protocols.dnp3.master_words import MasterSettings, TaskDone
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.wire import Wire
from tests.bench.rows import Benchmark, Row, duration, percentile, rate
from tests.scenarios.live import free_ports

POINTS, ROUNDS = 1000, 200
GOAL_POINTS_PER_S, GOAL_POLL_MS = 250_000.0, 5.0
KINDS = (Kind.ANALOG_INPUT, Kind.BINARY_INPUT, Kind.COUNTER)


def rtu(kind: Kind, now: float) -> tuple[OutstationSession, Plant]:
    """An outstation with 1,000 points of a kind."""
    points = tuple(SimPoint(PointConfig(kind, index, value=index % 2)) for index in range(POINTS))
    plant = Plant(PointMap(OutstationSettings(), points), now)
    return OutstationSession(OutstationSettings(), plant.database, plant), plant


def decode() -> list[Row]:
    """Octets to readings through all layers, with a whole class 0 answer at a time."""
    rows = []
    for kind in KINDS:
        outstation, _ = rtu(kind, 0.0)
        master = MasterSession(MasterSettings(event_poll_s=None))
        outstation.connected(0.0)
        master.connected(0.0)
        _exchange(master, outstation)
        spent_s = 0.0
        for _ in range(ROUNDS):
            master.request(Function.READ, class_header(0), 0.0)
            spent_s += _exchange(master, outstation)
        rows.append(rate(f"dnp3.decode.{kind.value}", ROUNDS * POINTS / spent_s, "points/s", "goal", GOAL_POINTS_PER_S))
    return rows


def _exchange(master: MasterSession, outstation: OutstationSession) -> float:
    """Carry octets until both are silent; seconds that the master took."""
    spent_s = 0.0
    while True:
        down = master.data_to_send()
        outstation.receive(down, 0.0)
        up = outstation.data_to_send()
        if not up:
            return spent_s
        began_s = time.thread_time()
        master.receive(up, 0.0)
        spent_s += time.thread_time() - began_s


class Poller:
    """A master on a real socket that polls class 0 again and again."""

    def __init__(self) -> None:
        self.session = MasterSession(MasterSettings(event_poll_s=None))
        self.wire = Wire(self._received)
        self.done = asyncio.Event()

    def _received(self, data: bytes) -> None:
        events = self.session.receive(data, time.monotonic())
        self.wire.send(self.session.data_to_send())
        if any(isinstance(event, TaskDone) for event in events):
            self.done.set()

    async def start(self, port: int) -> None:
        """Connect, and get through the start sequence."""
        async with asyncio.timeout(20):
            await asyncio.get_running_loop().create_connection(lambda: self.wire, "127.0.0.1", port)
            self.session.connected(time.monotonic())
            self.wire.send(self.session.data_to_send())
            while not self.session.is_started:  # noqa: ASYNC110 - before the measurement
                await asyncio.sleep(0.01)

    async def poll_ms(self) -> float:
        self.done.clear()
        began_s = time.perf_counter()
        self.session.request(Function.READ, all_header(30), time.monotonic())
        self.wire.send(self.session.data_to_send())
        async with asyncio.timeout(10):
            await self.done.wait()
        return (time.perf_counter() - began_s) * 1000


async def _polls() -> Sequence[float]:
    outstation, plant = rtu(Kind.ANALOG_INPUT, time.monotonic())
    server = RtuServer(outstation, time.monotonic, port=0, tick=plant.advance)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run())
        await server.listening.wait()
        poller = Poller()
        await poller.start(server.port)
        times_ms = [await poller.poll_ms() for _ in range(ROUNDS)]
        serving.cancel()
    return times_ms


async def _beside_opendnp3() -> tuple[Sequence[float], Sequence[float]]:
    """Times of our master and of theirs, each polling an opendnp3 outstation in a process of its own."""
    port = free_ports(1)[0]
    async with _opendnp3("outstation", port, POINTS) as outstation:
        await outstation.readline()
        poller = Poller()
        await poller.start(port)
        ours_ms = [await poller.poll_ms() for _ in range(ROUNDS)]
        poller.wire.cut()
        async with _opendnp3("master", port, ROUNDS) as master:
            theirs_ms = json.loads(await master.readline())
    return ours_ms, theirs_ms


@asynccontextmanager
async def _opendnp3(side: str, port: int, number: int) -> AsyncIterator[asyncio.StreamReader]:
    peer = Path(__file__).with_name("opendnp3_peer.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable, peer, side, str(port), str(number), stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    if process.stdout is None:
        raise RuntimeError("the peer has no output")
    try:
        async with asyncio.timeout(60):
            yield process.stdout
    finally:
        process.kill()
        await process.wait()


def poll() -> list[Row]:
    """Our two ends in one process with a socket between them; then both masters on one opendnp3 outstation."""
    own_ms = asyncio.run(_polls())
    rows = [
        duration("dnp3.poll.own.p50", percentile(own_ms, 50), "ms", "goal", GOAL_POLL_MS),
        Row("dnp3.poll.own.p95", percentile(own_ms, 95), "ms"),
    ]
    if find_spec("opendnp3") is not None:
        ours_ms, theirs_ms = asyncio.run(_beside_opendnp3())
        rows += [
            duration("dnp3.poll.p50", percentile(ours_ms, 50), "ms", "opendnp3", percentile(theirs_ms, 50)),
            duration("dnp3.poll.goal.p50", percentile(ours_ms, 50), "ms", "goal", GOAL_POLL_MS),
            duration("dnp3.poll.p95", percentile(ours_ms, 95), "ms", "opendnp3", percentile(theirs_ms, 95)),
        ]
    return rows


BENCHMARKS = [Benchmark("dnp3.decode", decode), Benchmark("dnp3.poll", poll)]
