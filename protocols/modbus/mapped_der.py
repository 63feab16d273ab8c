"""One DER with registers of its own on the wire: read it, and carry an instruction out with proof.

A device with a timer falls back by itself. For one without, this session takes back what it told when the lease runs
out, as far as the link allows; where the device minds a heartbeat, it stops beating with the lease.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Final

from protocols.modbus.budget import WriteBudget
from protocols.modbus.carry import Carried, carry_out, spared
from protocols.modbus.client import ModbusError, RefusedError, UnitWire
from protocols.modbus.mapped_control import (
    MappedState,
    decode,
    in_force_w,
    plan_control,
    plan_release,
    tightens,
)
from protocols.modbus.measure import measurement
from protocols.modbus.plan import Plan, Refusal
from protocols.modbus.register import blocks
from protocols.modbus.settings import MappedDer, Term
from protocols.modbus.station import MappedReader
from protocols.modbus.sunspec import Reading, Write
from protocols.points import Point, Quantity
from protocols.port import Now
from protocols.signals import (
    MAY_HOLD,
    Ack,
    Baseline,
    Bounds,
    Control,
    Instruction,
    Measurement,
    Outcome,
    Quality,
    Signal,
)

LIMITS: Final = {Term.CEILING: Quantity.CEILING_W, Term.FLOOR: Quantity.FLOOR_W}
BEATS: Final = 30_000
"""The heartbeat begins anew here, inside of every integer register; it is never 0, which a register at rest is."""
END_RETRY_S: Final = 5.0
"""Between two attempts to take back what a device without a timer was told."""


@dataclass(slots=True)
class _Lease:
    """What the device was told, and until when it holds on the clock of the event loop."""

    control: Control
    ends_at_s: float


class MappedDerSession:
    """Talks to one DER; keeps what has to outlive a single transaction."""

    def __init__(self, settings: MappedDer, wire: UnitWire, settle_s: float, now: Now) -> None:
        self.settings = settings
        self._wire = wire
        self._settle_s = settle_s
        self._now = now
        read_max = settings.quirks.read_max
        self._reader = MappedReader(settings.registers, wire, now, read_max)
        terms = {term: control for term, control in settings.controls.items() if term is not Term.HEARTBEAT}
        self._terms = terms
        self._blocks = blocks([control.shown for control in terms.values()], read_max)
        self._baseline: Mapping[str, float] | None = None
        self._held: frozenset[str] = frozenset()
        self._power_w = 0.0
        per_day = settings.quirks.writes_per_day
        self._budget = None if per_day is None else WriteBudget(per_day)
        self._lease: _Lease | None = None
        self._beats = 0
        self._writing = asyncio.Lock()
        """Of the wire: taking back must not overtake a control."""

    async def open(self) -> Sequence[Signal]:
        """Look at what the device holds before anything is written, and report it.

        Raises:
            ModbusError: the link failed, or the device refuses to tell.
        """
        if not self._terms:
            return ()
        values = {name: value for name, value in (await self._read()).values.items() if value is not None}
        if self._baseline is None:
            self._baseline = values
        return (Baseline(self.settings.resource, values, self._now()),)

    def close(self) -> None:
        """Nothing has to be forgotten."""

    async def poll(self) -> Sequence[Signal]:
        """Read everything once, beat where a lease lives, and take back what has run out.

        Raises:
            ModbusError: the link failed.
        """
        found: list[Signal] = []
        for measured in await self._reader.read():
            found.append(measured)
            if measured.point == self._power and measured.quality is Quality.GOOD:
                self._power_w = measured.value
        found += await self._limits()
        await self._keep_beating()
        found += await self._end_lease()
        return found

    async def carry_out(self, instruction: Instruction) -> Ack:
        """Read, plan, write, and read back until the device holds what was asked or the time is up."""
        async with self._writing:
            if isinstance(instruction, Control) and instruction.expiry_s <= self._now():
                return self._ack(instruction, Outcome.EXPIRED, "the lease had run out before it was written")
            try:
                state = await self._state()
            except RefusedError as error:
                return self._ack(instruction, Outcome.REJECTED, str(error))
            except ModbusError as error:
                return self._ack(instruction, Outcome.UNDELIVERED, f"nothing was written: {error}")
            plan = self._planned(instruction, state)
            if isinstance(plan, Refusal):
                return self._ack(instruction, Outcome.REJECTED, plan.detail)
            ack = self._answer(instruction, plan, await self._write(instruction, plan, state))
            opens = plan.requested.get(Term.CONNECTED) == 0 and state.reading.values.get(Term.CONNECTED) == 1
            return replace(ack, disconnects=opens and ack.outcome in MAY_HOLD)

    def _planned(self, instruction: Instruction, state: MappedState) -> Plan | Refusal:
        if not self._terms:
            return Refusal(f"{self.settings.resource} is read, not controlled")
        if not isinstance(instruction, Control):
            return plan_release(instruction.baseline, state)
        plan = plan_control(instruction, self._remaining_s(instruction), state)
        if isinstance(plan, Refusal) or self._budget is None or tightens(plan, state):
            return plan
        worn = spared(self.settings.resource, plan, self._budget)
        return Refusal(worn) if worn else plan

    async def _write(self, instruction: Instruction, plan: Plan, state: MappedState) -> Carried:
        until_s, self._held, self._lease = inf, plan.held, None
        if isinstance(instruction, Control):
            until_s = asyncio.get_running_loop().time() + self._remaining_s(instruction)
            if plan.held:
                self._lease = _Lease(instruction, until_s)
                plan = replace(plan, writes=(*self._beat(), *plan.writes))
        return await self._carried_out(plan, state, until_s)

    async def _carried_out(self, plan: Plan, state: MappedState, until_s: float) -> Carried:
        return await carry_out(
            plan,
            state.reading,
            self._wire,
            self._read,
            settle_s=self._settle_s,
            until_s=until_s,
            budget=self._budget,
        )

    async def _end_lease(self) -> Sequence[Signal]:
        """Put a device without a timer where it would have fallen by itself."""
        loop = asyncio.get_running_loop()
        if self._lease is None or loop.time() < self._lease.ends_at_s:
            return ()
        if Term.LEASE in self._terms:
            self._lease = None
            return ()
        async with self._writing:
            lease = self._lease
            if lease is None or loop.time() < lease.ends_at_s:
                return ()
            lease.ends_at_s = loop.time() + END_RETRY_S
            state = await self._state()
            plan = self._after(lease.control, state)
            if isinstance(plan, Refusal):
                self._lease = None
                return (self._ack(lease.control, Outcome.EXPIRED, f"its lease has run out, and stays: {plan.detail}"),)
            done = await self._carried_out(plan, state, inf)
            if done.outcome is not Outcome.WRITTEN:
                return ()
            self._held, self._lease = plan.held, None
            detail = "its lease has run out; the gateway took it back, as the device has no timer"
            return (self._answer(lease.control, plan, replace(done, outcome=Outcome.EXPIRED, detail=detail)),)

    def _after(self, control: Control, state: MappedState) -> Plan | Refusal:
        """What holds once a lease is over: its fallback, or what was there before."""
        fallback = self.settings.fallback if control.fallback.is_open else control.fallback
        if fallback.is_open:
            return plan_release({}, state)
        return plan_control(replace(control, limit=fallback, target_w=None, fallback=Bounds()), 0.0, state)

    async def _keep_beating(self) -> None:
        """Let the device know that we are there, for as long as a lease lives."""
        if self._lease is None or asyncio.get_running_loop().time() >= self._lease.ends_at_s:
            return
        for beat in self._beat():
            await self._wire.write(beat.address, beat.registers)

    def _beat(self) -> tuple[Write, ...]:
        """The next beat of a device that minds it."""
        heart = self.settings.controls.get(Term.HEARTBEAT)
        if heart is None:
            return ()
        self._beats = self._beats % BEATS + 1
        return (Write(heart.register.address, heart.register.encode(self._beats), (Term.HEARTBEAT.value,)),)

    async def _limits(self) -> Sequence[Measurement]:
        """The limits in force, as far as the device has registers for them."""
        sides = [side for side in LIMITS if side in self._terms]
        if not sides:
            return ()
        try:
            values = (await self._read()).values
        except RefusedError:
            values = {}
        at_s, resource = self._now(), self.settings.resource
        shown = [(LIMITS[side], in_force_w(self.settings, side, values)) for side in sides]
        return [measurement(Point(resource, quantity), value, at_s) for quantity, value in shown]

    async def _read(self) -> Reading:
        """What the control registers hold now, by term."""
        values: dict[str, float | None] = {}
        for block in self._blocks:
            answer = await self._wire.read(block.address, block.count, inputs=block.inputs)
            for term, control in self._terms.items():
                if control.shown in block.registers:
                    values[term.value] = decode(control, term, block.words(control.shown, answer))
        return Reading(values, {})

    async def _state(self) -> MappedState:
        return MappedState(self.settings, await self._read(), self._power_w, self._baseline or {}, self._held)

    @property
    def _power(self) -> Point:
        return Point(self.settings.resource, Quantity.ACTIVE_POWER_W)

    def _remaining_s(self, control: Control) -> float:
        """What is left of the lease; never more than the device's longest, should our clock have gone back."""
        longest_s = self.settings.lease_max_s
        remaining_s = control.expiry_s - self._now()
        return remaining_s if longest_s is None else min(remaining_s, longest_s)

    def _answer(self, instruction: Instruction, plan: Plan, done: Carried) -> Ack:
        return self._ack(instruction, done.outcome, done.detail, plan.requested, done.read_back)

    def _ack(
        self,
        instruction: Instruction,
        outcome: Outcome,
        detail: str,
        requested: Mapping[str, float] | None = None,
        read_back: Mapping[str, float] | None = None,
    ) -> Ack:
        return Ack.of(instruction, outcome, self._now(), detail, requested=requested, read_back=read_back)
