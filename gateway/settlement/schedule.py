"""What was in force when: what was asked, the limits that stood against it, and what was due by interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import inf

from gateway.settlement.performance import Obligation, overlap
from gateway.settlement.words import Box, Terms

STEPS = 300
"""Moments at which an interval is looked at: limits and dispatches may change within it."""
SAME_W = 1.0


class AskedBy(StrEnum):
    """What somebody was asked by."""

    ORDER = "order"
    """A distribution service: the power itself, for the whole time."""
    SCHEDULE = "schedule"
    """Its part of the schedule of a node (total DSO): the power itself, wherever no dispatch took its place."""
    INSTRUCTION = "instruction"
    """Its part of the dispatch of a node (total DSO)."""
    RELAY = "relay"
    """The system operator's dispatch, passed on (market facilitator)."""
    DISPATCH = "dispatch"
    """The system operator's dispatch, seen as a copy (dual participation)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a resource was asked to do, as long as it was in force."""

    ref: str
    version: int
    resource: str
    by: AskedBy
    power_w: float
    start_s: float
    end_s: float
    """Earlier than agreed where something newer took over."""
    sent_s: float
    price_per_mwh: float = 0.0
    program: str = ""
    part_of: str = ""
    """The dispatch of the node that it is a part of."""
    agreed_end_s: float = 0.0
    """Where the straight line to `power_w` ends, whatever took over before; of an order it means nothing."""
    revoked_s: float | None = None

    @property
    def key(self) -> str:
        """Names it among all versions."""
        return f"{self.ref}:{self.version}"

    @property
    def taken_back(self) -> bool:
        """Whether it was revoked before it began, so that nothing was due but its availability."""
        return self.revoked_s is not None and self.revoked_s <= self.start_s

    @property
    def wholesale(self) -> bool:
        """Whether the system operator is behind it."""
        return self.by is not AskedBy.ORDER

    @property
    def ramped(self) -> bool:
        """Whether the power is due at the end of the interval, on the straight line to there."""
        return self.by not in (AskedBy.ORDER, AskedBy.SCHEDULE)


@dataclass(frozen=True, slots=True)
class Held:
    """A limit of a resource, as long as it was in force."""

    limit_id: str
    start_s: float
    end_s: float
    floor_w: float
    ceiling_w: float
    constraint_id: str = ""


@dataclass(frozen=True, slots=True)
class Excuse:
    """An emergency, as long as it lasted."""

    emergency_id: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What stood beside the thing asked, for one resource."""

    limits: Sequence[Held] = ()
    sold: Sequence[Asked] = ()
    """What the system operator asked of it at the same time."""
    emergencies: Sequence[Excuse] = ()
    from_w: float = 0.0
    """Where the resource stood when it began; a dispatch ramps from there to its end."""
    interval_s: float = 300.0
    """Of the market."""


def pieces(start_s: float, end_s: float, interval_s: float) -> list[tuple[float, float]]:
    """Start and length of each market interval, or part of one, between two moments."""
    found: list[tuple[float, float]] = []
    at_s = start_s
    while at_s < end_s - 1e-6:
        next_s = min((at_s // interval_s + 1) * interval_s, end_s)
        found.append((at_s, next_s - at_s))
        at_s = next_s
    return found


def obligations(
    asked: Asked,
    around: Circumstances,
    baseline_w: Sequence[float],
    terms: Terms,
) -> tuple[Obligation, ...]:
    """What was due in each interval, within the limits in force and beside what was sold already.

    Args:
        baseline_w: power without it, per interval.
    """
    windows = pieces(asked.start_s, asked.end_s, around.interval_s)
    return tuple(
        _obligation(asked, around, window, base_w, terms) for window, base_w in zip(windows, baseline_w, strict=True)
    )


def limit_at(limits: Sequence[Held], time_s: float) -> Held | None:
    """The limit in force at a moment: the latest start."""
    valid = [held for held in limits if held.start_s <= time_s < held.end_s]
    return max(valid, key=lambda held: held.start_s, default=None)


def _obligation(
    asked: Asked,
    around: Circumstances,
    window: tuple[float, float],
    base_w: float,
    terms: Terms,
) -> Obligation:
    start_s, length_s = window
    end_s = start_s + length_s
    near = [held for held in around.limits if held.start_s < end_s and start_s < held.end_s]
    beside = [one for one in around.sold if one.start_s < end_s and start_s < one.end_s]
    edges = [t for held in near for t in (held.start_s, held.end_s)] + [t for a in beside for t in (a.start_s, a.end_s)]
    moments, weights = _moments(start_s, length_s) if asked.ramped else _between(start_s, end_s, edges)
    limits = [limit_at(near, moment_s) for moment_s in moments]
    wanted = [_wanted_w(asked, around.from_w, moment_s) for moment_s in moments]
    allowed = [_clamped(w, limit) for w, limit in zip(wanted, limits, strict=True)]
    took = [
        limit.limit_id for w, a, limit in zip(wanted, allowed, limits, strict=True) if limit and abs(w - a) > SAME_W
    ]
    sold = [_sold_w(beside, moment_s, limit) for moment_s, limit in zip(moments, limits, strict=True)]
    if asked.by is AskedBy.SCHEDULE:  # a dispatch takes its place, whatever that asks for
        wanted = [w if other is None else base_w for w, other in zip(wanted, sold, strict=True)]
        allowed = [w if other is None else base_w for w, other in zip(allowed, sold, strict=True)]
        sold = [None] * len(sold)
    reached_w, allowed_w = _mean(wanted, weights) - base_w, _mean(allowed, weights) - base_w
    ordered_w = reached_w if asked.by is AskedBy.SCHEDULE else asked.power_w - base_w
    sold_w = _mean([0.0 if w is None else w - base_w for w in sold], weights)
    own_w = allowed_w - (0.0 if terms.stackable else overlap(ordered_w, sold_w))
    box = None if not took else Box(-inf, own_w, took[-1]) if ordered_w >= 0 else Box(own_w, inf, took[-1])
    excuses = (e.emergency_id for e in around.emergencies if e.start_s < end_s and start_s < e.end_s)
    return Obligation(
        start_s,
        length_s,
        ordered_w,
        box,
        sold_w,
        next(excuses, ""),
        reached_w if asked.ramped else None,
    )


Moments = tuple[list[float], list[float]]
"""Moments of an interval, and the part of it that each stands for."""


def _moments(start_s: float, length_s: float) -> Moments:
    """Evenly: a dispatch changes all the time."""
    return [start_s + (n + 0.5) * length_s / STEPS for n in range(STEPS)], [1 / STEPS] * STEPS


def _between(start_s: float, end_s: float, edges: Sequence[float]) -> Moments:
    """One in the middle of every part in which nothing changes."""
    inside = sorted({start_s, end_s, *(t for t in edges if start_s < t < end_s)})
    parts = list(pairwise(inside))
    return [(a + b) / 2 for a, b in parts], [(b - a) / (end_s - start_s) for a, b in parts]


def _wanted_w(asked: Asked, from_w: float, time_s: float) -> float:
    """What was asked at a moment: of a dispatch, the straight line to its end."""
    if not asked.ramped:
        return asked.power_w
    end_s, told_s = max(asked.agreed_end_s, asked.end_s), max(asked.start_s, asked.sent_s)
    part = (time_s - told_s) / max(end_s - told_s, 1e-9)
    return from_w + min(max(part, 0.0), 1.0) * (asked.power_w - from_w)


def _sold_w(sold: Sequence[Asked], time_s: float, limit: Held | None) -> float | None:
    """What the wholesale schedule takes at a moment, within the limit; nothing where there is none."""
    held = [one for one in sold if one.start_s <= time_s < one.end_s]
    return None if not held else _clamped(max(held, key=lambda one: one.sent_s).power_w, limit)


def _clamped(power_w: float, limit: Held | None) -> float:
    return power_w if limit is None else min(max(power_w, limit.floor_w), limit.ceiling_w)


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    return sum(value * weight for value, weight in zip(values, weights, strict=True))
