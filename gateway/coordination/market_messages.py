"""What parties say in the market: registration, needs, offers, bids, schedules and orders."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class RejectCode(StrEnum):
    """Why something is not taken."""

    GATE_CLOSED = "GATE_CLOSED"
    BAD_CURVE = "BAD_CURVE"
    EXCEEDS_NAMEPLATE = "EXCEEDS_NAMEPLATE"
    UNKNOWN_POI = "UNKNOWN_POI"
    WRONG_ZONE = "WRONG_ZONE"
    ALREADY_ORDERED = "ALREADY_ORDERED"
    STALE_VERSION = "STALE_VERSION"
    NOT_REGISTERED = "NOT_REGISTERED"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    """It cannot help: what it does is not felt where it is needed."""
    BELOW_MINIMUM = "BELOW_MINIMUM"
    NOTICE_TOO_SHORT = "NOTICE_TOO_SHORT"
    ALREADY_STARTED = "ALREADY_STARTED"
    EXCEEDS_CONNECTION = "EXCEEDS_CONNECTION"
    PROTOCOL_TEST_FAILED = "PROTOCOL_TEST_FAILED"
    UNKNOWN_CREDENTIAL = "UNKNOWN_CREDENTIAL"


class NeedKind(StrEnum):
    """What a need is about."""

    THERMAL = "thermal"
    VOLTAGE_HIGH = "voltage_high"
    VOLTAGE_LOW = "voltage_low"
    BALANCE = "balance"
    N1 = "n1"


class MarketSide(StrEnum):
    """Which market an offer is made in."""

    WHOLESALE = "wholesale"
    DISTRIBUTION = "distribution"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Block:
    """One step of an offer curve."""

    power_w: float
    """Cumulative: up to here…"""
    price_per_mwh: float
    """…each MWh costs this."""


@dataclass(frozen=True, slots=True)
class Effect:
    """How much of a need one watt of a resource meets."""

    resource: str
    factor: float


@dataclass(frozen=True, slots=True)
class SchedulePoint:
    """Power to be reached at the end of one interval."""

    start_s: float
    end_s: float
    power_w: float


@dataclass(frozen=True, slots=True)
class Register:
    """A party asks for a resource to take part."""

    code: ClassVar[str] = "REG.Register"
    registration_id: str
    resource: str
    kind: str
    connection: str
    """Its point of interconnection, as in the connection agreement."""
    ceiling_w: float
    """Nameplate."""
    floor_w: float
    protocol: str
    credential: str
    """LFDI or fingerprint of the certificate that it will use."""
    programs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RegisterAccept:
    """It may."""

    code: ClassVar[str] = "REG.Accept"
    registration_id: str
    resource: str


@dataclass(frozen=True, slots=True)
class RegisterReject:
    """It may not."""

    code: ClassVar[str] = "REG.Reject"
    registration_id: str
    resource: str
    reason: RejectCode
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NeedPost:
    """The DSO asks those who can help for power at a place and time."""

    code: ClassVar[str] = "NEED.Post"
    need_id: str
    version: int
    kind: NeedKind
    constraint_id: str
    required_w: float
    """At the reference location; positive for more injection."""
    start_s: float
    end_s: float
    closes_s: float
    """Offers are taken until then."""
    effects: tuple[Effect, ...] = ()
    """Of the recipient's own resources."""


@dataclass(frozen=True, slots=True)
class NeedWithdraw:
    """The need is gone."""

    code: ClassVar[str] = "NEED.Withdraw"
    need_id: str
    version: int


@dataclass(frozen=True, slots=True)
class OfferSubmit:
    """What a resource would do for which price."""

    code: ClassVar[str] = "OFFER.Submit"
    offer_id: str
    version: int
    resource: str
    market: MarketSide
    start_s: float
    end_s: float
    blocks: tuple[Block, ...]
    """One to twenty, power strictly rising, price never falling."""
    valid_until_s: float
    need_id: str = ""
    ramp_mw_per_min: float | None = None
    divisible: bool = True
    minimum_w: float = 0.0
    """Smallest part that can be taken, where something is taken."""
    standby: bool = False
    """May be called without asking again."""


@dataclass(frozen=True, slots=True)
class OfferAccept:
    """The offer has arrived and is valid; nothing is bought yet."""

    code: ClassVar[str] = "OFFER.Accept"
    offer_id: str
    version: int
    resource: str


@dataclass(frozen=True, slots=True)
class OfferReject:
    """The offer is not taken."""

    code: ClassVar[str] = "OFFER.Reject"
    offer_id: str
    version: int
    resource: str
    reason: RejectCode
    criteria: str = ""
    """What it was judged by, and how it did."""


@dataclass(frozen=True, slots=True)
class OfferRevoke:
    """The offer no longer stands."""

    code: ClassVar[str] = "OFFER.Revoke"
    offer_id: str
    resource: str


@dataclass(frozen=True, slots=True)
class BidForward:
    """A wholesale bid passed on to the system operator, byte by byte (market facilitator)."""

    code: ClassVar[str] = "BID.Forward"
    offer_id: str
    version: int
    resource: str
    payload_raw: str
    """The bid as its sender wrote it."""
    payload_sha256: str


@dataclass(frozen=True, slots=True)
class BidAggregate:
    """What a node as a whole can do for which price (total DSO); nothing below it is named."""

    code: ClassVar[str] = "BID.Aggregate"
    bid_id: str
    version: int
    node: str
    start_s: float
    end_s: float
    blocks: tuple[Block, ...]
    ramp_mw_per_min: float | None = None


@dataclass(frozen=True, slots=True)
class ScheduleDayAhead:
    """Selected bids of the day to come."""

    code: ClassVar[str] = "SCHED.DA"
    schedule_id: str
    version: int
    resource: str
    """Resource, or node under a total DSO."""
    points: tuple[SchedulePoint, ...]


@dataclass(frozen=True, slots=True)
class SchedulePreDispatch:
    """Selected bids of the hours to come."""

    code: ClassVar[str] = "SCHED.PD"
    schedule_id: str
    version: int
    resource: str
    points: tuple[SchedulePoint, ...]


@dataclass(frozen=True, slots=True)
class ScheduleRelay:
    """A schedule passed on unchanged (market facilitator)."""

    code: ClassVar[str] = "SCHED.Relay"
    schedule_id: str
    version: int
    resource: str
    payload_raw: str
    payload_sha256: str


@dataclass(frozen=True, slots=True)
class OrderIssue:
    """The DSO orders a distribution service that was offered."""

    code: ClassVar[str] = "ORDER.Issue"
    order_id: str
    version: int
    resource: str
    offer_id: str
    program: str
    power_w: float
    start_s: float
    end_s: float
    price_per_mwh: float
    need_id: str = ""
    target: bool = True
    """True: the resource's power is to be this. False: it is to change by this against its baseline."""


@dataclass(frozen=True, slots=True)
class OrderReceipt:
    """The order has arrived."""

    code: ClassVar[str] = "ORDER.Receipt"
    order_id: str
    version: int
    resource: str


@dataclass(frozen=True, slots=True)
class OrderCommit:
    """What the resource commits to."""

    code: ClassVar[str] = "ORDER.Commit"
    order_id: str
    version: int
    resource: str
    power_w: float


@dataclass(frozen=True, slots=True)
class OrderDecline:
    """The resource will not."""

    code: ClassVar[str] = "ORDER.Decline"
    order_id: str
    version: int
    resource: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class OrderRevoke:
    """The DSO no longer wants it."""

    code: ClassVar[str] = "ORDER.Revoke"
    order_id: str
    version: int
    resource: str
    detail: str = ""


MarketBody = (
    Register
    | RegisterAccept
    | RegisterReject
    | NeedPost
    | NeedWithdraw
    | OfferSubmit
    | OfferAccept
    | OfferReject
    | OfferRevoke
    | BidForward
    | BidAggregate
    | ScheduleDayAhead
    | SchedulePreDispatch
    | ScheduleRelay
    | OrderIssue
    | OrderReceipt
    | OrderCommit
    | OrderDecline
    | OrderRevoke
)
