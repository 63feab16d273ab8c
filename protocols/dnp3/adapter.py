"""`Dnp3Adapter(settings, now)`: a DNP3 master on one TCP or TLS connection, behind the port.

`settings` is a `protocols.dnp3.settings.Dnp3Settings`: host, port, `inputs` (which point of ours is which point of the
outstation's) and `ders` (which outputs limit and steer a DER). For a DER with the map of IEEE 1815.2,
`protocols.dnp3.profile` gives both. `now` gives Unix seconds UTC.
"""

import asyncio
import random
import ssl
from collections.abc import Mapping, Sequence

from protocols.dnp3.errors import BusyError, UnsendableError
from protocols.dnp3.fragment import Function, Iin
from protocols.dnp3.master import MasterSession
from protocols.dnp3.master_words import (
    LinkDead,
    MasterEvent,
    NoAnswer,
    PollDone,
    Started,
    TaskDone,
    TaskOutcome,
)
from protocols.dnp3.measure import Image
from protocols.dnp3.plan import (
    UnsupportedError,
    Write,
    judge,
    outputs,
    place_of,
    plan_control,
    plan_switch,
    read_request,
    writes_of,
)
from protocols.dnp3.readings import Readings
from protocols.dnp3.settings import DerPoints, Dnp3Settings
from protocols.dnp3.wire import Connect, Wire, client_context, connect
from protocols.port import Emit, Now
from protocols.signals import (
    Ack,
    Baseline,
    Control,
    GridSwitch,
    Instruction,
    LinkChanged,
    LinkState,
    Outcome,
    Signal,
)

LOST_AFTER = 3
"""Requests in a row without an answer."""
READ_BACK_PAUSE_S = 0.1


class Dnp3Adapter:
    """Reads and controls what stands behind one outstation."""

    def __init__(
        self, settings: Dnp3Settings, now: Now, rng: random.Random | None = None, *, dial: Connect = connect
    ) -> None:
        """`rng` jitters reconnection; by default it is seeded with the address. `dial` may record the connection."""
        self._settings = settings
        self._now = now
        self._dial = dial
        self._address = f"{settings.host}:{settings.port}"
        self._rng = rng or random.Random(self._address)
        self._emit: Emit = _nowhere
        self._session = MasterSession(settings.master)
        self._image = Image(settings)
        self._ders = {der.resource: der for der in settings.ders}
        self._wire: Wire | None = None
        self._state = LinkState.INIT
        self._detail = "never connected"
        self._opening: int | None = None
        self._is_controllable = False
        self._waiting: dict[int, asyncio.Future[TaskDone]] = {}
        self._versions: dict[str, int] = {}
        self._baselines: dict[str, Mapping[str, float]] = {}
        self._locks = {resource: asyncio.Lock() for resource in self._ders}

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the DERs and assets that this adapter reads or controls."""
        return self._settings.resources

    async def run(self, emit: Emit) -> None:
        """Connect, read and reconnect until cancelled."""
        self._emit = emit
        context = client_context(self._settings.tls) if self._settings.tls else None
        pause_s = self._settings.retry_first_s
        while True:
            wire = await self._connect(context)
            if wire is not None and await self._serve(wire):
                pause_s = self._settings.retry_first_s
            await asyncio.sleep(pause_s * (0.5 + self._rng.random() / 2))
            pause_s = min(2 * pause_s, self._settings.retry_max_s)

    async def apply(self, instruction: Instruction) -> Ack:
        """Bring one instruction to its device; the newest version wins, and the same version renews the lease.

        Requested and read-back values are counts of the outstation's points. Nothing is written while the link is
        down; that is `UNDELIVERED`.
        """
        resource = instruction.resource
        der = self._ders.get(resource)
        if der is None:
            return self._ack(instruction, Outcome.REJECTED, f"{resource} is read, not controlled")
        if instruction.version < self._versions.get(resource, instruction.version):
            return self._superseded(instruction)
        self._versions[resource] = instruction.version
        async with self._locks[resource]:
            if instruction.version < self._versions[resource]:
                return self._superseded(instruction)
            return await self._carry_out(der, instruction)

    async def _connect(self, context: ssl.SSLContext | None) -> Wire | None:
        try:
            async with asyncio.timeout(self._settings.connect_s):
                wire = await self._dial(self._settings, context, self._received)
        except (OSError, TimeoutError) as error:
            self._become(LinkState.LOST, f"connecting to {self._address} failed: {error or 'timeout'}")
            return None
        return wire

    async def _serve(self, wire: Wire) -> bool:
        """Run one connection to its end; True where the outstation answered on it."""
        self._wire = wire
        self._session.connected(self._steady_s())
        reason = "the outstation closed the connection"
        try:
            while wire.is_open:
                self._flush()
                deadline_s = self._session.next_deadline()
                await wire.wait(None if deadline_s is None else max(0.0, deadline_s - self._steady_s()))
                self._handle(self._session.poll(self._steady_s()))
            if wire.error is not None and not isinstance(wire.error, OSError):
                raise wire.error
        finally:
            answered = self._session.is_started
            wire.cut()
            self._wire = None
            self._opening = None
            self._is_controllable = False
            self._handle(self._session.disconnected())
            self._image.clear()
        self._become(LinkState.LOST, f"{self._address}: {wire.error or reason}")
        return answered

    def _steady_s(self) -> float:
        """The session's time: a clock that is put forward or back ends no exchange and delays none."""
        steady_s = asyncio.get_running_loop().time()
        self._session.utc_s = self._now() - steady_s
        return steady_s

    def _received(self, data: bytes) -> None:
        self._handle(self._session.receive(data, self._steady_s()))
        self._flush()

    def _flush(self) -> None:
        if self._wire is not None:
            self._wire.send(self._session.data_to_send())

    def _handle(self, events: Sequence[MasterEvent]) -> None:
        """Turn what the session says into signals, as one batch."""
        now_s = self._now()
        signals = [signal for event in events for signal in self._signals(event, now_s)]
        if signals:
            self._emit(signals)

    def _signals(self, event: MasterEvent, now_s: float) -> list[Signal]:
        match event:
            case Readings():
                return [*self._image.take(event, now_s)]
            case PollDone():
                return [*self._answers(), *self._image.all(now_s)]
            case Started():
                return self._open()
            case TaskDone():
                return self._done(event, now_s)
            case NoAnswer() | LinkDead():
                return self._silence(event)
        return []

    def _answers(self) -> list[Signal]:
        return self._changes(LinkState.ONLINE, f"{self._address} answers") if self._is_controllable else []

    def _cut(self) -> None:
        if self._wire is not None:
            self._wire.cut()

    def _silence(self, event: NoAnswer | LinkDead) -> list[Signal]:
        if isinstance(event, LinkDead):
            self._cut()
            return self._changes(LinkState.LOST, f"{self._address} does not answer link status requests")
        if self._state in {LinkState.INIT, LinkState.LOST}:
            return []
        state = LinkState.LOST if event.in_a_row >= LOST_AFTER else LinkState.DEGRADED
        return self._changes(state, f"{event.detail}, {event.in_a_row} in a row")

    def _open(self) -> list[Signal]:
        """Read what the outputs hold before anything is written."""
        places = [place_of(output) for der in self._settings.ders for output in outputs(der).values()]
        if self._is_controllable:
            return []
        if not places:
            self._is_controllable = True
            return self._answers()
        self._opening = self._session.request(Function.READ, read_request(places), self._steady_s())
        return []

    def _done(self, event: TaskDone, now_s: float) -> list[Signal]:
        waiter = self._waiting.pop(event.task, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(event)
        if event.task != self._opening:
            return []
        self._opening = None
        if event.outcome in {TaskOutcome.UNKNOWN, TaskOutcome.NOT_SENT}:
            self._cut()
            return []
        self._is_controllable = True
        return [*self._capture(now_s), *self._answers(), *self._image.all(now_s)]

    def _capture(self, now_s: float) -> list[Signal]:
        baselines: list[Signal] = []
        for resource, der in self._ders.items():
            values = self._held(der)
            self._baselines.setdefault(resource, values)
            baselines.append(Baseline(resource, values, now_s))
        return baselines

    def _held(self, der: DerPoints) -> dict[str, float]:
        found = {name: self._image.raw(place_of(output)) for name, output in outputs(der).items()}
        return {name: value for name, value in found.items() if value is not None}

    async def _carry_out(self, der: DerPoints, instruction: Instruction) -> Ack:
        now_s = self._now()
        if isinstance(instruction, Control) and instruction.expiry_s <= now_s:
            return self._ack(instruction, Outcome.EXPIRED, "its lease ran out before it could be sent")
        if not self._is_controllable or self._state not in {LinkState.ONLINE, LinkState.DEGRADED}:
            return self._ack(instruction, Outcome.UNDELIVERED, f"not sent: link is {self._state.value}, {self._detail}")
        ack = await self._limited(der, instruction, now_s)
        return ack if instruction.grid_switch is GridSwitch.LEAVE else await self._switched(der, instruction, ack)

    async def _limited(self, der: DerPoints, instruction: Instruction, now_s: float) -> Ack:
        """Bring limit and set point to the device."""
        try:
            writes = self._plan(der, instruction, now_s)
            before = {write.name: self._image.raw(write.place) for write in writes}
            done = await self._operate(writes)
        except (UnsupportedError, UnsendableError) as error:
            return self._ack(instruction, Outcome.REJECTED, f"nothing sent: {error}")
        except BusyError as error:
            return self._ack(instruction, Outcome.UNDELIVERED, f"not sent: {error}")
        return await self._settle(instruction, writes, before, done)

    async def _switched(self, der: DerPoints, instruction: Instruction, limit: Ack) -> Ack:
        """Move the switch to the grid beside the limit; a device that shows none has the limit alone."""
        closes = instruction.grid_switch is GridSwitch.CLOSE
        write = None if der.connect is None else plan_switch(der.connect, closed=closes)
        before = {} if write is None else await self._read_back([write])
        if write is None or write.name not in before or before[write.name] == write.raw:
            return limit
        try:
            moved = await self._settle(instruction, [write], before, await self._operate([write]))
        except (UnsendableError, BusyError) as error:
            moved = self._ack(instruction, Outcome.UNDELIVERED, f"not sent: {error}")
        return limit.and_switch(
            moved.outcome,
            moved.detail,
            closes=closes,
            was_closed=not closes,
            requested=moved.requested,
            read_back=moved.read_back,
        )

    def _plan(self, der: DerPoints, instruction: Instruction, now_s: float) -> list[Write]:
        own = self._baselines.get(der.resource, {})
        if isinstance(instruction, Control):
            writes = plan_control(der, instruction, self._settings.fallback, own, now_s)
        else:
            writes = writes_of(der, instruction.baseline or own)
        if not writes:
            raise UnsupportedError(f"no value of {der.resource} is known that could be written")
        return writes

    async def _operate(self, writes: Sequence[Write]) -> TaskDone:
        commands = [write.command for write in writes]
        return await self._await(self._session.operate(commands, select=self._settings.select, now_s=self._steady_s()))

    async def _await(self, task: int) -> TaskDone:
        waiter: asyncio.Future[TaskDone] = asyncio.get_running_loop().create_future()
        self._waiting[task] = waiter
        self._flush()
        if self._wire is not None:
            self._wire.changed.set()
        master = self._settings.master
        patience_s = master.queue_timeout_s + 2 * master.exchange_timeout_s
        try:
            async with asyncio.timeout(patience_s):
                return await waiter
        except TimeoutError:
            return TaskDone(task, TaskOutcome.UNKNOWN, Iin.NONE, f"no end within {patience_s} s")
        finally:
            self._waiting.pop(task, None)

    async def _settle(
        self, instruction: Instruction, writes: Sequence[Write], before: Mapping[str, float | None], done: TaskDone
    ) -> Ack:
        """Read back what was written; silence is settled by what is found, never by writing again."""
        requested = {write.name: write.raw for write in writes}
        if done.outcome is TaskOutcome.NOT_SENT:
            return self._ack(instruction, Outcome.UNDELIVERED, f"not carried out: {done.detail}", requested)
        if done.outcome is TaskOutcome.REFUSED:
            return self._ack(instruction, Outcome.REJECTED, f"{self._address}: {done.detail}", requested)
        silent = done.outcome is TaskOutcome.UNKNOWN
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self._settings.settle_s
        while True:
            found = await self._read_back(writes)
            outcome, why = judge(writes, before, found, silent=silent)
            settled = outcome in (Outcome.WRITTEN, Outcome.UNDELIVERED)
            if settled or loop.time() >= until_s or not self._is_controllable:
                return self._ack(instruction, outcome, f"{self._address}: {done.detail}{why}", requested, found)
            await asyncio.sleep(READ_BACK_PAUSE_S)

    async def _read_back(self, writes: Sequence[Write]) -> dict[str, float]:
        places = [write.place for write in writes]
        self._image.forget(places)
        try:
            await self._await(self._session.request(Function.READ, read_request(places), self._steady_s()))
        except BusyError:
            return {}
        found = {write.name: self._image.raw(write.place) for write in writes}
        return {name: value for name, value in found.items() if value is not None}

    def _become(self, state: LinkState, detail: str) -> None:
        changes = self._changes(state, detail)
        if changes:
            self._emit(changes)

    def _changes(self, state: LinkState, detail: str) -> list[Signal]:
        if state is self._state:
            return []
        self._state, self._detail = state, detail
        at_s = self._now()
        return [LinkChanged(resource, state, at_s, detail) for resource in sorted(self.resources)]

    def _superseded(self, instruction: Instruction) -> Ack:
        newest = self._versions[instruction.resource]
        return self._ack(instruction, Outcome.SUPERSEDED, f"version {newest} was asked for since")

    def _ack(
        self,
        instruction: Instruction,
        outcome: Outcome,
        detail: str,
        requested: Mapping[str, float] | None = None,
        read_back: Mapping[str, float] | None = None,
    ) -> Ack:
        return Ack(
            instruction.control_id,
            instruction.resource,
            instruction.version,
            outcome,
            self._now(),
            detail=detail,
            requested=requested or {},
            read_back=read_back or {},
        )


def _nowhere(_signals: Sequence[Signal]) -> None:
    """Before `run` there is nobody to tell."""
