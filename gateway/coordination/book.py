"""What has been agreed so far: dispatches, limits, controls and answers, rebuilt by folding the events."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import assert_never

from gateway.coordination.accounts import Accounts
from gateway.coordination.admission import copy_of, overtaken
from gateway.coordination.approval_record import Approvals
from gateway.coordination.book_records import ControlRecord, LimitRecord
from gateway.coordination.emergency_record import Emergencies
from gateway.coordination.events import (
    Alarmed,
    Answered,
    Assessed,
    Contested,
    Decided,
    Dispatched,
    Event,
    Instructed,
    IntervalClosed,
    Issued,
    Kept,
    Operated,
    Planned,
    Proposed,
    Received,
    Ruled,
    Sent,
    Shown,
    Stated,
)
from gateway.coordination.forecasts import ForecastIssued
from gateway.coordination.lifecycle import NeedEvent
from gateway.coordination.long_term import NeedsImported
from gateway.coordination.messages import (
    CapabilityNotice,
    Dispatch,
    DispatchCopy,
    LimitAck,
    LimitClear,
    LimitIssue,
    Message,
    OutageNotice,
)
from gateway.coordination.model_records import ModelProposed, ModelRuled
from gateway.coordination.neighbours import Neighbours
from gateway.coordination.operating import Operating
from gateway.coordination.operator import OperatorInstruction
from gateway.coordination.schedules import newest
from gateway.coordination.topology import Cancelled, Scheduled, Topology
from gateway.coordination.trade import Trade
from grid_engine.results import Purpose, Status
from protocols.signals import Ack, Baseline, Bounds, Control, GridSwitch, Outcome, Release

SEEN = 100_000
"""Messages that are remembered by their key; beyond that the older half is forgotten."""

NON_RESPONSE = "NON_RESPONSE"
"""Code of the alarm for somebody who does not answer in time."""

NEED_UNCOVERED = "NEED_UNCOVERED"
"""Code of the alarm for a need that nobody, or not enough, was offered for."""

FINAL = frozenset({Outcome.REJECTED, Outcome.UNKNOWN, Outcome.UNDELIVERED, Outcome.UNVERIFIED})
"""Outcomes after which a resource cannot be counted on to obey."""

PROGRESS = frozenset({Outcome.PUBLISHED, Outcome.RECEIVED, Outcome.STARTED, Outcome.WRITTEN, Outcome.COMPLETED})
"""Answers to a refreshed lease; they do not undo what measured power has already shown."""


@dataclass(slots=True)
class Book:
    """The state of coordination; `fold` is its only mutation."""

    dispatches: dict[str, tuple[DispatchCopy, ...]] = field(default_factory=dict)
    """Wholesale dispatches of each resource by start: the one in force, then those ahead; newest versions alone."""
    outages: dict[str, OutageNotice] = field(default_factory=dict)
    limits: dict[str, list[LimitRecord]] = field(default_factory=dict)
    """Limits of each resource that are neither cleared nor superseded, by start."""
    limit_versions: dict[str, int] = field(default_factory=dict)
    controls: dict[str, ControlRecord] = field(default_factory=dict)
    baselines: dict[str, Baseline] = field(default_factory=dict)
    operator: dict[str, OperatorInstruction] = field(default_factory=dict)
    """Newest instruction of an operator to each resource, also where it no longer holds."""
    settled_w: dict[str, float] = field(default_factory=dict)
    """Where each resource stood when the network was last free of violations."""
    tightest: dict[str, Bounds] = field(default_factory=dict)
    """Newest limit of each resource since the engine last solved; what the failure ladder must not loosen."""
    headroom_since_s: dict[str, float] = field(default_factory=dict)
    """Since when each limit could have been loosened without a break."""
    relaxed_s: dict[str, float] = field(default_factory=dict)
    """When the limit of each resource was last loosened or cleared."""
    last_solved_s: float | None = None
    unanswered_since_s: dict[str, float] = field(default_factory=dict)
    """When resources of failed feeders were last answered, while others go on being solved."""
    last_answer: Decided | None = None
    seen: dict[str, float] = field(default_factory=dict)
    """Messages by their key, with the time of their arrival."""
    alarms: dict[tuple[str, str], float] = field(default_factory=dict)
    """(code, subject) of alarms raised, with their time."""
    trade: Trade = field(default_factory=Trade)
    operating: Operating = field(default_factory=Operating)
    neighbours: Neighbours = field(default_factory=Neighbours)
    emergencies: Emergencies = field(default_factory=Emergencies)
    shared: dict[str, Dispatched] = field(default_factory=dict)
    """How dispatches of nodes and hours of their schedules were shared out, by either, the newest last."""
    topology: Topology = field(default_factory=Topology)
    approvals: Approvals = field(default_factory=Approvals)
    accounts: Accounts = field(default_factory=Accounts)
    began_s: float | None = None
    """When the first cycle of all came to its conclusion."""
    closed_until_s: float | None = None
    """End of the last market interval that was recorded; `None` before the first."""

    def fold(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case Received():
                self._received(event.message, event.at_s)
            case Sent():
                self._sent(event.message, event.at_s)
            case Decided():
                self._decided(event)
            case Issued():
                self._issued(event)
            case Answered():
                self._answered(event.ack)
            case Kept():
                self.baselines.setdefault(event.baseline.resource, event.baseline)
            case Alarmed():
                self._alarmed(event)
            case Planned() | Operated() | Shown():
                self.operating.fold(event)
            case Scheduled() | Cancelled() | ModelProposed() | ModelRuled() | ForecastIssued() | NeedsImported():
                self.topology.fold(event)
            case _:
                self._acted(event)

    def _acted(
        self, event: Dispatched | Instructed | Proposed | Ruled | Assessed | Stated | Contested | IntervalClosed
    ) -> None:
        match event:
            case Assessed() | Stated() | Contested():
                self.trade.pass_time(event.at_s)
                self.accounts.fold(event, self.trade)
            case Instructed(instruction):
                self.operator[instruction.resource] = instruction
            case Dispatched():
                self.shared = newest(self.shared, event.ref, event)
            case Proposed() | Ruled():
                self.approvals.fold(event)
            case IntervalClosed():
                self.closed_until_s = event.end_s
                self.accounts.given_up.add(event.curtailed)
            case _:
                assert_never(event)

    def answered_s(self, resource: str) -> float | None:
        """When the engine last answered for a resource."""
        return self.unanswered_since_s.get(resource, self.last_solved_s)

    def limit_at(self, resource: str, time_s: float) -> LimitRecord | None:
        """The limit in force at a time: the latest start, then the highest version, among those not expired."""
        valid = [r for r in self.limits.get(resource, ()) if r.limit.start_s <= time_s < r.limit.expires_s]
        return max(valid, key=lambda r: (r.limit.start_s, r.limit.version), default=None)

    def lapsed(self, resource: str, time_s: float) -> LimitRecord | None:
        """The limit that ran out with neither clearance nor successor; nobody has said that its room is free."""
        if self.limit_at(resource, time_s) is not None:
            return None
        begun = [r for r in self.limits.get(resource, ()) if r.limit.start_s <= time_s]
        return max(begun, key=lambda r: (r.limit.start_s, r.limit.version), default=None)

    def limit(self, limit_id: str) -> LimitIssue | None:
        """A limit that was neither cleared nor superseded, by its id."""
        records = (r for held in self.limits.values() for r in held)
        return next((r.limit for r in records if r.limit.limit_id == limit_id), None)

    def cycle_of(self, limit_id: str) -> str:
        """The cycle that set such a limit; empty where there is none."""
        limit = self.limit(limit_id)
        return "" if limit is None else limit.supporting.cycle_id

    def operator_at(self, resource: str, time_s: float) -> OperatorInstruction | None:
        """What an operator asks of a resource at a time."""
        asked = self.operator.get(resource)
        return asked if asked is not None and asked.holds(time_s) else None

    def dispatch_at(self, resource: str, time_s: float) -> DispatchCopy | None:
        """The dispatch that holds at a time: the latest start; the last one holds on."""
        begun = [d for d in self.dispatches.get(resource, ()) if d.start_s <= time_s]
        return begun[-1] if begun else None

    def is_stale(self, message: Message, at_s: float) -> bool:
        """True where a newer version of the same dispatch is held, or one that has taken over from it by `at_s`."""
        body = message.body
        if not isinstance(body, DispatchCopy | Dispatch):
            return self.trade.is_stale(message)
        held, copy = self.dispatches.get(body.resource, ()), copy_of(body)
        return any(body.start_s < d.start_s <= at_s or overtaken(d, copy) for d in held)

    def obeys(self, resource: str) -> bool:
        """False once the newest instruction was refused, lost or not followed."""
        record = self.controls.get(resource)
        return record is None or record.outcome not in FINAL

    def _received(self, message: Message, at_s: float) -> None:
        self.seen[message.key] = at_s
        if len(self.seen) > SEEN:
            self.seen = dict(sorted(self.seen.items(), key=lambda one: one[1])[-(SEEN // 2) :])
        self.trade.pass_time(at_s)
        if self.is_stale(message, at_s):
            return
        self.trade.received(message, at_s)
        self.neighbours.received(message, at_s)
        self.accounts.received(message, at_s)
        match message.body:
            case DispatchCopy() as body:
                self._dispatched(body, at_s)
            case Dispatch() as body:
                self._dispatched(copy_of(body), at_s)
            case LimitAck() as body:
                for record in self._records(body.resource, body.limit_id):
                    record.ack = body
            case CapabilityNotice() as body:
                for record in self._records(body.resource, body.ref):
                    record.notice = body
            case OutageNotice() as body:
                self.outages[body.resource] = body
            case _:
                pass  # nothing that the book keeps

    def _dispatched(self, body: DispatchCopy, at_s: float) -> None:
        held = self.dispatches.get(body.resource, ())
        others = [d for d in held if d.dispatch_id != body.dispatch_id and d.start_s != body.start_s]
        by_start = sorted([*others, body], key=lambda d: d.start_s)
        begun = sum(d.start_s <= at_s for d in by_start)
        self.dispatches[body.resource] = tuple(by_start[max(begun - 1, 0) :])

    def _records(self, resource: str, limit_id: str) -> Iterable[LimitRecord]:
        return [r for r in self.limits.get(resource, ()) if r.limit.limit_id == limit_id]

    def _sent(self, message: Message, at_s: float) -> None:
        self.trade.pass_time(at_s)
        self.trade.sent(message, at_s)
        self.neighbours.sent(message, at_s)
        self.emergencies.sent(message, at_s, self.trade)
        self.accounts.sent(message, at_s, self.trade)
        match message.body:
            case LimitIssue() as limit:
                self._limit_sent(limit, at_s)
                self._bound(limit.resource, at_s)
            case LimitClear() as clear:
                self._cleared(clear, at_s)
                self._bound(clear.resource, at_s)
            case _:
                pass

    def _bound(self, resource: str, at_s: float) -> None:
        """What is owed follows the limit in force."""
        record = self.limit_at(resource, at_s)
        floor_w, ceiling_w = (-inf, inf) if record is None else (record.limit.floor_w, record.limit.ceiling_w)
        self.trade.bound(resource, floor_w, ceiling_w, at_s)

    def _alarmed(self, event: Alarmed) -> None:
        self.alarms.setdefault((event.code, event.subject), event.at_s)
        if event.code == NON_RESPONSE and event.subject in self.trade.instances:
            self.trade.silent(event.subject)
        if event.code == NEED_UNCOVERED:
            self.trade.need_step(event.subject, NeedEvent.FAIL)

    def _cleared(self, clear: LimitClear, at_s: float) -> None:
        held = self.limits.get(clear.resource, ())
        begun_s = max((r.limit.start_s for r in held if r.limit.limit_id == clear.limit_id), default=-inf)
        # What it had taken over from goes with it: an older limit never returns.
        self.limits[clear.resource] = [
            r for r in held if r.limit.limit_id != clear.limit_id and r.limit.start_s >= begun_s
        ]
        self.headroom_since_s.pop(clear.resource, None)
        self.relaxed_s[clear.resource] = at_s

    def _limit_sent(self, limit: LimitIssue, at_s: float) -> None:
        held = self.limits.get(limit.resource, [])
        for record in held:
            if record.limit.limit_id == limit.limit_id and record.limit.version == limit.version:
                record.reminded = True
                return
        if limit.version <= self.limit_versions.get(limit.resource, 0):
            return  # older never returns
        before = self.limit_at(limit.resource, at_s) or self.lapsed(limit.resource, at_s)
        # A newer limit takes over from its own start on; what had begun before holds until then and never returns.
        ahead = limit.start_s > at_s
        kept = [r for r in held if ahead and r.limit.start_s < limit.start_s and r.limit.expires_s > at_s]
        later = [r for r in held if r.limit.start_s > limit.start_s and r.limit.start_s >= limit.end_s]
        self.limits[limit.resource] = [*kept, LimitRecord(limit, at_s), *later]
        self.limit_versions[limit.resource] = limit.version
        if ahead:
            return
        self.tightest[limit.resource] = Bounds(limit.floor_w, limit.ceiling_w)
        if before is None or before.bounds != Bounds(limit.floor_w, limit.ceiling_w):
            self.headroom_since_s.pop(limit.resource, None)
        if before is not None and (limit.ceiling_w > before.limit.ceiling_w or limit.floor_w < before.limit.floor_w):
            self.relaxed_s[limit.resource] = at_s

    def _decided(self, event: Decided) -> None:
        self.trade.pass_time(event.at_s)
        self.began_s = event.at_s if self.began_s is None else self.began_s
        if event.study.purpose in (Purpose.ENVELOPE, Purpose.JOINT):
            return  # it looks ahead: it says nothing of now
        self.last_answer = event
        if event.answer.status is Status.SOLVED:
            blind, before_s = event.answer.unanswered, self.last_solved_s
            known = self.unanswered_since_s
            self.unanswered_since_s = {r: known.get(r, event.at_s if before_s is None else before_s) for r in blind}
            self.last_solved_s = event.at_s
            kept = {r for r in self.tightest if r in blind or self.limit_at(r, event.at_s) is not None}
            self.tightest = {r: t for r, t in self.tightest.items() if r in kept}
            self.settled_w.update(event.settled_w)
            since = self.headroom_since_s
            self.headroom_since_s = {r: since.get(r, event.at_s) for r in event.headroom if r not in blind}

    def _issued(self, event: Issued) -> None:
        instruction = event.instruction
        held = self.controls.get(instruction.resource)
        if held is None or held.instruction.control_id != instruction.control_id:
            lifted = held.instruction if held is not None and isinstance(instruction, Release) else None
            self.controls[instruction.resource] = ControlRecord(
                instruction,
                event.at_s,
                event.at_s,
                event.limit_id,
                event.power_w,
                lifted=lifted if isinstance(lifted, Control) else None,
                disconnected=held is not None and held.disconnected,
            )
            return
        ran_out = isinstance(held.instruction, Control) and event.at_s >= held.instruction.expiry_s
        let_go = held.outcome is Outcome.UNDELIVERED and held.written_s is None
        if held.outcome is Outcome.REJECTED or let_go or ran_out:
            # The device does not hold it: it has to ramp again from where it stands.
            held.power_w, held.written_s, held.first_issued_s = event.power_w, None, event.at_s
        held.instruction, held.issued_s, held.limit_id = instruction, event.at_s, event.limit_id
        held.missed_s = None

    def _answered(self, ack: Ack) -> None:
        record = self.controls.get(ack.resource)
        if record is None or record.instruction.control_id != ack.control_id:
            return
        self._delivered(record, ack)
        judged = record.outcome in (Outcome.VERIFIED, Outcome.UNVERIFIED)
        if not (judged and ack.outcome in PROGRESS):
            record.outcome = ack.outcome
        record.answered_s = ack.at_s
        if ack.outcome in PROGRESS and isinstance(record.instruction, Control):
            record.leased_until_s = record.instruction.expiry_s
        if ack.outcome in (Outcome.WRITTEN, Outcome.STARTED) and record.written_s is None:
            record.written_s = ack.at_s
        closes = record.instruction.grid_switch is GridSwitch.CLOSE and ack.outcome is Outcome.WRITTEN
        record.disconnected = ack.disconnects or (record.disconnected and not closes)
        if ack.read_back or record.written is None:
            # A renewal whose answer got lost does not undo what was read back before.
            record.written = ack if ack.requested else record.written

    @staticmethod
    def _delivered(record: ControlRecord, ack: Ack) -> None:
        """Count the times that it has not reached the device."""
        if ack.outcome is not Outcome.UNDELIVERED:
            record.missed, record.missed_s = (record.missed, None) if ack.outcome is Outcome.UNKNOWN else (0, None)
            return
        record.missed, record.missed_s = record.missed + 1, ack.at_s
        if record.outcome is Outcome.UNKNOWN:  # it was read back: a lease that it held before is gone too
            record.written_s = record.leased_until_s = None
