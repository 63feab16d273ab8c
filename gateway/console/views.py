"""The zone in the words of the operator's API: what each resource may, does and was asked."""

from collections.abc import Iterator

from gateway.console import markets
from gateway.console import words as w
from gateway.coordination import precedence
from gateway.coordination.book_records import ControlRecord, LimitRecord
from gateway.coordination.emergency_record import EmergencyRecord
from gateway.coordination.operator import OperatorInstruction
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Source
from gateway.coordination.zone import Resource
from protocols.points import Point, Quantity
from protocols.signals import Control, Measurement, Quality


def der(at: Situation, resource: Resource, protocol: str = "") -> w.DerView:
    """Everything about one resource, from both markets to its registers."""
    name, book = resource.id, at.book
    emergency = book.emergencies.control(name)
    asked = book.operator_at(name, at.now_s)
    outage = book.outages.get(name)
    control = book.controls.get(name)
    return w.DerView(
        id=name,
        zone=at.zone.id,
        model=at.zone.model.value,
        at_s=at.now_s,
        owner=resource.owner,
        bus=resource.bus,
        phases=resource.phases,
        controllable=resource.controllable.value,
        floor_w=resource.floor_w,
        ceiling_w=resource.ceiling_w,
        link=_link(at, name, protocol),
        readings=[_reading(at, m) for point, m in sorted(_points(at, name))],
        effective=_effective(at, name),
        limits=[_limit(at, record) for record in book.limits.get(name, ())],
        control=None if control is None else _control(control),
        operator=None if asked is None else instruction(asked),
        emergency=None if emergency is None else emergency_of(book.emergencies.records[emergency.emergency_id]),
        outage=None
        if outage is None or outage.end_s <= at.now_s
        else w.OutageOut(
            id=outage.outage_id,
            available_w=outage.available_w,
            start_s=outage.start_s,
            end_s=outage.end_s,
            planned=outage.planned,
        ),
        wholesale=markets.wholesale(at, name),
        local=markets.local(at, name),
    )


def line(at: Situation, resource: Resource) -> w.DerOut:
    """One resource in a line."""
    name = resource.id
    measured = at.snapshot.measurements.get(Point(name, Quantity.ACTIVE_POWER_W))
    holds, target, control = _effective(at, name), precedence.target(at, name, at.now_s), at.book.controls.get(name)
    limit = at.book.limit_at(name, at.now_s)
    dispatch = at.book.dispatch_at(name, at.now_s)
    relayed = [i for i in at.book.trade.live(name, at.now_s) if i.source is Source.RELAY]
    wholesale_w = relayed[-1].asked_w if relayed else None if dispatch is None else dispatch.power_w
    return w.DerOut(
        id=name,
        owner=resource.owner,
        link=at.snapshot.link(name).value,
        measured_w=None if measured is None else _value(measured),
        quality="" if measured is None else measured.quality.value,
        age_s=None if measured is None else _age_s(at, measured),
        asked_w=wholesale_w if target is None else target.power_w,
        floor_w=None if holds is None else holds.floor_w,
        ceiling_w=None if holds is None else holds.ceiling_w,
        because="" if holds is None else holds.because,
        constraint="" if limit is None else f"{limit.limit.reason.value} {limit.limit.constraint_id}".strip(),
        control="" if control is None else control.instruction.control_id,
        outcome="" if control is None else _outcome(control),
    )


def emergency_of(record: EmergencyRecord) -> w.EmergencyOut:
    """An emergency."""
    return w.EmergencyOut(
        id=record.declared.emergency_id,
        level=record.declared.level,
        scope=record.declared.scope,
        because=record.declared.detail,
        since_s=record.declared.start_s,
        cleared_s=record.cleared_s,
        resources=list(record.controls),
    )


def instruction(asked: OperatorInstruction) -> w.InstructionOut:
    """What an operator asks of a resource."""
    return w.InstructionOut(
        id=asked.instruction_id,
        resource=asked.resource,
        version=asked.version,
        floor_w=asked.limit.floor_w,
        ceiling_w=asked.limit.ceiling_w,
        target_w=asked.target_w,
        since_s=asked.at_s,
        until_s=asked.expires_s,
        source=asked.source,
    )


def _points(at: Situation, name: str) -> Iterator[tuple[Point, Measurement]]:
    return ((point, measured) for point, measured in at.snapshot.measurements.items() if point.resource == name)


def _link(at: Situation, name: str, protocol: str) -> w.Link:
    change = at.snapshot.links.get(name)
    return w.Link(
        state=at.snapshot.link(name).value,
        since_s=None if change is None else change.at_s,
        detail="" if change is None else change.detail,
        protocol=protocol,
    )


def _reading(at: Situation, measured: Measurement) -> w.Reading:
    return w.Reading(
        point=str(measured.point),
        value=_value(measured),
        quality=measured.quality.value,
        source_s=measured.source_time_s,
        age_s=_age_s(at, measured),
    )


def _value(measured: Measurement) -> float | None:
    return None if measured.quality is Quality.BAD else measured.value


def _age_s(at: Situation, measured: Measurement) -> float:
    return round(max(0.0, at.now_s - measured.received_time_s), 3)


def _effective(at: Situation, name: str) -> w.Effective | None:
    box, target = precedence.box(at, name, at.now_s), precedence.target(at, name, at.now_s)
    if box is None and target is None:
        return None
    return w.Effective(
        floor_w=None if box is None else box.bounds.floor_w,
        ceiling_w=None if box is None else box.bounds.ceiling_w,
        target_w=None if target is None else target.power_w if box is None else box.bounds.clamp(target.power_w),
        because=box.ref if box is not None else target.ref if target is not None else "",
        urgent=box is not None and box.urgent,
        conflict=box is not None and box.conflict,
    )


def _limit(at: Situation, record: LimitRecord) -> w.LimitOut:
    limit, ack = record.limit, record.ack
    return w.LimitOut(
        id=limit.limit_id,
        version=limit.version,
        floor_w=limit.floor_w,
        ceiling_w=limit.ceiling_w,
        reason=limit.reason.value,
        constraint=limit.constraint_id,
        loading_before_pct=round(limit.supporting.loading_before_pct, 2),
        start_s=limit.start_s,
        end_s=limit.end_s,
        expires_s=limit.expires_s,
        in_force=at.book.limit_at(limit.resource, at.now_s) is record,
        status="" if ack is None else ack.status.value,
        committed_w=None if ack is None else ack.power_w,
    )


def _control(record: ControlRecord) -> w.ControlOut:
    sent, written = record.instruction, record.written
    control = sent if isinstance(sent, Control) else None
    return w.ControlOut(
        id=sent.control_id,
        version=sent.version,
        release=control is None,
        floor_w=None if control is None else control.limit.floor_w,
        ceiling_w=None if control is None else control.limit.ceiling_w,
        target_w=None if control is None else control.target_w,
        urgent=control is not None and control.urgent,
        off_grid=record.disconnected,
        outcome=_outcome(record),
        issued_s=record.issued_s,
        answered_s=record.answered_s or None,
        leased_until_s=record.leased_until_s,
        because=record.limit_id,
        requested={} if written is None else dict(written.requested),
        read_back={} if written is None else dict(written.read_back),
    )


def _outcome(record: ControlRecord) -> str:
    return "sent" if record.outcome is None else record.outcome.value
