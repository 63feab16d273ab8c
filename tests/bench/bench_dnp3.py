"""DNP3: points decoded per second on the master's side, and a poll of 1,000 analogs over loopback.

Goals of the DNP3 specification: 250,000 points per second, and a median poll below 5 ms.
"""

import asyncio
import time
from collections.abc import Sequence

from dnp3_sim.plant import Plant
from dnp3_sim.pointmap import PointMap, SimPoint
from dnp3_sim.server import RtuServer
from protocols.dnp3.database import PointConfig
from protocols.dnp3.fragment import Function
from protocols.dnp3.headers import class_header
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master import MasterSession
from protocols.dnp3.master_words import MasterSettings, TaskDone
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.wire import Wire
from tests.bench.rows import Benchmark, Row, duration, percentile, rate

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
        began_s = time.perf_counter()
        master.receive(up, 0.0)
        spent_s += time.perf_counter() - began_s


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

    async def poll_ms(self) -> float:
        self.done.clear()
        began_s = time.perf_counter()
        self.session.request(Function.READ, class_header(0), time.monotonic())
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
        await asyncio.get_running_loop().create_connection(lambda: poller.wire, "127.0.0.1", server.port)
        poller.session.connected(time.monotonic())
        poller.wire.send(poller.session.data_to_send())
        async with asyncio.timeout(10):
            while not poller.session.is_started:  # noqa: ASYNC110 - before the measurement
                await asyncio.sleep(0.01)
        times_ms = [await poller.poll_ms() for _ in range(ROUNDS)]
        serving.cancel()
    return times_ms


def poll() -> list[Row]:
    """Both ends in one process, one socket between them."""
    times_ms = asyncio.run(_polls())
    return [
        duration("dnp3.poll.p50", percentile(times_ms, 50), "ms", "goal", GOAL_POLL_MS),
        Row("dnp3.poll.p95", percentile(times_ms, 95), "ms"),
    ]


BENCHMARKS = [Benchmark("dnp3.decode", decode), Benchmark("dnp3.poll", poll)]
