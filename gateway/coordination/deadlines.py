"""What is owed and when: reminders for limits that nobody acknowledged, alarms for notices that never came."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.coordination.book import NON_RESPONSE
from gateway.coordination.book_records import LimitRecord
from gateway.coordination.events import Alarmed
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.messages import Message
from gateway.coordination.situation import Situation
from gateway.coordination.zone import DsoModel


@dataclass(frozen=True, slots=True)
class Overdue:
    """What follows from deadlines that have passed."""

    reminders: tuple[Message, ...] = ()
    alarms: tuple[Alarmed, ...] = ()


def overdue(at: Situation, told: frozenset[str] = frozenset()) -> Overdue:
    """Limits to send once more and alarms to raise now; each alarm once per limit.

    Args:
        told: resources that are told something newer in this cycle: nobody is reminded of the old.
    """
    reminders: list[Message] = []
    alarms: list[Alarmed] = []
    for resource, records in at.book.limits.items():
        for record in records:
            if at.now_s >= record.limit.expires_s:
                continue
            unheard = record.ack is None and not record.reminded and resource not in told
            if unheard and at.now_s >= record.sent_s + at.zone.clocks.commit_s:
                reminders.append(_again(at, record))
            alarms.extend(a for a in _alarms(at, record) if (a.code, a.subject) not in at.book.alarms)
    alarms.extend(_unanswered(at))
    return Overdue(tuple(reminders), tuple(alarms))


def _unanswered(at: Situation) -> Iterator[Alarmed]:
    """Orders, instructions and relays that nobody has committed to in time: they count as undelivered."""
    for resource in at.zone.resources:
        for instance in at.book.trade.of(resource):
            waiting = instance.state in (OrderState.DISPATCHED, OrderState.RECEIVED)
            if waiting and at.now_s >= instance.sent_s + at.zone.clocks.commit_s:
                owner, asked_mw = at.zone.resources[resource].owner, instance.asked_w / 1e6
                detail = f"{owner} has not committed to {instance.source.value} {instance.id} of {asked_mw:.2f} MW"
                yield Alarmed(NON_RESPONSE, instance.id, at.now_s, detail)


def _again(at: Situation, record: LimitRecord) -> Message:
    owner = at.zone.resources[record.limit.resource].owner
    message = at.message(owner, record.limit.limit_id, record.limit)
    header = replace(message.header, msg_id=f"{message.header.msg_id}:again")
    return replace(message, header=header)


def _alarms(at: Situation, record: LimitRecord) -> Iterator[Alarmed]:
    limit, clocks = record.limit, at.zone.clocks
    if record.ack is None and at.now_s >= record.sent_s + clocks.commit_s:
        yield Alarmed(
            NON_RESPONSE,
            limit.limit_id,
            at.now_s,
            f"{limit.resource} has not acknowledged limit {limit.limit_id} of {limit.ceiling_w / 1e6:.2f} MW",
        )
    owed = at.zone.model is DsoModel.DUAL_PARTICIPATION and record.ack is not None and record.notice is None
    if owed and _restricts(at, record) and at.now_s >= record.sent_s + clocks.commit_s + clocks.notice_s:
        yield Alarmed(
            "CAP_NOTICE_MISSING",
            limit.limit_id,
            at.now_s,
            f"no copy of a capability notice of {limit.resource} for limit {limit.limit_id} has come; "
            "its owner must tell the system operator",
        )


def _restricts(at: Situation, record: LimitRecord) -> bool:
    """True where the limit takes something away from what was dispatched."""
    dispatch = at.book.dispatch_at(record.limit.resource, max(at.now_s, record.limit.start_s))
    return dispatch is not None and record.bounds.clamp(dispatch.power_w) != dispatch.power_w
