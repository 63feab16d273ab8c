"""What was in force when: what was asked, the limits that stood against it, and what was due by interval."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
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
        """Whether the system operator is behind it: then the power is due at the end of the interval."""
        return self.by is not AskedBy.ORDER


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


def curtailed_wh(asked: Asked, limits: Sequence[Held], from_w: float) -> dict[str, float]:
    """Energy that limits took from what was asked, by limit."""
    found: dict[str, float] = {}
    for start_s, length_s in pieces(asked.start_s, asked.end_s, 300.0):
        for moment_s in _moments(start_s, length_s):
            wanted_w, limit = _wanted_w(asked, from_w, moment_s), limit_at(limits, moment_s)
            if limit is not None and (lost_w := abs(wanted_w - _clamped(wanted_w, limit))) > SAME_W:
                found[limit.limit_id] = found.get(limit.limit_id, 0.0) + lost_w * length_s / STEPS / 3600
    return found


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
    moments = _moments(start_s, length_s)
    limits = [limit_at(around.limits, moment_s) for moment_s in moments]
    wanted = [_wanted_w(asked, around.from_w, moment_s) for moment_s in moments]
    allowed = [_clamped(w, limit) for w, limit in zip(wanted, limits, strict=True)]
    took = [
        limit.limit_id for w, a, limit in zip(wanted, allowed, limits, strict=True) if limit and abs(w - a) > SAME_W
    ]
    ordered_w, reached_w, allowed_w = asked.power_w - base_w, _mean(wanted) - base_w, _mean(allowed) - base_w
    sold = [_sold_w(around.sold, moment_s, limit) for moment_s, limit in zip(moments, limits, strict=True)]
    sold_w = sum(w - base_w for w in sold if w is not None) / len(sold)
    own_w = allowed_w - (0.0 if terms.stackable else overlap(ordered_w, sold_w))
    box = None if not took else Box(-inf, own_w, took[-1]) if ordered_w >= 0 else Box(own_w, inf, took[-1])
    excuses = (e.emergency_id for e in around.emergencies if e.start_s < start_s + length_s and start_s < e.end_s)
    return Obligation(
        start_s,
        length_s,
        ordered_w,
        box,
        sold_w,
        next(excuses, ""),
        reached_w if asked.wholesale else None,
    )


def _moments(start_s: float, length_s: float) -> list[float]:
    return [start_s + (n + 0.5) * length_s / STEPS for n in range(STEPS)]


def _wanted_w(asked: Asked, from_w: float, time_s: float) -> float:
    """What was asked at a moment: of a dispatch, the straight line to its end."""
    if not asked.wholesale:
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


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
