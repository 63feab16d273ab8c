"""Did the resource do what was ordered? Interval by interval, after limits, ramps and schedules sold elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.settlement.words import Box, Performance, Terms


@dataclass(frozen=True, slots=True)
class Obligation:
    """What was ordered in one interval, and what stood against it."""

    start_s: float
    length_s: float
    ordered_w: float
    """Change against the baseline; its sign is the direction."""
    box: Box | None = None
    """Limit in force, on the change like the order."""
    wholesale_w: float = 0.0
    """Change that the resource sold for the same interval in the wholesale market."""
    emergency: str = ""
    """Id of an emergency in force; it excuses whatever is missing."""
    reached_w: float | None = None
    """Mean change over the interval where the order is only due at its end; the order itself where absent."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """How well an order was delivered, in all."""

    delivery_ratio: float
    """Delivered of expected energy; 1 where nothing was expected."""
    shortfall_mwh: float
    latency_s: float | None
    """From the start to the first interval with 5 % of the order, `None` where it never moved."""
    reached_s: float | None
    """From the start to the first interval with 90 % of what was expected in the end."""
    compliance_pct: float
    """Intervals with power inside the limit and its band, of those with a limit; 100 where there was none."""
    curtailed_mwh: float
    estimated: int
    """Intervals whose metered value was filled in."""


def performances(
    obligations: Sequence[Obligation],
    baseline_w: Sequence[float],
    metered_w: Sequence[float],
    terms: Terms,
    estimated: Sequence[bool] = (),
) -> tuple[Performance, ...]:
    """One `Performance` per interval.

    Args:
        baseline_w: power without the order, per interval.
        metered_w: power measured, per interval.
        estimated: which metered values were filled in; none where empty.

    Raises:
        ValueError: the series differ in length.
    """
    flags = tuple(estimated) or (False,) * len(obligations)
    found: list[Performance] = []
    reached_w = 0.0
    for one, base_w, actual_w, filled in zip(obligations, baseline_w, metered_w, flags, strict=True):
        sold_w = 0.0 if terms.stackable else overlap(one.ordered_w, one.wholesale_w)
        due = _due(one, one.ordered_w - sold_w, reached_w, terms)
        found.append(_performance(one, due, (base_w + sold_w, actual_w), filled=filled, grace_pct=terms.grace_pct))
        reached_w = due.expected_w
    return tuple(found)


def metrics(found: Sequence[Performance], boxes: Sequence[Box | None], band_w: float = 100_000.0) -> Metrics:
    """The figures of an order; `boxes` are limits on power itself, per interval."""
    expected = sum(abs(p.expected_w) * p.length_s for p in found)
    delivered = sum(p.delivered_w * p.length_s for p in found)
    limited = [(p, box) for p, box in zip(found, boxes, strict=True) if box is not None]
    inside = sum(_inside(p.metered_w, box, band_w) for p, box in limited)
    order_w = max((abs(p.ordered_w) for p in found), default=0.0)
    final_w = abs(found[-1].expected_w) if found else 0.0
    return Metrics(
        delivery_ratio=1.0 if expected == 0 else delivered / expected,
        shortfall_mwh=sum(p.shortfall_w * p.length_s for p in found) / 3.6e9,
        latency_s=_first(found, 0.05 * order_w),
        reached_s=_first(found, 0.9 * final_w),
        compliance_pct=100.0 * inside / len(limited) if limited else 100.0,
        curtailed_mwh=sum(p.curtailed_w * p.length_s for p in found) / 3.6e9,
        estimated=sum(p.estimated for p in found),
    )


def remeasured(found: Performance, metered_w: float, grace_pct: float) -> Performance:
    """The same interval by another meter."""
    due = _Due(found.expected_w, found.curtailed_w, "")
    base_w, emergency = found.baseline_w, found.excused_by if found.emergency else ""
    one = Obligation(found.start_s, found.length_s, found.ordered_w, emergency=emergency)
    again = _performance(one, due, (base_w, metered_w), filled=False, grace_pct=grace_pct)
    return replace(again, excused_by=found.excused_by)


@dataclass(frozen=True, slots=True)
class _Due:
    """What an interval's order comes to."""

    expected_w: float
    curtailed_w: float
    limit_id: str


def _due(one: Obligation, own_w: float, from_w: float, terms: Terms) -> _Due:
    allowed_w, limit_id = _clamped(own_w, one.box)
    if one.reached_w is not None:
        expected_w = _nearer(one.reached_w, allowed_w)
        return _Due(expected_w, abs(one.reached_w - expected_w), limit_id)
    reached_w = _ramped(from_w, own_w, one.length_s, terms)
    return _Due(_nearer(reached_w, allowed_w), abs(own_w - allowed_w), limit_id)


def _performance(
    one: Obligation, due: _Due, measured_w: tuple[float, float], *, filled: bool, grace_pct: float
) -> Performance:
    base_w, actual_w = measured_w
    sign = 1.0 if one.ordered_w >= 0 else -1.0
    size_w, moved_w = abs(due.expected_w), sign * (actual_w - base_w)
    short_w = max(0.0, size_w - moved_w)
    # Nothing expected is no obligation, whichever way the resource moved.
    if one.emergency or size_w == 0 or short_w <= grace_pct / 100 * size_w:
        short_w = 0.0
    return Performance(
        start_s=one.start_s,
        length_s=one.length_s,
        ordered_w=one.ordered_w,
        expected_w=due.expected_w,
        baseline_w=base_w,
        metered_w=actual_w,
        delivered_w=min(max(moved_w, 0.0), size_w),
        shortfall_w=short_w,
        curtailed_w=due.curtailed_w,
        excused_by=one.emergency or due.limit_id,
        emergency=bool(one.emergency),
        estimated=filled,
    )


def overlap(ordered_w: float, wholesale_w: float) -> float:
    """What of an order the wholesale schedule pays for already: the same direction, the smaller of both."""
    if ordered_w * wholesale_w <= 0:
        return 0.0
    return min(abs(ordered_w), abs(wholesale_w)) * (1.0 if ordered_w > 0 else -1.0)


def _clamped(ordered_w: float, box: Box | None) -> tuple[float, str]:
    """The order inside a limit, never turned round, and the limit's id where it took something."""
    if box is None:
        return ordered_w, ""
    inside_w = min(max(ordered_w, box.floor_w), box.ceiling_w)
    if inside_w * ordered_w <= 0:
        inside_w = 0.0
    return (inside_w, box.limit_id or "limit") if abs(inside_w - ordered_w) > 1.0 else (ordered_w, "")


def _ramped(from_w: float, to_w: float, length_s: float, terms: Terms) -> float:
    if not terms.ramp_profile or terms.ramp_w_per_s is None:
        return to_w
    step_w = terms.ramp_w_per_s * length_s
    return min(max(to_w, from_w - step_w), from_w + step_w)


def _nearer(one_w: float, other_w: float) -> float:
    return one_w if abs(one_w) <= abs(other_w) else other_w


def _inside(power_w: float, box: Box, band_w: float) -> bool:
    return box.floor_w - band_w <= power_w <= box.ceiling_w + band_w


def _first(found: Sequence[Performance], level_w: float) -> float | None:
    if level_w <= 0:
        return None
    reached = (p.start_s + p.length_s - found[0].start_s for p in found if p.delivered_w >= level_w)
    return next(reached, None)
