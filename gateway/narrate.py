"""What the control loop says in the log: one event per decision, edge or outcome, in the words of the catalogue."""

from collections.abc import Iterable, Sequence

import structlog

from gateway.coordination.book import Book
from gateway.coordination.events import (
    Alarmed,
    Answered,
    Dispatched,
    Event,
    IntervalClosed,
    Issued,
    Kept,
    Operated,
    Planned,
    Proposed,
    Ruled,
    Shown,
)
from gateway.coordination.forecasts import ForecastIssued
from gateway.coordination.long_term import NeedsImported
from gateway.coordination.messages import (
    CapabilityNotice,
    Dispatch,
    DispatchCopy,
    LimitAck,
    Message,
    OutageNotice,
)
from gateway.coordination.operating import described
from gateway.coordination.operator import OperatorInstruction
from gateway.coordination.situation import Situation
from gateway.coordination.timekeeping import Skewed
from gateway.coordination.topology import Work
from gateway.coordination.zone import ZoneFacts
from gateway.record import Fact
from gateway.sayings import (
    Gaps,
    alarmed,
    booked,
    instructed,
    mw,
    mw_or_none,
    network_step,
    outcome,
    particulars,
    said,
    shared,
)
from grid_engine.results import Answer, Status, Study
from protocols.signals import Command, LinkChanged, LinkState


class Narrator:
    """Speaks for one zone."""

    def __init__(self, zone: ZoneFacts) -> None:
        self._log = structlog.get_logger().bind(zone=zone.id, model=zone.model.value)
        self._resources = zone.resources
        self._violated: frozenset[tuple[str, str, str]] = frozenset()
        self._failing = False
        self._ready = False
        self._gaps = Gaps()
        self._linked: tuple[LinkState, int] | None = None

    # --- parties

    def received(self, message: Message, *, stale: bool) -> None:
        """A party's message was taken."""
        log = self._log.bind(corr_id=message.header.corr_id, sender=message.header.sender)
        match message.body:
            case DispatchCopy() | Dispatch() as body:
                log.info("dispatch.rx", resource=body.resource, mw=mw(body.power_w), version=body.version, stale=stale)
            case LimitAck() as body:
                log.info("limit.ack", resource=body.resource, mw=mw(body.power_w), status=body.status.value)
            case CapabilityNotice() as body:
                log.info("cap.notice", resource=body.resource, mw=mw(body.power_w), ref=body.ref)
            case OutageNotice() as body:
                log.info("outage.notice", resource=body.resource, mw=mw(body.available_w), planned=body.planned)
            case _:
                log.bind(**particulars(message)).info("party.rx", code=message.code)

    def duplicate(self, message: Message) -> None:
        """The same message came again and had no effect."""
        self._log.debug("party.duplicate", corr_id=message.header.corr_id, msg_id=message.header.msg_id)

    def refused(self, message: Message, problem: str) -> None:
        """A message was refused or not sent."""
        header = message.header
        log = self._log.bind(
            corr_id=header.corr_id, code=message.code, sender=header.sender, recipient=header.recipient
        )
        if problem.startswith("STATE_VIOLATION"):
            log.warning("state.violation", problem=problem)
        else:
            log.warning("route.forbidden", problem=problem)

    def undelivered(self, message: Message, detail: str) -> None:
        """A message did not reach its recipient."""
        header = message.header
        self._log.warning(
            "party.undelivered", corr_id=header.corr_id, code=message.code, recipient=header.recipient, detail=detail
        )

    def delivered_late(self, message: Message) -> None:
        """A message has reached its recipient after all."""
        header = message.header
        self._log.info("party.delivered", corr_id=header.corr_id, code=message.code, recipient=header.recipient)

    def platform(self, party: str, *, carries: bool, detail: str) -> None:
        """The platform takes messages again, or takes none: they go from party to party."""
        log = self._log.info if carries else self._log.warning
        log("platform.link", recipient=party, state="carrying" if carries else "bypassed", detail=detail)

    # --- the operator

    def operated(self, asked: OperatorInstruction) -> None:
        """An operator's instruction was taken."""
        self._log.info(
            "operator.instruction",
            corr_id=asked.instruction_id,
            resource=asked.resource,
            mw=mw_or_none(asked.limit.ceiling_w),
            floor_mw=mw_or_none(asked.limit.floor_w),
            target_mw=mw_or_none(asked.target_w),
            lease_s=round(asked.expires_s - asked.at_s, 1),
            source=asked.source,
        )

    def operator_refused(self, asked: OperatorInstruction, problem: str) -> None:
        """An operator's instruction was not taken."""
        self._log.warning("operator.refused", resource=asked.resource, problem=problem, source=asked.source)

    # --- cycles

    def cycle(
        self, at: Situation, question: Study, answer: Answer, sent: Sequence[Message], alarms: Iterable[Alarmed]
    ) -> None:
        """A cycle came to its conclusion."""
        log = self._log.bind(cycle_id=at.cycle_id)
        if not self._ready:
            self._ready = True
            log.info("psa.ready", status=answer.status.value, model_version=answer.model_version)
        self._gaps.tell(log, at)
        self._violations(log, answer)
        if (answer.status is not Status.SOLVED) is not self._failing:
            self._failing = not self._failing
            if self._failing:
                log.error("psa.failed", status=answer.status.value, detail=answer.detail)
            else:
                log.info("psa.recovered")
        self.sent(at, sent)
        shared(log, question, answer, sent)
        for alarm in alarms:
            alarmed(log, alarm, at.book.limit(alarm.subject))
        log.debug(
            "cycle.end",
            status=answer.status.value,
            power_flows=answer.power_flows,
            psa_duration_s=round(answer.duration_s, 4),
            messages=len(sent),
        )

    def begun(self, at: Situation) -> None:
        """A cycle has frozen what it looks at."""
        self._log.debug("cycle.start", cycle_id=at.cycle_id)

    def late(self, at: Situation, took_s: float) -> None:
        """The study of a cycle took longer than it may, or was given up."""
        self._log.warning("psa.deadline", cycle_id=at.cycle_id, latency_ms=round(1e3 * took_s, 1))

    def sent(self, at: Situation, messages: Sequence[Message]) -> None:
        """Messages leave for parties."""
        log = self._log.bind(cycle_id=at.cycle_id)
        for message in messages:
            said(log, message)

    def acted(self, at: Situation, events: Sequence[Event]) -> None:
        """What else a cycle concluded: shares, choices, plans, proposals."""
        log = self._log.bind(cycle_id=at.cycle_id)
        for event in events:
            match event:
                case Dispatched():
                    log.info(
                        "selection.done",
                        corr_id=event.ref,
                        status=event.outcome,
                        mw=mw(event.delivered_w),
                        short_mw=mw(event.shortfall_w),
                        cost_per_h=round(event.cost_per_h, 2),
                        detail=event.detail,
                    )
                case Planned():
                    log.info("netop.plan", corr_id=event.plan_id, detail=described(event))
                case Proposed():
                    log.warning("approval.waiting", corr_id=event.action_id, detail=event.reason)
                case Ruled():
                    log.info("approval.ruled", corr_id=event.action_id, approved=event.approved, by=event.by)
                case IntervalClosed():
                    say = log.info if event.cycles else log.warning
                    say("interval.closed", start_s=event.start_s, cycles=event.cycles, solved=event.solved)
                case _:
                    pass  # told elsewhere

    def ruled(self, proposal: Proposed, ruled: Ruled) -> None:
        """An operator has decided about a proposal."""
        self._log.info(
            "approval.ruled",
            corr_id=ruled.action_id,
            approved=ruled.approved,
            by=ruled.by,
            detail=proposal.reason,
        )

    # --- the books

    def settled(self, events: Sequence[Event]) -> None:
        """Something was measured, stated or contested."""
        for event in events:
            booked(self._log, event)

    def unmeasured(self, error: Exception) -> None:
        """Telemetry or meter data cannot be read: measuring waits, control goes on."""
        self._log.error("mv.failed", detail=str(error))

    # --- the network

    def network_operated(self, events: Sequence[Operated | Shown | Planned], book: Book) -> None:
        """Steps of a plan are taken, shown, or taken back."""
        for event in events:
            network_step(self._log.bind(corr_id=event.plan_id), event, book)

    def not_operated(self, command: Command, detail: str) -> None:
        """A command did not reach the control room, or was refused."""
        self._log.error("netop.failed", corr_id=command.command_id, point=str(command.point), detail=detail)

    def _violations(self, log: structlog.typing.FilteringBoundLogger, answer: Answer) -> None:
        """Only those that were not there in the cycle before."""
        if answer.status is not Status.SOLVED:
            return
        now = {(v.asset_id, v.reason.value, v.case): v for v in answer.violations if v.interval == 0}
        for key, v in now.items():
            if key not in self._violated:
                log.warning(
                    "violation.detected",
                    constraint_id=v.asset_id,
                    reason=v.reason.value,
                    phase=v.phase,
                    case=v.case,
                    value=round(v.value, 4),
                    limit=round(v.limit, 4),
                    unit=v.unit,
                    loading_pct=round(v.loading_pct, 1),
                )
        self._violated = frozenset(now)

    def forecast(self, issue: ForecastIssued) -> None:
        """Somebody said what they expect."""
        self._log.info("forecast.issued", corr_id=issue.issue_id, source=issue.source, count=len(issue.values))

    def needs(self, told: NeedsImported) -> None:
        """Planners said what will be needed in years to come."""
        self._log.info("needs.imported", corr_id=told.import_id, source=told.by, count=len(told.needs))

    def work(self, work: Work, cut_off: Sequence[str]) -> None:
        """The network is to differ from its model for a while."""
        self._log.warning(
            "work.scheduled",
            corr_id=work.id,
            kind=work.kind.value,
            detail=work.described,
            start_s=work.start_s,
            end_s=work.end_s,
            source=work.source,
            cut_off=list(cut_off),
        )

    def work_refused(self, work: Work, problem: str) -> None:
        """A work was not taken."""
        self._log.warning("work.refused", corr_id=work.id, problem=problem, source=work.source)

    def work_cancelled(self, work_id: str, by: str) -> None:
        """A work will not be, or is over."""
        self._log.warning("work.cancelled", corr_id=work_id, by=by)

    # --- devices

    def link(self, change: LinkChanged) -> None:
        """The link to a device changed its state."""
        shared = (change.state, round(change.at_s))
        bad = change.state in (LinkState.LOST, LinkState.DEGRADED)
        # One station speaks for many assets: its first line stands for all of them.
        repeated = change.resource not in self._resources and shared == self._linked
        say = self._log.debug if repeated else self._log.warning if bad else self._log.info
        if change.resource not in self._resources:
            self._linked = shared
        say("device.link", resource=change.resource, state=change.state.value, detail=change.detail)

    def fallback(self, resource: str, power_w: float) -> None:
        """The flows show that a lost device has fallen back."""
        self._log.warning("fallback.enter", resource=resource, mw=mw(power_w))

    def skewed(self, found: Skewed) -> None:
        """A clock is off, or agrees again."""
        if found.skew_s:
            self._log.warning(
                "clock.skewed",
                subject=found.subject,
                skew_s=round(found.skew_s, 3),
                consequence="no new set point, and nothing looser, until it agrees again",
                detail=found.detail,
            )
        else:
            self._log.info("clock.agrees", subject=found.subject)

    def returned(self, resource: str) -> None:
        """A device that had fallen back is heard again."""
        self._log.info("fallback.exit", resource=resource)

    def issued(self, event: Issued, *, reasserted: bool) -> None:
        """An instruction leaves for its device."""
        instructed(self._log, event, reasserted=reasserted)

    def answered(self, fact: Fact, book: Book) -> None:
        """A device answered, or showed its baseline."""
        if isinstance(fact, Answered):
            outcome(self._log, fact.ack, book)
        elif isinstance(fact, Kept):
            self._log.info("baseline.kept", resource=fact.baseline.resource, values=dict(fact.baseline.values))

    def verdicts(self, events: Iterable[Answered], book: Book) -> None:
        """Measured power has settled what became of controls."""
        for event in events:
            outcome(self._log, event.ack, book)

    # --- the gateway itself

    def journal_failed(self, error: Exception) -> None:
        """The journal cannot be written: nothing leaves until it can."""
        self._log.error(
            "journal.failed", detail=str(error), consequence="no new control leaves until it can be written"
        )

    def journal_recovered(self) -> None:
        """The journal can be written again."""
        self._log.info("journal.recovered")

    def dropped(self, fact: Fact) -> None:
        """An answer was lost because too many wait for the journal."""
        self._log.error("answer.dropped", kind=type(fact).__name__)
