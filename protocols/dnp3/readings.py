"""Objects of responses as columns of values: indices, values, flags, times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntFlag
from itertools import chain, repeat

from protocols.dnp3.errors import ObjectsError
from protocols.dnp3.headers import Header
from protocols.dnp3.layouts import LAYOUTS, STRING_GROUPS, Kind, Layout, Role


class Flag(IntFlag):
    """Quality octet of a point; the bits from 0x20 up differ by kind."""

    ONLINE = 0x01
    RESTART = 0x02
    COMM_LOST = 0x04
    REMOTE_FORCED = 0x08
    LOCAL_FORCED = 0x10
    CHATTER_FILTER = 0x20  # binary, double-bit
    ROLLOVER = 0x20  # counters
    OVER_RANGE = 0x20  # analog
    DISCONTINUITY = 0x40  # counters
    REFERENCE_ERR = 0x40  # analog
    STATE = 0x80  # binary


ONLINE = int(Flag.ONLINE)
TIME_UNKNOWN_MS = 0xFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class Readings:
    """Values of one object header, column by column; all columns are of one length."""

    group: int
    variation: int
    kind: Kind
    is_event: bool
    indices: Sequence[int]
    values: Sequence[float]
    """State 0 or 1 of binaries, 0 to 3 of double-bit inputs, else the number; may be NaN or infinite."""
    flags: Sequence[int]
    """Bits of `Flag`; `ONLINE` where the variation has none."""
    times_ms: Sequence[int] | None
    """When each was taken, milliseconds since 1970 UTC; None where the variation has no time."""
    is_time_good: bool = True
    """False where the outstation says that its clock was not synchronised."""


@dataclass(frozen=True, slots=True)
class Strings:
    """Octet strings or terminal output of one object header."""

    kind: Kind
    is_event: bool
    indices: Sequence[int]
    values: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A device attribute (group 0), such as the maker's name, undecoded."""

    variation: int
    data_type: int
    value: bytes


Decoded = Readings | Strings | Attribute

_BIT_STATES = tuple(tuple(octet >> bit & 1 for bit in range(8)) for octet in range(256))
_PAIR_STATES = tuple(tuple(octet >> bit & 3 for bit in range(0, 8, 2)) for octet in range(256))
_COMMON_TIME, _COMMON_TIME_GOOD_VARIATION = 51, 1


@dataclass(slots=True)
class _CommonTime:
    at_ms: int | None = None
    is_good: bool = True


def decode(headers: Iterator[Header]) -> Iterator[Decoded]:
    """Values of a response's headers, in order.

    Raises:
        ObjectsError: At the first object that does not belong in a response or cannot be decoded; what was yielded
            before stands.
    """
    common = _CommonTime()
    for header in headers:
        layout = LAYOUTS.get((header.group, header.variation))
        if header.group == _COMMON_TIME:
            common = _common_time(header)
        elif layout is None:
            yield from _without_layout(header)
        elif layout.role is Role.COMMAND:
            raise ObjectsError(f"control g{header.group}v{header.variation} among readings")
        elif layout.role is not Role.OTHER:
            yield _readings(header, layout, common)


def decode_one(header: Header) -> tuple[tuple[float, ...], ...]:
    """Rows of a header with a layout, as the table's columns without index prefix; time stays two numbers."""
    layout = header.layout
    if layout is None or layout.bits:
        raise ObjectsError(f"g{header.group}v{header.variation} has no columns")
    rows = layout.codecs[header.prefix].iter_unpack(header.data)
    return tuple(row[1:] if header.prefix else row for row in rows)


def _common_time(header: Header) -> _CommonTime:
    rows = decode_one(header)
    if len(rows) != 1:
        raise ObjectsError(f"g51v{header.variation} with {len(rows)} times")
    low, high = rows[0]
    return _CommonTime(int(low) | int(high) << 32, header.variation == _COMMON_TIME_GOOD_VARIATION)


def _without_layout(header: Header) -> Iterator[Strings | Attribute]:
    if header.group in STRING_GROUPS:
        kind, role = STRING_GROUPS[header.group]
        if header.selection is None:
            raise ObjectsError(f"strings of g{header.group} without indices")
        step = header.prefix + header.variation
        values = [header.data[at + header.prefix : at + step] for at in range(0, len(header.data), step)]
        yield Strings(kind, role is Role.EVENT, header.selection, values)
    elif header.group == 0 and header.data:
        yield Attribute(header.variation, header.data[0], header.data[2 : 2 + header.data[1]])
    elif header.qualifier != 0x5B:
        raise ObjectsError(f"g{header.group}v{header.variation} in a response")


def _readings(header: Header, layout: Layout, common: _CommonTime) -> Readings:
    if header.selection is None:
        raise ObjectsError(f"g{header.group}v{header.variation} without indices")
    is_event = layout.role is Role.EVENT
    times: Sequence[int] | None = None
    is_time_good = True
    if layout.bits:
        values, flags = _unpacked(header, layout)
    else:
        columns = dict(zip(_names(layout), _columns(header, layout), strict=True))
        values, flags = _values(columns)
        if "time" in columns:
            times = [low | high << 32 for low, high in zip(columns["time"], columns["high"], strict=True)]
        elif "delta" in columns:
            if common.at_ms is None:
                raise ObjectsError(f"g{header.group}v{header.variation} before its common time")
            times = [common.at_ms + delta for delta in columns["delta"]]
            is_time_good = common.is_good
    return Readings(
        header.group, header.variation, layout.kind, is_event, header.selection, values, flags, times, is_time_good
    )


def _names(layout: Layout) -> tuple[str, ...]:
    return tuple(chain.from_iterable(("time", "high") if c == "time" else (c,) for c in layout.columns))


def _columns(header: Header, layout: Layout) -> list[Sequence[int]]:
    rows = layout.codecs[header.prefix].iter_unpack(header.data)
    columns: list[Sequence[int]] = list(zip(*rows, strict=True))
    if not columns:
        return [()] * len(_names(layout))
    return columns[1:] if header.prefix else columns


def _values(columns: dict[str, Sequence[int]]) -> tuple[Sequence[float], Sequence[int]]:
    if "state" in columns:
        octets = columns["state"]
        return [octet >> 7 for octet in octets], [octet & 0x7F for octet in octets]
    if "state2" in columns:
        octets = columns["state2"]
        return [octet >> 6 for octet in octets], [octet & 0x3F for octet in octets]
    values = next((column for name, column in columns.items() if name[0] in "uif" and name != "flags"), ())
    flags = columns.get("flags") or columns.get("status")
    return values, flags if flags is not None else list(repeat(ONLINE, len(values)))


def _unpacked(header: Header, layout: Layout) -> tuple[Sequence[float], Sequence[int]]:
    states = _BIT_STATES if layout.bits == 1 else _PAIR_STATES
    count = header.count or 0
    values = list(chain.from_iterable(map(states.__getitem__, header.data)))[:count]
    return values, [ONLINE] * count
