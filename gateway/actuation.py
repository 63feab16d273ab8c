"""What devices and the network are told: leased controls and operations, journalled before they leave.

The only task that sends any. What devices answer waits here for the journal, and verdicts of the measured
power come from here.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite

from gateway.coordination import controls, operating, verify
from gateway.coordination.events import Answered, Issued, Operated
from gateway.coordination.situation import Situation
from gateway.ground import Ground, woken
from gateway.ledger import Overtaken
from gateway.record import Fact
from gateway.supervise import attempted
from protocols.points import Point
from protocols.port import Adapter, Operator
from protocols.signals import Ack, Command, Instruction, Outcome

APPLY_DEADLINE_S = 15.0
"""Longest that one instruction may occupy its adapter."""
CONTROL_TICK_S = 1.0
"""How often leases and verdicts are looked at without being woken."""
PENDING = 10_000
"""Answers of devices that wait for the journal; the oldest is dropped beyond that, and said so."""


@dataclass(slots=True)
class Actuation:
    """The device side of one zone."""

    ground: Ground
    adapters: Mapping[str, Adapter]
    """By resource."""
    operators: Mapping[Point, Operator] = field(default_factory=dict)
    """By the point of the network that they can move."""
    _pending: deque[Fact] = field(default_factory=lambda: deque(maxlen=PENDING))
    _reassert: set[str] = field(default_factory=set)
    _applying: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def waiting(self) -> Sequence[Fact]:
        """Facts that the journal has not taken yet."""
        return tuple(self._pending)

    def later(self, fact: Fact) -> None:
        """Keep a fact until it can be journalled."""
        if len(self._pending) == PENDING:
            self.ground.say.dropped(self._pending[0])
        self._pending.append(fact)
        self.ground.touched.set()

    def answered(self, ack: Ack) -> None:
        """Keep a device's answer, without what is no number."""
        self.later(Answered(replace(ack, requested=finite(ack.requested), read_back=finite(ack.read_back))))

    def reassert(self, resource: str) -> None:
        """The link to a resource came up: what holds for it is sent again."""
        self._reassert.add(resource)
        self.ground.touched.set()

    async def run(self) -> None:
        """Keep devices and network at what was agreed, until cancelled."""
        ground = self.ground
        while True:
            await woken(ground.touched, CONTROL_TICK_S)
            if not await self._take_answers():
                await asyncio.sleep(CONTROL_TICK_S)  # the journal is not writable: nothing may leave
                continue
            at = ground.situation()
            verdicts = [Answered(ack) for ack in verify.judge(at)]
            if verdicts and await ground.ledger.commit(verdicts):
                ground.say.verdicts(verdicts, ground.book)
                ground.wake.set()
            await self._operate(at)
            await self._issue(at)

    # --- answers

    async def _take_answers(self) -> bool:
        waiting = list(self._pending)
        self._pending.clear()
        if not await self.ground.ledger.commit(waiting):
            self._put_back(waiting)
            return False
        for fact in waiting:
            self.ground.say.answered(fact, self.ground.book)
            if isinstance(fact, Answered) and self._matters(fact.ack):
                self.ground.wake.set()
        return True

    def _matters(self, ack: Ack) -> bool:
        """True where a device does not obey; what was missed once is told again before anybody gives way for it."""
        held = self.ground.book.controls.get(ack.resource)
        missed = 0 if held is None else held.missed
        return ack.outcome in (Outcome.REJECTED, Outcome.UNKNOWN) or (ack.outcome is Outcome.UNDELIVERED and missed > 1)

    def _put_back(self, waiting: Sequence[Fact]) -> None:
        since = list(self._pending)
        self._pending.clear()
        for fact in (*waiting, *since):
            self.later(fact)

    # --- devices

    async def _issue(self, at: Situation) -> None:
        reassert = frozenset(self._reassert)
        instructions = controls.due(at, reassert)
        issued = [
            Issued(i, at.now_s, self.ground.book.cycle_of(ref), ref, at.snapshot.power_w(i.resource))
            for i, ref in instructions
            if i.resource in self.adapters
        ]
        try:
            if issued and not await self.ground.ledger.commit(issued, check=self.ground.ledger.unchanged()):
                return
        except Overtaken:
            self.ground.touched.set()  # what has just come may change what is to be told
            return
        self._reassert -= reassert
        for event in issued:
            self.ground.say.issued(event, reasserted=event.instruction.resource in reassert)
            self._apply_soon(event.instruction)

    def _apply_soon(self, instruction: Instruction) -> None:
        """Hand an instruction to its adapter; one at a time per resource, the newest next."""
        before = self._applying.get(instruction.resource)
        name = f"apply {instruction.control_id}"
        self._applying[instruction.resource] = self.ground.tasks.create_task(
            self._apply(instruction, before), name=name
        )

    async def _apply(self, instruction: Instruction, before: asyncio.Task[None] | None) -> None:
        now = self.ground.now
        if before is not None:
            await asyncio.wait([before])
            newest = self.ground.book.controls[instruction.resource].instruction
            if newest != instruction:
                if newest.version > instruction.version:
                    detail = f"version {newest.version} was issued before this one was sent"
                    self.answered(Ack.of(instruction, Outcome.SUPERSEDED, now(), detail))
                return
        try:
            async with asyncio.timeout(APPLY_DEADLINE_S):
                found = await attempted(partial(self.adapters[instruction.resource].apply, instruction))
        except TimeoutError:
            found = TimeoutError(f"did not come back within {APPLY_DEADLINE_S:g} s")
        if isinstance(found, Exception):
            detail = f"the adapter of {instruction.resource} failed: {type(found).__name__}: {found}"
            found = Ack.of(instruction, Outcome.UNKNOWN, now(), detail)
        self.answered(found)

    # --- the network

    async def _operate(self, at: Situation) -> None:
        """Take the next step of a plan, or the way back; the field says what became of it."""
        events = list(operating.due(at))
        if not events:
            return
        if not await self.ground.ledger.commit(events):
            return
        self.ground.say.network_operated(events, self.ground.book)
        record, room = self.ground.book.operating.newest, self.ground.zone.room
        for event in events:
            if isinstance(event, Operated) and record is not None and room is not None:
                for command in operating.commands(room, record, event.step, at.now_s):
                    name = f"operate {command.command_id}"
                    self.ground.tasks.create_task(self._command(command), name=name)
        self.ground.touched.set()
        self.ground.wake.set()

    async def _command(self, command: Command) -> None:
        operator = self.operators.get(command.point)
        if operator is None:
            self.ground.say.not_operated(command, "no connection of the zone can operate it")
            return
        try:
            async with asyncio.timeout(APPLY_DEADLINE_S):
                found = await attempted(partial(operator.operate, command))
        except TimeoutError:
            found = TimeoutError(f"did not come back within {APPLY_DEADLINE_S:g} s")
        if isinstance(found, Exception):
            self.ground.say.not_operated(command, f"{type(found).__name__}: {found}")
        elif found.outcome is not Outcome.WRITTEN:
            self.ground.say.not_operated(command, f"{found.outcome.value}: {found.detail}")


def finite(values: Mapping[str, float]) -> dict[str, float]:
    """What of a device's raw values is a number; the journal takes no other."""
    return {name: value for name, value in values.items() if isfinite(value)}
