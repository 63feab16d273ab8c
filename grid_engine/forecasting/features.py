"""What the past says about a later step, as columns that a learner can use; nothing later than the issue is touched.

Every column but those of the calendar is in parts of the series' own scale, so that one model serves loads
of every size. What is missing is not a number.
"""

from dataclasses import dataclass

import numpy as np

from grid_engine.forecasting.profiles import DAY_S, Readings, mean, time_of_day, weekday
from grid_engine.model import BoolArray, FloatArray, IntArray

DAYS_BACK = 7
_HOUR_S = 3600
_SMOOTHING_S = 900
"""Either side of the time of day that is looked at on earlier days."""
_NEWS, _YESTERDAY = slice(0, 3), 3
"""Columns of what was read just now, and at that time on the last day."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """Which steps are asked for, one entry per question."""

    series: IntArray
    known: IntArray
    """Steps that were known at the issue."""
    lead: IntArray
    """How many steps after the last known one; at least 1."""

    @property
    def step(self) -> IntArray:
        """Where in the readings the answer would stand."""
        return self.known - 1 + self.lead


class Past:
    """Readings prepared for many questions; `weather` is on the same grid and reaches as far ahead as is asked."""

    def __init__(self, readings: Readings, scale: FloatArray, day_offset_s: int, weather: Readings | None) -> None:
        self.readings = readings
        self._day = DAY_S // readings.step_s
        self._day_offset_s = day_offset_s
        self.scale = scale
        value = readings.value / scale[:, None]
        self.value = value
        there = ~np.isnan(value)
        self._sum = np.pad(np.cumsum(np.where(there, value, 0), axis=1), ((0, 0), (1, 0)))
        self._count = np.pad(np.cumsum(there, axis=1), ((0, 0), (1, 0)))
        self._weather = weather

    def columns(self, asked: Question) -> tuple[FloatArray, FloatArray]:
        """Shape (n, n_column), and (n,): what is usual at that time of day, against which the learner answers."""
        series, known = asked.series, asked.known
        hour = max(1, _HOUR_S // self.readings.step_s)
        habit = self._same_time(asked, hour // 2 if hour < 4 else _SMOOTHING_S // self.readings.step_s)
        usual = mean(habit, axis=1)
        before = np.stack(
            [
                self._between(series, known - hour - self._day * n, known - self._day * n)
                for n in range(1, DAYS_BACK + 1)
            ],
            axis=1,
        )
        last_hour = self._between(series, known - hour, known)
        news = [self._between(series, known - 1, known), last_hour, last_hour - mean(before, axis=1)]
        past = [habit[:, 0], habit[:, -1], usual, mean((habit - usual[:, None]) ** 2, axis=1)]
        past.append(self._between(series, known - self._day, known))
        columns = [*news, *past, *self._calendar(asked), *self._forecast_weather(asked)]
        return np.stack(columns, axis=1), usual

    def _same_time(self, asked: Question, half: int) -> FloatArray:
        """Shape (n, `DAYS_BACK`): round that time of day on the last days known, the latest first."""
        back = self._day * (-(-asked.lead // self._day))
        days = [
            self._between(asked.series, at - half, np.minimum(at + half + 1, asked.known))
            for at in (asked.step - back - self._day * n for n in range(DAYS_BACK))
        ]
        return np.stack(days, axis=1)

    def _between(self, series: IntArray, low: IntArray, high: IntArray) -> FloatArray:
        """Mean of what is there in steps low to high, high left out."""
        low, high = np.maximum(low, 0), np.maximum(high, 0)
        count = self._count[series, high] - self._count[series, low]
        total = self._sum[series, high] - self._sum[series, low]
        return np.asarray(np.divide(total, count, out=np.full(len(series), np.nan), where=count > 0))

    def _calendar(self, asked: Question) -> list[FloatArray]:
        epoch_s = self.readings.start_s + asked.step * self.readings.step_s
        turn = 2 * np.pi * time_of_day(epoch_s, self._day_offset_s)
        day = weekday(epoch_s, self._day_offset_s).astype(np.float64)
        return [np.sin(turn), np.cos(turn), day, asked.lead * (self.readings.step_s / _HOUR_S)]

    def _forecast_weather(self, asked: Question) -> list[FloatArray]:
        """Each kind of weather at the time asked for, and how it differs from the last days."""
        if self._weather is None:
            return []
        weather = self._weather.value
        shift = (self.readings.start_s - self._weather.start_s) // self._weather.step_s
        at = asked.step + shift
        back = self._day * (-(-asked.lead // self._day))
        then, columns = [at - back - self._day * n for n in range(DAYS_BACK)], []
        for row in weather:
            now = _taken(row, at)
            usual = mean(np.stack([_taken(row, t) for t in then], axis=1), axis=1)
            columns += [now, now - usual]
        return columns


def blinded(columns: FloatArray, without_news: BoolArray, without_yesterday: BoolArray) -> FloatArray:
    """The same with columns taken away, so that a learner meets broken telemetry before it happens."""
    result = columns.copy()
    result[without_news, _NEWS] = np.nan
    result[without_yesterday, _YESTERDAY] = np.nan
    return result


def scales(readings: Readings) -> FloatArray:
    """Shape (n_id,): mean magnitude of each series, 1 where it is nothing."""
    size = mean(np.abs(readings.value), axis=1)
    return np.where(size > 0, size, 1.0)


def _taken(row: FloatArray, at: IntArray) -> FloatArray:
    inside = (at >= 0) & (at < len(row))
    return np.where(inside, row[np.clip(at, 0, max(len(row) - 1, 0))] if len(row) else np.nan, np.nan)
