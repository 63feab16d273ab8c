"""Host and embedded utility: limits at their interface, copies of what is said, and leave before it is done."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.coordination.events import Alarmed
from gateway.coordination.market import Interface, Side
from gateway.coordination.messages import (
    AckCommit,
    CapabilityNotice,
    Dispatch,
    DispatchCopy,
    LimitIssue,
    Message,
    OutageNotice,
)
from gateway.coordination.operation_messages import (
    EmergencyControl,
    HostInclude,
    HostLimit,
    HostNoObjection,
    HostObject,
    HostTelemetry,
    Instruction,
)
from gateway.coordination.payload import written
from gateway.coordination.settlement_messages import SettlementBody
from gateway.coordination.situation import Situation
from grid_engine.results import Binding, Rating, Reason

NO_RESPONSE = "HOST_NO_RESPONSE"
"""Code of the alarm for a host that neither objects nor says that it does not."""

_BETWEEN_US = (HostInclude, HostLimit, HostNoObjection, HostObject, HostTelemetry)
_WAITS = (LimitIssue, Instruction)
"""What is not carried out before the host had its say."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What may leave now, and what waits."""

    messages: tuple[Message, ...]
    alarms: tuple[Alarmed, ...] = ()
    waiting: bool = False
    """Something was held back until the host has had its say."""


def ratings(at: Situation) -> dict[str, Rating]:
    """The ratings now, with what holds at every interface as limits of the branch between the utilities."""
    found = {**at.zone.ratings, **at.lowered}
    for interface in at.zone.around.interfaces.values():
        bounds = at.book.neighbours.bounds(interface, at.now_s)
        held = found.get(interface.branch, Rating())
        out_w, in_w = _less(held.reverse_power_w, bounds.ceiling_w), _less(held.forward_power_w, _drawn(bounds.floor_w))
        found[interface.branch] = replace(held, reverse_power_w=out_w, forward_power_w=in_w)
    return found


def named(at: Situation, binding: Binding) -> tuple[Reason, str]:
    """Reason and constraint of a limit: the host's where its limit at the interface is the one that binds."""
    if binding.reason in (Reason.REVERSE_POWER, Reason.FORWARD_POWER):
        for interface in at.zone.around.interfaces.values():
            own = at.zone.ratings.get(interface.branch, Rating())
            held = own.reverse_power_w if binding.reason is Reason.REVERSE_POWER else own.forward_power_w
            if interface.branch == binding.asset_id and (held is None or held > binding.limit):
                return Reason.HOST, f"HOST:{interface.id}"
    return binding.reason, binding.asset_id


def cleared(at: Situation, messages: Sequence[Message]) -> Cleared:
    """Of what is about to leave: drafts that the host has to see first, and the rest as it is."""
    found: list[Message] = []
    alarms: list[Alarmed] = []
    waiting = False
    for message in messages:
        interface = _behind(at, message)
        if interface is None or not _planned(at, message, interface):
            found.append(message)
            continue
        draft = _draft(at, message, interface)
        record = at.book.neighbours.includes.get(draft.include_id)
        going = len(found)
        if record is None:
            found.append(at.message(interface.party, draft.include_id, draft))
            going += 1
        elif record.answered_s is not None and (not record.objected or at.now_s > record.answered_s):
            found.append(message)  # what comes to the same within the limits of an objection is the best there is
        elif record.answered_s is None and at.now_s >= record.sent_s + interface.patience_s:
            found.append(message)
            if (NO_RESPONSE, draft.include_id) not in at.book.alarms:
                alarms.append(_silent(at, interface, draft, message))
        waiting = waiting or len(found) == going
    return Cleared(tuple(found), tuple(alarms), waiting)


def copied(at: Situation, message: Message) -> tuple[Message, ...]:
    """Copies of a message that has come or leaves, for the host."""
    return tuple(_copies(at, message))


def _copies(at: Situation, message: Message) -> Iterator[Message]:
    """Every market or operational message goes to the host too, but what it said itself and settlement."""
    if isinstance(message.body, (*_BETWEEN_US, SettlementBody)):
        return
    for interface in _hosts(at):
        if interface.party in (message.header.sender, message.header.recipient) or _seen(at, message, interface):
            continue
        include_id = f"{interface.id}:{message.header.msg_id}"
        if include_id not in at.book.neighbours.includes:
            body = HostInclude(include_id, message.code, written(message), _change_w(at, message, interface))
            yield at.message(interface.party, include_id, body)


def _seen(at: Situation, message: Message, interface: Interface) -> bool:
    """Whether the host has had a message as a draft."""
    if _behind(at, message) is not interface:
        return False
    return _draft(at, message, interface).include_id in at.book.neighbours.includes


def _hosts(at: Situation) -> Iterator[Interface]:
    """Interfaces at which the other utility is the host."""
    return (i for i in at.zone.around.interfaces.values() if i.side is Side.EMBEDDED)


def _behind(at: Situation, message: Message) -> Interface | None:
    """The interface that a message is about; nothing where the host need not be asked."""
    if not isinstance(message.body, _WAITS):
        return None
    return next((i for i in _hosts(at) if message.resource in i.members), None)


def _planned(at: Situation, message: Message, interface: Interface) -> bool:
    return abs(_change_w(at, message, interface)) > interface.notify_w


def _change_w(at: Situation, message: Message, interface: Interface) -> float:
    """By which the flow at the interface will change, positive into the host's network."""
    body = message.body
    if message.resource not in interface.members:
        return 0.0
    stands_w = at.snapshot.power_w(message.resource, stale=True) or 0.0
    match body:
        case LimitIssue() | EmergencyControl():
            dispatch = at.book.dispatch_at(message.resource, at.now_s)
            asked_w = stands_w if dispatch is None else dispatch.power_w
            return min(max(asked_w, body.floor_w), body.ceiling_w) - stands_w
        case Instruction() | Dispatch() | DispatchCopy() | CapabilityNotice() | AckCommit():
            return body.power_w - stands_w
        case OutageNotice():
            return min(body.available_w, stands_w) - stands_w
        case _:
            return 0.0


def _draft(at: Situation, message: Message, interface: Interface) -> HostInclude:
    body = message.body
    box = (body.ceiling_w, body.floor_w) if isinstance(body, LimitIssue | Instruction) else ()
    include_id = f"{interface.id}:{message.header.corr_id}:" + ":".join(f"{side_w:.0f}" for side_w in box)
    change_w = _change_w(at, message, interface)
    return HostInclude(include_id, message.code, written(message), change_w, draft=True)


def _silent(at: Situation, interface: Interface, draft: HostInclude, message: Message) -> Alarmed:
    detail = (
        f"{interface.party} has not answered about {message.code} of {message.resource} "
        f"within {interface.patience_s:g} s; it goes ahead within the last limit at {interface.id}"
    )
    return Alarmed(NO_RESPONSE, draft.include_id, at.now_s, detail)


def _less(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)


def _drawn(floor_w: float | None) -> float | None:
    """A lowest power at the interface as the most that is drawn through it."""
    return None if floor_w is None else max(-floor_w, 0.0)
