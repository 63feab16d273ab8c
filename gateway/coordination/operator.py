"""What an operator asks of one resource by hand, from whatever bench or console it comes.

It beats the owner's set point and never a limit of the DSO: what reaches the device is its part inside the limit.
"""

from dataclasses import dataclass, field
from math import isfinite

from gateway.coordination.zone import Controllable, Resource, ZoneFacts
from protocols.signals import Bounds


@dataclass(frozen=True, slots=True)
class OperatorInstruction:
    """The whole of what is asked of a resource; a newer one takes the place of an older one."""

    instruction_id: str
    resource: str
    version: int
    """Monotone per resource."""
    at_s: float
    expires_s: float
    """From here on it asks for nothing any more; Unix seconds UTC."""
    source: str
    """Who asks, and through which door; for people."""
    limit: Bounds = field(default_factory=Bounds)
    target_w: float | None = None

    @property
    def is_withdrawal(self) -> bool:
        """True where it asks for nothing: what was asked before no longer holds."""
        return self.limit.is_open and self.target_w is None

    def holds(self, time_s: float) -> bool:
        """Whether it asks for something at a time."""
        return not self.is_withdrawal and time_s < self.expires_s


def refusal(zone: ZoneFacts, asked: OperatorInstruction) -> str | None:
    """Why an instruction is not taken, in words; `None` where it is."""
    resource = zone.resources.get(asked.resource)
    if resource is None:
        return f"{asked.resource} is not a resource of zone {zone.id}"
    numbers = (asked.target_w, asked.limit.floor_w, asked.limit.ceiling_w, asked.expires_s)
    if not all(number is None or isfinite(number) for number in numbers):
        return f"{resource.id}: a power or a time is not a number"
    if asked.expires_s <= asked.at_s:
        return f"{resource.id}: the instruction would end before it begins"
    return _incapable(resource, asked)


def _incapable(resource: Resource, asked: OperatorInstruction) -> str | None:
    """Why a resource cannot do what is asked; `None` where it can."""
    if resource.controllable is Controllable.NONE:
        return f"{resource.id} cannot be controlled: the zone file says so"
    if asked.target_w is not None and resource.controllable is not Controllable.SETPOINT:
        return f"{resource.id} takes limits but no set point: the zone file says so"
    if _is_beyond(asked.limit, resource):
        able = f"{resource.floor_w / 1e6:.3f} to {resource.ceiling_w / 1e6:.3f} MW"
        return f"{resource.id} can do {able}, and what is asked lies outside"
    return None


def _is_beyond(limit: Bounds, resource: Resource) -> bool:
    """True where a box has nothing in common with what a resource can do."""
    above = limit.floor_w is not None and limit.floor_w > resource.ceiling_w
    return above or (limit.ceiling_w is not None and limit.ceiling_w < resource.floor_w)


def within(limit: Bounds, asked: Bounds) -> Bounds:
    """The part of what is asked that a limit admits; where they do not meet, the side of the limit that is nearer."""
    floor_w = limit.floor_w if asked.floor_w is None else limit.clamp(asked.floor_w)
    ceiling_w = limit.ceiling_w if asked.ceiling_w is None else limit.clamp(asked.ceiling_w)
    return Bounds(floor_w, ceiling_w)
