"""What the book keeps of one limit and of the instruction to one resource."""

from dataclasses import dataclass

from gateway.coordination.messages import CapabilityNotice, LimitAck, LimitIssue
from protocols.signals import Ack, Bounds, Control, Instruction, Outcome


@dataclass(slots=True)
class LimitRecord:
    """One limit that was issued, with the owner's answer."""

    limit: LimitIssue
    sent_s: float
    ack: LimitAck | None = None
    notice: CapabilityNotice | None = None
    reminded: bool = False
    """The owner was asked a second time."""

    @property
    def bounds(self) -> Bounds:
        """The box on active power."""
        return Bounds(self.limit.floor_w, self.limit.ceiling_w)


@dataclass(slots=True)
class ControlRecord:
    """The newest instruction to one resource and how far it has come."""

    instruction: Instruction
    issued_s: float
    """Of the newest lease."""
    first_issued_s: float
    limit_id: str
    power_w: float | None
    """Measured just before it was first issued."""
    outcome: Outcome | None = None
    """`None` until the device answers."""
    answered_s: float = 0.0
    written_s: float | None = None
    """First time the device was seen to hold it."""
    written: Ack | None = None
    """The newest answer that said what was written and what was read back."""
    leased_until_s: float | None = None
    """End of the newest lease that the device has acknowledged; `None` before the first."""
    lifted: Control | None = None
    """The control that this release lifts; `None` for a control."""
    disconnected: bool = False
    """An instruction of ours has taken it off the grid, or may have, and none has put it back."""
    missed: int = 0
    """Times in a row that it did not reach the device."""
    missed_s: float | None = None
    """When it was found not to have reached the device; `None` while it is under way, or once it has."""

    @property
    def read_back(self) -> bool:
        """True once the device's registers, reversion among them, were read back equal."""
        return self.written is not None and bool(self.written.read_back)
