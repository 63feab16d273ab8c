"""DNP3 faces of the simulated world: a DER with the points of IEEE 1815.2, and an RTU with a station's points."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Final

from dnp3_sim.plant import Plant
from dnp3_sim.pointmap import PointMap, SimPoint, find, load
from gateway.testbed.device import Faults, SimulatedDevice
from protocols.dnp3.commands import AnalogCommand, Command, CommandStatus
from protocols.dnp3.database import Database, PointConfig
from protocols.dnp3.layouts import Kind
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.readings import ONLINE
from protocols.points import Point
from protocols.signals import Bounds

LIMIT_REVERSION, CEILING, FLOOR, TARGET_REVERSION, TARGET = 85, 87, 88, 92, 93
LIMIT_ON, TARGET_ON, CONNECT = 17, 18, 5
"""Outputs of IEEE 1815.2 that move the simulated device; all others are held and shown."""
METER_W, METER_VA, STATE_OF_CHARGE, AVAILABLE_W = 537, 546, 47, 43
PHASE_W: Final = (538, 539, 540)
IDLE, GENERATING, CHARGING = 18, 19, 20
UNMEASURED: Final = (*range(547, 557),)
"""Voltages and currents, of which the simulated device knows nothing."""


class DerOutstation:
    """The simulated device as the application of an outstation; percent is of its greatest power."""

    def __init__(
        self,
        device: SimulatedDevice,
        now: Callable[[], float],
        *,
        fallback: Bounds = Bounds(),  # noqa: B008 - frozen
        fallback_output: int | None = None,
    ) -> None:
        """`fallback` is what was set at the device; `fallback_output` is an analog output that takes its ceiling."""
        self.device = device
        self.faults = device.faults
        self._now = now
        self._count_w = max(device.spec.p_max_w, -device.spec.p_min_w) / 1000
        self._fallback, self._fallback_output = fallback, fallback_output
        self._shown = Bounds()
        self._ordered = False
        self._plant = Plant(self._map(), now())
        for index in UNMEASURED:
            self._plant.show(Kind.ANALOG_INPUT, index, 0, flags=0)
        for index in (4, 14, 32, 36):
            self._plant.show(Kind.ANALOG_INPUT, index, device.spec.p_max_w)
        self.tick(now())

    @property
    def database(self) -> Database:
        """Its points."""
        return self._plant.database

    def select(self, command: Command) -> CommandStatus:
        """Refuse where the device does."""
        return CommandStatus.BLOCKED if self.faults.refuse else self._plant.select(command)

    def operate(self, command: Command) -> CommandStatus:
        """Hold the output, and move the device where it is one of its own."""
        status = self.select(command)
        if status is CommandStatus.SUCCESS:
            status = self._plant.operate(command)
        if status is CommandStatus.SUCCESS:
            self._moved(command)
            self.tick(self._now())
        return status

    def restart(self, *, is_cold: bool) -> int | None:  # noqa: ARG002 - it restarts neither way
        """Not supported: the device's timers would be lost."""
        return None

    def tick(self, now_s: float) -> None:
        """Show what the device does now, and what somebody else than the master set at it."""
        device, plant = self.device, self._plant
        device.advance(now_s)
        plant.advance(now_s)
        if device.limit != self._shown:
            self._show_limit(device.limit)
        if self._ordered and device.order_w is None:
            self._ordered = False
            plant.show(Kind.BINARY_OUTPUT, TARGET_ON, 0)
        if not self.faults.lie:
            plant.show(Kind.BINARY_OUTPUT, CONNECT, int(device.is_connected))
        reading = device.reading
        self._measured(METER_W, reading.power_w)
        self._measured(METER_VA, abs(reading.power_w))
        self._measured(AVAILABLE_W, reading.available_w)
        for index in PHASE_W:
            self._measured(index, reading.power_w / 3)
        if reading.state_of_charge_pu is not None:
            self._measured(STATE_OF_CHARGE, reading.state_of_charge_pu * 1000)
        for index, holds in (
            (IDLE, device.power_w == 0),
            (GENERATING, device.power_w > 0),
            (CHARGING, device.power_w < 0),
        ):
            plant.show(Kind.BINARY_INPUT, index, int(holds))

    def forget(self) -> None:
        """Outputs as they are at the factory."""
        for index, value in ((LIMIT_REVERSION, 0), (TARGET_REVERSION, 0), (TARGET, 0)):
            self._plant.show(Kind.ANALOG_OUTPUT, index, value)
        self._plant.show(Kind.BINARY_OUTPUT, TARGET_ON, 0)
        self._ordered = False
        self._show_limit(self.device.limit)

    def _map(self) -> PointMap:
        """The map that comes with the simulator; the device keeps the timers itself."""
        shipped = load(find("der"))
        points = [replace(point, reverts_after=None) for point in shipped.points]
        if self._fallback_output is not None:
            ceiling_w = self._fallback.ceiling_w
            value = 1000.0 if ceiling_w is None else ceiling_w / self._count_w
            points.append(SimPoint(PointConfig(Kind.ANALOG_OUTPUT, self._fallback_output, value=value)))
        return replace(shipped, points=tuple(points))

    def _moved(self, command: Command) -> None:
        limits, targets = (CEILING, FLOOR), (TARGET,)
        analog = isinstance(command, AnalogCommand)
        if command.index in (limits if analog else (LIMIT_ON,)):
            self._limit(renewed=not analog)
        elif command.index in (targets if analog else (TARGET_ON,)):
            self._order()
        elif not analog and command.index == CONNECT:
            self.device.connect(self._now(), closed=bool(self._plant.value(Kind.BINARY_OUTPUT, CONNECT)))

    def _limit(self, *, renewed: bool) -> None:
        """Put the limit in force that the outputs hold; it counts from the switch on."""
        is_on = bool(self._plant.value(Kind.BINARY_OUTPUT, LIMIT_ON))
        floor_w, ceiling_w = self._watts(FLOOR), self._watts(CEILING)
        if not renewed and (not is_on or floor_w > ceiling_w):
            return
        floor_w = min(floor_w, ceiling_w)
        limit = Bounds(floor_w, ceiling_w) if is_on else Bounds()
        after_s = self._plant.value(Kind.ANALOG_OUTPUT, LIMIT_REVERSION)
        self._shown = limit
        self.device.set_limit(limit, self._now(), after_s if is_on and after_s > 0 else None, self._falls_back_to())

    def _order(self) -> None:
        is_on = bool(self._plant.value(Kind.BINARY_OUTPUT, TARGET_ON))
        if not is_on and not self._ordered:
            return
        after_s = self._plant.value(Kind.ANALOG_OUTPUT, TARGET_REVERSION)
        self._ordered = is_on
        self.device.set_order(self._watts(TARGET) if is_on else None, self._now(), after_s if after_s > 0 else None)

    def _falls_back_to(self) -> Bounds:
        if self._fallback_output is None:
            return self._fallback
        return Bounds(None, self._watts(self._fallback_output))

    def _watts(self, output: int) -> float:
        return self._plant.value(Kind.ANALOG_OUTPUT, output) * self._count_w

    def _show_limit(self, limit: Bounds) -> None:
        """A limit that came from elsewhere: the owner, or the end of the reversion time."""
        self._shown = limit
        spec = self.device.spec
        ceiling_w = spec.p_max_w if limit.ceiling_w is None else limit.ceiling_w
        floor_w = spec.p_min_w if limit.floor_w is None else limit.floor_w
        self._plant.show(Kind.ANALOG_OUTPUT, CEILING, ceiling_w / self._count_w)
        self._plant.show(Kind.ANALOG_OUTPUT, FLOOR, floor_w / self._count_w)
        self._plant.show(Kind.BINARY_OUTPUT, LIMIT_ON, int(not limit.is_open))

    def _measured(self, index: int, value: float) -> None:
        is_number = isfinite(value)
        self._plant.show(Kind.ANALOG_INPUT, index, value if is_number else 0.0, flags=ONLINE if is_number else 0)


@dataclass(frozen=True, slots=True)
class ServedInput:
    """A point of a station and where the RTU shows it."""

    point: Point
    kind: Kind
    index: int
    scale: float = 1.0
    """The RTU holds the point's value divided by it."""


_CLASSES = {Kind.BINARY_INPUT: 1, Kind.DOUBLE_BIT_INPUT: 1, Kind.BINARY_OUTPUT: 1, Kind.COUNTER: 3}
_WHOLE: Final = {Kind.BINARY_INPUT, Kind.BINARY_OUTPUT}


class StationOutstation:
    """A SCADA RTU: shows what `measure` tells; nothing can be operated."""

    def __init__(
        self, inputs: Sequence[ServedInput], measure: Callable[[Point], float], faults: Faults, now: Callable[[], float]
    ) -> None:
        """`measure` gives a point's value in its unit, NaN where there is none."""
        self.faults = faults
        self._inputs, self._measure = inputs, measure
        points = tuple(
            SimPoint(PointConfig(each.kind, each.index, event_class=_CLASSES.get(each.kind, 2)), str(each.point))
            for each in inputs
        )
        self._plant = Plant(PointMap(OutstationSettings(), points), now())
        self.tick(now())

    @property
    def database(self) -> Database:
        """Its points."""
        return self._plant.database

    def select(self, command: Command) -> CommandStatus:  # noqa: ARG002 - it has no output
        """Refuse."""
        return CommandStatus.NOT_SUPPORTED

    def operate(self, command: Command) -> CommandStatus:
        """Refuse."""
        return self.select(command)

    def restart(self, *, is_cold: bool) -> int | None:
        """Restart within a second."""
        return self._plant.restart(is_cold=is_cold)

    def tick(self, now_s: float) -> None:
        """Measure everything anew."""
        self._plant.advance(now_s)
        for served in self._inputs:
            value = self._measure(served.point) / served.scale
            shown = _held(served.kind, value) if isfinite(value) else 0.0
            self._plant.show(served.kind, served.index, shown, flags=ONLINE if isfinite(value) else 0)


def _held(kind: Kind, value: float) -> float:
    """The number as its kind can hold it."""
    if kind in _WHOLE:
        return float(value >= 0.5)
    if kind is Kind.DOUBLE_BIT_INPUT:
        return 2.0 if value >= 0.5 else 1.0
    return float(min(max(round(value), 0), 0xFFFFFFFF)) if kind is Kind.COUNTER else value
