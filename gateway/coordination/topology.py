"""When the network is not as its model has it: planned work, forced outages, and an operator's overrides.

What the field reports holds now; what is planned holds for the intervals ahead. An override goes before both. Times
are Unix seconds UTC.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf

from gateway.coordination.forecasts import ForecastIssued, Issues
from gateway.coordination.long_term import NeedsImported
from gateway.coordination.model_records import ModelEvent, Models
from grid_engine.results import NetworkState

SETTLES_S = 300.0
"""So long after a change was due, the report of the time before says nothing of the intervals ahead."""
PASSING_S = 86_400.0
"""Works up to this long are an exception: what resources do meanwhile is not what they did before."""
KEPT_S = 7 * 86_400.0
"""How long ended works are remembered."""


class WorkKind(StrEnum):
    """Why the network differs."""

    PLANNED = "planned"
    FORCED = "forced"
    OVERRIDE = "override"
    """An operator says so, whatever the field reports, for a while."""


@dataclass(frozen=True, slots=True)
class Work:
    """A time in which some elements of the network are not as the model has them."""

    id: str
    kind: WorkKind
    start_s: float
    end_s: float
    state: NetworkState
    """Of the elements that it is about, and no others."""
    reason: str = ""
    source: str = ""
    """Who said so."""

    def governs(self, time_s: float) -> bool:
        """Whether it is going on at a time."""
        return self.start_s <= time_s < self.end_s

    @property
    def described(self) -> str:
        """What it does, for people."""
        switched = (f"{name} {'closed' if on else 'open'}" for name, on in self.state.switches_closed.items())
        served = (f"{name} {'in' if on else 'out of'} service" for name, on in self.state.in_service.items())
        tapped = (f"{name} at tap {tap}" for name, tap in self.state.taps.items())
        return ", ".join((*switched, *served, *tapped))


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A work was accepted, in place of an earlier one of its id."""

    work: Work
    at_s: float


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A work will not be, or is over before its time."""

    work_id: str
    at_s: float
    by: str


@dataclass(slots=True)
class Topology:
    """Every work that is going on, is to come, or ended lately; `fold` is its only mutation."""

    works: dict[str, Work] = field(default_factory=dict)
    models: Models = field(default_factory=Models)
    """Of the network that all of this is laid over."""

    issues: Issues = field(default_factory=Issues)
    """Of what is expected to flow in it."""
    long_term: NeedsImported | None = None
    """What it will need in years to come; nothing before the first import."""

    def fold(self, event: Scheduled | Cancelled | ModelEvent | ForecastIssued | NeedsImported) -> None:
        """Take one event in."""
        match event:
            case ForecastIssued():
                self.issues.fold(event)
            case NeedsImported():
                self.long_term = event
            case Scheduled() | Cancelled():
                self._scheduled(event)
            case _:
                self.models.fold(event)

    def _scheduled(self, event: Scheduled | Cancelled) -> None:
        kept = {name: work for name, work in self.works.items() if work.end_s > event.at_s - KEPT_S}
        match event:
            case Scheduled(work):
                kept[work.id] = work
            case Cancelled(work_id):
                gone = kept.pop(work_id, None)
                if gone is not None and gone.governs(event.at_s):
                    kept[work_id] = replace(gone, end_s=event.at_s)
        self.works = kept

    def at(self, time_s: float) -> tuple[Work, ...]:
        """What is going on at a time; overrides last, for they go before the others."""
        found = [work for work in self.works.values() if work.governs(time_s)]
        return tuple(sorted(found, key=lambda work: (work.kind is WorkKind.OVERRIDE, work.start_s)))

    def next_change_s(self, now_s: float) -> float:
        """When something begins or ends next; infinite where nothing does."""
        return min((when_s for when_s in self.boundaries() if when_s > now_s), default=inf)

    def boundaries(self) -> Iterator[float]:
        """When something begins or ends."""
        for work in self.works.values():
            yield from (work.start_s, work.end_s)


@dataclass(frozen=True, slots=True)
class Reported:
    """What the field says of its switches, taps and capacitors."""

    state: NetworkState
    fresh: frozenset[str] = frozenset()
    """Elements whose report is not old."""


def expected(topology: Topology, reported: Reported, now_s: float, time_s: float) -> NetworkState:
    """The network at a time from now on; what neither is reported nor planned is as it was loaded."""
    works = topology.at(time_s)
    if time_s <= now_s:
        over = [work for work in works if work.kind is WorkKind.OVERRIDE]
        unseen = [_without(work.state, reported.fresh) for work in works if work.kind is not WorkKind.OVERRIDE]
        return _laid(reported.state, *unseen, *(work.state for work in over))
    passing = [
        name
        for work in topology.works.values()
        if work.start_s <= now_s < work.end_s + SETTLES_S
        for name in _names(work.state)
    ]
    return _laid(_without(reported.state, frozenset(passing)), *(work.state for work in works))


def changed_between(topology: Topology, reported: Reported, since_s: float, now_s: float) -> bool:
    """Whether the network was to change after a time and until now, and the field shows that it has."""
    due = any(since_s < when_s <= now_s for when_s in topology.boundaries())
    return due and all(_shown(work, reported, now_s) for work in topology.works.values())


def exceptional(topology: Topology, reported: Reported, now_s: float) -> bool:
    """Whether the network is not as it mostly is: what is new now has to give way once it is again."""
    passing = [work for work in topology.works.values() if work.end_s - work.start_s <= PASSING_S]
    return any(work.governs(now_s) or not _shown(work, reported, now_s) for work in passing)


def _shown(work: Work, reported: Reported, now_s: float) -> bool:
    """Whether no fresh report speaks against a work that is going on, or against the end of one."""
    if not work.start_s <= now_s < work.end_s + SETTLES_S:
        return True
    said, planned = reported.state, work.state
    same = [
        said.switches_closed.get(name, on) == on
        for name, on in planned.switches_closed.items()
        if name in reported.fresh
    ]
    same += [said.in_service.get(name, on) == on for name, on in planned.in_service.items() if name in reported.fresh]
    return all(same) if work.governs(now_s) else not same or not any(same)


def _names(state: NetworkState) -> frozenset[str]:
    return frozenset((*state.taps, *state.switches_closed, *state.in_service))


def _without(state: NetworkState, names: frozenset[str]) -> NetworkState:
    return NetworkState(
        state.source_voltage_pu,
        {name: tap for name, tap in state.taps.items() if name not in names},
        {name: on for name, on in state.switches_closed.items() if name not in names},
        {name: on for name, on in state.in_service.items() if name not in names},
    )


def _laid(below: NetworkState, *above: NetworkState) -> NetworkState:
    """The state with others laid over it, the last one on top."""
    taps, closed, served = dict(below.taps), dict(below.switches_closed), dict(below.in_service)
    for state in above:
        taps |= state.taps
        closed |= state.switches_closed
        served |= state.in_service
    return NetworkState(below.source_voltage_pu, taps, closed, served)
