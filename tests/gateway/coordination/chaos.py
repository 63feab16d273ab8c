"""A zone in which everything goes wrong: parties, links, devices, disk, engine, and the gateway itself.

The control loop, exchange, actuation, desk and journal entries are the real ones; engine, devices and wires are
small fakes on virtual time. The gateway may die at every await: what was journalled stays, the rest is lost.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from gateway import clock, record
from gateway.actuation import Actuation
from gateway.coordination.market import Approval, ControlRoom, Interface, MarketRules, Mode, Neighbourhood
from gateway.coordination.messages import Message
from gateway.coordination.zone import Clocks, Controllable, DsoModel, LimitRules, Role, ZoneFacts
from gateway.desk import Desk
from gateway.exchange import CannotRecord, Exchange, RefusedMessage
from gateway.ground import Ground
from gateway.journal.entries import GENESIS, Entry, JournalWriteError, Kind, Row, chained, check
from gateway.ledger import Ledger
from gateway.loop import Loop
from gateway.narrate import Narrator
from gateway.snapshot import Image
from gateway.testbed.agent import DerAgent
from gateway.testbed.mailbox import Identity, Mailbox
from grid_engine.dispatch.operation_words import Controls, RemoteSwitch
from grid_engine.dispatch.questions import Question, Reply
from grid_engine.results import Answer, Study
from protocols.points import Point, Quantity
from protocols.signals import (
    Ack,
    Baseline,
    Bounds,
    Command,
    Control,
    Instruction,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
)
from tests.gateway.coordination.build import MW, A, T
from tests.gateway.coordination.small_engine import SmallEngine

POLL_S = 5.0
RESOURCES = {
    "A": replace(A, poll_s=POLL_S),
    "B": replace(
        A, id="B", floor_w=0.0, ceiling_w=6 * MW, owner="AGENT_B", controllable=Controllable.LIMIT, poll_s=POLL_S
    ),
    "C": replace(A, id="C", floor_w=0.0, ceiling_w=2 * MW, owner="AGENT_C", poll_s=POLL_S, static=Bounds()),
}
PARTIES = {
    "IESO": Role.SYSTEM_OPERATOR,
    "HOST": Role.HOST,
    **{resource.owner: Role.DERA for resource in RESOURCES.values()},
}
SWITCHES = {"SWT": 0.0, "SW12": 1.0}


def zone(model: DsoModel, *, host: bool, mode: Mode) -> ZoneFacts:
    """A, B and C behind one line, with everything that a zone can have."""
    room = ControlRoom(
        Controls(switches=tuple(RemoteSwitch(name) for name in SWITCHES)),
        {name: (Point(name, Quantity.SWITCH_CLOSED),) for name in SWITCHES},
    )
    interface = Interface("IF1", "HOST", "TIE", frozenset(RESOURCES), contract=Bounds(-6 * MW, 4.2 * MW))
    return ZoneFacts(
        "R1",
        model,
        "r1-1",
        RESOURCES,
        PARTIES,
        clocks=Clocks(look_ahead_intervals=2),
        limits=LimitRules(look_ahead=True),
        market=MarketRules(nodes=("TD1",), wholesale_gate_s=0.0, local_gate_s=0.0, procure=True),
        room=None if model is DsoModel.DUAL_PARTICIPATION else room,
        around=Neighbourhood({"IF1": interface} if host else {}),
        approval=Approval(mode, threshold_w=0.3 * MW, patience_s=60.0),
    )


class MemoryJournal:
    """The rows of a journal as its file would hold them, their chain checked whenever they are read."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.full = False

    def write(self, entries: Sequence[Entry]) -> None:
        """Append at once, or raise where the disk is full."""
        if self.full:
            raise JournalWriteError("told by the test")
        previous = self.rows[-1].hash if self.rows else GENESIS
        self.rows += chained(entries, len(self.rows), previous)

    def replay(self, after_seq: int = 0) -> Iterator[Entry]:
        """As `JournalReader.replay`."""
        previous = self.rows[after_seq - 1].hash if after_seq else GENESIS
        for seq, row in enumerate(self.rows[after_seq:], start=after_seq + 1):
            check(row, seq, previous)
            previous = row.hash
            yield row.entry()

    def last_checkpoint(self) -> tuple[int, Entry] | None:
        """As `JournalReader.last_checkpoint`."""
        found = [row for row in self.rows if row.kind == Kind.CHECKPOINT.value]
        return (found[-1].seq, found[-1].entry()) if found else None

    def facts(self, after_seq: int = 0) -> Iterator[record.Fact]:
        """What it holds."""
        return (record.fact(entry) for entry in self.replay(after_seq))


@dataclass(slots=True)
class Device:
    """What a gateway steers; it outlives the gateway."""

    resource: str
    ceiling_w: float
    available_w: float
    target_w: float | None = None
    limit: Bounds = field(default_factory=Bounds)
    order_w: float | None = None
    until_s: float = 0.0
    version: int = 0
    fault: str = ""
    """`refuse`, `lost`, `late` or `deaf` (the link is down)."""

    def set_target(self, power_w: float | None, now_s: float, by_s: float | None = None) -> None:
        """Of its owner."""
        self.target_w = power_w

    def set_available(self, available_w: float, now_s: float) -> None:
        """What it could inject."""
        self.available_w = available_w

    @property
    def power_w(self) -> float:
        """Where it stands: what is asked of it, within its limit."""
        wish_w = self.available_w if self.target_w is None else self.target_w
        wish_w = wish_w if self.order_w is None else self.order_w
        return self.limit.clamp(min(wish_w, self.available_w, self.ceiling_w))


class Life:
    """One process of the gateway, which may end at every await."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.fuse: int | None = None
        """How many awaits it still has; `None` for as many as it likes."""
        self.loop: Loop
        self.desk: Desk
        self.task: asyncio.Task[None]

    @property
    def alive(self) -> bool:
        """False once it is dead."""
        return not self.ended.is_set()

    async def point(self) -> None:
        """An await at which it may die; nothing that is dead returns from here."""
        if self.fuse is not None and self.alive:
            self.fuse -= 1
            if self.fuse <= 0:
                self.end()
        if not self.alive:
            await asyncio.Event().wait()

    def end(self) -> None:
        """`kill -9`."""
        self.ended.set()
        self.task.cancel()


class Chaos:
    """The play: acts go in, the journal and what came over the wires come out."""

    def __init__(self, facts: ZoneFacts, seed: int) -> None:
        self.facts, self.rng, steady = facts, random.Random(seed), clock.of_loop(T)
        self.set_by_s = 0.0
        """By which the clock of the gateway's machine was set."""
        self.now = lambda: steady() + self.set_by_s
        self.engine = SmallEngine(4.5 * MW)
        self.thinks_s = 0.1
        self.journal = MemoryJournal()
        self.devices = {r: Device(r, f.ceiling_w, 0.8 * f.ceiling_w) for r, f in RESOURCES.items()}
        self.switches = dict(SWITCHES)
        self.identities = {party: Identity(party, facts.id, facts.model.value) for party in PARTIES}
        self.agents = {
            RESOURCES[r].owner: DerAgent(self.identities[RESOURCES[r].owner], {r: device}, "IESO")
            for r, device in self.devices.items()
        }
        self.mail = {party: Mailbox(self.identities[party]) for party in ("IESO", "HOST")}
        self.loss_pct, self.delay_s = 0, 0.0
        self.told: list[Message] = []
        """What left the gateway, in its order."""
        self.applied: list[Instruction] = []
        self.heard: Counter[str] = Counter()
        """How often each message of a party was accepted by a gateway that lived to say so."""
        self.written: list[Message] = []
        """Whatever parties have said to the DSO, right or wrong."""
        self.refused: list[tuple[Message, str]] = []
        self.life: Life | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.problems: list[BaseException] = []
        self.restart_in_s = 2.0
        self.over = False
        """True once nobody restarts the gateway any more."""

    # --- the gateway

    def start(self) -> None:
        """A new process, which knows what the journal knows."""
        life, facts = Life(), self.facts
        say = Narrator(facts)
        book = record.restore(self.journal)
        ledger = Ledger(_Disk(self, life), book, say)
        ground = Ground(facts, Image(dict.fromkeys(RESOURCES, POLL_S)), ledger, self.now, say)
        wire = _Wires(self, life)
        operators = {Point(name, Quantity.SWITCH_CLOSED): wire for name in SWITCHES}
        actuation = Actuation(ground, dict.fromkeys(RESOURCES, wire), operators)
        life.loop = Loop(ground, wire, Exchange(ground, wire.send), actuation, lambda _: None)
        life.desk = Desk(facts, ledger, self.now, say, ground.touched.set)
        self.life = life
        life.task = self.soon(self._run(life))
        self.soon(self._polls(life))

    async def _run(self, life: Life) -> None:
        try:
            await life.loop.run()
        finally:
            life.ended.set()
            if not self.over:
                self.soon(self._revive())

    async def _revive(self) -> None:
        await asyncio.sleep(self.restart_in_s)
        self.start()

    async def _polls(self, life: Life) -> None:
        links: dict[str, LinkState] = {}
        while life.alive:
            signals: list[LinkChanged | Measurement | Baseline] = []
            for name, device in self.devices.items():
                state = LinkState.LOST if device.fault == "deaf" else LinkState.ONLINE
                if links.get(name) is not state:
                    links[name] = state
                    signals.append(LinkChanged(name, state, self.now(), "told by the test"))
                    signals += [Baseline(name, {}, self.now())] if state is LinkState.ONLINE else []
                if state is LinkState.ONLINE:
                    signals += self._readings(device)
            signals += [self._reading(Point(s, Quantity.SWITCH_CLOSED), on) for s, on in self.switches.items()]
            life.loop.emit(signals)
            await asyncio.sleep(POLL_S)

    def _readings(self, device: Device) -> list[Measurement]:
        now_s = self.now()
        if device.until_s and now_s >= device.until_s:
            device.limit, device.order_w, device.until_s = RESOURCES[device.resource].static, None, 0.0
        ceiling_w = device.ceiling_w if device.limit.ceiling_w is None else device.limit.ceiling_w
        shown = {
            Quantity.ACTIVE_POWER_W: device.power_w,
            Quantity.AVAILABLE_POWER_W: device.available_w,
            Quantity.CEILING_W: ceiling_w,
        }
        return [self._reading(Point(device.resource, quantity), value) for quantity, value in shown.items()]

    def _reading(self, point: Point, value: float) -> Measurement:
        return Measurement(point, value, Quality.GOOD, self.now(), self.now())

    async def end(self) -> None:
        """End everything that runs."""
        self.over = True
        while left := [task for task in self.tasks if not task.done()]:
            for task in left:
                task.cancel()
            await asyncio.wait(left)

    # --- the wires

    def soon(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside; what it raises is a finding."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.problems.append(error)

    def deliver(self, message: Message, after_s: float = 0.0) -> None:
        """Bring a party's message to the DSO, again and again until it is taken or refused."""
        self.written.append(message)
        self.soon(self._insist(message, after_s))

    async def _insist(self, message: Message, after_s: float) -> None:
        await asyncio.sleep(after_s)
        while True:
            life = self.life
            if life is not None and life.alive:
                asked = asyncio.get_running_loop().create_task(self._receive(life, message))
                died = asyncio.get_running_loop().create_task(life.ended.wait())
                await asyncio.wait({asked, died}, return_when=asyncio.FIRST_COMPLETED)
                died.cancel()
                if asked.done():
                    if asked.result():
                        return
                else:
                    asked.cancel()
            await asyncio.sleep(3.0)

    async def _receive(self, life: Life, message: Message) -> bool:
        try:
            await life.loop.exchange.receive(message)
        except CannotRecord:
            return False
        except RefusedMessage as error:
            self.refused.append((message, str(error)))
            return True
        self.heard[message.header.msg_id] += 1
        return True

    async def carry(self, message: Message) -> None:
        """Bring a message of the DSO to its party, or lose it, or bring it twice; and bring back the answers."""
        for _ in range(2 if self.rng.random() < 0.1 else 1):
            if self.rng.randrange(100) < self.loss_pct:
                continue
            await asyncio.sleep(self.rng.random() * self.delay_s)
            agent = self.agents.get(message.header.recipient)
            answers = [] if agent is None else agent.handle(message, self.now())
            for answer in answers:
                if answer.header.recipient == self.facts.dso:
                    self.deliver(answer, self.rng.random() * self.delay_s)


@dataclass(slots=True)
class _Disk:
    """The journal as one process sees it."""

    play: Chaos
    life: Life

    async def append(self, entries: Sequence[Entry]) -> None:
        """May end before or after the write, never in the middle of it."""
        await self.life.point()
        await asyncio.sleep(self.play.rng.random() * 0.02)
        if not self.life.alive:
            await asyncio.Event().wait()
        self.play.journal.write(entries)
        await self.life.point()


@dataclass(slots=True)
class _Wires:
    """Engine, adapters, control room and parties as one process sees them."""

    play: Chaos
    life: Life
    resources: frozenset[str] = frozenset(RESOURCES)

    async def answer(self, study: Study) -> Answer:
        """Of the engine."""
        return await self._thought(lambda: self.play.engine.answer(study))

    async def reply(self, question: Question) -> Reply:
        """Of the engine."""
        return await self._thought(lambda: self.play.engine.reply(question))

    async def _thought(self, think: Callable[[], Any]) -> Any:
        await self.life.point()
        await asyncio.sleep(self.play.thinks_s)
        await self.life.point()
        return think()

    async def send(self, message: Message) -> None:
        """To a party."""
        await self.life.point()
        self.play.told.append(message)
        await self.play.carry(message)

    async def run(self, emit: Callable[..., None]) -> None:
        """Polling is the play's own."""

    async def apply(self, instruction: Instruction) -> Ack:
        """To a device."""
        play, device = self.play, self.play.devices[instruction.resource]
        await self.life.point()
        fault = device.fault
        if fault == "late":
            await asyncio.sleep(play.rng.random() * 20.0)
            await self.life.point()
        if fault in ("refuse", "deaf"):
            outcome = Outcome.REJECTED if fault == "refuse" else Outcome.UNKNOWN
            return Ack.of(instruction, outcome, play.now(), "told by the test")
        if instruction.version < device.version:
            return Ack.of(instruction, Outcome.SUPERSEDED, play.now(), "older")
        play.applied.append(instruction)
        device.version = instruction.version
        if isinstance(instruction, Control):
            device.limit, device.order_w, device.until_s = (
                instruction.limit,
                instruction.target_w,
                instruction.expiry_s,
            )
        else:
            device.limit, device.order_w, device.until_s = Bounds(), None, 0.0
        await self.life.point()
        outcome = Outcome.UNKNOWN if fault == "lost" else Outcome.WRITTEN
        return Ack.of(instruction, outcome, play.now(), "", requested={"v": 1.0}, read_back={"v": 1.0})

    @property
    def operates(self) -> frozenset[Point]:
        """Every switch."""
        return frozenset(Point(name, Quantity.SWITCH_CLOSED) for name in SWITCHES)

    async def operate(self, command: Command) -> Ack:
        """To the control room."""
        await self.life.point()
        if self.play.rng.randrange(100) >= self.play.loss_pct:
            self.play.switches[command.point.resource] = command.value
        await self.life.point()
        return Ack(command.command_id, command.point.resource, 0, Outcome.WRITTEN, self.play.now())


async def quietly(work: Coroutine[Any, Any, Any], life: Life) -> None:
    """What an operator does: refusals are answers too, and a dead gateway gives none."""
    task = asyncio.get_running_loop().create_task(work)
    died = asyncio.get_running_loop().create_task(life.ended.wait())
    await asyncio.wait({task, died}, return_when=asyncio.FIRST_COMPLETED)
    died.cancel()
    if not task.done():
        task.cancel()
        return
    with suppress(RefusedMessage, CannotRecord):
        task.result()
