"""What limits took: energy that a resource was asked for, or could have made, and was not allowed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.settlement.schedule import Held

DAY_S = 86_400.0
KEPT_DAYS = 30
"""Days, the one that runs among them, over which what was given up is equalised."""
LEAST_WH = 1e-3
"""Less is the rounding of numbers."""


class Source(StrEnum):
    """What says where a resource would have gone."""

    DISPATCH = "dispatch"
    """A dispatch, order, instruction or set point."""
    FORECAST = "forecast"
    """A schedule or forecast, or the power that its device reports as available."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Where a resource would go if nothing limited it, from a moment on until the next wish."""

    since_s: float
    power_w: float | None
    """`None` where nobody can say, or where no limit would be obeyed."""
    source: Source = Source.FORECAST


@dataclass(frozen=True, slots=True)
class Curtailment:
    """What one limit took from one resource, in one market interval or the part of it that the limit held for."""

    resource: str
    limit_id: str
    constraint_id: str
    start_s: float
    end_s: float
    requested_w: float
    """Mean over the time in which it is known."""
    allowed_w: float
    """The same within the limit."""
    energy_wh: float
    """Not injected, or not withdrawn; never negative."""
    source: Source


def taken(
    resource: str, limits: Sequence[Held], wishes: Sequence[Wish], start_s: float, end_s: float
) -> tuple[Curtailment, ...]:
    """What each limit took in a time.

    Args:
        limits: as they were in force, never two at once.
        wishes: by time.
    """
    if not wishes:
        return ()
    parts = (_taken(resource, one, wishes, max(one.start_s, start_s), min(one.end_s, end_s)) for one in limits)
    return tuple(part for part in parts if part is not None)


def _taken(resource: str, limit: Held, wishes: Sequence[Wish], start_s: float, end_s: float) -> Curtailment | None:
    ends_s = [*(wish.since_s for wish in wishes[1:]), end_s]
    known_s = asked_ws = allowed_ws = lost_ws = 0.0
    source = Source.FORECAST
    for wish, until_s in zip(wishes, ends_s, strict=True):
        length_s = min(until_s, end_s) - max(wish.since_s, start_s)
        if wish.power_w is None or length_s <= 0:
            continue
        allowed_w = min(max(wish.power_w, limit.floor_w), limit.ceiling_w)
        known_s += length_s
        asked_ws += wish.power_w * length_s
        allowed_ws += allowed_w * length_s
        lost_ws += abs(wish.power_w - allowed_w) * length_s
        source = wish.source if allowed_w != wish.power_w else source
    if lost_ws / 3600 < LEAST_WH:
        return None
    return Curtailment(
        resource,
        limit.limit_id,
        limit.constraint_id,
        start_s,
        end_s,
        asked_ws / known_s,
        allowed_ws / known_s,
        lost_ws / 3600,
        source,
    )


@dataclass(slots=True)
class GivenUp:
    """What each resource gave up lately; `add` is its only mutation."""

    by_day: dict[int, dict[str, float]] = field(default_factory=dict)
    """Wh by day (since 1970, UTC) and resource."""

    def add(self, found: Sequence[Curtailment]) -> None:
        """Take in what limits took; days that no longer count are forgotten."""
        for one in found:
            day = self.by_day.setdefault(int(one.start_s // DAY_S), {})
            day[one.resource] = day.get(one.resource, 0.0) + one.energy_wh
        for past in sorted(self.by_day)[:-KEPT_DAYS]:
            del self.by_day[past]

    def lately_wh(self, resource: str, now_s: float) -> float:
        """What a resource gave up today and in the days before that count."""
        first = int(now_s // DAY_S) - KEPT_DAYS + 1
        return sum(given.get(resource, 0.0) for day, given in self.by_day.items() if day >= first)
