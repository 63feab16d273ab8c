"""What the system operator has selected of each resource's bids, ahead of its dispatches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from gateway.coordination.market_messages import ScheduleDayAhead, SchedulePoint, SchedulePreDispatch
from gateway.coordination.messages import AckCommit, AckStatus, Message
from gateway.coordination.operation_messages import ShortfallNotice

BACKED = ":schedule"
"""Ends the need of an order that is backed by the wholesale market: the hour of the node's schedule."""
KEPT = 20_000
"""Schedules whose version is remembered; the oldest go first."""

_SHARED, _HOURS = 100, 1_000
_Item = TypeVar("_Item")


def newest(items: Mapping[str, _Item], ref: str, item: _Item) -> dict[str, _Item]:
    """With one more, the newest last: so many dispatches and needs, and so many hours of schedules."""
    found = {**{name: held for name, held in items.items() if name != ref}, ref: item}
    hours = [name for name in found if name.endswith(BACKED)]
    others = [name for name in found if not name.endswith(BACKED)]
    over = {*hours[:-_HOURS], *others[:-_SHARED]}
    return {name: held for name, held in found.items() if name not in over}


@dataclass(slots=True)
class Heard:
    """A schedule that is not over, and what the system operator was told about it (total DSO)."""

    body: ScheduleDayAhead | SchedulePreDispatch
    at_s: float
    answered: AckStatus | None = None
    answered_w: float | None = None
    short_w: dict[float, float] = field(default_factory=dict)
    """By start of the hour: capability of the newest notice."""


@dataclass(slots=True)
class Schedules:
    """The newest of them; `received` and `sent` are its only mutations."""

    points: dict[str, tuple[SchedulePoint, ...]] = field(default_factory=dict)
    """By resource and start; no two of a resource overlap."""
    versions: dict[str, int] = field(default_factory=dict)
    heard: dict[str, Heard] = field(default_factory=dict)
    """By id."""

    def expected_w(self, resource: str, time_s: float) -> float | None:
        """What a resource is to do at a time; `None` where nothing says so."""
        points = (point for point in self.points.get(resource, ()) if point.start_s <= time_s < point.end_s)
        return next((point.power_w for point in points), None)

    def is_stale(self, message: Message) -> bool:
        """Whether a newer version of the same schedule is held."""
        body = message.body
        if not isinstance(body, ScheduleDayAhead | SchedulePreDispatch):
            return False
        return self.versions.get(body.schedule_id, 0) > body.version

    def received(self, message: Message, at_s: float) -> None:
        """Take in what a party said: a schedule replaces what it speaks of, and what is over is forgotten."""
        body = message.body
        if not isinstance(body, ScheduleDayAhead | SchedulePreDispatch):
            return
        self.versions[body.schedule_id] = body.version
        if len(self.versions) > KEPT:
            self.versions = dict(list(self.versions.items())[-KEPT // 2 :])
        held = (point for point in self.points.get(body.resource, ()) if point.end_s > at_s)
        kept = [piece for point in held for piece in _beside(point, body.points)]
        self.points[body.resource] = tuple(sorted((*kept, *body.points), key=lambda point: point.start_s))
        self.heard = {one: heard for one, heard in self.heard.items() if _ends_s(heard) > at_s}
        known = self.heard.get(body.schedule_id)
        if known is None or known.body != body:  # said again, it stays as it was answered
            self.heard[body.schedule_id] = Heard(body, at_s)

    def sent(self, message: Message) -> None:
        """Take in what the system operator is told."""
        match message.body:
            case AckCommit(ref, version) as body if ref in self.heard and self.heard[ref].body.version == version:
                self.heard[ref].answered, self.heard[ref].answered_w = body.status, body.power_w
            case ShortfallNotice() as body if body.ref in self.heard:
                self.heard[body.ref].short_w[body.start_s] = body.capability_w
            case _:
                pass


def _ends_s(heard: Heard) -> float:
    return max((point.end_s for point in heard.body.points), default=0.0)


def _beside(point: SchedulePoint, newer: Sequence[SchedulePoint]) -> Iterator[SchedulePoint]:
    """What newer points leave of one."""
    pieces = [point]
    for other in newer:
        if other.start_s < point.end_s and point.start_s < other.end_s:
            before = [replace(piece, end_s=min(piece.end_s, other.start_s)) for piece in pieces]
            after = [replace(piece, start_s=max(piece.start_s, other.end_s)) for piece in pieces]
            pieces = [piece for piece in (*before, *after) if piece.start_s < piece.end_s]
    yield from pieces
