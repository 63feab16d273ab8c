"""Did the watts move? Judges a written control by the power measured after it.

An instruction whose outcome is unknown is first settled by the limit that the device shows.
"""

from gateway.coordination.book_records import ControlRecord
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Resource
from protocols.points import Quantity
from protocols.signals import Ack, Bounds, Control, Instruction, Measurement, Outcome, Release

SETTLE_POLLS = 3
"""Polls that a device may take beyond its ramp until the measurement shows it."""


ROUNDING_PU = 0.01
"""A device may hold a limit as whole percent of its rating, rounded toward safety."""


def judge(at: Situation) -> tuple[Ack, ...]:
    """New verdicts on the newest instructions, each only when it changes.

    `VERIFIED`, `UNVERIFIED` or `EXPIRED` for a control; for one whose outcome is unknown also
    `UNDELIVERED` where the device shows that it does not hold it; for such a release `COMPLETED` or `UNDELIVERED`.
    """
    return tuple(ack for resource in at.zone.resources.values() if (ack := _judge(at, resource)) is not None)


def _judge(at: Situation, resource: Resource) -> Ack | None:
    record = at.book.controls.get(resource.id)
    if record is None:
        return None
    if isinstance(record.instruction, Release):
        return _judge_release(at, resource, record, record.instruction)
    control = record.instruction
    if at.now_s >= control.expiry_s:
        gone = record.outcome in (None, Outcome.EXPIRED)
        return None if gone else _verdict(control, Outcome.EXPIRED, at.now_s, "the lease ran out unrefreshed")
    holds = _holds(at, resource, control.limit, record.answered_s) if record.outcome is Outcome.UNKNOWN else None
    if holds is False:
        return _verdict(control, Outcome.UNDELIVERED, at.now_s, "read back: the device does not hold the limit")
    since_s = record.answered_s if holds else record.written_s
    return None if since_s is None else _by_watts(at, resource, record, control, since_s)


def _by_watts(at: Situation, resource: Resource, record: ControlRecord, control: Control, since_s: float) -> Ack | None:
    measured = at.snapshot.reading(resource.id, Quantity.ACTIVE_POWER_W)
    if measured is None or measured.received_time_s < since_s:
        return None
    available = at.snapshot.reading(resource.id, Quantity.AVAILABLE_POWER_W)
    if _missed_w(control, measured.value, None if available is None else available.value) <= resource.verify_band_w:
        # A device's clock may be behind, so a value from before the write proves nothing good.
        outcome = Outcome.VERIFIED if measured.source_time_s >= since_s else record.outcome
    elif at.now_s >= deadline_s(record, resource):
        outcome = Outcome.UNVERIFIED
    else:
        return None
    if outcome is None or record.outcome is outcome:
        return None
    return _verdict(control, outcome, at.now_s, _found(measured, control), measured)


def _judge_release(at: Situation, resource: Resource, record: ControlRecord, release: Release) -> Ack | None:
    """Whether a release of unknown outcome arrived; no verdict where the limit it lifts may as well stand before us."""
    lifted = record.lifted
    if record.outcome is not Outcome.UNKNOWN or lifted is None:
        return None
    shown = [_holds(at, resource, limit, record.answered_s) for limit in (lifted.limit, lifted.fallback)]
    if True in shown:
        return _verdict(release, Outcome.UNDELIVERED, at.now_s, "read back: the device still holds its limit")
    if shown[0] is False:
        return _verdict(release, Outcome.COMPLETED, at.now_s, "read back: the limit is gone")
    return None


def _holds(at: Situation, resource: Resource, limit: Bounds, since_s: float) -> bool | None:
    """True where the device shows a limit, False where it shows a looser one, `None` where it does not tell."""
    slack_w = max(resource.verify_band_w, ROUNDING_PU * max(resource.ceiling_w, -resource.floor_w))
    sides = (
        (limit.ceiling_w, at.snapshot.reading(resource.id, Quantity.CEILING_W), 1.0),
        (limit.floor_w, at.snapshot.reading(resource.id, Quantity.FLOOR_W), -1.0),
    )
    found = []
    for wanted_w, shown, sign in sides:
        if wanted_w is None:
            continue
        if shown is None or shown.received_time_s <= since_s:
            return None
        found.append(sign * (shown.value - wanted_w))  # above 0: looser than asked
    if not found:
        return None
    if max(found) > slack_w:
        return False
    return True if all(-slack_w <= looser_w for looser_w in found) else None


def deadline_s(record: ControlRecord, resource: Resource) -> float:
    """When the power must be inside the limit: the ramp from where it stood, and a few polls to see it."""
    begun_s = record.first_issued_s if record.written_s is None else record.written_s
    settle_s = begun_s + SETTLE_POLLS * resource.poll_s
    if resource.ramp_w_per_s is None or not isinstance(record.instruction, Control):
        return settle_s
    from_w = resource.ceiling_w if record.power_w is None else record.power_w
    return settle_s + _missed_w(record.instruction, from_w, None) / resource.ramp_w_per_s


def _missed_w(control: Control, power_w: float, available_w: float | None) -> float:
    """How far a power lies from what is asked, W: outside of the limit, or off a set point that can be reached."""
    if control.target_w is None:
        return abs(power_w - control.limit.clamp(power_w))
    reachable_w = control.target_w if available_w is None else min(control.target_w, available_w)
    return abs(power_w - control.limit.clamp(reachable_w))


def _found(measured: Measurement, control: Control) -> str:
    sides = (("at most", control.limit.ceiling_w), ("at least", control.limit.floor_w))
    allowed = " and ".join(f"{word} {w / 1e6:.3f} MW" for word, w in sides if w is not None) or "any power"
    asked = "" if control.target_w is None else f" and {control.target_w / 1e6:.3f} MW is asked for"
    return f"measured {measured.value / 1e6:.3f} MW where {allowed} is allowed{asked}"


def _verdict(told: Instruction, outcome: Outcome, at_s: float, detail: str, measured: Measurement | None = None) -> Ack:
    read_back = {} if measured is None else {"power_w": measured.value}
    return Ack(told.control_id, told.resource, told.version, outcome, at_s, detail, read_back=read_back)
