"""Where we are the host: what we let the embedded utility exchange with us, and whether what it plans fits in.

Its DER/As are its own affair; it alone is told, and it alone answers.
"""

from collections.abc import Iterator

from gateway.coordination.emergency import ZONE
from gateway.coordination.market import Interface, Side
from gateway.coordination.messages import Message
from gateway.coordination.operation_messages import HostInclude, HostLimit, HostNoObjection, HostObject
from gateway.coordination.situation import Situation
from protocols.signals import Bounds

OPEN_W = 9e9
"""A side that is not limited, within what a message can say."""
STOPS = 2
"""From this level on an emergency of the zone lets nothing more in."""


def published(at: Situation) -> tuple[Message, ...]:
    """The limit at every interface where it is new or has changed, and before the one in force runs out."""
    return tuple(_published(at))


def answered(at: Situation, message: Message, include: HostInclude) -> tuple[Message, ...]:
    """No objection to a draft, unless the power at the interface would go beyond what we let through."""
    interface = at.zone.around.interfaces.get(include.include_id.partition(":")[0])
    ours = interface is not None and interface.side is Side.HOST and interface.party == message.header.sender
    if interface is None or not ours or not include.draft:
        return ()
    box, told = _allowed(at, interface), at.book.neighbours.telemetry.get(interface.id)
    planned_w = None if told is None else told.power_w + include.planned_change_w
    if planned_w is None or _floor_w(box) <= planned_w <= _ceiling_w(box):
        answer = HostNoObjection(include.include_id)
        return (at.message(interface.party, include.include_id, answer),)
    objection = HostObject(include.include_id, interface.id, _ceiling_w(box), _floor_w(box))
    return (at.message(interface.party, include.include_id, objection),)


def _published(at: Situation) -> Iterator[Message]:
    clocks = at.zone.clocks
    for interface in at.zone.around.interfaces.values():
        if interface.side is not Side.HOST:
            continue
        limit_id, box = f"{at.zone.id}-{interface.id}", _allowed(at, interface)
        held = at.book.neighbours.limits.get(interface.id, ())
        newest = next((one for one in reversed(held) if one.limit_id == limit_id), None)
        side_w = (_ceiling_w(box), _floor_w(box))
        lasts = newest is not None and newest.end_s - at.now_s > clocks.interval_s
        if newest is not None and lasts and (newest.ceiling_w, newest.floor_w) == side_w:
            continue
        version = 1 if newest is None else newest.version + 1
        body = HostLimit(limit_id, version, interface.id, *side_w, at.now_s, at.now_s + 2 * clocks.limit_expiry_s)
        yield at.message(interface.party, limit_id, body, suffix=f":{version}")


def _allowed(at: Situation, interface: Interface) -> Bounds:
    """The contract; in an emergency of the zone nothing is let in, whatever was agreed."""
    levels = [one.declared.level for one in at.book.emergencies.lasting if one.declared.scope == ZONE]
    stopped = max(levels, default=0) >= STOPS
    return Bounds(interface.contract.floor_w, 0.0) if stopped else interface.contract


def _ceiling_w(box: Bounds) -> float:
    return OPEN_W if box.ceiling_w is None else box.ceiling_w


def _floor_w(box: Bounds) -> float:
    return -OPEN_W if box.floor_w is None else box.floor_w
