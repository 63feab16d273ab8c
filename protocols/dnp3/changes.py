"""What requests other than controls change in an outstation: its clock, classes, deadbands and frozen counters."""

from collections.abc import Sequence
from dataclasses import dataclass

from protocols.dnp3.database import POINT_KINDS, Database
from protocols.dnp3.errors import ObjectsError
from protocols.dnp3.fragment import Iin
from protocols.dnp3.headers import ALL, Header
from protocols.dnp3.layouts import AUTHENTICATION, CLASSES, STATIC_GROUPS, Kind
from protocols.dnp3.readings import TIME_UNKNOWN_MS, decode_one

_RESTART_BIT = 7
_TIME, _TIME_AT_LAST_RECORD = (50, 1), (50, 3)
_KINDS = {group: kind for kind, group in STATIC_GROUPS.items()}
_DEADBANDS = STATIC_GROUPS[Kind.ANALOG_DEADBAND]


class Clock:
    """An outstation's clock: seconds of the shell, shifted to what the master said."""

    def __init__(self, need_time_s: float | None) -> None:
        """`need_time_s`: how long a setting holds; None never asks for the time."""
        self._need_time_s = need_time_s
        self._utc_s = 0.0
        self.shift_s = 0.0
        """How far the master's setting is ahead of the shell's clock."""
        self._set_at_s: float | None = None
        self._recorded_s: float | None = None
        self.is_needed = need_time_s is not None
        """The master is asked for the time."""

    def time_ms(self, now_s: float) -> int:
        """Milliseconds since 1970 UTC; stands still at the last that 48 bits hold."""
        return min(max(0, round((now_s + self._utc_s + self.shift_s) * 1000)), TIME_UNKNOWN_MS)

    def follow(self, utc_s: float) -> None:
        """The shell's UTC is `now_s` + `utc_s`; for a shell whose `now_s` is steady while its UTC may jump."""
        self._utc_s = utc_s

    def record(self, now_s: float) -> None:
        """Remember this moment, for the time that the master will send for it."""
        self._recorded_s = now_s

    def set(self, time_ms: int, now_s: float) -> None:
        """The time is `time_ms` now."""
        self.shift_s = time_ms / 1000 - now_s - self._utc_s
        self._set_at_s = now_s
        self.is_needed = False

    def set_recorded(self, time_ms: int, now_s: float) -> bool:
        """The time was `time_ms` at the recorded moment; False where none was recorded."""
        if self._recorded_s is None:
            return False
        self.set(time_ms + round((now_s - self._recorded_s) * 1000), now_s)
        self._recorded_s = None
        return True

    def expire(self, now_s: float) -> None:
        """Ask for the time again once the last setting is too old."""
        if self._need_time_s is not None and self._set_at_s is not None:
            self.is_needed = self.is_needed or now_s - self._set_at_s >= self._need_time_s


@dataclass(frozen=True, slots=True)
class Written:
    """What a WRITE did."""

    iin: Iin = Iin.NONE
    clears_restart: bool = False
    time_ms: int | None = None


def write(headers: Sequence[Header], database: Database, clock: Clock, now_s: float) -> Written:
    """Carry out a WRITE of time, restart indication or deadbands; anything else is unknown."""
    iin, clears_restart, time_ms = Iin.NONE, False, None
    for header in headers:
        key = (header.group, header.variation)
        if key == (80, 1):
            if header.selection == range(_RESTART_BIT, _RESTART_BIT + 1) and header.data == b"\0":
                clears_restart = True
            else:
                iin |= Iin.PARAM_ERROR
        elif key in {_TIME, _TIME_AT_LAST_RECORD}:
            written = _write_time(header, clock, now_s)
            time_ms = written if written is not None else time_ms
            iin |= Iin.NONE if written is not None else Iin.PARAM_ERROR
        elif header.group == _DEADBANDS:
            iin |= _write_deadbands(header, database)
        else:
            iin |= Iin.NO_FUNC_CODE_SUPPORT if header.group == AUTHENTICATION else Iin.OBJECT_UNKNOWN
    return Written(iin, clears_restart, time_ms)


def _write_time(header: Header, clock: Clock, now_s: float) -> int | None:
    if header.count != 1 or header.selection is not None:
        return None
    ((low, high),) = decode_one(header)
    time_ms = int(low) | int(high) << 32
    if (header.group, header.variation) == _TIME:
        clock.set(time_ms, now_s)
        return time_ms
    return time_ms if clock.set_recorded(time_ms, now_s) else None


def _write_deadbands(header: Header, database: Database) -> Iin:
    if header.selection is None:
        return Iin.PARAM_ERROR
    iin = Iin.NONE
    for index, (deadband,) in zip(header.selection, decode_one(header), strict=True):
        point = database.get(Kind.ANALOG_INPUT, index)
        if point is None or not 0 <= deadband < float("inf"):
            iin |= Iin.PARAM_ERROR
        else:
            point.deadband = deadband
    return iin


def freeze(headers: Sequence[Header], database: Database, *, clear: bool, time_ms: int) -> Iin:
    """Copy counters to their frozen counters, and set them to zero where `clear`."""
    iin = Iin.NONE
    for header in headers:
        if _KINDS.get(header.group) is not Kind.COUNTER:
            iin |= Iin.OBJECT_UNKNOWN
            continue
        points, is_complete = database.select(Kind.COUNTER, header.selection)
        frozen = [database.freeze(point.index, clear=clear, time_ms=time_ms) for point in points]
        if not is_complete or (header.selection is not None and not all(frozen)):
            iin |= Iin.PARAM_ERROR
    return iin


def unsolicited_classes(headers: Sequence[Header]) -> frozenset[int]:
    """Event classes that a request names.

    Raises:
        ObjectsError: It names anything else.
    """
    classes = set()
    for header in headers:
        if header.group != CLASSES or header.qualifier != ALL or not 2 <= header.variation <= 4:
            raise ObjectsError(f"g{header.group}v{header.variation} is no event class", Iin.OBJECT_UNKNOWN)
        classes.add(header.variation - 1)
    return frozenset(classes)


def assign_classes(headers: Sequence[Header], database: Database) -> Iin:
    """Put points into the class named before them; class 0 makes no events."""
    event_class: int | None = None
    iin = Iin.NONE
    for header in headers:
        kind = _KINDS.get(header.group)
        if header.group == CLASSES and 1 <= header.variation <= 4:
            event_class = header.variation - 1
        elif event_class is None:
            iin |= Iin.PARAM_ERROR
        elif kind is None or kind not in POINT_KINDS:
            iin |= Iin.OBJECT_UNKNOWN
        else:
            points, is_complete = database.select(kind, header.selection)
            iin |= Iin.NONE if is_complete else Iin.PARAM_ERROR
            for point in points:
                point.event_class = event_class
    return iin
