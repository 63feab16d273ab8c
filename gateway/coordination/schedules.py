"""What the system operator has selected of each resource's bids, ahead of its dispatches."""

from dataclasses import dataclass, field

from gateway.coordination.market_messages import ScheduleDayAhead, SchedulePoint, SchedulePreDispatch
from gateway.coordination.messages import Message

KEPT = 20_000
"""Schedules whose version is remembered; the oldest go first."""


@dataclass(slots=True)
class Schedules:
    """The newest of them; `received` is the only mutation."""

    points: dict[str, tuple[SchedulePoint, ...]] = field(default_factory=dict)
    """By resource and start."""
    versions: dict[str, int] = field(default_factory=dict)

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
        starts_s = {point.start_s for point in body.points}
        held = self.points.get(body.resource, ())
        kept = [point for point in held if point.end_s > at_s and point.start_s not in starts_s]
        self.points[body.resource] = tuple(sorted((*kept, *body.points), key=lambda point: point.start_s))
