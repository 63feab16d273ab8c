"""What a resource would have done without the order: baselines by the methods that markets use.

All series are in the product's sign (injection positive) and interval by interval of the event. A baseline
is made from the days before, never from the event itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite, sqrt
from statistics import fmean


class BaselineError(Exception):
    """A baseline cannot be made from what there is; says what is missing."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day's power during the hours of the event, and in the window before it that adjustments use."""

    on: date
    power_w: tuple[float, ...]
    before_w: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Baseline:
    """The power expected without the order, per interval, and how it was found."""

    power_w: tuple[float, ...]
    method: str
    factor: float = 1.0
    """By which the day's own start moved it."""
    days: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class Quality:
    """How a baseline fares on days without an event."""

    bias_pct: float
    """Mean error, of the mean magnitude; positive where the baseline is above what was metered."""
    cv_rmse_pct: float
    """Root mean square error, of the mean magnitude."""


def suitable(days: Sequence[Day], excluded: frozenset[date]) -> tuple[Day, ...]:
    """The days that a baseline may stand on: no event, holiday or outage, and numbers throughout; newest first."""
    fit = (day for day in days if day.on not in excluded and all(isfinite(p) for p in (*day.power_w, *day.before_w)))
    return tuple(sorted(fit, key=lambda day: day.on, reverse=True))


def high_x_of_y(days: Sequence[Day], before_w: Sequence[float], x: int = 15, y: int = 20, cap: float = 0.2) -> Baseline:
    """Mean of the `x` days of highest consumption among the `y` newest, adjusted by the start of the event day.

    Args:
        days: suitable ones, newest first.
        before_w: power on the event day in the window before the event; empty for no adjustment.
        cap: the factor stays between 1 - cap and 1 + cap.

    Raises:
        BaselineError: fewer than `y` days.
    """
    chosen = sorted(_newest(days, y), key=lambda day: fmean(day.power_w))[:x]
    return _adjusted(chosen, before_w, f"high_{x}_of_{y}", cap)


def mid_x_of_y(days: Sequence[Day], before_w: Sequence[float], x: int = 10, y: int = 20, cap: float = 0.2) -> Baseline:
    """The same from the `x` days in the middle, as many left out above as below.

    Raises:
        BaselineError: fewer than `y` days.
    """
    ranked = sorted(_newest(days, y), key=lambda day: fmean(day.power_w))
    skipped = (y - x) // 2
    return _adjusted(ranked[skipped : skipped + x], before_w, f"mid_{x}_of_{y}", cap)


def meter_before(before_w: Sequence[float], count: int) -> Baseline:
    """The mean of the window before the event, held on.

    Raises:
        BaselineError: the window is empty.
    """
    if not before_w:
        raise BaselineError("meter_before_after needs metered power before the event")
    return Baseline((fmean(before_w),) * count, "meter_before_after")


def nomination(power_w: Sequence[float]) -> Baseline:
    """What the resource announced before the order."""
    return Baseline(tuple(power_w), "nomination")


def control_group(group_w: Sequence[float], own_before_w: Sequence[float], group_before_w: Sequence[float]) -> Baseline:
    """The mean of like resources without an order, scaled by how the resource compared to it before.

    Raises:
        BaselineError: the group stood at nothing before the event.
    """
    scale = _ratio(fmean(own_before_w), fmean(group_before_w), "the control group")
    return Baseline(tuple(scale * p for p in group_w), "control_group", scale)


def regression(days: Sequence[Day], day_temperature_c: Mapping[date, float], event_c: float) -> Baseline:
    """Least squares on the day's temperature, interval by interval.

    Raises:
        BaselineError: fewer than three days with a temperature, or all equally warm.
    """
    known = [day for day in days if day.on in day_temperature_c]
    warmth = [day_temperature_c[day.on] for day in known]
    if len(known) < 3 or max(warmth) - min(warmth) < 1e-9:
        raise BaselineError(f"regression needs three days of different temperature, there are {len(known)}")
    middle = fmean(warmth)
    spread = sum((t - middle) ** 2 for t in warmth)
    power_w = []
    for n in range(len(known[0].power_w)):
        series = [day.power_w[n] for day in known]
        level = fmean(series)
        slope = sum((t - middle) * (p - level) for t, p in zip(warmth, series, strict=True)) / spread
        power_w.append(level + slope * (event_c - middle))
    return Baseline(tuple(power_w), "regression", days=tuple(day.on for day in known))


def nothing(count: int) -> Baseline:
    """Zero: for generators and stores that stand still without an order."""
    return Baseline((0.0,) * count, "zero")


def potential(forecast_w: Sequence[float]) -> Baseline:
    """What a curtailed generator could have made: the median forecast of its possible power."""
    return Baseline(tuple(forecast_w), "forecast_potential")


def quality(baseline_w: Sequence[float], metered_w: Sequence[float]) -> Quality:
    """Bias and CV(RMSE) of a baseline against what was metered on days without an event.

    Raises:
        BaselineError: nothing was metered.
    """
    level_w = fmean(abs(m) for m in metered_w) if metered_w else 0.0
    if level_w == 0:
        raise BaselineError("nothing was metered on the days to compare with")
    errors = [b - m for b, m in zip(baseline_w, metered_w, strict=True)]
    return Quality(100 * fmean(errors) / level_w, 100 * sqrt(fmean(e * e for e in errors)) / level_w)


def _newest(days: Sequence[Day], y: int) -> Sequence[Day]:
    if len(days) < y:
        raise BaselineError(f"{y} suitable days are needed, there are {len(days)}")
    return sorted(days, key=lambda day: day.on, reverse=True)[:y]


def _adjusted(chosen: Sequence[Day], before_w: Sequence[float], method: str, cap: float) -> Baseline:
    count = len(chosen[0].power_w)
    power_w = [fmean(day.power_w[n] for day in chosen) for n in range(count)]
    factor = 1.0
    if before_w:
        windows = [day.before_w or day.power_w for day in chosen]
        usual_w = fmean(fmean(window) for window in windows)
        factor = min(max(_ratio(fmean(before_w), usual_w, "the days before"), 1 - cap), 1 + cap)
    on = tuple(sorted(day.on for day in chosen))
    return Baseline(tuple(factor * p for p in power_w), method, factor, on)


def _ratio(own_w: float, usual_w: float, of_whom: str) -> float:
    if usual_w == 0:
        raise BaselineError(f"{of_whom} stood at nothing before the event, so there is nothing to scale by")
    return own_w / usual_w
