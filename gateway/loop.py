"""The control loop: signals in, one cycle at a time, controls out; everything journalled before it leaves.

Three tasks share one book. `_cycles` asks the engine and decides limits. `_controls` turns limits
into leased instructions, and is the only one that sends any. `receive` takes the parties' messages.
Each of them commits what it is about to do to the journal first and folds it into the book after.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite

from gateway.clock import Now
from gateway.coordination import controls, deadlines, decide, evidence, failure, routing, study, verify
from gateway.coordination.book import Book
from gateway.coordination.events import Answered, Decided, Event, Issued, Kept, Received, Sent
from gateway.coordination.messages import Message, OutageAck, OutageNotice
from gateway.coordination.situation import Situation
from gateway.coordination.zone import ZoneFacts
from gateway.engine import Engine
from gateway.ledger import Ledger
from gateway.narrate import Narrator
from gateway.record import Checkpoint, Fact
from gateway.snapshot import Image
from gateway.supervise import attempted
from grid_engine.results import Answer, Status, Study
from protocols.points import Quantity
from protocols.port import Adapter
from protocols.signals import (
    Ack,
    Baseline,
    Instruction,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
    Signal,
)

FIRST_LOOK_S = 30.0
"""Longest that the first study waits for devices that have not been heard yet."""
GONE_S = 5.0
"""Lost for so long, a device is not waited for at the start."""
MIN_GAP_S = 0.2
"""Cycles that are woken early keep at least this distance."""
APPLY_DEADLINE_S = 15.0
"""Longest that one instruction may occupy its adapter."""
CONTROL_TICK_S = 1.0
"""How often leases and verdicts are looked at without being woken."""
CHECKPOINT_S = 3_600.0
"""Between two checkpoints in the journal."""
PENDING = 10_000
"""Answers of devices that wait for the journal; the oldest is dropped beyond that, and said so."""


class RefusedMessage(Exception):  # noqa: N818 - a decision, not a defect
    """A party's message is not taken; says why."""


class CannotRecord(Exception):  # noqa: N818 - a state of the disk, not a defect
    """The journal cannot be written, so nothing may be promised; worth trying again later."""


Send = Callable[[Message], Coroutine[None, None, None]]
"""Delivers one message to its recipient, within a deadline; says itself what became of it."""


@dataclass(slots=True)
class Loop:
    """One zone under control."""

    zone: ZoneFacts
    image: Image
    ledger: Ledger
    adapters: Mapping[str, Adapter]
    """By resource."""
    engine: Engine
    send: Send
    now: Now
    say: Narrator
    history: Callable[[Sequence[Measurement]], None]
    """Takes telemetry for the historian; never waits."""
    touched: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where there may be something to tell a device."""
    _tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _pending: deque[Fact] = field(default_factory=lambda: deque(maxlen=PENDING))
    _reassert: set[str] = field(default_factory=set)
    _confirmed: set[str] = field(default_factory=set)
    _applying: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _expected_w: dict[str, float] = field(default_factory=dict)
    _cycles_run: int = 0
    _published_s: float = -1.0
    _failing: bool = False

    @property
    def book(self) -> Book:
        """What has been agreed so far."""
        return self.ledger.book

    async def run(self) -> None:
        """Control the zone until cancelled."""
        async with self._tasks:
            self._tasks.create_task(self._controls(), name="controls")
            self._tasks.create_task(self._cycles(), name="cycles")
            self._tasks.create_task(self._checkpoints(), name="checkpoints")

    # --- inputs -----------------------------------------------------------------------------------

    def emit(self, signals: Sequence[Signal]) -> None:
        """Fold a batch of signals from an adapter; never waits."""
        measurements: list[Measurement] = []
        for signal in signals:
            match signal:
                case Measurement():
                    first = signal.point not in self.image
                    self.image.fold(signal)
                    measurements.append(signal)
                    if first or self._alarming(signal):
                        self._wake.set()
                case LinkChanged():
                    self._link(signal)
                case Ack():
                    self._answer(signal)
                case Baseline():
                    if signal.resource not in self.book.baselines:
                        self._later(Kept(replace(signal, values=_finite(signal.values))))
        if measurements:
            self.history(measurements)

    async def receive(self, message: Message) -> None:
        """Take a party's message; returns once it is on the disk.

        Raises:
            RefusedMessage: It may not travel, or speaks of something that is not here.
            CannotRecord: The journal cannot be written now.
        """
        problem = routing.refusal(self.zone, message) or self._unknown_resource(message)
        if problem is not None:
            self.say.refused(message, problem)
            raise RefusedMessage(problem)
        if message.header.msg_id in self.book.seen:
            self.say.duplicate(message)
            return
        at_s = self.now()
        stale = self.book.is_stale(message, at_s)
        if not await self.ledger.commit([Received(message, at_s)]):
            raise CannotRecord("the journal cannot be written; nothing was taken")
        self.say.received(message, stale=stale)
        if isinstance(message.body, OutageNotice):
            at, body = self._situation(""), message.body
            ack = at.message(message.header.sender, body.outage_id, OutageAck(body.outage_id, body.resource))
            if await self.ledger.commit(sent := self._outgoing(at, (ack,))):
                self._post([s.message for s in sent])
        self._wake.set()

    def _unknown_resource(self, message: Message) -> str | None:
        resource = message.resource
        if not resource or resource in self.zone.resources:
            return None
        return f"UNKNOWN_RESOURCE: {resource} is not a resource of zone {self.zone.id}"

    def _link(self, change: LinkChanged) -> None:
        before = self.image.link(change.resource)
        self.image.fold(change)
        self.say.link(change)
        self._later(change)
        came_up = change.state is LinkState.ONLINE and before not in (LinkState.ONLINE, LinkState.DEGRADED)
        if came_up:
            self._reassert.add(change.resource)
            self._confirmed.discard(change.resource)
        self.touched.set()
        self._wake.set()

    def _answer(self, ack: Ack) -> None:
        self._later(Answered(replace(ack, requested=_finite(ack.requested), read_back=_finite(ack.read_back))))

    def _later(self, fact: Fact) -> None:
        """Keep a fact until `_controls` has journalled it."""
        if len(self._pending) == PENDING:
            self.say.dropped(self._pending[0])
        self._pending.append(fact)
        self.touched.set()

    def _alarming(self, signal: Measurement) -> bool:
        """True for a measurement that the last study did not expect or that breaks a rating."""
        if signal.quality is not Quality.GOOD:
            return False
        name, quantity = signal.point.resource, signal.point.quantity
        if quantity is Quantity.CURRENT_A:
            rating = self.zone.ratings.get(name)
            return rating is not None and rating.ampacity_a is not None and signal.value > 1.001 * rating.ampacity_a
        if quantity is Quantity.ACTIVE_POWER_W and name in self.zone.resources:
            expected = self._expected_w.get(name)
            return expected is not None and signal.value > expected + self.zone.resources[name].verify_band_w
        return False

    # --- the cycle --------------------------------------------------------------------------------

    async def _cycles(self) -> None:
        await self._heard_from_all()
        while True:
            await _woken(self._wake, self.zone.clocks.tick_s)
            began_s = self.now()
            await self._cycle()
            if (rest_s := MIN_GAP_S - (self.now() - began_s)) > 0:
                await asyncio.sleep(rest_s)

    async def _heard_from_all(self) -> None:
        """Let every resource be heard once, or be found lost, before the first study assumes the worst of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_S):
                while self._silent():
                    await _woken(self._wake, CONTROL_TICK_S)

    def _silent(self) -> bool:
        """True while a resource has neither been heard nor been found lost."""
        snapshot = self.image.freeze(self.now())
        return any(snapshot.power_w(r) is None and snapshot.link(r) is not LinkState.LOST for r in self.zone.resources)

    async def _cycle(self) -> None:
        """Freeze, compute, decide, record; the controls follow from what was recorded."""
        self._cycles_run += 1
        at = self._situation(f"{self.zone.id}-{int(self.now())}-{self._cycles_run}")
        question = study.impact(at)
        answer = await self.engine.answer(question)
        at = at.citing(answer.model_version)
        decided, messages = self._conclude(at, question, answer)
        owed = deadlines.overdue(at, frozenset(m.resource for m in messages))
        sent = self._outgoing(at, (*messages, *owed.reminders))
        changed = bool(sent or owed.alarms) or (answer.status is not Status.SOLVED) != self._failing
        events: list[Event] = [decided, *sent, *owed.alarms]
        if not await self.ledger.commit(events, keep=changed):
            return
        self._failing = answer.status is not Status.SOLVED
        self.say.cycle(at, answer, [s.message for s in sent], owed.alarms)
        self._post([s.message for s in sent])
        self.touched.set()
        if answer.status is Status.SOLVED:  # what holds now has left; the rest may take its time
            await self._publish_ahead(at)
            await self._gather_evidence(at, question)

    def _outgoing(self, at: Situation, messages: tuple[Message, ...]) -> list[Sent]:
        return [Sent(m, at.now_s, at.cycle_id) for m in messages if self._may_travel(m)]

    def _conclude(self, at: Situation, question: Study, answer: Answer) -> tuple[Decided, tuple[Message, ...]]:
        solved = decide.limits_now(at, answer)
        verdict = replace(solved, messages=(*solved.messages, *failure.limits_without_engine(at, answer)))
        measured = {r: w for r in self.zone.resources if (w := at.snapshot.power_w(r)) is not None}
        clean = answer.status is Status.SOLVED and not any(v.interval == 0 for v in answer.violations)
        self._expected_w = {p.resource: p.requested_w[0] for p in question.participants}
        # What was first seen amid a violation stands too: only what comes on top of it is an increment.
        blind = failure.unanswered(at, answer)
        settled = {r: w for r, w in measured.items() if (clean and r not in blind) or r not in self.book.settled_w}
        kept = evidence.kept(at, answer)
        return Decided(at.cycle_id, at.now_s, question, kept, measured, settled, verdict.headroom), verdict.messages

    async def _publish_ahead(self, at: Situation) -> None:
        """Envelopes for the intervals ahead, once per interval and where the zone asks for them."""
        begun_s = self.zone.clocks.interval_start(at.now_s)
        if not self.zone.limits.look_ahead or begun_s == self._published_s:
            return
        answer = await self.engine.answer(question := study.look_ahead(at))
        at = at.citing(answer.model_version)
        sent = self._outgoing(at, decide.limits_ahead(at, answer, study.intervals_ahead(at)))
        if await self.ledger.commit([Decided(at.cycle_id, at.now_s, question, evidence.kept(at, answer)), *sent]):
            if answer.status is Status.SOLVED:
                self._published_s = begun_s
            self.say.limits(at, [s.message for s in sent])
            self._post([s.message for s in sent])
            self.touched.set()

    async def _gather_evidence(self, at: Situation, question: Study) -> None:
        """Compare measured flows with those that a lost device's fallback would make."""
        for resource in evidence.awaiting(at):
            worst_w, fallback_w = evidence.powers(at, resource)
            worst = await self.engine.answer(study.as_if(question, {resource: worst_w}, f"{at.cycle_id}-worst"))
            low = await self.engine.answer(study.as_if(question, {resource: fallback_w}, f"{at.cycle_id}-fallback"))
            if evidence.agrees(at, worst, low, worst_w - fallback_w):
                self._confirmed.add(resource)
                self.say.fallback(resource, fallback_w)
                self._wake.set()

    # --- the controls -----------------------------------------------------------------------------

    async def _controls(self) -> None:
        while True:
            await _woken(self.touched, CONTROL_TICK_S)
            if not await self._take_answers():
                await asyncio.sleep(CONTROL_TICK_S)  # the journal is not writable: nothing may leave
                continue
            at = self._situation("")
            verdicts = [Answered(ack) for ack in verify.judge(at)]
            if verdicts and await self.ledger.commit(verdicts):
                self.say.verdicts(verdicts, self.book)
                self._wake.set()
            await self._issue(at)

    async def _checkpoints(self) -> None:
        """Let a restart begin at a recent state of the book and not at the first entry of the journal."""
        while True:
            await self.ledger.commit([Checkpoint(self.zone.id, self.book, self.now())])
            await asyncio.sleep(CHECKPOINT_S)

    async def _take_answers(self) -> bool:
        waiting = list(self._pending)
        self._pending.clear()
        if not await self.ledger.commit(waiting):
            self._put_back(waiting)
            return False
        for fact in waiting:
            self.say.answered(fact, self.book)
            if isinstance(fact, Answered) and fact.ack.outcome in (Outcome.REJECTED, Outcome.UNKNOWN):
                self._wake.set()
        return True

    def _put_back(self, waiting: Sequence[Fact]) -> None:
        since = list(self._pending)
        self._pending.clear()
        for fact in (*waiting, *since):
            self._later(fact)

    async def _issue(self, at: Situation) -> None:
        reassert = frozenset(self._reassert)
        instructions = controls.due(at, reassert)
        issued = [
            Issued(i, at.now_s, self.book.cycle_of(limit_id), limit_id, at.snapshot.power_w(i.resource))
            for i, limit_id in instructions
            if i.resource in self.adapters
        ]
        if issued and not await self.ledger.commit(issued):
            return
        self._reassert -= reassert
        for event in issued:
            self.say.issued(event, reasserted=event.instruction.resource in reassert)
            self._apply_soon(event.instruction)

    def _apply_soon(self, instruction: Instruction) -> None:
        """Hand an instruction to its adapter; one at a time per resource, the newest next."""
        before = self._applying.get(instruction.resource)
        task = self._tasks.create_task(self._apply(instruction, before), name=f"apply {instruction.control_id}")
        self._applying[instruction.resource] = task

    async def _apply(self, instruction: Instruction, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
            newest = self.book.controls[instruction.resource].instruction
            if newest != instruction:
                if newest.version > instruction.version:
                    detail = f"version {newest.version} was issued before this one was sent"
                    self._answer(Ack.of(instruction, Outcome.SUPERSEDED, self.now(), detail))
                return
        try:
            async with asyncio.timeout(APPLY_DEADLINE_S):
                found = await attempted(partial(self.adapters[instruction.resource].apply, instruction))
        except TimeoutError:
            found = TimeoutError(f"did not come back within {APPLY_DEADLINE_S:g} s")
        if isinstance(found, Exception):
            detail = f"the adapter of {instruction.resource} failed: {type(found).__name__}: {found}"
            found = Ack.of(instruction, Outcome.UNKNOWN, self.now(), detail)
        self._answer(found)

    # --- parties ----------------------------------------------------------------------------------

    def _may_travel(self, message: Message) -> bool:
        problem = routing.refusal(self.zone, message)
        if problem is not None:
            self.say.refused(message, problem)
        return problem is None

    def _post(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self._tasks.create_task(self.send(message), name=f"send {message.header.msg_id}")

    def _situation(self, cycle_id: str) -> Situation:
        return Situation(
            self.zone, self.book, self.image.freeze(self.now()), cycle_id, confirmed=frozenset(self._confirmed)
        )


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """What of a device's raw values is a number; the journal takes no other."""
    return {name: value for name, value in values.items() if isfinite(value)}


async def _woken(event: asyncio.Event, within_s: float) -> None:
    """Return when the event is set, or after a while, with the event cleared."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()
