"""The points of an outstation: their values now, and the events that no master has confirmed yet."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from protocols.dnp3.layouts import EVENT_GROUPS, LAYOUTS, STATIC_GROUPS, Kind
from protocols.dnp3.readings import ONLINE, TIME_UNKNOWN_MS, Flag

_DEFAULT_VARIATIONS: Mapping[Kind, tuple[int, int]] = {
    # static, event; floats for analogs, so that scaling never truncates
    Kind.BINARY_INPUT: (2, 2),
    Kind.DOUBLE_BIT_INPUT: (2, 2),
    Kind.BINARY_OUTPUT: (2, 2),
    Kind.COUNTER: (1, 5),
    Kind.FROZEN_COUNTER: (1, 5),
    Kind.ANALOG_INPUT: (5, 7),
    Kind.ANALOG_OUTPUT: (3, 7),
    Kind.OCTET_STRING: (0, 0),
}
POINT_KINDS = tuple(_DEFAULT_VARIATIONS)
"""Kinds of points that an outstation can have."""
_WHOLE_TOPS = {
    Kind.BINARY_INPUT: 1,
    Kind.BINARY_OUTPUT: 1,
    Kind.DOUBLE_BIT_INPUT: 3,
    Kind.COUNTER: 0xFFFFFFFF,
    Kind.FROZEN_COUNTER: 0xFFFFFFFF,
}
"""Kinds that hold only whole numbers from 0, and up to where."""

Value = float | bytes


@dataclass(frozen=True, slots=True)
class PointConfig:
    """What one point of an outstation is."""

    kind: Kind
    index: int
    event_class: int = 0
    """1 to 3; 0 makes no events."""
    deadband: float = 0.0
    """An event is made when the value has moved by more than this since the last event; analogs and counters only."""
    in_class_0: bool = True
    static_variation: int | None = None
    """None: with flags, and 32-bit float for analogs."""
    event_variation: int | None = None
    """None: with flags and time."""
    value: Value = 0

    def __post_init__(self) -> None:
        static, event = self.variations
        if self.kind not in _DEFAULT_VARIATIONS or not 0 <= self.index <= 0xFFFF or not 0 <= self.event_class <= 3:
            raise ValueError(f"{self.kind} {self.index} of class {self.event_class} is no point of an outstation")
        if self.kind is Kind.OCTET_STRING:
            return
        for group, variation in ((STATIC_GROUPS[self.kind], static), (EVENT_GROUPS[self.kind], event)):
            if (group, variation) not in LAYOUTS:
                raise ValueError(f"{self.kind} {self.index}: g{group} has no variation {variation}")

    @property
    def variations(self) -> tuple[int, int]:
        """Static and event variation in force."""
        static, event = _DEFAULT_VARIATIONS.get(self.kind, (0, 0))
        return (
            static if self.static_variation is None else self.static_variation,
            event if self.event_variation is None else self.event_variation,
        )


@dataclass(slots=True)
class Point:
    """One point as it stands."""

    config: PointConfig
    value: Value
    flags: int
    time_ms: int
    event_class: int
    deadband: float
    reported: Value
    """Value of the last event."""
    reported_flags: int

    @property
    def index(self) -> int:
        """Its number."""
        return self.config.index


@dataclass(frozen=True, slots=True)
class Event:
    """A change that waits to be confirmed by the master."""

    number: int
    """Order of occurrence."""
    kind: Kind
    index: int
    event_class: int
    value: Value
    flags: int
    time_ms: int
    variation: int


class EventBuffer:
    """Events in order of occurrence, at most `capacity`; when full, the oldest gives way and `overflowed` is set."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._events: dict[int, Event] = {}
        self.overflowed = False
        self.counts = [0, 0, 0, 0]
        """Events held, by class."""

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: Event) -> None:
        """Keep one more event."""
        if len(self._events) >= self._capacity:
            self._remove(next(iter(self._events)))
            self.overflowed = True
        self._events[event.number] = event
        self.counts[event.event_class] += 1

    def held(self) -> list[Event]:
        """All events, oldest first."""
        return list(self._events.values())

    def confirm(self, numbers: Iterable[int]) -> None:
        """Forget events that the master has confirmed."""
        for number in numbers:
            if number in self._events:
                self._remove(number)
        if len(self._events) < self._capacity:
            self.overflowed = False

    def _remove(self, number: int) -> None:
        event = self._events.pop(number)
        self.counts[event.event_class] -= 1


class Database:
    """All points of an outstation. Times are milliseconds since 1970 UTC by the outstation's clock."""

    def __init__(self, configs: Iterable[PointConfig], *, event_capacity: int = 1000) -> None:
        """Points start with their configured value, flagged RESTART until the first update."""
        self._points: dict[Kind, dict[int, Point]] = {kind: {} for kind in POINT_KINDS}
        self.events = EventBuffer(event_capacity)
        self._numbered = 0
        for config in sorted(configs, key=lambda each: each.index):
            if config.index in self._points[config.kind]:
                raise ValueError(f"{config.kind} {config.index} is given twice")
            self._points[config.kind][config.index] = Point(
                config,
                config.value,
                ONLINE | Flag.RESTART,
                0,
                config.event_class,
                config.deadband,
                config.value,
                ONLINE | Flag.RESTART,
            )
        self._indices = {kind: list(points) for kind, points in self._points.items()}

    def points(self, kind: Kind) -> list[Point]:
        """Points of a kind, by ascending index."""
        return list(self._points[kind].values())

    def get(self, kind: Kind, index: int) -> Point | None:
        """One point, or None where there is none."""
        return self._points[kind].get(index)

    def select(self, kind: Kind, selection: range | tuple[int, ...] | None) -> tuple[list[Point], bool]:
        """Points that a header names, and whether all it names exist; time follows our points, not its range."""
        points = self._points[kind]
        if selection is None:
            return list(points.values()), True
        if isinstance(selection, range):
            indices = self._indices[kind]
            found = indices[bisect_left(indices, selection.start) : bisect_left(indices, selection.stop)]
            return [points[index] for index in found], len(found) == len(selection)
        return [points[i] for i in selection if i in points], all(i in points for i in selection)

    def update(self, kind: Kind, index: int, value: Value, *, flags: int = ONLINE, time_ms: int) -> bool:
        """Set a point; True where an event came of it. A time beyond the 48 bits that travel is held at their end.

        Raises:
            ValueError: No such point, or a value that its kind cannot hold (not finite, no state, no count); to report
                a sensor that gives no number, keep the value and clear `ONLINE`.
        """
        point = self._points[kind].get(index)
        if point is None:
            raise ValueError(f"no {kind} {index}")
        _check(kind, index, value)
        time_ms = min(max(time_ms, 0), TIME_UNKNOWN_MS)
        point.value, point.flags, point.time_ms = value, flags, time_ms
        if not point.event_class or not _is_news(point):
            return False
        point.reported, point.reported_flags = value, flags
        self._numbered += 1
        self.events.add(
            Event(self._numbered, kind, index, point.event_class, value, flags, time_ms, point.config.variations[1])
        )
        return True

    def freeze(self, index: int, *, clear: bool, time_ms: int) -> bool:
        """Copy counter `index` to its frozen counter; False where either is missing."""
        counter = self.get(Kind.COUNTER, index)
        if counter is None or self.get(Kind.FROZEN_COUNTER, index) is None:
            return False
        self.update(Kind.FROZEN_COUNTER, index, counter.value, flags=counter.flags, time_ms=time_ms)
        if clear:
            self.update(Kind.COUNTER, index, 0, flags=counter.flags, time_ms=time_ms)
        return True


def _check(kind: Kind, index: int, value: Value) -> None:
    if isinstance(value, bytes):
        is_good = kind is Kind.OCTET_STRING and len(value) <= 255
    elif not math.isfinite(value) or kind is Kind.OCTET_STRING:
        is_good = False
    else:
        top = _WHOLE_TOPS.get(kind)
        is_good = top is None or (value == int(value) and 0 <= value <= top)
    if not is_good:
        raise ValueError(f"{kind} {index} cannot hold {value!r}")


def _is_news(point: Point) -> bool:
    if point.flags != point.reported_flags:
        return True
    if isinstance(point.value, bytes) or isinstance(point.reported, bytes):
        return point.value != point.reported
    return abs(point.value - point.reported) > point.deadband
