"""What parties are told, as lines of the log: one event per kind of message, with what belongs in a line."""

from collections.abc import Sequence

import structlog

from gateway.coordination.book import FINAL, NON_RESPONSE, Book
from gateway.coordination.book_records import ControlRecord
from gateway.coordination.events import Alarmed, Assessed, Contested, Event, Issued, Operated, Planned, Shown, Stated
from gateway.coordination.fairness import jain
from gateway.coordination.host import NO_RESPONSE
from gateway.coordination.market_messages import (
    NeedPost,
    OfferAccept,
    OfferReject,
    OrderCommit,
    OrderIssue,
    OrderRevoke,
    RegisterAccept,
    RegisterReject,
)
from gateway.coordination.messages import AckCommit, LimitClear, LimitInfo, LimitIssue, Message
from gateway.coordination.operation_messages import (
    DispatchRelay,
    EmergencyClear,
    EmergencyControl,
    EmergencyDeclare,
    HostInclude,
    HostLimit,
    HostObject,
    Instruction,
    ShortfallNotice,
)
from gateway.coordination.situation import Situation
from gateway.coordination.study import estimated
from gateway.settlement.assessment import Assessment
from gateway.settlement.words import SettlementLine
from grid_engine.results import Answer, Study
from protocols.signals import Ack, Control, GridSwitch, Outcome

Log = structlog.typing.FilteringBoundLogger

STEPS = frozenset({Outcome.RECEIVED, Outcome.STARTED, Outcome.COMPLETED})
"""Answers of devices that fetch their controls: each is an edge."""

CONCLUSIVE = FINAL | {Outcome.VERIFIED, Outcome.EXPIRED}


def mw(power_w: float) -> float:
    """Watts as megawatts, to 100 W."""
    return round(power_w / 1e6, 4)


def mw_or_none(power_w: float | None) -> float | None:
    """The same where there may be none."""
    return None if power_w is None else mw(power_w)


def said(log: Log, message: Message) -> None:
    """One line for a message that leaves."""
    header = message.header
    log = log.bind(corr_id=header.corr_id, recipient=header.recipient)
    match message.body:
        case LimitIssue() | LimitClear() as body:
            _limit(log, body)
        case Instruction() | DispatchRelay() | ShortfallNotice() | HostInclude() as body:
            _operation(log, body)
        case EmergencyDeclare() | EmergencyControl() | EmergencyClear() as body:
            _emergency(log, body)
        case NeedPost() | OfferAccept() | OfferReject() | OrderIssue() | OrderRevoke() as body:
            _market(log, body)
        case RegisterAccept() as body:
            log.info("registration.accepted", resource=body.resource)
        case RegisterReject() as body:
            log.warning("registration.rejected", resource=body.resource, reason=body.reason.value, detail=body.detail)
        case _:
            log.bind(**particulars(message)).info("party.tx", code=message.code)


def shared(log: Log, question: Study, answer: Answer, sent: Sequence[Message]) -> None:
    """One line where limits leave that came of sharing out what the network can take among several."""
    resources = [envelope.resource for envelope in answer.envelopes if envelope.interval == 0]
    index = jain(question, answer)
    if len(resources) > 1 and index is not None and any(isinstance(one.body, LimitIssue) for one in sent):
        log.info("limit.shares", policy=question.policy.value, jain=round(index, 4), count=len(resources))


def particulars(message: Message) -> dict[str, str | float]:
    """What every kind of message may say: whom it is about, how much, what is behind it, and what was answered."""
    body, found = message.body, dict[str, str | float]()
    if message.resource:
        found["resource"] = message.resource
    match body:
        case AckCommit():
            found |= {"mw": mw(body.power_w), "status": body.status.value}
        case OrderCommit():
            found["mw"] = mw(body.power_w)
        case LimitInfo():
            found |= {"mw": mw(body.ceiling_w), "constraint_id": body.constraint_id}
        case HostLimit() | HostObject():
            found["mw"] = mw(body.ceiling_w)
        case _:
            pass
    return found


def alarmed(log: Log, alarm: Alarmed, limit: LimitIssue | None) -> None:
    """One line for an alarm; `limit` is the one that it is about."""
    log = log.bind(corr_id=alarm.subject)
    if alarm.code == NON_RESPONSE and limit is not None:
        log = log.bind(resource=limit.resource, mw=mw(limit.ceiling_w), constraint_id=limit.constraint_id)
        log.warning("limit.unconfirmed", detail=alarm.detail)
    elif alarm.code == NO_RESPONSE:
        log.warning("host.timeout", subject=alarm.subject, detail=alarm.detail)
    else:
        log.warning("alarm.raised", code=alarm.code, subject=alarm.subject, detail=alarm.detail)


def network_step(log: Log, event: Operated | Shown | Planned, book: Book) -> None:
    """One line for a step of a plan that is taken, shown, or taken back."""
    match event:
        case Operated():
            record = book.operating.newest
            device = "" if record is None else record.plan.operations[event.step].device
            log.info("netop.request", device=device)
        case Shown():
            if event.confirmed:
                log.info("netop.confirm", step=event.step + 1)
            else:
                log.error("netop.unconfirmed", step=event.step + 1, detail=event.detail)
        case Planned():
            log.warning("netop.rollback", detail=event.detail)


def _limit(log: Log, body: LimitIssue | LimitClear) -> None:
    if isinstance(body, LimitClear):
        log.info("limit.clear", resource=body.resource)
        return
    log.info(
        "limit.issue",
        resource=body.resource,
        mw=mw(body.ceiling_w),
        floor_mw=mw(body.floor_w),
        reason=body.reason.value,
        constraint_id=body.constraint_id,
        loading_pct=round(body.supporting.loading_before_pct, 1),
        start_s=body.start_s,
    )


def _operation(log: Log, body: Instruction | DispatchRelay | ShortfallNotice | HostInclude) -> None:
    match body:
        case Instruction():
            log.info("instr.tx", resource=body.resource, mw=mw(body.power_w), version=body.version, ref=body.ref)
        case DispatchRelay():
            log.info("dispatch.relay", resource=body.resource, version=body.version)
        case ShortfallNotice():
            log.warning("shortfall.notice", subject=body.node, mw=mw(body.capability_w), cause=body.cause)
        case HostInclude():
            log.info("host.include", code=body.about, mw=mw(body.planned_change_w), draft=body.draft)


def _emergency(log: Log, body: EmergencyDeclare | EmergencyControl | EmergencyClear) -> None:
    match body:
        case EmergencyDeclare():
            log.warning("emerg.declare", subject=body.scope, detail=body.detail)
        case EmergencyControl():
            log.warning("emerg.control", resource=body.resource, mw=mw(body.ceiling_w))
        case EmergencyClear():
            log.info("emerg.clear", subject=body.emergency_id)


def _market(log: Log, body: NeedPost | OfferAccept | OfferReject | OrderIssue | OrderRevoke) -> None:
    match body:
        case NeedPost():
            log.info("need.posted", constraint_id=body.constraint_id, mw=mw(body.required_w), kind=body.kind.value)
        case OfferAccept():
            log.info("offer.accepted", resource=body.resource, version=body.version)
        case OfferReject():
            log.info("offer.rejected", resource=body.resource, reason=body.reason.value, detail=body.criteria)
        case OrderIssue():
            log.info("order.issue", resource=body.resource, mw=mw(body.power_w), ref=body.offer_id)
        case OrderRevoke():
            log.info("order.revoke", resource=body.resource, detail=body.detail)


def booked(log: Log, event: Event) -> None:
    """Lines for what was measured, stated or contested."""
    match event:
        case Assessed():
            for found in event.found:
                _assessed(log, found)
            for line in event.charges:
                _line(log, line)
        case Stated():
            for statement in event.statements:
                told = log.bind(corr_id=statement.statement_id, subject=statement.party, version=statement.version)
                told.info("settle.statement", net=round(statement.net, 2), detail=statement.reason)
        case Contested(dispute):
            told = log.bind(corr_id=dispute.dispute_id, subject=dispute.statement_id, state=dispute.state.value)
            told.warning("dispute.moved", detail=dispute.resolution or dispute.claim)
        case Alarmed():
            log.warning("alarm.raised", code=event.code, subject=event.subject, detail=event.detail)
        case _:
            pass  # messages are told where they leave


def _assessed(log: Log, found: Assessment) -> None:
    log.info(
        "mv.report",
        corr_id=found.ref,
        resource=found.resource,
        kind=found.by.value,
        expected_mwh=round(found.expected_mwh, 6),
        delivered_mwh=round(found.delivered_mwh, 6),
        short_mwh=round(found.shortfall_mwh, 6),
        excused_mwh=round(found.excused_mwh, 6),
        detail="; ".join((f"baseline {found.baseline}, meter {found.meter}", *found.notes)),
    )
    for line in found.lines:
        _line(log, line)


def _line(log: Log, line: SettlementLine) -> None:
    log.info(
        "settle.line",
        corr_id=line.reference,
        resource=line.resource,
        kind=line.kind.value,
        amount=round(line.amount, 2),
        detail=f"{line.payer} owes {line.payee}: {line.quantity_mwh:.4f} MWh at {line.price_per_mwh:.2f} $/MWh",
    )


class Gaps:
    """Tells once what is not measured any more, and when everything is."""

    def __init__(self) -> None:
        self._unknown: frozenset[str] | None = None
        self._estimated: frozenset[str] = frozenset()

    def tell(self, log: structlog.typing.FilteringBoundLogger, at: Situation) -> None:
        """Resources without a known power, and buses without a measured voltage."""
        gaps = frozenset(r for r in at.zone.resources if at.snapshot.power_w(r) is None)
        for resource in sorted(gaps - (self._unknown or frozenset())):
            log.warning("snapshot.gap", resource=resource, consequence="the worst that may be true is assumed")
        if not gaps and self._unknown != gaps:
            log.info("snapshot.complete", count=len(at.zone.resources))
        self._unknown = gaps
        buses = frozenset(estimated(at))
        for bus in sorted(buses - self._estimated):
            grid = frozenset(point for point in at.snapshot.measurements if point.resource not in at.zone.resources)
            log.warning(
                "snapshot.estimated",
                resource=bus,
                coverage_pct=round(at.snapshot.coverage_pct(grid), 1),
                consequence="it is estimated, and limits on the way to it keep more free",
            )
        self._estimated = buses


def instructed(log: Log, event: Issued, *, reasserted: bool) -> None:
    """An instruction leaves for its device."""
    instruction = event.instruction
    log = log.bind(corr_id=event.limit_id, cycle_id=event.cycle_id, resource=instruction.resource)
    if instruction.grid_switch is not GridSwitch.LEAVE:
        log = log.bind(grid_switch=instruction.grid_switch.value)
    if not isinstance(instruction, Control):
        log.info("control.release", control_id=instruction.control_id, version=instruction.version)
        return
    refreshed = event.at_s != instruction.start_s
    (log.debug if refreshed and not reasserted else log.info)(
        "control.tx",
        control_id=instruction.control_id,
        version=instruction.version,
        mw=mw_or_none(instruction.limit.ceiling_w),
        floor_mw=mw_or_none(instruction.limit.floor_w),
        target_mw=mw_or_none(instruction.target_w),
        lease_s=round(instruction.expiry_s - event.at_s, 1),
        reasserted=reasserted,
    )


def outcome(log: Log, ack: Ack, book: Book) -> None:
    """What became of a control, or how far it has come."""
    held = book.controls.get(ack.resource)
    if ack.outcome not in CONCLUSIVE or held is None:
        say = log.info if ack.outcome in STEPS else log.debug
        say(
            "control.ack",
            resource=ack.resource,
            control_id=ack.control_id,
            outcome=ack.outcome.value,
            detail=ack.detail,
        )
        return
    written = ack if held.written is None else held.written
    say = log.info if ack.outcome is Outcome.VERIFIED else log.warning
    say(
        "command.completed",
        resource=ack.resource,
        control_id=ack.control_id,
        corr_id=held.limit_id,
        outcome=ack.outcome.value,
        detail=ack.detail,
        constraint_id=_constraint(book, held),
        requested=dict(written.requested),
        read_back=dict(written.read_back),
        power_before_mw=mw_or_none(held.power_w),
        write_ms=round(1e3 * (written.at_s - held.first_issued_s), 1),
        latency_ms=round(1e3 * (ack.at_s - held.first_issued_s), 1),
    )


def _constraint(book: Book, held: ControlRecord) -> str:
    """Asset behind the limit that a control enforces; empty where the limit is gone."""
    limit = book.limit(held.limit_id)
    return "" if limit is None else limit.constraint_id
