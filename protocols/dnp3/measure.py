"""Readings of an outstation to measurements: scale, quality and time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from protocols.dnp3.layouts import Kind
from protocols.dnp3.plan import LIMIT_ENABLE, Place, outputs, place_of
from protocols.dnp3.readings import TIME_UNKNOWN_MS, Flag, Readings
from protocols.dnp3.settings import DerPoints, Dnp3Settings, MappedInput, Setpoint
from protocols.points import Point, Quantity
from protocols.signals import Measurement, Quality

FUTURE_S = 60.0
"""A time stamp further ahead of us than this is not believed."""
_FORCED = Flag.REMOTE_FORCED | Flag.LOCAL_FORCED
_ODD: dict[Kind, Flag] = {
    Kind.ANALOG_INPUT: Flag.OVER_RANGE | Flag.REFERENCE_ERR,
    Kind.ANALOG_OUTPUT: Flag.OVER_RANGE | Flag.REFERENCE_ERR,
    Kind.BINARY_INPUT: Flag.CHATTER_FILTER,
    Kind.DOUBLE_BIT_INPUT: Flag.CHATTER_FILTER,
}
"""Flags beyond the common ones that make a value meaningless."""
_DOUBLE_BIT_VALUES = {1: 0.0, 2: 1.0}
"""Open and closed; 0 (between) and 3 (indeterminate) are no position."""


@dataclass(frozen=True, slots=True)
class Held:
    """The last known value of one place."""

    value: float
    flags: int
    source_time_s: float


def quality_of(kind: Kind, flags: int) -> Quality:
    """How far a point's flags let it be trusted."""
    if flags & Flag.COMM_LOST:
        return Quality.STALE
    if not flags & Flag.ONLINE or flags & Flag.RESTART or flags & _ODD.get(kind, 0):
        return Quality.BAD
    return Quality.SUBSTITUTED if flags & _FORCED else Quality.GOOD


class Image:
    """The last known values of all places that the settings name."""

    def __init__(self, settings: Dnp3Settings) -> None:
        self._inputs: dict[Place, list[MappedInput]] = {}
        for mapped in settings.inputs:
            self._inputs.setdefault((mapped.kind, mapped.index), []).append(mapped)
        self._ders = settings.ders
        switches = [der.connect for der in settings.ders if der.connect is not None]
        shown = [*(o for der in settings.ders for o in outputs(der).values()), *switches]
        places = list(self._inputs) + [place_of(output) for output in shown]
        self._wanted: dict[Kind, frozenset[int]] = {
            kind: frozenset(index for each, index in places if each is kind) for kind, _ in places
        }
        self._held: dict[Place, Held] = {}

    def clear(self) -> None:
        """Forget everything, as at the end of a connection."""
        self._held.clear()

    def raw(self, place: Place) -> float | None:
        """Last value of a place in counts, where its flags let it be trusted."""
        held = self._held.get(place)
        if held is None or not math.isfinite(held.value) or quality_of(place[0], held.flags) is Quality.BAD:
            return None
        return held.value

    def forget(self, places: Iterable[Place]) -> None:
        """Forget some places, so that only a later reading counts."""
        for place in places:
            self._held.pop(place, None)

    def take(self, readings: Readings, now_s: float) -> list[Measurement]:
        """Keep what is wanted of these readings, and give its measurements."""
        wanted = self._wanted.get(readings.kind)
        if not wanted:
            return []
        times = readings.times_ms if readings.is_time_good else None
        found: list[Measurement] = []
        for position, index in enumerate(readings.indices):
            if index in wanted:
                source_s = now_s if times is None else _time_s(times[position], now_s)
                place = (readings.kind, index)
                held = Held(readings.values[position], readings.flags[position], source_s)
                self._held[place] = held
                found += self._measure(place, held, now_s)
        return found

    def all(self, now_s: float) -> list[Measurement]:
        """Every known measurement as still true now, with the limits in force."""
        found: list[Measurement] = []
        for place, held in self._held.items():
            found += self._measure(place, Held(held.value, held.flags, now_s), now_s)
        for der in self._ders:
            found += self._limits(der, now_s)
        return found

    def _measure(self, place: Place, held: Held, now_s: float) -> list[Measurement]:
        return [_measurement(mapped, held, now_s) for mapped in self._inputs.get(place, ())]

    def _limits(self, der: DerPoints, now_s: float) -> list[Measurement]:
        enabled = self.raw(place_of(outputs(der)[LIMIT_ENABLE]))
        if enabled is None:
            return []
        sides: list[tuple[Quantity, Setpoint | None, float]] = [
            (Quantity.CEILING_W, der.ceiling, der.ceiling_w),
            (Quantity.FLOOR_W, der.floor, der.floor_w),
        ]
        found = []
        for quantity, setpoint, open_w in sides:
            raw = self.raw(place_of(setpoint)) if setpoint is not None else None
            if setpoint is not None and raw is not None:
                value_w = raw * setpoint.unit if enabled else open_w
                found.append(Measurement(Point(der.resource, quantity), value_w, Quality.GOOD, now_s, now_s))
        return found


def _measurement(mapped: MappedInput, held: Held, now_s: float) -> Measurement:
    quality = quality_of(mapped.kind, held.flags)
    raw: float | None = held.value
    if mapped.kind is Kind.DOUBLE_BIT_INPUT:
        raw = _DOUBLE_BIT_VALUES.get(int(held.value))
    value = math.nan if raw is None else raw * mapped.scale + mapped.offset
    if quality is Quality.BAD or not math.isfinite(value):
        return Measurement(mapped.point, 0.0, Quality.BAD, held.source_time_s, now_s)
    return Measurement(mapped.point, value, quality, held.source_time_s, now_s)


def _time_s(time_ms: int, now_s: float) -> float:
    """A time stamp in Unix seconds, or now where it cannot be right."""
    source_s = time_ms / 1000
    return now_s if time_ms in {0, TIME_UNKNOWN_MS} or source_s > now_s + FUTURE_S else source_s
