"""Readings on a regular grid of time, and the typical day that lies in them.

What was never read is not a number. Times are UTC epoch seconds; a grid's steps begin at multiples of their
length. Days are those of the clock that is `day_offset_s` ahead of UTC, so that a market clock is one number.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.model import FloatArray, IntArray

DAY_S = 86_400
_THURSDAY = 3
"""1970-01-01, counted from Monday."""


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Means over equal steps of time, of several things at once."""

    ids: tuple[str, ...]
    start_s: int
    """When the first step begins."""
    step_s: int
    value: FloatArray
    """Shape (n_id, n_step); not a number where missing."""

    @property
    def end_s(self) -> int:
        """When the last step ends."""
        return self.start_s + self.step_s * int(self.value.shape[1])

    def starts_s(self) -> IntArray:
        """Shape (n_step,): when each step begins."""
        return self.start_s + self.step_s * np.arange(self.value.shape[1], dtype=np.int64)


def on_grid(name: str, epoch_s: FloatArray | IntArray, value: FloatArray, step_s: int) -> Readings:
    """Samples of one thing, in any order, averaged within each step; what is not finite is left out."""
    good = np.isfinite(value) & np.isfinite(epoch_s)
    if not good.any():
        return Readings((name,), 0, step_s, np.empty((1, 0)))
    step = np.floor_divide(np.asarray(epoch_s, dtype=np.float64)[good], step_s).astype(np.int64)
    first, steps = int(step.min()), int(step.max() - step.min()) + 1
    count = np.bincount(step - first, minlength=steps)
    total = np.bincount(step - first, weights=value[good], minlength=steps)
    mean = np.divide(total, count, out=np.full(steps, np.nan), where=count > 0)
    return Readings((name,), first * step_s, step_s, mean[None])


def known(readings: Readings, now_s: int) -> Readings:
    """What had been read by `now_s`: steps that had ended, and infinite values as missing."""
    steps = max(0, (now_s - readings.start_s) // readings.step_s)
    value = readings.value[:, :steps]
    return replace(readings, value=np.where(np.isfinite(value), value, np.nan))


def resampled(readings: Readings, step_s: int) -> Readings:
    """The same on a finer grid, repeated, or on a coarser one, averaged; one step must divide the other."""
    if step_s == readings.step_s:
        return readings
    if readings.step_s % step_s == 0:
        return replace(readings, step_s=step_s, value=np.repeat(readings.value, readings.step_s // step_s, axis=1))
    if step_s % readings.step_s:
        raise ValueError(f"steps of {readings.step_s} s and {step_s} s: one must be a multiple of the other")
    many, before = step_s // readings.step_s, (readings.start_s % step_s) // readings.step_s
    after = -(before + readings.value.shape[1]) % many
    padded = np.pad(readings.value, ((0, 0), (before, after)), constant_values=np.nan)
    grouped = padded.reshape(len(padded), -1, many)
    start_s = readings.start_s - before * readings.step_s
    return Readings(readings.ids, start_s, step_s, mean(grouped, axis=2))


def fingerprint(readings: Readings) -> str:
    """SHA-256 of all that they are."""
    grid = repr((readings.ids, readings.start_s, readings.step_s, readings.value.shape))
    return hashlib.sha256(grid.encode() + np.ascontiguousarray(readings.value).tobytes()).hexdigest()


def time_of_day(epoch_s: IntArray, day_offset_s: int) -> FloatArray:
    """Parts of a day since its midnight."""
    return np.asarray((epoch_s + day_offset_s) % DAY_S / DAY_S)


def weekday(epoch_s: IntArray, day_offset_s: int) -> IntArray:
    """Monday is 0."""
    return np.asarray(((epoch_s + day_offset_s) // DAY_S + _THURSDAY) % 7)


@dataclass(frozen=True, slots=True, eq=False)
class TypicalDay:
    """What may be expected of a thing at each time of a working day and of a day off."""

    step_s: int
    day_offset_s: int
    value: FloatArray
    """Shape (3, 2, steps per day): P10, P50 and P90, by working day (0) and day off (1)."""

    def at(self, epoch_s: IntArray) -> FloatArray:
        """Shape (3, n): by the times that intervals begin."""
        slot = (epoch_s + self.day_offset_s) % DAY_S // self.step_s
        return self.value[:, (weekday(epoch_s, self.day_offset_s) > 4).astype(np.int64), slot]


def typical_day(readings: Readings, index: int = 0, day_offset_s: int = 0) -> TypicalDay:
    """Quantiles of one of the readings by time and kind of day; of every day where a kind was never seen."""
    steps, starts = DAY_S // readings.step_s, readings.starts_s()
    slot = (starts + day_offset_s) % DAY_S // readings.step_s
    off = (weekday(starts, day_offset_s) > 4).astype(np.int64)
    value = readings.value[index]
    table = np.full((2, steps, len(value) // steps + 2), np.nan)
    day = (starts + day_offset_s) // DAY_S
    table[off, slot, day - (day[0] if len(day) else 0)] = value
    both = quantiles(np.fmax(table[0], table[1]), axis=1)  # each day is in one of the two, the other is missing
    kinds = quantiles(table, axis=2)
    return TypicalDay(readings.step_s, day_offset_s, np.where(np.isnan(kinds), both[:, None], kinds))


def scaled(day: TypicalDay, factor: float) -> TypicalDay:
    """The same shape at another size: rated power of a transformer, say, times a shape of its customers."""
    return replace(day, value=np.sort(day.value * factor, axis=0))


def quantiles(value: FloatArray, axis: int, levels: Sequence[float] = (0.1, 0.5, 0.9)) -> FloatArray:
    """Shape (n_level, …): quantiles of what is there along `axis`; not a number where nothing is."""
    there = ~np.isnan(value)
    count = there.sum(axis=axis)
    ordered = np.sort(np.where(there, value, np.inf), axis=axis)
    result = np.full((len(levels), *count.shape), np.nan)
    if not value.shape[axis]:
        return result
    for n, level in enumerate(levels):
        place = level * np.maximum(count - 1, 0)
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(count - 1, 0))
        lower, upper = (np.take_along_axis(ordered, np.expand_dims(at, axis), axis).squeeze(axis) for at in (low, high))
        part = place - low
        with np.errstate(invalid="ignore"):
            result[n] = np.where(count > 0, lower + part * (upper - lower), np.nan)
    return result


def mean(value: FloatArray, axis: int) -> FloatArray:
    """Mean of what is there along `axis`; not a number where nothing is."""
    there = ~np.isnan(value)
    count = there.sum(axis=axis)
    total = np.where(there, value, 0).sum(axis=axis)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0))
