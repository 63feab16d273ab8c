"""What others expect: issues of forecasts from outside, the newest of each target going before what is configured.

A target is a resource (W injected), a load of the network (W consumed), or `load`: the factor on every load. An issue
that is too old or ends too early says nothing; what is configured, or what was measured last, then stands in, and an
alarm says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.coordination.situation import Situation

LOADS = "load"
FORECAST_STALE = "FORECAST_STALE"
"""Code of the alarm for a source that is not heard of any more."""


@dataclass(frozen=True, slots=True)
class ForecastIssued:
    """A source said what it expects."""

    issue_id: str
    source: str
    issued_s: float
    """When it was made, not when it came."""
    start_s: float
    step_s: float
    values: Mapping[str, tuple[float, ...]]
    """By target."""
    at_s: float
    by: str

    def at(self, target: str, time_s: float) -> float | None:
        """What is expected in the step that contains a time; nothing outside of the issue."""
        series = self.values.get(target, ())
        step = int((time_s - self.start_s) // self.step_s)
        return series[step] if 0 <= step < len(series) else None


@dataclass(slots=True)
class Issues:
    """The newest issue of each source; `fold` is its only mutation."""

    newest: dict[str, ForecastIssued] = field(default_factory=dict)

    def fold(self, event: ForecastIssued) -> None:
        """Take an issue in; one that was made before the one held changes nothing."""
        held = self.newest.get(event.source)
        if held is None or held.issued_s <= event.issued_s:
            self.newest[event.source] = event

    def valid(self, now_s: float, oldest_s: float) -> tuple[ForecastIssued, ...]:
        """Those that are not too old, the newest first."""
        found = [one for one in self.newest.values() if now_s - one.issued_s <= oldest_s]
        return tuple(sorted(found, key=lambda one: -one.issued_s))


def expected(at: "Situation", target: str, time_s: float) -> float | None:
    """What the newest valid issue that speaks of a target and a time expects; nothing where none does."""
    for issue in at.book.topology.issues.valid(at.now_s, at.zone.forecast_oldest_s):
        value = issue.at(target, time_s)
        if value is not None:
            return value
    return None


def load_w(at: "Situation", starts_s: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    """Consumption of each load that is expected at every one of some times."""
    valid = at.book.topology.issues.valid(at.now_s, at.zone.forecast_oldest_s)
    targets = dict.fromkeys(target for issue in valid for target in issue.values)
    found: dict[str, tuple[float, ...]] = {}
    for target in targets:
        if target == LOADS or target in at.zone.resources:
            continue
        series = [expected(at, target, start_s) for start_s in starts_s]
        known = tuple(value for value in series if value is not None)
        if len(known) == len(series):
            found[target] = known
    return found


def cited(at: "Situation") -> tuple[str, str]:
    """Ids and sources of the issues in use, beside those of the configuration."""
    valid = at.book.topology.issues.valid(at.now_s, at.zone.forecast_oldest_s)
    zone = at.zone
    ids = "+".join(one for one in (zone.forecast_id, *(issue.issue_id for issue in valid)) if one)
    models = "+".join(one for one in (zone.forecast_model, *(issue.source for issue in valid)) if one)
    return ids, models


def silent(at: "Situation") -> tuple[tuple[str, str], ...]:
    """Sources that were heard once and have nothing to say any more, each once per outage, and since when."""
    found = []
    for source, issue in at.book.topology.issues.newest.items():
        ends_s = min(issue.issued_s + at.zone.forecast_oldest_s, issue.start_s + issue.step_s * _steps(issue))
        told_s = at.book.alarms.get((FORECAST_STALE, source), -inf)
        if at.now_s > ends_s > told_s:
            since = datetime.fromtimestamp(ends_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            found.append((source, f"issue {issue.issue_id} says nothing since {since}; persistence stands in"))
    return tuple(found)


def _steps(issue: ForecastIssued) -> int:
    return max((len(series) for series in issue.values.values()), default=0)
