"""What a party reads of its own affairs; on the wire as in messages: `power_w` as `power_mw`, `start_s` as `start`."""

from dataclasses import dataclass

from gateway.coordination.market_messages import MarketSide


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message was taken; it is on the disk."""

    msg_id: str
    status: str
    """`RECEIVED`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What was asked for is not given."""

    error: str
    field: str
    """Path in what was sent, or the header; `.` is the whole."""
    what_to_do: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a message was written down."""

    seq: int
    """Only grows; the cursor of `GET /v1/messages`."""
    at_s: float


@dataclass(frozen=True, slots=True)
class Owed:
    """An answer that somebody owes."""

    by: str
    """The party."""
    due_s: float
    done: bool
    at_s: float | None = None
    """When it came, where that is kept."""
    status: str = ""
    """Of a commitment: `ACCEPT`, `PARTIAL`, `DECLINE` or `NON_RESPONSE`."""
    power_w: float | None = None
    """Of a commitment: what is committed to."""


@dataclass(frozen=True, slots=True)
class MessageState:
    """How far a message has come."""

    state: str
    """Of its life cycle; `RECEIVED` where it has none."""
    receipt: Owed | None = None
    commitment: Owed | None = None


@dataclass(frozen=True, slots=True)
class OwnResource:
    """One DER of the party, at its point of interconnection."""

    resource: str
    ceiling_w: float
    """Nameplate, within the connection agreement."""
    floor_w: float
    limit_id: str = ""
    """Limit in force; empty for none."""
    limit_ceiling_w: float | None = None
    limit_floor_w: float | None = None
    limit_expires_s: float | None = None
    owed_w: float | None = None
    """What it is to do now: the newest order, instruction or dispatch, within the limit."""
    outage: bool = False
    """A notice says that it cannot do all it could."""


@dataclass(frozen=True, slots=True)
class OwnLimit:
    """An operating envelope that stands."""

    limit_id: str
    version: int
    resource: str
    start_s: float
    end_s: float
    expires_s: float
    ceiling_w: float
    floor_w: float
    reason: str
    constraint_id: str
    state: str
    acknowledgement: Owed


@dataclass(frozen=True, slots=True)
class OwnOrder:
    """An order, instruction or relayed dispatch."""

    order_id: str
    source: str
    """`order`, `instruction` or `relay`."""
    version: int
    resource: str
    state: str
    asked_w: float
    effective_w: float
    """Asked, within the limits in force."""
    start_s: float
    end_s: float
    receipt: Owed
    commitment: Owed
    offer_id: str = ""
    need_id: str = ""
    ref: str = ""
    """The dispatch that it is a part of."""


@dataclass(frozen=True, slots=True)
class OwnOffer:
    """An offer, and what became of it."""

    offer_id: str
    version: int
    resource: str
    market: MarketSide
    start_s: float
    end_s: float
    valid_until_s: float
    need_id: str
    received_s: float
    state: str


@dataclass(frozen=True, slots=True)
class OwnDispatch:
    """A dispatch of the system operator, as the DSO knows it."""

    dispatch_id: str
    version: int
    resource: str
    """Resource, or node in total DSO."""
    power_w: float
    start_s: float
    end_s: float
    receipt: Owed | None = None
    commitment: Owed | None = None
    shortfall_w: float | None = None
    """Capability that the newest notice told."""
