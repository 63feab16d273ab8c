"""What parties tell each other: a header that every message has, and one frozen body per message code.

Inside, powers are watts (positive for injection at the point of interconnection) and times are Unix
seconds UTC; `gateway.coordination.wire` turns them into MW and ISO 8601 on the wire.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from gateway.coordination.market_messages import MarketBody
from gateway.coordination.operation_messages import OperationBody
from gateway.coordination.settlement_messages import SettlementBody
from grid_engine.results import Reason


@dataclass(frozen=True, slots=True)
class Header:
    """Says who says it to whom, about what, and under which rules."""

    msg_id: str
    """Idempotency key: a second message with the same id has no further effect."""
    corr_id: str
    """Ties a conversation together: the id of the dispatch or limit that began it."""
    sender: str
    recipient: str
    created_at_s: float
    zone: str
    model: str
    """`DP`, `T` or `MF`."""


class AckStatus(StrEnum):
    """Answer to a dispatch or limit; the vocabulary of CIM DispatchInstReply."""

    NON_RESPONSE = "NON_RESPONSE"
    ACCEPT = "ACCEPT"
    PARTIAL = "PARTIAL"
    DECLINE = "DECLINE"


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The system operator's real-time instruction to one resource."""

    code: ClassVar[str] = "DISPATCH.RT"
    dispatch_id: str
    version: int
    resource: str
    power_w: float
    """To be reached at the end of the interval, ramping linearly."""
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class DispatchCopy:
    """The same, sent for information to the DSO (dual participation)."""

    code: ClassVar[str] = "DISPATCH.Copy"
    dispatch_id: str
    version: int
    resource: str
    power_w: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class AckReceipt:
    """First stage of an acknowledgement: the message arrived."""

    code: ClassVar[str] = "ACK.Receipt"
    ref: str
    """Id of the dispatch, limit or order."""
    version: int
    resource: str


@dataclass(frozen=True, slots=True)
class AckCommit:
    """Second stage: what the resource commits to."""

    code: ClassVar[str] = "ACK.Commit"
    ref: str
    version: int
    resource: str
    status: AckStatus
    power_w: float


@dataclass(frozen=True, slots=True)
class Supporting:
    """Why a limit is what it is, for the one who has to obey it."""

    loading_before_pct: float
    """Of the binding asset at the requested powers; for a voltage, percent of nominal."""
    loading_after_pct: float
    model_version: str
    cycle_id: str
    case: str = "N-0"
    phase: str = ""


@dataclass(frozen=True, slots=True)
class LimitIssue:
    """An operating envelope for one resource and interval."""

    code: ClassVar[str] = "LIMIT.Issue"
    limit_id: str
    version: int
    resource: str
    start_s: float
    end_s: float
    ceiling_w: float
    floor_w: float
    reason: Reason
    constraint_id: str
    expires_s: float
    supporting: Supporting


@dataclass(frozen=True, slots=True)
class LimitAck:
    """The resource's answer to a limit: receipt and commitment in one."""

    code: ClassVar[str] = "LIMIT.Ack"
    limit_id: str
    version: int
    resource: str
    status: AckStatus
    power_w: float
    """What it will do inside the limit."""


@dataclass(frozen=True, slots=True)
class LimitClear:
    """The envelope no longer holds."""

    code: ClassVar[str] = "LIMIT.Clear"
    limit_id: str
    version: int
    resource: str


@dataclass(frozen=True, slots=True)
class LimitInfo:
    """The system operator is told of a limit, with its reason (market facilitator)."""

    code: ClassVar[str] = "LIMIT.Info"
    limit_id: str
    version: int
    resource: str
    start_s: float
    end_s: float
    ceiling_w: float
    floor_w: float
    reason: Reason
    constraint_id: str
    supporting: Supporting


@dataclass(frozen=True, slots=True)
class CapabilityNotice:
    """A DER/A tells the system operator what it can do (dual participation), with a copy to the DSO."""

    code: ClassVar[str] = "CAP.Notice"
    resource: str
    power_w: float
    start_s: float
    end_s: float
    cause: str
    """`DISTRIBUTION_LIMIT`, `OUTAGE` or `ENERGY`."""
    ref: str
    """Id of the limit or outage behind it."""
    floor_w: float | None = None
    """How low it may go, where a limit says so: a battery that may charge with less tells it here."""


@dataclass(frozen=True, slots=True)
class OutageNotice:
    """A resource cannot do what it promised."""

    code: ClassVar[str] = "OUTAGE.Notice"
    outage_id: str
    resource: str
    available_w: float
    start_s: float
    end_s: float
    planned: bool


@dataclass(frozen=True, slots=True)
class OutageAck:
    """The DSO has taken note of an outage."""

    code: ClassVar[str] = "OUTAGE.Ack"
    outage_id: str
    resource: str


Body = (
    Dispatch
    | DispatchCopy
    | AckReceipt
    | AckCommit
    | LimitIssue
    | LimitAck
    | LimitClear
    | LimitInfo
    | CapabilityNotice
    | OutageNotice
    | OutageAck
    | MarketBody
    | OperationBody
    | SettlementBody
)
"""Everything that can be said: the message catalogue."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message between two parties."""

    header: Header
    body: Body
    raw: str = field(default="", compare=False)
    """As its sender wrote it, where it came from outside: what is passed on unmodified."""

    @property
    def code(self) -> str:
        """Code of the message catalogue, for example `LIMIT.Issue`."""
        return self.body.code

    @property
    def key(self) -> str:
        """Tells it apart from all others: nobody uses up an id for somebody else."""
        return f"{self.header.sender}:{self.header.msg_id}"

    @property
    def resource(self) -> str:
        """The resource that it is about; empty where it is about something else."""
        return str(getattr(self.body, "resource", ""))
