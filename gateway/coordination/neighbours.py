"""What host and embedded utility have told each other: limits at their interface, copies, objections."""

from dataclasses import dataclass, field

from gateway.coordination.market import Interface
from gateway.coordination.messages import Message
from gateway.coordination.operation_messages import (
    HostInclude,
    HostLimit,
    HostNoObjection,
    HostObject,
    HostTelemetry,
)
from protocols.signals import Bounds

KEPT = 10_000
OBJECTION_S = 3_600.0
"""How long the limits of an objection hold, unless a limit says otherwise."""


@dataclass(slots=True)
class IncludeRecord:
    """A copy that was sent, and what came back."""

    sent_s: float
    draft: bool
    answered_s: float | None = None
    objected: bool = False


@dataclass(slots=True)
class Neighbours:
    """The state of coordination between two utilities; `received` and `sent` are its only mutations."""

    limits: dict[str, tuple[HostLimit, ...]] = field(default_factory=dict)
    """By interface, of those not over; the newest last."""
    telemetry: dict[str, HostTelemetry] = field(default_factory=dict)
    includes: dict[str, IncludeRecord] = field(default_factory=dict)

    def bounds(self, interface: Interface, time_s: float) -> Bounds:
        """What holds at an interface: the newest limit that is valid, else the contract."""
        valid = [limit for limit in self.limits.get(interface.id, ()) if limit.start_s <= time_s < limit.end_s]
        return Bounds(valid[-1].floor_w, valid[-1].ceiling_w) if valid else interface.contract

    def received(self, message: Message, at_s: float) -> None:
        """Take in what the other utility said."""
        match message.body:
            case HostLimit() as body:
                self._limited(body, at_s)
            case HostTelemetry() as body:
                held = self.telemetry.get(body.interface)
                if held is None or held.at_s <= body.at_s:
                    self.telemetry[body.interface] = body
            case HostNoObjection() as body:
                self._answered(body.include_id, at_s, objected=False)
            case HostObject() as body:
                if self._answered(body.include_id, at_s, objected=True):
                    version = max((limit.version for limit in self.limits.get(body.interface, ())), default=0) + 1
                    limit_id = f"objection-{body.include_id}"
                    box = (body.ceiling_w, body.floor_w, at_s, at_s + OBJECTION_S)
                    self._limited(HostLimit(limit_id, version, body.interface, *box), at_s)
            case _:
                pass  # nothing between utilities

    def sent(self, message: Message, at_s: float) -> None:
        """Take in what we said."""
        match message.body:
            case HostInclude() as body:
                self.includes.setdefault(body.include_id, IncludeRecord(at_s, body.draft))
                if len(self.includes) > KEPT:
                    self.includes = dict(list(self.includes.items())[-KEPT // 2 :])
            case HostLimit() as body:
                self._limited(body, at_s)
            case _:
                pass

    def _limited(self, limit: HostLimit, at_s: float) -> None:
        held = [one for one in self.limits.get(limit.interface, ()) if one.end_s > at_s]
        if any(one.limit_id == limit.limit_id and one.version >= limit.version for one in held):
            return  # older never returns
        others = [one for one in held if one.limit_id != limit.limit_id]
        self.limits[limit.interface] = (*others, limit)

    def _answered(self, include_id: str, at_s: float, *, objected: bool) -> bool:
        record = self.includes.get(include_id)
        if record is None or record.answered_s is not None:
            return False
        record.answered_s, record.objected = at_s, objected
        return True
