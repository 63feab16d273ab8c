"""Points and events to response objects, cut into fragments."""

import math
from dataclasses import dataclass, field

from protocols.dnp3.database import Event, Point, Value
from protocols.dnp3.headers import START_STOP, count_header, indexed_header, range_header
from protocols.dnp3.layouts import EVENT_GROUPS, INTEGERS, LAYOUTS, Kind, Layout
from protocols.dnp3.readings import ONLINE, Flag

_HEADER_MAX = 3 + START_STOP[0x01].size
_COMMON_TIME_OCTETS = 4 + 6
_DELTA_MAX_MS = 0xFFFF
_FLOAT32_MAX = 3.4028234663852886e38
_COUNTERS = {Kind.COUNTER, Kind.FROZEN_COUNTER}
_WITH_FLAGS = {
    (1, 1): 2,
    (3, 1): 2,
    (10, 1): 2,
    (20, 5): 1,
    (20, 6): 2,
    (21, 9): 1,
    (21, 10): 2,
    (30, 3): 1,
    (30, 4): 2,
}
"""Forms without flags cannot say that a point is not well; such a point travels in this variation instead."""


@dataclass(slots=True)
class Packed:
    """Objects of one fragment and the numbers of the events among them."""

    objects: bytes = b""
    events: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Run:
    """Objects under one header, still growing."""

    layout: Layout | None
    group: int
    variation: int
    start: int
    indexed: bool
    pieces: list[bytes]
    states: list[int]
    last: int
    octets: int = 0


class Packer:
    """Fills fragments of at most `limit` octets with objects, in the order given."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._parts: list[bytes] = []
        self._events: list[int] = []
        self._done: list[Packed] = []
        self._run: _Run | None = None
        self._base_ms: int | None = None

    def static(self, group: int, variation: int, point: Point, value: Value) -> None:
        """Add one static object; `variation` must be in the table, or the length of a string."""
        if point.flags != ONLINE:
            variation = _WITH_FLAGS.get((group, variation), variation)
        layout = LAYOUTS.get((group, variation))
        if layout is not None and layout.bits:
            self._bit(layout, point.index, _whole(value))
            return
        if layout is None:
            octets = value.ljust(variation, b"\0") if isinstance(value, bytes) else b""
        else:
            octets = _pack(layout, value, point.flags, point.time_ms)
        run = self._fitting(group, variation, point.index, len(octets), indexed=False)
        run.pieces.append(octets)
        run.last = point.index

    def event(self, event: Event, variation: int) -> None:
        """Add one event; variation 0 takes the point's own."""
        group = EVENT_GROUPS[event.kind]
        if isinstance(event.value, bytes):
            value = event.value or b"\0"
            octets = event.index.to_bytes(2, "little") + value
            self._indexed(group, len(value), event, octets)
            return
        layout = LAYOUTS[group, variation or event.variation]
        if "delta" in layout.columns:
            self._common_time(event, 2 + layout.size)
        octets = _pack(layout, event.value, event.flags, event.time_ms, index=event.index, base_ms=self._base_ms or 0)
        self._indexed(group, layout.variation, event, octets)

    def whole(self, octets: bytes) -> None:
        """Add a finished header with its objects."""
        self._close()
        self._room(len(octets))
        self._append(octets)

    def finish(self) -> list[Packed]:
        """The fragments, at least one."""
        self._close()
        if self._parts or not self._done:
            self._cut()
        return self._done

    def _indexed(self, group: int, variation: int, event: Event, octets: bytes) -> None:
        run = self._fitting(group, variation, event.index, len(octets), indexed=True)
        run.pieces.append(octets)
        self._events.append(event.number)

    def _common_time(self, event: Event, octets: int) -> None:
        """Begin a new common time where the event is out of reach of the present one."""
        is_near = self._base_ms is not None and 0 <= event.time_ms - self._base_ms <= _DELTA_MAX_MS
        if is_near and self._has_room(octets + _HEADER_MAX):
            return
        self._close()
        self._room(_COMMON_TIME_OCTETS + _HEADER_MAX + octets)
        self._append(count_header(51, 1, 1) + event.time_ms.to_bytes(6, "little"))
        self._base_ms = event.time_ms

    def _bit(self, layout: Layout, index: int, state: int) -> None:
        run = self._run
        per_octet = 8 // layout.bits
        if run is None or run.layout is not layout or run.last + 1 != index:
            run = self._open(layout.group, layout.variation, index, 1, indexed=False)
        elif len(run.states) % per_octet == 0:
            if not self._has_room(1):
                run = self._open(layout.group, layout.variation, index, 1, indexed=False)
            else:
                run.octets += 1
        run.states.append(state)
        run.last = index

    def _fitting(self, group: int, variation: int, index: int, octets: int, *, indexed: bool) -> _Run:
        run = self._run
        if (
            run is None
            or (run.group, run.variation, run.indexed) != (group, variation, indexed)
            or not (indexed or run.last + 1 == index)
            or not self._has_room(octets)
        ):
            return self._open(group, variation, index, octets, indexed=indexed)
        run.octets += octets
        return run

    def _open(self, group: int, variation: int, index: int, octets: int, *, indexed: bool) -> _Run:
        self._close()
        self._room(_HEADER_MAX + octets)
        layout = LAYOUTS.get((group, variation))
        self._run = _Run(layout, group, variation, index, indexed, [], [], index, octets)
        return self._run

    def _has_room(self, octets: int) -> bool:
        open_octets = self._run.octets + _HEADER_MAX if self._run else 0
        return self._used + open_octets + octets <= self._limit

    def _room(self, octets: int) -> None:
        if self._used + octets > self._limit:
            self._cut()

    def _cut(self) -> None:
        self._done.append(Packed(b"".join(self._parts), self._events))
        self._parts, self._events, self._used, self._base_ms = [], [], 0, None

    def _append(self, octets: bytes) -> None:
        self._parts.append(octets)
        self._used += len(octets)

    def _close(self) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        if run.indexed:
            self._append(indexed_header(run.group, run.variation, len(run.pieces), wide=True) + b"".join(run.pieces))
            return
        body = _packed_states(run.states, run.layout.bits) if run.layout and run.layout.bits else b"".join(run.pieces)
        self._append(range_header(run.group, run.variation, run.start, run.last) + body)


def _packed_states(states: list[int], bits: int) -> bytes:
    total = 0
    for position, state in enumerate(states):
        total |= state << position * bits
    return total.to_bytes((len(states) * bits + 7) // 8, "little")


def _whole(value: Value) -> int:
    return 0 if isinstance(value, bytes) else int(value)


def _pack(
    layout: Layout, value: Value, flags: int, time_ms: int, *, index: int | None = None, base_ms: int = 0
) -> bytes:
    """One object, after its two-octet index where one is given."""
    number = layout.number
    if index is None and number is not None and not isinstance(value, bytes) and layout.columns == ("flags", number):
        sent, over_range = _fit(layout.kind, number, value)  # what nearly every static object is
        return layout.codecs[0].pack(flags | over_range, sent)
    sent = _whole(value)
    if number is not None and not isinstance(value, bytes):
        sent, over_range = _fit(layout.kind, number, value)
        flags |= over_range
    row: list[float] = [] if index is None else [index]
    for column in layout.columns:
        if column == "flags":
            row.append(flags)
        elif column == "state":
            row.append(flags & 0x7F | _whole(value) << 7)
        elif column == "state2":
            row.append(flags & 0x3F | _whole(value) << 6)
        elif column == "time":
            row += (time_ms & 0xFFFFFFFF, time_ms >> 32)
        elif column == "delta":
            row.append(time_ms - base_ms)
        else:
            row.append(sent)
    return layout.codecs[0 if index is None else 2].pack(*row)


def _fit(kind: Kind, column: str, value: float) -> tuple[float, int]:
    """The value as its column can hold it, and OVER_RANGE where it had to be cut; counters roll over instead."""
    if column in INTEGERS:
        low, high = INTEGERS[column]
        whole = round(value)
        if kind in _COUNTERS:
            return whole % (high + 1), 0
        held = min(max(whole, low), high)
        return held, 0 if held == whole else Flag.OVER_RANGE
    if column == "f32" and abs(value) > _FLOAT32_MAX:
        return math.copysign(_FLOAT32_MAX, value), Flag.OVER_RANGE
    return value, 0
