"""One SunSpec DER on the wire: find its models, read it, and carry an instruction out with proof."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Final

from protocols.modbus import switch
from protocols.modbus.budget import WriteBudget
from protocols.modbus.carry import carry_out, spared
from protocols.modbus.client import ModbusError, NotConnectedError, RefusedError, UnitWire
from protocols.modbus.codec import encode
from protocols.modbus.control import (
    CAPACITY,
    CEILING,
    CONTROL_MODELS,
    LEGACY,
    STORAGE_MODEL,
    DeviceState,
    baseline,
    ceiling_in_force_w,
    plan_control,
    plan_release,
    prefixed,
    rated_w,
    tightens,
    w_max,
)
from protocols.modbus.device import SunSpecDevice
from protocols.modbus.heartbeat import LOCAL, NAMES, Heartbeat
from protocols.modbus.measure import ALTERNATIVES, MEASURED, measurement, measurements
from protocols.modbus.models import SunSpecError
from protocols.modbus.plan import Plan, Refusal
from protocols.modbus.settings import SunSpecDer
from protocols.modbus.sunspec import Model, Reading, Span
from protocols.points import Point, Quantity
from protocols.port import Now
from protocols.signals import Ack, Baseline, Control, GridSwitch, Instruction, Measurement, Outcome, Quality, Signal

CAPACITY_EVERY: Final = 10
"""Polls between two readings of the capacity, which seldom changes."""


@dataclass(frozen=True, slots=True)
class _Map:
    """What to read from this device, found anew after each loss of the link."""

    measured: tuple[tuple[Span, ...], ...]
    """Per model, what has to be read for it."""
    control: Model | None
    capacity: tuple[Span, ...]
    heart: Span | None
    switch: Model | None
    """The model with its switch to the grid."""


class StoppedHeartError(ModbusError):
    """The device answers, but its heartbeat stands still: what it says is of yesterday."""


class DerSession:
    """Talks to one DER; keeps what has to outlive a single transaction."""

    def __init__(self, settings: SunSpecDer, wire: UnitWire, settle_s: float, now: Now) -> None:
        self.settings = settings
        self._wire = wire
        self._device = SunSpecDevice(wire, settings.bases, settings.quirks.read_max)
        self._settle_s = settle_s
        self._now = now
        self._map: _Map | None = None
        self._seen: set[Point] = set()
        self._polls = 0
        self._w_max_w = settings.ceiling_w
        self._rated_w: float | None = None
        self._told_w: float | None = None
        """Nameplate that was told last; once per connection, and when it changes."""
        self._power_w = 0.0
        self._baseline: Mapping[str, float] | None = None
        self._held: frozenset[str] = frozenset()
        per_day = settings.quirks.writes_per_day
        self._budget = None if per_day is None else WriteBudget(per_day)
        self._is_off = False
        """We have taken it off the grid."""
        self._heart = Heartbeat(settings.still_s)
        self._beats = settings.quirks.heartbeat

    async def open(self) -> Sequence[Signal]:
        """Find the models and report the baseline.

        Raises:
            ModbusError: the link failed.
            SunSpecError: there is no usable SunSpec map.
        """
        found = _map(await self._device.scan(), self.settings.quirks.read_max)
        signals: list[Signal] = []
        if found.control is not None:
            reading = await self._device.read(found.control)
            values = baseline(found.control, reading.values)
            signals.append(Baseline(self.settings.resource, values, self._now()))
            if self._baseline is None:
                self._baseline = values
        self._map, self._polls, self._told_w = found, 0, None
        return signals

    def close(self) -> None:
        """Forget the map: the next poll begins with `open`."""
        self._map = None

    async def poll(self) -> Sequence[Measurement]:
        """Read everything once; what the device refuses to tell is bad.

        Raises:
            ModbusError: the link failed.
        """
        device_map = self._opened()
        found: list[Measurement] = []
        if self._polls % CAPACITY_EVERY == 0:
            await self._read_capacity(device_map)
        self._polls += 1
        if device_map.heart is not None:
            await self._beat(device_map.heart)
        for spans in device_map.measured:
            values: dict[str, float | None] = {}
            for span in spans:
                values |= (await self._read_or_nothing(span)).values
            model_id = spans[0].model.model_id
            found += measurements(self.settings.resource, model_id, values, self._seen, self._now())
        self._power_w = next((m.value for m in found if _is_power(m)), self._power_w)
        if device_map.control is not None:
            found += await self._ceiling(device_map.control)
        if self._rated_w is not None and self._rated_w != self._told_w:
            self._told_w = self._rated_w
            found.append(measurement(Point(self.settings.resource, Quantity.RATED_POWER_W), self._rated_w, self._now()))
        return found

    async def carry_out(self, instruction: Instruction) -> Ack:
        """Read, plan, write, and read back until the device holds what was asked or the time is up."""
        if isinstance(instruction, Control) and instruction.expiry_s <= self._now():
            return self._ack(instruction, Outcome.EXPIRED, "the lease had run out before it was written")
        ack = await self._limited(instruction)
        return ack if instruction.grid_switch is GridSwitch.LEAVE else await self._switched(instruction, ack)

    async def _limited(self, instruction: Instruction) -> Ack:
        """Bring limit and set point to the device."""
        try:
            found = await self._prepared(instruction)
        except RefusedError as error:
            return self._ack(instruction, Outcome.REJECTED, str(error))
        except (ModbusError, SunSpecError) as error:
            return self._ack(instruction, Outcome.UNDELIVERED, f"nothing was written: {error}")
        if isinstance(found, Refusal):
            return self._ack(instruction, Outcome.REJECTED, found.detail)
        plan, state = found
        return await self._write(instruction, plan, state)

    async def _prepared(self, instruction: Instruction) -> tuple[Plan, DeviceState] | Refusal:
        """What to write and what the device holds before, or why it cannot or must not be done."""
        if await self._is_local():
            return Refusal(f"{self.settings.resource} is under local control")
        state = await self._state()
        if state is None:
            return Refusal(f"{self.settings.resource} has none of the control models {CONTROL_MODELS}")
        if isinstance(instruction, Control):
            plan = plan_control(instruction, self._remaining_s(instruction), state)
        else:
            plan = plan_release(instruction.baseline, state)
        if isinstance(plan, Refusal):
            return plan
        worn = self._worn(instruction, plan, state)
        return Refusal(worn) if worn else (plan, state)

    async def _write(self, instruction: Instruction, plan: Plan, state: DeviceState) -> Ack:
        self._held = plan.held
        until_s = inf
        if isinstance(instruction, Control):
            until_s = asyncio.get_running_loop().time() + self._remaining_s(instruction)
        done = await carry_out(
            plan,
            state.reading,
            self._wire,
            partial(self._device.read, state.model),
            settle_s=self._settle_s,
            until_s=until_s,
            budget=self._budget,
        )
        proof = (prefixed(state.model, plan.requested), prefixed(state.model, done.read_back))
        return self._ack(instruction, done.outcome, done.detail, *proof)

    async def _switched(self, instruction: Instruction, limit: Ack) -> Ack:
        """Move the switch to the grid beside the limit; a device without one has the limit alone."""
        closes = instruction.grid_switch is GridSwitch.CLOSE
        try:
            model = self._opened().switch
            if model is None or await self._is_local():
                return limit
            names = (switch.SWITCHES[model.model_id], switch.TIMER)
            before = await self._device.read(model, names)
            was_closed = switch.is_closed(model, before)
            if was_closed is None or (was_closed and closes) or not (was_closed or closes or self._is_off):
                return limit
            lease_s = self._remaining_s(instruction) if isinstance(instruction, Control) else 0.0
            plan = switch.plan(model, before, closed=closes, lease_s=lease_s)
            read = partial(self._device.read, model, names)
            done = await carry_out(plan, before, self._wire, read, settle_s=self._settle_s, budget=self._budget)
        except RefusedError as error:
            return limit.and_switch(Outcome.REJECTED, str(error), closes=closes, was_closed=False)
        except (ModbusError, SunSpecError) as error:
            return limit.and_switch(Outcome.UNDELIVERED, str(error), closes=closes, was_closed=False)
        if done.outcome is Outcome.WRITTEN:
            self._is_off = not closes
        requested, read_back = prefixed(model, plan.requested), prefixed(model, done.read_back)
        proof = {"requested": requested, "read_back": read_back}
        return limit.and_switch(done.outcome, done.detail, closes=closes, was_closed=was_closed, **proof)

    def _remaining_s(self, control: Control) -> float:
        """What is left of the lease; never more than the device's longest, should our clock have gone back."""
        longest_s = self.settings.lease_max_s
        remaining_s = control.expiry_s - self._now()
        return remaining_s if longest_s is None else min(remaining_s, longest_s)

    def _worn(self, instruction: Instruction, plan: Plan, state: DeviceState) -> str:
        """Why a plan would wear the device too much; empty where it would not, or where it must not matter."""
        if self._budget is None or not isinstance(instruction, Control) or tightens(plan, state):
            return ""
        return spared(self.settings.resource, plan, self._budget)

    async def _beat(self, span: Span) -> None:
        """Look at the device's heartbeat, and give it ours."""
        names, model = NAMES[span.model.model_id], span.model
        values = (await self._read_or_nothing(span)).values
        if self._heart.has_stopped(values.get(names.theirs), asyncio.get_running_loop().time()):
            raise StoppedHeartError(f"{self.settings.resource} answers, but its heartbeat stands still")
        if not self._beats or values.get(names.ours) is None:
            return
        ours = model.points[names.ours]
        try:
            await self._wire.write(model.address + ours.offset, encode(ours, self._heart.next(model.model_id)))
        except RefusedError:
            self._beats = False

    async def _is_local(self) -> bool:
        """True where somebody on site has the device."""
        span = self._opened().heart
        if span is None:
            return False
        values = (await self._read_or_nothing(span)).values
        return values.get(NAMES[span.model.model_id].local) == LOCAL

    async def _state(self) -> DeviceState | None:
        """What the device holds right now; `None` where it has no control model."""
        found = self._opened()
        if found.control is None:
            return None
        await self._read_capacity(found)
        return DeviceState(
            der=self.settings,
            model=found.control,
            reading=await self._device.read(found.control),
            w_max_w=self._w_max_w,
            power_w=self._power_w,
            baseline=self._baseline or {},
            held=self._held,
        )

    def _opened(self) -> _Map:
        if self._map is None:
            raise NotConnectedError(f"{self.settings.resource}: its map is not known at present")
        return self._map

    async def _read_or_nothing(self, span: Span) -> Reading:
        try:
            return await self._device.read_span(span)
        except RefusedError:
            return Reading({}, {})

    async def _read_capacity(self, found: _Map) -> None:
        readings = {span.model.model_id: (await self._read_or_nothing(span)).values for span in found.capacity}
        self._w_max_w = w_max(readings, self.settings.ceiling_w, self.settings.quirks.percent_of)
        self._rated_w = rated_w(readings)

    async def _ceiling(self, model: Model) -> Sequence[Measurement]:
        """The limit in force; nothing where the device has never told one."""
        try:
            values = (await self._device.read(model, CEILING[model.model_id])).values
        except RefusedError:
            values = {}
        ceiling_w = ceiling_in_force_w(model, values, self._w_max_w)
        point = Point(self.settings.resource, Quantity.CEILING_W)
        if ceiling_w is not None:
            self._seen.add(point)
        return (measurement(point, ceiling_w, self._now()),) if point in self._seen else ()

    def _ack(
        self,
        instruction: Instruction,
        outcome: Outcome,
        detail: str,
        requested: Mapping[str, float] | None = None,
        read_back: Mapping[str, float] | None = None,
    ) -> Ack:
        return Ack.of(instruction, outcome, self._now(), detail, requested=requested, read_back=read_back)


def _is_power(measured: Measurement) -> bool:
    point = measured.point
    wanted = Point(point.resource, Quantity.ACTIVE_POWER_W)
    return point == wanted and measured.quality is Quality.GOOD


def _map(models: Sequence[Model], read_max: int) -> _Map:
    """Choose what to read: the first of each row of alternatives, the first control model, all capacities."""
    by_id = {model.model_id: model for model in reversed(models)}
    measured = [next((by_id[i] for i in row if i in by_id), None) for row in ALTERNATIVES]
    control = next((by_id[i] for i in CONTROL_MODELS if i in by_id), None)
    storage = by_id.get(STORAGE_MODEL)
    if control is not None and control.model_id == LEGACY and storage is not None:
        control = control.joined(storage)
    heart = next((by_id[i] for i in NAMES if i in by_id), None)
    return _Map(
        measured=tuple(model.spans(MEASURED[model.model_id], read_max) for model in measured if model is not None),
        control=control,
        capacity=tuple(by_id[i].span(names) for i, names in CAPACITY.items() if i in by_id),
        heart=None if heart is None else heart.span(_heart_points(heart.model_id)),
        switch=control if control is not None and control.model_id == LEGACY else by_id.get(switch.ENTER_SERVICE),
    )


def _heart_points(model_id: int) -> tuple[str, ...]:
    names = NAMES[model_id]
    return names.local, names.theirs, names.ours
