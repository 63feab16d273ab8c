"""What parties say in operation beside dispatches and limits: instructions, host limits, emergencies, heartbeats."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class DispatchRelay:
    """The system operator's instruction passed on unchanged (market facilitator)."""

    code: ClassVar[str] = "DISPATCH.Relay"
    dispatch_id: str
    version: int
    resource: str
    payload_raw: str
    """As it came, byte by byte."""
    payload_sha256: str


@dataclass(frozen=True, slots=True)
class Instruction:
    """The DSO's own instruction to a resource: its part of a dispatch, or a service at work."""

    code: ClassVar[str] = "INSTR.Issue"
    instruction_id: str
    version: int
    resource: str
    power_w: float
    start_s: float
    end_s: float
    ceiling_w: float
    floor_w: float
    ref: str
    """Dispatch or order that it comes from."""


@dataclass(frozen=True, slots=True)
class ShortfallNotice:
    """A node cannot do what it was dispatched to (total DSO)."""

    code: ClassVar[str] = "SHORTFALL.Notice"
    node: str
    capability_w: float
    start_s: float
    end_s: float
    cause: str
    """`DER_OUTAGE`, `CONSTRAINT` or `ENERGY`; nothing of single resources."""
    ref: str


@dataclass(frozen=True, slots=True)
class HostLimit:
    """How much the host utility lets through at the interface to the embedded one."""

    code: ClassVar[str] = "HOST.Limit"
    limit_id: str
    version: int
    interface: str
    ceiling_w: float
    """Export into the host's network."""
    floor_w: float
    """Import from it, negative."""
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class HostTelemetry:
    """What flows at the interface."""

    code: ClassVar[str] = "HOST.Tele"
    interface: str
    power_w: float
    """Positive into the host's network."""
    at_s: float


@dataclass(frozen=True, slots=True)
class HostInclude:
    """A copy of a message for the other utility."""

    code: ClassVar[str] = "HOST.Include"
    include_id: str
    about: str
    """Code of the message."""
    message_raw: str
    """The message as it was or will be sent."""
    planned_change_w: float
    """By which the flow at the interface is expected to change."""
    draft: bool = False
    """True where it is not sent before nobody objects."""


@dataclass(frozen=True, slots=True)
class HostNoObjection:
    """It may go ahead."""

    code: ClassVar[str] = "HOST.NoObjection"
    include_id: str


@dataclass(frozen=True, slots=True)
class HostObject:
    """It may not, beyond these limits at the interface."""

    code: ClassVar[str] = "HOST.Object"
    include_id: str
    interface: str
    ceiling_w: float
    floor_w: float


@dataclass(frozen=True, slots=True)
class EmergencyDeclare:
    """An emergency begins; what is missing because of it is excused."""

    code: ClassVar[str] = "EMERG.Declare"
    emergency_id: str
    level: int
    scope: str
    """Zone, feeder or asset."""
    start_s: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class EmergencyControl:
    """What a resource has to keep to while it lasts."""

    code: ClassVar[str] = "EMERG.Control"
    emergency_id: str
    resource: str
    ceiling_w: float
    floor_w: float
    start_s: float


@dataclass(frozen=True, slots=True)
class EmergencyClear:
    """It is over; limits hold as before."""

    code: ClassVar[str] = "EMERG.Clear"
    emergency_id: str
    end_s: float


@dataclass(frozen=True, slots=True)
class HeartbeatOut:
    """Are you there?"""

    code: ClassVar[str] = "HB.Out"
    sequence: int


@dataclass(frozen=True, slots=True)
class HeartbeatIn:
    """Yes."""

    code: ClassVar[str] = "HB.In"
    sequence: int


OperationBody = (
    DispatchRelay
    | Instruction
    | ShortfallNotice
    | HostLimit
    | HostTelemetry
    | HostInclude
    | HostNoObjection
    | HostObject
    | EmergencyDeclare
    | EmergencyControl
    | EmergencyClear
    | HeartbeatOut
    | HeartbeatIn
)
