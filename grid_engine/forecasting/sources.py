"""Ways to say what comes that need no learning, and how what others say comes in.

Every source answers for all readings at once, and leaves not a number where it has nothing to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from grid_engine.forecasting.profiles import DAY_S, Readings, TypicalDay, quantiles, resampled
from grid_engine.forecasting.words import Method, Model, Window
from grid_engine.model import FloatArray, IntArray

_SAMPLES = 512
"""As many past errors per lead time are enough for a band."""
_FEWEST = 10
"""With fewer past errors, a band is as wide as the value itself."""
_SLOT_S = 7200
"""Errors of the same time of day are those within the same slot."""
_DAYS_BACK = 7
_PERSISTENCE = Model(Method.PERSISTENCE, "1")
_SEASONAL_NAIVE = Model(Method.SEASONAL_NAIVE, "1")


class Source(Protocol):
    """Something that says what comes."""

    @property
    def model(self) -> Model:
        """Which model it is."""

    @property
    def reason(self) -> str:
        """Why it may have nothing to say."""

    @property
    def issued_s(self) -> int | None:
        """When another party said it; nothing where it is said now."""

    def quantiles(self, readings: Readings, window: Window) -> FloatArray:
        """Shape (3, n_id, n_step): P10, P50, P90; `readings` are on the window's grid and end before its issue."""


@dataclass(frozen=True, slots=True)
class Persistence:
    """As it was last; bands are those of past changes over the same lead time."""

    oldest_s: int = DAY_S
    """A last reading older than this says nothing."""
    model: Model = _PERSISTENCE
    reason: str = "no reading of the last day"
    issued_s: int | None = None

    def quantiles(self, readings: Readings, window: Window) -> FloatArray:
        """As `Source` says."""
        value = readings.value
        if not value.shape[1]:
            return np.full((3, len(value), window.steps), np.nan)
        held = _held(value, self.oldest_s // readings.step_s)
        last = held[:, -1]
        result = np.empty((3, len(value), window.steps))
        first = (window.start_s - readings.end_s) // readings.step_s + 1
        for n in range(window.steps):
            result[:, :, n] = last + _bands(_errors(value, held, first + n), last)
        return result


@dataclass(frozen=True, slots=True)
class SeasonalNaive:
    """As at the same time of the last day known; bands are those of past differences at that time of day."""

    model: Model = _SEASONAL_NAIVE
    reason: str = "no reading at that time of day in the last week"
    issued_s: int | None = None

    def quantiles(self, readings: Readings, window: Window) -> FloatArray:
        """As `Source` says."""
        n_id, steps = readings.value.shape
        day = DAY_S // readings.step_s
        at = (window.start_s - readings.start_s) // readings.step_s + np.arange(window.steps)
        back = max(1, -(-(int(at[-1]) + 1 - steps) // day))
        middle = np.full((n_id, window.steps), np.nan)
        for n in range(1, back + _DAYS_BACK):
            earlier = at - day * n
            inside = (earlier >= 0) & (earlier < steps)
            found = np.full((n_id, window.steps), np.nan)
            found[:, inside] = readings.value[:, earlier[inside]]
            middle = np.where(np.isnan(middle), found, middle)
        slots = (readings.starts_s() % DAY_S) // _SLOT_S
        asked = (window.start_s + window.step_s * np.arange(window.steps)) % DAY_S // _SLOT_S
        lag = day * back
        change = readings.value[:, lag:] - readings.value[:, :-lag] if lag < steps else np.empty((n_id, 0))
        result = np.empty((3, n_id, window.steps))
        for slot in np.unique(asked):
            errors = change[:, slots[lag:] == slot]
            mine = asked == slot
            result[:, :, mine] = middle[:, mine] + _bands(errors, middle[:, mine])
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Typical:
    """As on a typical day, one per reading in their order."""

    days: Sequence[TypicalDay]
    model: Model
    """Of kind `PROFILE`; its version says where the days come from."""
    reason: str = "that time of day was never seen"
    issued_s: int | None = None

    def quantiles(self, readings: Readings, window: Window) -> FloatArray:  # noqa: ARG002 - as `Source` says
        """As `Source` says."""
        starts = window.start_s + window.step_s * np.arange(window.steps, dtype=np.int64)
        return np.stack([day.at(starts) for day in self.days], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """As someone else says: a forecaster, or a schedule that has been committed."""

    ids: tuple[str, ...]
    start_s: int
    step_s: int
    value: FloatArray
    """Shape (3, n_id, n_step): P10, P50, P90; all alike for a schedule."""
    model: Model
    issued_s: int
    oldest_s: int = DAY_S
    """Older word is not used."""

    @property
    def reason(self) -> str:
        """Why it may have nothing to say."""
        return f"what was issued at {self.issued_s} is older than {self.oldest_s} s, or does not cover the window"

    def quantiles(self, readings: Readings, window: Window) -> FloatArray:
        """As `Source` says."""
        result = np.full((3, len(readings.ids), window.steps), np.nan)
        if not 0 <= window.issued_s - self.issued_s <= self.oldest_s:
            return result
        row = {name: n for n, name in enumerate(self.ids)}
        mine = np.array([n for n, name in enumerate(readings.ids) if name in row], dtype=np.int64)
        theirs = [row[readings.ids[n]] for n in mine]
        for level in range(3):
            said = resampled(Readings(self.ids, self.start_s, self.step_s, self.value[level]), window.step_s)
            at = (window.start_s - said.start_s) // said.step_s + np.arange(window.steps)
            inside = np.flatnonzero((at >= 0) & (at < said.value.shape[1]))
            result[level, mine[:, None], inside] = said.value[theirs][:, at[inside]]
        return result


def newest(given: Sequence[Given]) -> Given:
    """Of several issues, at least one, that which counts."""
    return max(given, key=lambda one: one.issued_s)


def _held(value: FloatArray, oldest: int) -> FloatArray:
    """Each step's own or last earlier reading, not a number where that is more than `oldest` steps old."""
    steps = np.arange(value.shape[1])
    last = np.maximum.accumulate(np.where(np.isnan(value), -1, steps), axis=1)
    found = np.take_along_axis(value, np.maximum(last, 0), axis=1)
    return np.where((last >= 0) & (steps - last <= oldest), found, np.nan)


def _errors(value: FloatArray, held: FloatArray, lead: int) -> FloatArray:
    """Past changes over `lead` steps from what was held."""
    count = value.shape[1] - lead
    if count <= 0:
        return np.empty((len(value), 0))
    at: IntArray = np.unique(np.linspace(0, count - 1, _SAMPLES).astype(np.int64))
    return np.asarray(value[:, at + lead] - held[:, at])


def _bands(errors: FloatArray, value: FloatArray) -> FloatArray:
    """Shape (3, *value.shape): P10, 0 and P90 of `errors` (n_id, n); as wide as `value` where they are too few."""
    low, _, high = quantiles(errors, axis=1)
    few = (~np.isnan(errors)).sum(axis=1) < _FEWEST
    spread = tuple(np.s_[:] if n == 0 else None for n in range(value.ndim))
    wide = np.abs(value)
    lower = np.where(few[spread], -wide, np.minimum(np.where(few, 0, low), 0)[spread])
    upper = np.where(few[spread], wide, np.maximum(np.where(few, 0, high), 0)[spread])
    return np.stack([lower, np.zeros_like(value), upper])
