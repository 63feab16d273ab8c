"""What a resource has to do now: the target of highest precedence inside the box that is in force.

From high to low: emergency, limit (with the box of an instruction and of an operator inside it), an operator's
set point, order of a distribution service, instruction or dispatch of the wholesale market, the owner's own
plan. Limits are boxes, the others are targets; a box beats every target.
"""

from dataclasses import dataclass, replace

from gateway.coordination.lifecycle import OrderState
from gateway.coordination.operator import within
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import ORDERED, Instance, Source
from gateway.coordination.zone import Controllable, Resource
from protocols.signals import Bounds

CONFLICT = "LIMIT_CONFLICT"
"""Code of the alarm for boxes that have no power in common."""

_HELD = frozenset({OrderState.ACKNOWLEDGED, OrderState.DELIVERING})
"""An order counts once its seller has committed to it."""
_TOLD = _HELD | {OrderState.DISPATCHED, OrderState.RECEIVED}
"""An instruction counts from when it is given."""
GRACE_S = 30.0
"""How long a set point without a limit outlives its interval, until the next has come."""


@dataclass(frozen=True, slots=True)
class Box:
    """Where the power of a resource may be."""

    bounds: Bounds
    ref: str
    """Limit or emergency behind it."""
    until_s: float
    urgent: bool = False
    """An emergency: it goes before everything else, on protocols that know a difference."""
    conflict: bool = False
    """It had to give up a part of what else is in force."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the power of a resource shall be."""

    power_w: float
    ref: str
    until_s: float


def box(at: Situation, resource: str, time_s: float) -> Box | None:
    """What holds at a time: emergency, limit and instruction together; nothing where none is in force."""
    found: list[Box] = []
    emergency = at.book.emergencies.control(resource)
    if emergency is not None:  # once declared it lasts until it is cleared, whatever becomes of our clock
        until_s = time_s + at.zone.clocks.limit_expiry_s
        bounds = Bounds(min(emergency.floor_w, emergency.ceiling_w), emergency.ceiling_w)
        found.append(Box(bounds, emergency.emergency_id, until_s, urgent=True))
    limit = at.book.limit_at(resource, time_s)
    if limit is not None:
        found.append(Box(limit.bounds, limit.limit.limit_id, limit.limit.expires_s))
    instruction = _first(at, resource, time_s, Source.INSTRUCTION)
    if instruction is not None and instruction.ceiling_w is not None and instruction.floor_w is not None:
        bounds = Bounds(instruction.floor_w, instruction.ceiling_w)
        found.append(Box(bounds, instruction.id, instruction.end_s + GRACE_S))
    asked = at.book.operator_at(resource, time_s)
    by_hand = None if asked is None or asked.limit.is_open else asked
    if not found:
        return None if by_hand is None else Box(by_hand.limit, by_hand.instruction_id, by_hand.expires_s)
    whole = found[0]
    for other in found[1:]:
        whole = _meet(whole, other)
    # No limit opens because an instruction inside it ends.
    return whole if by_hand is None else replace(whole, bounds=within(whole.bounds, by_hand.limit))


def target(at: Situation, resource: str, time_s: float) -> Target | None:
    """The target of highest precedence that we set ourselves; nothing where the owner is left to its own."""
    asked = at.book.operator_at(resource, time_s)
    if asked is not None and asked.target_w is not None:
        return Target(asked.target_w, asked.instruction_id, asked.expires_s)
    order, told = _first(at, resource, time_s, Source.ORDER), _wholesale(at, resource, time_s)
    # A total DSO shares out with the order in view: the same megawatts serve both, and the instruction may ask more.
    both = order is not None and told is not None and told.state in _HELD and told.asked_w >= order.asked_w
    instance = told if order is None or both else order
    return None if instance is None else Target(instance.asked_w, instance.id, instance.end_s)


def commanded(at: Situation, resource: Resource) -> Target | None:
    """The target that is written to the device itself: of those that take set points."""
    return target(at, resource.id, at.now_s) if resource.controllable is Controllable.SETPOINT else None


def _wholesale(at: Situation, resource: str, time_s: float) -> Instance | None:
    """What it was told of a dispatch; what was ordered for the schedule ahead only where no dispatch came to it."""
    told = at.book.trade.of(resource)
    if any(i.source is Source.INSTRUCTION and i.start_s <= time_s < i.end_s for i in told):
        return _first(at, resource, time_s, Source.INSTRUCTION)
    return _first(at, resource, time_s, Source.SCHEDULE)


def _first(at: Situation, resource: str, time_s: float, source: Source) -> Instance | None:
    counts = _HELD if source in ORDERED else _TOLD
    found = [i for i in at.book.trade.live(resource, time_s) if i.source is source and i.state in counts]
    return max(found, key=lambda i: (i.start_s, i.version), default=None)


def _meet(first: Box, second: Box) -> Box:
    """Both at once; where they have nothing in common, the first keeps its place and the second gives way to it."""
    floor_w = _most(first.bounds.floor_w, second.bounds.floor_w)
    ceiling_w = _least(first.bounds.ceiling_w, second.bounds.ceiling_w)
    until_s = min(first.until_s, second.until_s)
    if floor_w is not None and ceiling_w is not None and floor_w > ceiling_w:
        return Box(first.bounds, first.ref, first.until_s, first.urgent, conflict=True)
    return Box(Bounds(floor_w, ceiling_w), first.ref, until_s, first.urgent, first.conflict or second.conflict)


def _most(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else max(one, other)


def _least(one: float | None, other: float | None) -> float | None:
    return other if one is None else one if other is None else min(one, other)
