"""Did the watts move? Judges a written control by the power measured after it."""

from gateway.coordination.book import ControlRecord
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Resource
from protocols.points import Quantity
from protocols.signals import Ack, Bounds, Control, Measurement, Outcome

SETTLE_POLLS = 3
"""Polls that a device may take beyond its ramp until the measurement shows it."""


def judge(at: Situation) -> tuple[Ack, ...]:
    """New verdicts on the controls in force: `VERIFIED`, `UNVERIFIED` or `EXPIRED`, each only when it changes."""
    return tuple(ack for resource in at.zone.resources.values() if (ack := _judge(at, resource)) is not None)


def _judge(at: Situation, resource: Resource) -> Ack | None:
    record = at.book.controls.get(resource.id)
    if record is None or not isinstance(record.instruction, Control):
        return None
    control = record.instruction
    if at.now_s >= control.expiry_s:
        gone = record.outcome in (None, Outcome.EXPIRED)
        return None if gone else _verdict(control, Outcome.EXPIRED, at.now_s, "the lease ran out unrefreshed")
    measured = at.snapshot.reading(resource.id, Quantity.ACTIVE_POWER_W)
    if record.written_s is None or measured is None or measured.source_time_s < record.written_s:
        return None
    if _outside(control.limit, measured.value) <= resource.verify_band_w:
        outcome = Outcome.VERIFIED
    elif at.now_s >= deadline_s(record, resource):
        outcome = Outcome.UNVERIFIED
    else:
        return None
    return (
        None if record.outcome is outcome else _verdict(control, outcome, at.now_s, _found(measured, control), measured)
    )


def deadline_s(record: ControlRecord, resource: Resource) -> float:
    """When the power must be inside the limit: the ramp from where it stood, and a few polls to see it."""
    begun_s = record.first_issued_s if record.written_s is None else record.written_s
    settle_s = begun_s + SETTLE_POLLS * resource.poll_s
    if resource.ramp_w_per_s is None or not isinstance(record.instruction, Control):
        return settle_s
    from_w = resource.ceiling_w if record.power_w is None else record.power_w
    return settle_s + _outside(record.instruction.limit, from_w) / resource.ramp_w_per_s


def _outside(limit: Bounds, power_w: float) -> float:
    """How far a power lies outside a box, W; 0 inside."""
    return abs(power_w - limit.clamp(power_w))


def _found(measured: Measurement, control: Control) -> str:
    sides = (("at most", control.limit.ceiling_w), ("at least", control.limit.floor_w))
    allowed = " and ".join(f"{word} {w / 1e6:.3f} MW" for word, w in sides if w is not None) or "any power"
    return f"measured {measured.value / 1e6:.3f} MW where {allowed} is allowed"


def _verdict(control: Control, outcome: Outcome, at_s: float, detail: str, measured: Measurement | None = None) -> Ack:
    read_back = {} if measured is None else {"power_w": measured.value}
    return Ack(control.control_id, control.resource, control.version, outcome, at_s, detail, read_back=read_back)
