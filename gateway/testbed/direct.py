"""An adapter without a wire: the port straight onto the simulated world, for scenarios in virtual time."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import assert_never

from gateway.testbed.device import Faults, SimulatedDevice
from gateway.testbed.world import World
from protocols.points import Point, Quantity
from protocols.port import Emit, Now
from protocols.signals import (
    Ack,
    Baseline,
    Bounds,
    Command,
    Control,
    GridSwitch,
    Instruction,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
    Release,
    Signal,
)

LOST_AFTER = 3
"""Polls missed until the link counts as lost."""


@dataclass(frozen=True, slots=True)
class DirectSettings:
    """One simulated device or station as an adapter speaks to it."""

    name: str
    """Id of the device or station in the world."""
    poll_s: float = 1.0
    timeout_s: float = 1.0


class _Link:
    """Counts missed polls and tells each change of state once, for every resource behind the link."""

    def __init__(self, name: str, resources: Sequence[str]) -> None:
        self.state = LinkState.INIT
        self._name, self._resources, self._missed = name, resources, 0

    def answered(self, now_s: float) -> list[LinkChanged]:
        self._missed = 0
        return self._move(LinkState.ONLINE, now_s, f"{self._name} answers")

    def missed(self, now_s: float, why: str) -> list[LinkChanged]:
        self._missed += 1
        if self._missed < LOST_AFTER and self.state not in (LinkState.ONLINE, LinkState.DEGRADED):
            return []
        state = LinkState.LOST if self._missed >= LOST_AFTER else LinkState.DEGRADED
        return self._move(state, now_s, f"polled {self._name} {self._missed} times without answer: {why}")

    def _move(self, state: LinkState, now_s: float, detail: str) -> list[LinkChanged]:
        if state is self.state:
            return []
        self.state = state
        return [LinkChanged(resource, state, now_s, detail) for resource in self._resources]


class DirectDevice:
    """Adapter of one simulated device; refusals, delays, lies and lost links are those of its `Faults`."""

    def __init__(self, world: World, settings: DirectSettings, now: Now) -> None:
        self._world, self._settings, self._now = world, settings, now
        self._device: SimulatedDevice = world.devices[settings.name]
        self._link = _Link(settings.name, (settings.name,))
        self._turn = asyncio.Lock()
        self._version = -1

    @property
    def resources(self) -> frozenset[str]:
        """The one device."""
        return frozenset({self._settings.name})

    async def run(self, emit: Emit) -> None:
        """Poll until cancelled."""
        while True:
            began_s = self._now()
            silence = await _silence(self._device.faults, self._settings.timeout_s)
            now_s = self._now()
            self._world.advance(now_s)
            if silence:
                _emit(emit, self._link.missed(now_s, silence))
            else:
                changes = self._link.answered(now_s)
                _emit(emit, [*changes, *self._baseline(now_s, connected=bool(changes)), *self._measurements(now_s)])
            await asyncio.sleep(max(self._settings.poll_s - (self._now() - began_s), 0))

    async def apply(self, instruction: Instruction) -> Ack:
        """Bring the instruction to the device, read it back, and tell what became of it."""
        async with self._turn:
            if instruction.version < self._version:
                return self._ack(instruction, Outcome.SUPERSEDED, f"version {self._version} was applied before")
            faults = self._device.faults
            if faults.drop_link:
                return self._ack(
                    instruction, Outcome.UNDELIVERED, f"not sent to {self._settings.name}: the link is down"
                )
            if faults.refuse:
                await _silence(faults, self._settings.timeout_s)
                return self._ack(instruction, Outcome.REJECTED, f"wrote to {self._settings.name}: refused")
            if isinstance(instruction, Control) and instruction.expiry_s <= self._now():
                return self._ack(instruction, Outcome.EXPIRED, "the lease ended before it could be written")
            self._version = instruction.version
            opens = instruction.grid_switch is GridSwitch.OPEN and self._device.is_connected
            requested = self._write(instruction)
            silence = await _silence(faults, self._settings.timeout_s)
            if silence:
                outcome, detail = Outcome.UNKNOWN, f"wrote to {self._settings.name}: {silence}"
            else:
                outcome, detail = _compare(requested, _limit_values(self._device))
            return replace(self._ack(instruction, outcome, detail, requested), disconnects=opens)

    def _write(self, instruction: Instruction) -> dict[str, float]:
        now_s, reversion_s = self._now(), None
        match instruction:
            case Control():
                reversion_s = float(ceil(instruction.expiry_s - now_s))
                self._device.set_limit(instruction.limit, now_s, reversion_s, instruction.fallback)
                self._device.set_order(instruction.target_w, now_s, reversion_s)
            case Release():
                self._device.set_limit(_bounds(instruction.baseline), now_s, None, Bounds())
                self._device.set_order(instruction.baseline.get("order_w"), now_s)
            case _ as never:
                assert_never(never)
        if instruction.grid_switch is not GridSwitch.LEAVE:
            self._device.connect(now_s, closed=instruction.grid_switch is GridSwitch.CLOSE, reversion_s=reversion_s)
        return _box(instruction.limit if isinstance(instruction, Control) else _bounds(instruction.baseline))

    def _ack(
        self, instruction: Instruction, outcome: Outcome, detail: str, requested: Mapping[str, float] | None = None
    ) -> Ack:
        written = outcome is Outcome.WRITTEN or (outcome is Outcome.REJECTED and requested is not None)
        read_back = _limit_values(self._device) if written else {}
        return Ack.of(instruction, outcome, self._now(), detail, requested=requested, read_back=read_back)

    def _baseline(self, now_s: float, *, connected: bool) -> list[Signal]:
        if not connected:
            return []
        order_w = self._device.order_w
        values = _limit_values(self._device) | ({} if order_w is None else {"order_w": order_w})
        return [Baseline(self._settings.name, values, now_s)]

    def _measurements(self, now_s: float) -> list[Signal]:
        reading, limit, spec = self._device.reading, self._device.limit, self._device.spec
        values = {
            Quantity.ACTIVE_POWER_W: reading.power_w,
            Quantity.AVAILABLE_POWER_W: reading.available_w,
            Quantity.CEILING_W: spec.p_max_w if limit.ceiling_w is None else limit.ceiling_w,
            Quantity.FLOOR_W: spec.p_min_w if limit.floor_w is None else limit.floor_w,
        }
        if reading.state_of_charge_pu is not None:
            values[Quantity.STATE_OF_CHARGE_PU] = reading.state_of_charge_pu
        told_s = now_s + self._device.faults.clock_ahead_s
        name = self._settings.name
        return [_measurement(Point(name, quantity), value, now_s, told_s) for quantity, value in values.items()]


class DirectStation:
    """Adapter of one simulated station; it reads and controls nothing."""

    def __init__(self, world: World, settings: DirectSettings, now: Now) -> None:
        self._world, self._settings, self._now = world, settings, now
        self._station = world.stations[settings.name]
        self._link = _Link(settings.name, sorted(self.resources))

    @property
    def resources(self) -> frozenset[str]:
        """The assets that it measures."""
        return frozenset(point.resource for point in self._station.spec.points)

    async def run(self, emit: Emit) -> None:
        """Poll until cancelled."""
        while True:
            began_s = self._now()
            silence = await _silence(self._station.faults, self._settings.timeout_s)
            now_s = self._now()
            self._world.advance(now_s)
            if silence:
                _emit(emit, self._link.missed(now_s, silence))
            else:
                _emit(emit, [*self._link.answered(now_s), *self._measurements(now_s)])
            await asyncio.sleep(max(self._settings.poll_s - (self._now() - began_s), 0))

    @property
    def operates(self) -> frozenset[Point]:
        """Taps and switches that it shows."""
        moved = (Quantity.TAP_POSITION, Quantity.SWITCH_CLOSED)
        return frozenset(point for point in self._station.spec.points if point.quantity in moved)

    async def operate(self, command: Command) -> Ack:
        """Carry out one command, unless a fault stands in the way; `lie` takes it and does nothing."""
        faults, now_s = self._station.faults, self._now()
        asked = (command.command_id, command.point.resource, 0)
        if faults.drop_link:
            return Ack(*asked, Outcome.UNKNOWN, now_s, f"{self._settings.name}: the link is down")
        if faults.refuse:
            return Ack(*asked, Outcome.REJECTED, now_s, f"{self._settings.name}: refused")
        if not faults.lie:
            self._world.operate(command.point, command.value)
        return Ack(*asked, Outcome.WRITTEN, now_s, f"told {self._settings.name}")

    async def apply(self, instruction: Instruction) -> Ack:
        """Refuse: a station takes no instructions."""
        detail = f"{self._settings.name} only measures"
        resource, version = instruction.resource, instruction.version
        return Ack(instruction.control_id, resource, version, Outcome.REJECTED, self._now(), detail)

    def _measurements(self, now_s: float) -> list[Signal]:
        name = self._settings.name
        return [_measurement(point, self._world.measure(name, point), now_s) for point in self._station.spec.points]


async def _silence(faults: Faults, timeout_s: float) -> str:
    """Wait as long as the answer takes, at most `timeout_s`; tell why none came, empty where one did."""
    if faults.drop_link:
        return "the link is down"
    if faults.delay:
        await asyncio.sleep(min(faults.delay_s, timeout_s))
        if faults.delay_s >= timeout_s:
            return f"no answer within {timeout_s:g} s"
    return ""


def _emit(emit: Emit, signals: Sequence[Signal]) -> None:
    if signals:
        emit(signals)


def _measurement(point: Point, value: float, now_s: float, told_s: float | None = None) -> Measurement:
    """`told_s` is the time that the device gives it, where that is another."""
    source_s = now_s if told_s is None else told_s
    if isfinite(value):
        return Measurement(point, value, Quality.GOOD, source_s, now_s)
    return Measurement(point, 0.0, Quality.BAD, source_s, now_s)


def _box(limit: Bounds) -> dict[str, float]:
    sides = {"ceiling_w": limit.ceiling_w, "floor_w": limit.floor_w}
    return {name: value for name, value in sides.items() if value is not None}


def _limit_values(device: SimulatedDevice) -> dict[str, float]:
    return _box(device.limit)


def _bounds(values: Mapping[str, float]) -> Bounds:
    return Bounds(floor_w=values.get("floor_w"), ceiling_w=values.get("ceiling_w"))


def _compare(requested: Mapping[str, float], read_back: Mapping[str, float]) -> tuple[Outcome, str]:
    if requested == read_back:
        return Outcome.WRITTEN, "read back equal"
    return Outcome.REJECTED, f"wrote {dict(requested)}, read back {dict(read_back)}"
