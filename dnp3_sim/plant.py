"""What the outputs of a simulated RTU move, and how its inputs change with time; no I/O, no clock."""

import math

from dnp3_sim.pointmap import PointMap, SimPoint
from protocols.dnp3.commands import AnalogCommand, BinaryCommand, Command, CommandStatus, Operation, Trip
from protocols.dnp3.database import Database
from protocols.dnp3.layouts import Kind
from protocols.dnp3.readings import ONLINE

_MIRRORED = {Kind.ANALOG_OUTPUT: Kind.ANALOG_INPUT, Kind.BINARY_OUTPUT: Kind.BINARY_INPUT}
_STATES = {
    Operation.LATCH_ON: 1,
    Operation.LATCH_OFF: 0,
}
_TRIPS = {Trip.CLOSE: 1, Trip.TRIP: 0}


class Plant:
    """The application behind the simulated outstation; the database holds all values."""

    def __init__(self, point_map: PointMap, now_s: float) -> None:
        """All points are good from the start."""
        self.database = Database((p.config for p in point_map.points), event_capacity=point_map.event_capacity)
        self._points = {(p.config.kind, p.config.index): p for p in point_map.points}
        self._waves = [p for p in point_map.points if p.wave is not None]
        self._reverts_at_s: dict[int, float] = {}
        self._now_s = now_s
        for point in point_map.points:
            self._hold(point.config.kind, point.config.index, self._value(point))
        for kind, index in self._points:
            self._mirror(kind, index)
        self.database.events.confirm([event.number for event in self.database.events.held()])

    def advance(self, now_s: float) -> None:
        """Let time pass: inputs swing, and latched outputs whose time is over drop."""
        self._now_s = now_s
        for point in self._waves:
            self._hold(point.config.kind, point.config.index, self._value(point))
        for index, until_s in list(self._reverts_at_s.items()):
            if now_s >= until_s:
                self._set(Kind.BINARY_OUTPUT, index, 0)

    def show(self, kind: Kind, index: int, value: float, *, flags: int = ONLINE) -> None:
        """Put a value in place from the plant's side, with what mirrors it; a point that the map lacks is left out."""
        if (kind, index) in self._points:
            self._hold(kind, index, value, flags)
            self._mirror(kind, index)

    def value(self, kind: Kind, index: int) -> float:
        """What a point holds; 0 where the map lacks it."""
        held = self.database.get(kind, index)
        return 0.0 if held is None or isinstance(held.value, bytes) else held.value

    def select(self, command: Command) -> CommandStatus:
        """Whether there is such an output, and the operation is one that it knows."""
        if self._kind(command) is None:
            return CommandStatus.NOT_SUPPORTED
        if isinstance(command, BinaryCommand) and _state(command) is None:
            return CommandStatus.NOT_SUPPORTED
        return CommandStatus.SUCCESS

    def operate(self, command: Command) -> CommandStatus:
        """Set the output and what mirrors it."""
        status = self.select(command)
        if status is not CommandStatus.SUCCESS:
            return status
        if isinstance(command, AnalogCommand):
            self._set(Kind.ANALOG_OUTPUT, command.index, command.value)
        else:
            self._set(Kind.BINARY_OUTPUT, command.index, _state(command) or 0)
        return status

    def restart(self, *, is_cold: bool) -> int | None:  # noqa: ARG002 - both take the same time here
        """Restart within a second."""
        return 1000

    def _kind(self, command: Command) -> Kind | None:
        kind = Kind.ANALOG_OUTPUT if isinstance(command, AnalogCommand) else Kind.BINARY_OUTPUT
        return kind if (kind, command.index) in self._points else None

    def _set(self, kind: Kind, index: int, value: float) -> None:
        self._hold(kind, index, value)
        self._mirror(kind, index)
        point = self._points[kind, index]
        if point.reverts_after is not None:
            self._reverts_at_s.pop(index, None)
            timer = self.database.get(Kind.ANALOG_OUTPUT, point.reverts_after)
            if value and timer is not None and not isinstance(timer.value, bytes) and timer.value > 0:
                self._reverts_at_s[index] = self._now_s + timer.value

    def _mirror(self, kind: Kind, index: int) -> None:
        held = self.database.get(kind, index)
        shown = _MIRRORED.get(kind)
        if held is None or shown is None:
            return
        for mirror in self._points[kind, index].mirrors:
            if self.database.get(shown, mirror) is not None:
                self._hold(shown, mirror, held.value)

    def _hold(self, kind: Kind, index: int, value: float | bytes, flags: int = ONLINE) -> None:
        self.database.update(kind, index, value, flags=flags, time_ms=max(0, round(self._now_s * 1000)))

    def _value(self, point: SimPoint) -> float | bytes:
        wave = point.wave
        if wave is None:
            return point.config.value
        return wave.mean + wave.amplitude * math.sin(2 * math.pi * self._now_s / wave.period_s)


def _state(command: BinaryCommand) -> int | None:
    """What a control leaves the output in: latched, closed or tripped; pulses end where they began."""
    if command.trip is not Trip.NUL:
        return _TRIPS[command.trip]
    return _STATES.get(command.operation)
