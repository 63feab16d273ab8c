"""What comes: for each reading, the first of several sources that has an answer, told with its name and version.

Photovoltaic power is forecast as a share of what a clear sky would give, by the same sources: so the season and
the time of day are exact, darkness is zero, and only clouds are left to guess.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from grid_engine.forecasting.profiles import Readings, known, resampled
from grid_engine.forecasting.solar import Panels, clear_sky_global_w_m2, clear_sky_power_w
from grid_engine.forecasting.sources import Persistence, SeasonalNaive, Source
from grid_engine.forecasting.words import ForecastSeries, NoForecast, Window
from grid_engine.model import BoolArray, FloatArray, IntArray
from grid_engine.results import Quality

FALLBACK: tuple[Source, ...] = (SeasonalNaive(), Persistence())
"""What stands in when the source asked for has nothing to say."""

_LOW_SUN = 0.02
"""Below this share of capacity under a clear sky, power over clear-sky power says nothing of clouds."""
_UNKNOWN_SKY = (0.0, 0.5, 1.0)
"""Share of clear-sky power while the sun is too low, when nothing was known at any time of the window."""


def forecast(readings: Readings, window: Window, sources: Sequence[Source]) -> tuple[ForecastSeries | NoForecast, ...]:
    """One answer per reading, of the first of `sources` and `FALLBACK` that has a value for every interval.

    What has never been negative is not forecast negative.
    """
    past = known(resampled(readings, window.step_s), window.issued_s)
    ladder = (*sources, *FALLBACK)
    levels, used = _first_answer(past, window, ladder, np.ones((len(past.ids), window.steps), dtype=np.bool_))
    never_negative = np.logical_not((past.value < 0).any(axis=1, keepdims=True))
    levels = np.where(never_negative, np.maximum(levels, 0), levels)
    return _told(past.ids, window, levels, used, ladder)


def forecast_photovoltaic(
    readings: Readings, panels: Sequence[Panels], window: Window, sources: Sequence[Source]
) -> tuple[ForecastSeries | NoForecast, ...]:
    """The same for injections of photovoltaic plants, one of `panels` each; `sources` speak of `clear_sky_share`."""
    past = known(resampled(readings, window.step_s), window.issued_s)
    starts = window.start_s + window.step_s * np.arange(window.steps, dtype=np.int64)
    clear = np.stack([clear_sky_power_w(plant, starts, window.step_s) for plant in panels])
    capacity = np.array([plant.capacity_w for plant in panels])[:, None]
    lit = clear >= _LOW_SUN * capacity
    ladder = (*sources, *FALLBACK)
    share, used = _first_answer(clear_sky_share(past, panels), window, ladder, lit)
    share = np.where(lit, share, np.nan)
    share = np.stack([_carried(level, unknown) for level, unknown in zip(share, _UNKNOWN_SKY, strict=True)])
    most = np.maximum(capacity, np.nanmax(past.value, axis=1, initial=0, keepdims=True))
    return _told(past.ids, window, np.clip(np.maximum(share, 0) * clear, 0, most), used, ladder)


def clear_sky_share(readings: Readings, panels: Sequence[Panels]) -> Readings:
    """Power over clear-sky power, one of `panels` per reading; missing while the sun is low or below."""
    clear = np.stack([clear_sky_power_w(plant, readings.starts_s(), readings.step_s) for plant in panels])
    lit = clear >= _LOW_SUN * np.array([plant.capacity_w for plant in panels])[:, None]
    return replace(readings, value=np.divide(readings.value, clear, out=np.full(clear.shape, np.nan), where=lit))


def sky_share(irradiance: Readings, panels: Panels) -> Readings:
    """Weather as a column for photovoltaic models: global irradiance (W/m²) over that of a clear sky."""
    clear = clear_sky_global_w_m2(panels, irradiance.starts_s(), irradiance.step_s)
    lit = np.broadcast_to(clear > 0, irradiance.value.shape)
    share = np.divide(irradiance.value, clear, out=np.full(irradiance.value.shape, np.nan), where=lit)
    return replace(irradiance, value=np.minimum(share, 1.5))


def _first_answer(
    past: Readings, window: Window, ladder: Sequence[Source], needed: BoolArray
) -> tuple[FloatArray, IntArray]:
    """Levels (3, n_id, n_step), and which of the ladder gave them; its length where none did."""
    levels = np.full((3, *needed.shape), np.nan)
    used = np.full(len(past.ids), len(ladder))
    for n, source in enumerate(ladder):
        open_rows = np.flatnonzero(used == len(ladder))
        if not len(open_rows):
            break
        said = source.quantiles(past, window)[:, open_rows]
        complete = (np.isfinite(said).all(axis=0) | ~needed[open_rows]).all(axis=1)
        levels[:, open_rows[complete]] = said[:, complete]
        used[open_rows[complete]] = n
    return levels, used


def _carried(share: FloatArray, unknown: float) -> FloatArray:
    """Gaps filled with the last known share, else the next one, else `unknown`."""
    for _ in range(2):  # onwards, then backwards
        steps = np.arange(share.shape[1])
        last = np.maximum.accumulate(np.where(np.isnan(share), -1, steps), axis=1)
        share = np.where(last >= 0, np.take_along_axis(share, np.maximum(last, 0), axis=1), np.nan)[:, ::-1]
    return np.where(np.isnan(share), unknown, share)


def _told(
    ids: Sequence[str], window: Window, levels: FloatArray, used: IntArray, ladder: Sequence[Source]
) -> tuple[ForecastSeries | NoForecast, ...]:
    told: list[ForecastSeries | NoForecast] = []
    for row, target in enumerate(ids):
        passed = "; ".join(f"{source.model.kind}: {source.reason}" for source in ladder[: used[row]])
        if used[row] == len(ladder):
            told.append(NoForecast(target, passed))
            continue
        source = ladder[used[row]]
        low, middle, high = (tuple(level) for level in levels[:, row].tolist())
        told.append(
            ForecastSeries(
                target=target,
                issued_s=window.issued_s if source.issued_s is None else source.issued_s,
                start_s=window.start_s,
                step_s=window.step_s,
                p10_w=low,
                p50_w=middle,
                p90_w=high,
                model=source.model,
                quality=Quality.GOOD if used[row] == 0 else Quality.ESTIMATED,
                detail=passed,
            )
        )
    return tuple(told)
