"""Operations of the network: one step after the other, each shown by the field before the next, or all taken back.

The order of the steps is the engine's, make before break. A step that the field does not show in time
ends the plan, and what was done of it is undone in reverse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING

from gateway.coordination.events import Operated, Planned, Shown
from gateway.coordination.market import ControlRoom
from gateway.snapshot import Snapshot
from grid_engine.dispatch.operation_words import Act, Controls, Duty, Operation
from protocols.points import Point
from protocols.signals import Command

if TYPE_CHECKING:
    from gateway.coordination.situation import Situation

HOUR_S = 3600.0
KEPT = 1_000
_ONE_STATE = {Act.SWITCH_IN: 1.0, Act.CLOSE: 1.0, Act.SWITCH_OUT: 0.0, Act.OPEN: 0.0}


@dataclass(slots=True)
class Step:
    """One operation, and how far it has come."""

    sent_s: float | None = None
    shown_s: float | None = None


@dataclass(slots=True)
class PlanRecord:
    """A plan with the state of its steps."""

    plan: Planned
    steps: list[Step]
    failed_s: float | None = None

    @property
    def done(self) -> bool:
        """Whether the field has shown every step."""
        return all(step.shown_s is not None for step in self.steps)

    @property
    def done_s(self) -> float | None:
        """When the field showed the last step."""
        shown = [step.shown_s for step in self.steps if step.shown_s is not None]
        return max(shown, default=self.plan.at_s) if self.done else None

    @property
    def running(self) -> bool:
        """Whether a step is still to be taken or shown."""
        return self.failed_s is None and not self.done


@dataclass(slots=True)
class Operating:
    """The newest plan and what was operated before; folding is its only mutation."""

    newest: PlanRecord | None = None
    searched: str = ""
    """Key of the question that was asked last."""
    operated: dict[str, list[float]] = field(default_factory=dict)
    """When each device was last operated, for its rest and its operations per hour."""
    undone: tuple[str, ...] = ()
    """Plans that were taken back or could not be."""

    @property
    def running(self) -> PlanRecord | None:
        """The plan that is under way."""
        return self.newest if self.newest is not None and self.newest.running else None

    def fold(self, event: Planned | Operated | Shown) -> None:
        """Take one event in."""
        match event:
            case Planned():
                if not event.undoes:
                    self.searched = event.key
                if event.operations:
                    self.newest = PlanRecord(event, [Step() for _ in event.operations])
                    self.undone = (*self.undone, event.undoes)[-KEPT:] if event.undoes else self.undone
            case Operated():
                record = self._record(event.plan_id)
                if record is not None:
                    record.steps[event.step].sent_s = event.at_s
                    device = record.plan.operations[event.step].device
                    times = [*self.operated.get(device, []), event.at_s]
                    self.operated[device] = [at_s for at_s in times if at_s > event.at_s - HOUR_S]
            case Shown():
                record = self._record(event.plan_id)
                if record is not None and event.confirmed:
                    record.steps[event.step].shown_s = event.at_s
                elif record is not None:
                    record.failed_s = event.at_s

    def _record(self, plan_id: str) -> PlanRecord | None:
        return self.newest if self.newest is not None and self.newest.plan.plan_id == plan_id else None


def available(room: ControlRoom, operating: Operating, now_s: float) -> Controls:
    """The controls with what each has done in the last hour, and how long it has rested."""
    controls = room.controls

    def duty(device: str, held: Duty) -> Duty:
        times = operating.operated.get(device, [])
        recent = sum(at_s > now_s - HOUR_S for at_s in times)
        return replace(held, ops_last_hour=recent, since_last_op_s=now_s - max(times) if times else inf)

    return Controls(
        tuple(replace(c, duty=duty(c.control_id, c.duty)) for c in controls.tap_changers),
        tuple(replace(c, duty=duty(c.shunt, c.duty)) for c in controls.capacitors),
        tuple(replace(c, duty=duty(c.switch, c.duty)) for c in controls.switches),
    )


def plan(at: "Situation", room: ControlRoom, key: str, operations: tuple[Operation, ...], detail: str = "") -> Planned:
    """What the engine found, with the way back."""
    before = standing(room, at.snapshot, operations)
    return Planned(f"{at.cycle_id}-plan", at.now_s, at.cycle_id, key, operations, before, detail=detail)


def described(plan: Planned) -> str:
    """What a plan does to the network, in its order."""
    steps = [f"{o.act.value} {o.device}" + (f" to {o.position}" if o.act is Act.TAP else "") for o in plan.operations]
    return ", then ".join(steps) or "nothing to operate"


def value_of(operation: Operation) -> float:
    """What the points of its device show once it is done: a tap position, or 1 for closed and in service."""
    if operation.act is Act.TAP:
        return 0.0 if operation.position is None else float(operation.position)
    return _ONE_STATE[operation.act]


def standing(room: ControlRoom, snapshot: Snapshot, operations: Sequence[Operation]) -> tuple[tuple[float, ...], ...]:
    """How the device of each operation stands now, a value per point; what is not reported counts as 0."""
    return tuple(
        tuple(_value(snapshot, point) or 0.0 for point in room.positions.get(operation.device, ()))
        for operation in operations
    )


def commands(room: ControlRoom, record: PlanRecord, step: int, now_s: float) -> tuple[Command, ...]:
    """What to send for a step: one command per point of its device."""
    operation = record.plan.operations[step]
    points = room.positions.get(operation.device, ())
    before = record.plan.before[step] if step < len(record.plan.before) else ()
    targets = before if record.plan.undoes else tuple(value_of(operation) for _ in points)
    return tuple(
        Command(f"{record.plan.plan_id}-{step + 1}", point, value, now_s, now_s + room.confirm_s)
        for point, value in zip(points, targets, strict=True)
    )


def due(at: "Situation") -> Iterator[Operated | Shown | Planned]:
    """What follows from the field and the clock for the plan that is under way."""
    room, record = at.zone.room, at.book.operating.running
    if room is None or record is None:
        return
    for number, step in enumerate(record.steps):
        if step.shown_s is not None:
            continue
        if step.sent_s is None:
            yield Operated(record.plan.plan_id, number, at.now_s)
            return
        if _shown(at.snapshot, commands(room, record, number, at.now_s), step.sent_s):
            yield Shown(record.plan.plan_id, number, at.now_s, confirmed=True)
        elif at.now_s >= step.sent_s + room.confirm_s:
            detail = f"{record.plan.operations[number].device} did not show it within {room.confirm_s:g} s"
            yield Shown(record.plan.plan_id, number, at.now_s, confirmed=False, detail=detail)
            back = _back(at, record, number)
            if back is not None:
                yield back
        return


def _back(at: "Situation", record: PlanRecord, failed: int) -> Planned | None:
    """The way back from a plan whose step `failed` was not shown: that step too, for it may come late."""
    if record.plan.undoes:
        return None  # the way back failed: people have to look
    operations = tuple(reversed(record.plan.operations[: failed + 1]))
    before = tuple(reversed(record.plan.before[: failed + 1]))
    return Planned(
        f"{record.plan.plan_id}-back",
        at.now_s,
        record.plan.cycle_id,
        record.plan.key,
        operations,
        before,
        undoes=record.plan.plan_id,
        detail=f"taken back: {record.plan.operations[failed].device} was not confirmed",
    )


def _shown(snapshot: Snapshot, wanted: Sequence[Command], since_s: float) -> bool:
    """Whether every point shows what it was told, by a reading taken since."""
    for command in wanted:
        reading = snapshot.reading(command.point.resource, command.point.quantity)
        if reading is None or reading.received_time_s < since_s or abs(reading.value - command.value) > 0.5:
            return False
    return bool(wanted)


def _value(snapshot: Snapshot, point: Point) -> float | None:
    reading = snapshot.measurements.get(point)
    return None if reading is None else reading.value
