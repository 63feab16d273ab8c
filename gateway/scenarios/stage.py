"""A zone, its simulated world and its gateway in one process on virtual time.

Everything is real but the wires and the clock: the control loop, the engine, the journal, the plant
(pandapower or OpenDSS), the devices and the agents. The plant never uses the engine, so what it shows is the
truth against which decisions are checked.
"""

import asyncio
import random
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import async_solipsism

from config.settings import ZoneFile
from gateway import app, clock, record
from gateway.coordination.book import Book
from gateway.coordination.messages import Message
from gateway.engine import Engine, ExecutorEngine, timed
from gateway.exchange import RefusedMessage
from gateway.journal.store import Journal
from gateway.metering import MeterStore
from gateway.testbed import parties, world
from gateway.testbed.direct import DirectDevice, DirectSettings, DirectStation
from gateway.translate import facts as translate
from grid_engine.dispatch.questions import Question, Reply
from grid_engine.importers.any import load as load_network
from grid_engine.model import Network
from grid_engine.results import Answer, Study
from protocols.points import Point, Quantity
from protocols.port import Adapter
from protocols.signals import Measurement

EPOCH_S = 1_800_000_000.0
"""Start of virtual time; a multiple of every market interval used here."""
MW = 1e6

Solve = Callable[[Network, Study], Answer]


@lru_cache(maxsize=4)
def network(source: str, version: str) -> Network:
    """The engine's network; loading it takes seconds, so it is shared."""
    return load_network(Path(source), version)


class Stage(AbstractAsyncContextManager["Stage"]):
    """The play: enter it, let time pass, look at what happened."""

    def __init__(self, zone: ZoneFile, directory: Path, solve: Solve = timed, base: Path = Path()) -> None:
        """`directory` is for what the gateway keeps; paths of the zone count from `base`."""
        self.zone, self.directory, self.solve, self._base = zone, directory, solve, base
        self.computing_s = 0.0
        """Virtual time that every study takes."""

    async def __aenter__(self) -> Self:
        self.now = clock.of_loop(EPOCH_S)
        self.world = world.of_zone(self.zone, self._base, self.now())
        self.parties = parties.of_zone(self.zone, self.world.devices)
        self.lost: list[Message] = []
        self.refused: list[tuple[Message, str]] = []
        """What the gateway would not take, and why."""
        self.deaf: set[str] = set()
        """Parties whose messages to and from the DSO get lost."""
        self.slow: dict[str, float] = {}
        """Seconds that each party takes to answer."""
        self.copies: dict[str, int] = {}
        """How often each message of a party arrives."""
        self.delay_s = 0.0
        """Seconds that every message is on its way."""
        self.telemetry = Remembered()
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._background: list[asyncio.Task[None]] = []
        self._start(self._party_time())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._background:
            task.cancel()
        await self._tasks.__aexit__(None, None, None)
        if hasattr(self, "journal"):
            self.journal.close()
            self.meters.close()

    async def open_gateway(self) -> None:
        """Start the gateway, from the journal of the one before if there was one."""
        zone, now = self.zone, self.now
        self.journal = Journal.open(self.directory / "journal.sqlite")
        self.meters = MeterStore.open(self.directory / "meters.sqlite")
        book = Book()
        for event in record.events(self.journal.replay()):
            book.fold(event)
        adapters: list[Adapter] = [
            *(DirectDevice(self.world, DirectSettings(n, translate.poll_s(d)), now) for n, d in zone.devices.items()),
            *(DirectStation(self.world, DirectSettings(n, translate.poll_s(s)), now) for n, s in zone.stations.items()),
        ]
        engine = ExecutorEngine(network(zone.network.source, zone.network.version), ThreadPoolExecutor(1), self._solve)
        parts = app.Parts(
            adapters,
            _Paced(engine, self),
            self.journal,
            book,
            self._to_parties,
            now,
            self.telemetry.keep,
            self.telemetry,
            self.meters,
        )
        self.loop = app.assemble(zone, translate.zone_facts(zone, now()), parts)
        self._gateway = self._start(app.keep_running(self.loop, adapters, random.Random(1)))

    async def kill_gateway(self) -> None:
        """End the gateway at once, as `kill -9` would: nothing is said to anybody."""
        self._gateway.cancel()
        await asyncio.wait([self._gateway])
        self.journal.close()
        self.meters.close()

    async def pass_time(self, seconds: float) -> None:
        """Let virtual time pass; the world follows."""
        await asyncio.sleep(seconds)
        self.world.advance(self.now())

    async def until(self, holds: Callable[[], bool], within_s: float, step_s: float = 0.5) -> float:
        """Virtual seconds until something holds.

        Raises:
            AssertionError: it does not in time.
        """
        begun_s = self.now()
        while not holds():
            if self.now() - begun_s >= within_s:
                raise AssertionError(f"did not come true within {within_s} s of virtual time")
            await self.pass_time(step_s)
        return self.now() - begun_s

    async def next_interval(self) -> float:
        """Let time pass to the start of the next market interval."""
        interval_s = self.zone.clocks.interval_s
        await self.pass_time(interval_s - self.now() % interval_s)
        return self.now()

    async def dispatch(self, resource: str, power_mw: float, start_s: float) -> str:
        """The system operator dispatches a resource for one interval, now."""
        return self.parties.system_operator.schedule(
            resource, power_mw * MW, start_s, start_s + self.zone.clocks.interval_s
        )

    async def deliver(self, messages: Sequence[Message]) -> None:
        """Carry messages of the simulated parties to whom they are for."""
        await self._deliver(messages)

    def assumed_mw(self, resource: str) -> float:
        """Where the newest study took a resource to be."""
        decided = self.loop.book.last_answer
        if decided is None:
            raise LookupError("no study has been answered yet")
        return next(p.requested_w[0] for p in decided.study.participants if p.resource == resource) / MW

    def power_mw(self, resource: str) -> float:
        """True power of a device."""
        self.world.advance(self.now())
        return self.world.devices[resource].power_w / MW

    def loading_pct(self, line: str) -> float:
        """True loading of a line or transformer by the zone file's rating.

        Raises:
            LookupError: it has none.
        """
        self.world.advance(self.now())
        asset = self.zone.assets.get(line)
        if asset is None or (asset.ampacity_a is None and asset.rating_mva is None):
            raise LookupError(f"{line} has no rating in the zone file")
        if asset.ampacity_a is None:
            return 1e-4 * self.world.carried_va(line) / (asset.rating_mva or 1.0)
        return 100 * self.world.truth(Point(line, Quantity.CURRENT_A)) / asset.ampacity_a

    def voltage_pu(self, bus: str) -> float:
        """True voltage of a bus."""
        self.world.advance(self.now())
        return self.world.truth(Point(bus, Quantity.VOLTAGE_PU))

    def ceiling_mw(self, resource: str) -> float | None:
        """Upper limit in force at the device itself."""
        ceiling_w = self.world.devices[resource].limit.ceiling_w
        return None if ceiling_w is None else ceiling_w / MW

    def messages(self, code: str, sender: str | None = None, recipient: str | None = None) -> list[Message]:
        """Messages of a code that simulated parties sent or received, each once, in order."""
        seen: dict[str, Message] = {}
        for exchanged in self.parties.log:
            m = exchanged.message
            if m.code == code and sender in (None, m.header.sender) and recipient in (None, m.header.recipient):
                seen.setdefault(m.header.msg_id, m)
        return list(seen.values())

    def at(self, message: Message) -> float:
        """When a message was first seen by a party, in seconds after the epoch of the play."""
        times = [e.at_s for e in self.parties.log if e.message.header.msg_id == message.header.msg_id]
        return min(times) - EPOCH_S

    async def _party_time(self) -> None:
        while True:
            await self._deliver(self.parties.due(self.now()))
            await asyncio.sleep(0.5)

    async def _to_parties(self, message: Message) -> None:
        if message.header.recipient in self.deaf:
            self.lost.append(message)
            return
        await asyncio.sleep(self.delay_s)
        await self._deliver(self.parties.handle(message, self.now()))

    async def _deliver(self, messages: Sequence[Message]) -> None:
        for message in self.parties.deliver(messages, self.now()):
            sender = message.header.sender
            if sender in self.deaf:
                self.lost.append(message)
                continue
            for _ in range(self.copies.get(sender, 1)):
                if (delay_s := self.delay_s + self.slow.get(sender, 0.0)) > 0:
                    self._start(self._later(message, delay_s))
                else:
                    await self._receive(message)

    async def _later(self, message: Message, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._receive(message)

    async def _receive(self, message: Message) -> None:
        try:
            await self.loop.exchange.receive(message)
        except RefusedMessage as error:
            self.refused.append((message, str(error)))

    def _solve(self, network: Network, study: Study) -> Answer:
        return self.solve(network, study)  # looked up each time: a scene may change it

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._tasks.create_task(work)
        self._background.append(task)
        return task


class Remembered:
    """The historian of a play: power of every resource, in memory, whatever becomes of the gateway."""

    def __init__(self) -> None:
        self._samples: dict[Point, list[Measurement]] = {}

    def keep(self, measurements: Sequence[Measurement]) -> None:
        """Take a batch in."""
        for one in measurements:
            if one.point.quantity is Quantity.ACTIVE_POWER_W:
                self._samples.setdefault(one.point, []).append(one)

    async def query(self, point: Point, from_s: float, to_s: float) -> list[Measurement]:
        """What was received of a point between two moments, oldest first."""
        known = self._samples.get(point, [])
        first = bisect_left(known, from_s, key=lambda one: one.received_time_s)
        last = bisect_left(known, to_s, key=lambda one: one.received_time_s)
        return known[first:last]


class _Paced:
    """The engine, whose answers take as much virtual time as the stage says."""

    def __init__(self, engine: Engine, stage: Stage) -> None:
        self._engine, self._stage = engine, stage

    async def answer(self, study: Study) -> Answer:
        """The engine's answer, in a while."""
        await asyncio.sleep(self._stage.computing_s)
        return await self._engine.answer(study)

    async def reply(self, question: Question) -> Reply:
        """The engine's reply, in a while."""
        await asyncio.sleep(self._stage.computing_s)
        return await self._engine.reply(question)


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scene on a virtual clock: hours pass in as long as it takes to compute them."""
    loop = async_solipsism.EventLoop()
    try:
        loop.run_until_complete(scene())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
