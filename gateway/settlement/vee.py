"""Validates, estimates and edits meter data; what was measured is kept beside what is used.

Rules after the usual practice of meter data management: a value is wrong where it is missing, not a number,
beyond what the connection can carry, or far from its neighbours where nobody has asked for that; short gaps
are interpolated, long ones are filled from the same time on a like day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite
from statistics import median

from gateway.settlement.words import MeterInterval, MeterQuality

ASKED = 1.1
"""Up to so much of what was asked is taken for an answer to it."""


class MeterFault(StrEnum):
    """What is wrong with an interval."""

    MISSING = "MISSING"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    BEYOND_CONNECTION = "BEYOND_CONNECTION"
    SPIKE = "SPIKE"


@dataclass(frozen=True, slots=True)
class VeeRules:
    """When a value is wrong, and how far it may be filled in."""

    capacity_w: float
    """Most that the connection carries either way."""
    spike_factor: float = 5.0
    """A value further from its neighbours' median than so many times their spread is a spike…"""
    spike_floor_pct: float = 20.0
    """…if it is also this far away, in percent of the capacity: small ones are life."""
    neighbours: int = 6
    """Values on each side that a spike is judged by."""
    interpolated: int = 24
    """Longest gap, in intervals, that a straight line may bridge."""


@dataclass(frozen=True, slots=True)
class Step:
    """What was asked of a resource for a time: up to there its power may have moved at once."""

    start_s: float
    end_s: float
    power_w: float


@dataclass(frozen=True, slots=True)
class Verified:
    """One interval as it is used, and how it came to be so."""

    interval: MeterInterval
    fault: MeterFault | None = None
    original_wh: float | None = None
    """What the meter said; `None` where it said nothing."""


def verified(
    intervals: Sequence[MeterInterval],
    start_s: float,
    count: int,
    rules: VeeRules,
    like_day_wh: Mapping[float, float] | None = None,
    *,
    asked: Sequence[Step] = (),
) -> tuple[Verified, ...]:
    """`count` intervals from `start_s` on, each good, estimated or bad.

    Args:
        intervals: of one meter and one length, in any order; the last one said for a start counts.
        like_day_wh: energy by start, for gaps too long to interpolate.
        asked: what explains that a value stands alone.

    Raises:
        ValueError: the intervals are of several meters or lengths, or there is none.
    """
    if len({(one.meter, one.length_s, one.source) for one in intervals}) != 1:
        raise ValueError(f"one meter with one interval length is needed, not {len(intervals)} mixed intervals")
    said = {one.start_s: one for one in intervals}
    length_s = intervals[0].length_s
    starts = [start_s + n * length_s for n in range(count)]
    raw = [said[s].energy_wh if s in said else None for s in starts]
    faults = _faults(raw, length_s, rules)
    for n, (start, fault) in enumerate(zip(starts, faults, strict=True)):
        if fault is MeterFault.SPIKE and _explained(raw[n], start, length_s, asked):
            faults[n] = None
    good = [None if fault else value for value, fault in zip(raw, faults, strict=True)]
    result = []
    for n, (start, value, fault) in enumerate(zip(starts, raw, faults, strict=True)):
        template = replace(intervals[0], start_s=start)
        if fault is None and value is not None:
            quality = said[start].quality
            result.append(Verified(replace(template, energy_wh=value, quality=quality), None, value))
            continue
        filled = _interpolated(good, n, rules.interpolated)
        if filled is None:
            filled = (like_day_wh or {}).get(start)
        quality = MeterQuality.BAD if filled is None else MeterQuality.ESTIMATED
        result.append(Verified(replace(template, energy_wh=filled or 0.0, quality=quality), fault, value))
    return tuple(result)


def mismatches(ours: Sequence[MeterInterval], theirs: Sequence[MeterInterval], tolerance_pct: float = 2.0) -> float:
    """How far two meters of one connection disagree over the intervals that both have, in percent of ours.

    Returns:
        The signed disagreement where it exceeds `tolerance_pct`, else 0.
    """
    other = {one.start_s: one.energy_wh for one in theirs}
    pairs = [(one.energy_wh, other[one.start_s]) for one in ours if one.start_s in other]
    own_wh, their_wh = sum(abs(a) for a, _ in pairs), sum(abs(b) for _, b in pairs)
    if own_wh == 0:
        return 0.0 if their_wh == 0 else 100.0
    apart_pct = 100.0 * (their_wh - own_wh) / own_wh
    return apart_pct if abs(apart_pct) > tolerance_pct else 0.0


def _faults(raw: Sequence[float | None], length_s: float, rules: VeeRules) -> list[MeterFault | None]:
    most_wh = rules.capacity_w * length_s / 3600.0
    plain = [_plain_fault(value, most_wh) for value in raw]
    credible = [value if fault is None else None for value, fault in zip(raw, plain, strict=True)]
    return [fault or _spike(credible, n, most_wh, rules) for n, fault in enumerate(plain)]


def _plain_fault(value: float | None, most_wh: float) -> MeterFault | None:
    if value is None:
        return MeterFault.MISSING
    if not isfinite(value):
        return MeterFault.NOT_A_NUMBER
    return MeterFault.BEYOND_CONNECTION if abs(value) > 1.1 * most_wh else None


def _spike(values: Sequence[float | None], n: int, most_wh: float, rules: VeeRules) -> MeterFault | None:
    near = [v for v in values[max(0, n - rules.neighbours) : n + rules.neighbours + 1] if v is not None]
    value = values[n]
    if value is None or len(near) < rules.neighbours or n in (0, len(values) - 1):
        return None  # at an end nobody can tell a spike from a step
    middle = median(near)
    spread = median(abs(v - middle) for v in near)
    away = abs(value - middle)
    far = away > rules.spike_factor * max(spread, 0.01 * most_wh) and away > rules.spike_floor_pct / 100 * most_wh
    # A step or slope is no spike: one of the two neighbours went along, or they lie on either side.
    apart = [value - v for v in (values[n - 1], values[n + 1]) if v is not None]
    alone = all(abs(d) > 0.5 * away for d in apart) and (min(apart, default=1.0) > 0 or max(apart, default=-1.0) < 0)
    return MeterFault.SPIKE if far and alone else None


def _explained(value: float | None, start_s: float, length_s: float, asked: Sequence[Step]) -> bool:
    """Whether the power of an interval lies between nothing and what was asked for then, or little beyond that."""
    power_w = 0.0 if value is None else value * 3600.0 / length_s
    near = (step for step in asked if step.start_s < start_s + length_s and start_s < step.end_s)
    return any(power_w * step.power_w >= 0 and abs(power_w) <= ASKED * abs(step.power_w) for step in near)


def _interpolated(good: Sequence[float | None], n: int, longest: int) -> float | None:
    """On the straight line between the nearest good values, if these are near enough."""
    before = next((m for m in range(n - 1, -1, -1) if good[m] is not None), None)
    after = next((m for m in range(n + 1, len(good)) if good[m] is not None), None)
    if before is None or after is None or after - before - 1 > longest:
        return None
    low, high = good[before], good[after]
    if low is None or high is None:
        return None
    return low + (high - low) * (n - before) / (after - before)
