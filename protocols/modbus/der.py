"""One SunSpec DER on the wire: find its models, read it, and carry an instruction out with proof."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from protocols.modbus.client import ModbusError, NotConnectedError, RefusedError, SilenceError, UnitWire
from protocols.modbus.control import (
    CAPACITY,
    CONTROL_MODELS,
    DeviceState,
    Plan,
    Refusal,
    WriteAnswer,
    baseline,
    ceiling_in_force_w,
    differences,
    judge,
    plan_control,
    plan_release,
    prefixed,
    w_max,
)
from protocols.modbus.device import SunSpecDevice
from protocols.modbus.measure import ALTERNATIVES, MEASURED, measurement, measurements
from protocols.modbus.models import SunSpecError
from protocols.modbus.settings import SunSpecDer
from protocols.modbus.sunspec import Model, Reading, Span
from protocols.points import Point, Quantity
from protocols.port import Now
from protocols.signals import Ack, Baseline, Control, Instruction, Measurement, Outcome, Quality, Signal

CAPACITY_EVERY: Final = 10
"""Polls between two readings of the capacity, which seldom changes."""
SETTLE_PAUSE_S: Final = 0.05
"""Between two looks at whether a write has taken effect."""


@dataclass(frozen=True, slots=True)
class _Map:
    """What to read from this device, found anew after each loss of the link."""

    measured: tuple[Span, ...]
    control: Span | None
    capacity: tuple[Span, ...]


class DerSession:
    """Talks to one DER; keeps what has to outlive a single transaction."""

    def __init__(self, settings: SunSpecDer, wire: UnitWire, settle_s: float, now: Now) -> None:
        self.settings = settings
        self._wire = wire
        self._device = SunSpecDevice(wire, settings.bases)
        self._settle_s = settle_s
        self._now = now
        self._map: _Map | None = None
        self._seen: set[Point] = set()
        self._polls = 0
        self._w_max_w = settings.ceiling_w
        self._power_w = 0.0
        self._baseline: Mapping[str, float] | None = None
        self._held: frozenset[str] = frozenset()

    async def open(self) -> Sequence[Signal]:
        """Find the models and report the baseline.

        Raises:
            ModbusError: the link failed.
            SunSpecError: there is no usable SunSpec map.
        """
        found = _map(await self._device.scan())
        signals: list[Signal] = []
        if found.control is not None:
            reading = await self._device.read_span(found.control)
            values = baseline(found.control.model, reading.values)
            signals.append(Baseline(self.settings.resource, values, self._now()))
            if self._baseline is None:
                self._baseline = values
        self._map, self._polls = found, 0
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
        for span in device_map.measured:
            values = (await self._read_or_nothing(span)).values
            found += measurements(self.settings.resource, span.model.model_id, values, self._seen, self._now())
        self._power_w = next((m.value for m in found if _is_power(m)), self._power_w)
        if device_map.control is not None:
            found += await self._ceiling(device_map.control)
        return found

    async def carry_out(self, instruction: Instruction) -> Ack:
        """Read, plan, write, and read back until the device holds what was asked or the time is up."""
        if isinstance(instruction, Control) and instruction.expiry_s <= self._now():
            return self._ack(instruction, Outcome.EXPIRED, "the lease had run out before it was written")
        try:
            state = await self._state()
        except RefusedError as error:
            return self._ack(instruction, Outcome.REJECTED, str(error))
        except (ModbusError, SunSpecError) as error:
            return self._ack(instruction, Outcome.UNKNOWN, f"nothing was written: {error}")
        if state is None:
            detail = f"{self.settings.resource} has none of the control models {CONTROL_MODELS}"
            return self._ack(instruction, Outcome.REJECTED, detail)
        if isinstance(instruction, Control):
            plan = plan_control(instruction, instruction.expiry_s - self._now(), state)
        else:
            plan = plan_release(instruction.baseline, state)
        if isinstance(plan, Refusal):
            return self._ack(instruction, Outcome.REJECTED, plan.detail)
        return await self._write(instruction, plan, state)

    async def _write(self, instruction: Instruction, plan: Plan, state: DeviceState) -> Ack:
        """Send each write once; whatever comes of it, look at what the device holds."""
        said = WriteAnswer.ACCEPTED
        detail = ""
        self._held = plan.held
        try:
            for write in plan.writes:
                await self._wire.write(write.address, write.registers)
        except RefusedError as error:
            said, detail = WriteAnswer.REFUSED, str(error)
        except (NotConnectedError, SilenceError) as error:
            said, detail = WriteAnswer.SILENCE, str(error)
        reading = await self._settled(plan, state.model, once=said is WriteAnswer.REFUSED)
        outcome, why = judge(plan, said, state.reading, reading, self._settle_s)
        detail = "; ".join(part for part in (detail, why, *plan.notes) if part)
        values = {} if reading is None else reading.values
        read_back = {n: v for n, v in values.items() if v is not None and _is_shown(n, plan)}
        proof = (prefixed(state.model, plan.requested), prefixed(state.model, read_back))
        return self._ack(instruction, outcome, detail, *proof)

    async def _settled(self, plan: Plan, model: Model, *, once: bool) -> Reading | None:
        """The last reading, taken until nothing differs from the plan or the time is up; `None` in silence."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settle_s
        reading: Reading | None = None
        while True:
            try:
                reading = await self._device.read_span(model.span())
                if once or not differences(plan, reading):
                    return reading
            except (ModbusError, SunSpecError):
                if once:
                    return None
            if loop.time() >= until:
                return reading
            await asyncio.sleep(SETTLE_PAUSE_S)

    async def _state(self) -> DeviceState | None:
        """What the device holds right now; `None` where it has no control model."""
        found = self._opened()
        if found.control is None:
            return None
        await self._read_capacity(found)
        return DeviceState(
            der=self.settings,
            model=found.control.model,
            reading=await self._device.read_span(found.control),
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
        self._w_max_w = w_max(readings, self.settings.ceiling_w)

    async def _ceiling(self, span: Span) -> Sequence[Measurement]:
        """The limit in force; nothing where the device has never told one."""
        values = (await self._read_or_nothing(span)).values
        ceiling_w = ceiling_in_force_w(span.model, values, self._w_max_w)
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


def _is_shown(name: str, plan: Plan) -> bool:
    """What was requested, and the timers that show how long the device will wait."""
    timers = {requested.replace("RvrtTms", "RvrtRem") for requested in plan.requested if requested.endswith("RvrtTms")}
    return name in plan.requested or name in timers


def _map(models: Sequence[Model]) -> _Map:
    """Choose what to read: the first of each row of alternatives, the first control model, all capacities."""
    by_id = {model.model_id: model for model in reversed(models)}
    measured = [next((by_id[i] for i in row if i in by_id), None) for row in ALTERNATIVES]
    control = next((by_id[i] for i in CONTROL_MODELS if i in by_id), None)
    return _Map(
        measured=tuple(model.span(MEASURED[model.model_id]) for model in measured if model is not None),
        control=None if control is None else control.span(),
        capacity=tuple(by_id[i].span(names) for i, names in CAPACITY.items() if i in by_id),
    )
