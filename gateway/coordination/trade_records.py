"""What the market remembers of each order, offer, need and dispatch."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.coordination.lifecycle import ACTIVE, NeedState, OrderEvent, OrderState
from gateway.coordination.market_messages import NeedPost, OfferSubmit, OrderCommit, OrderDecline, OrderReceipt
from gateway.coordination.messages import AckCommit, AckReceipt, AckStatus, Dispatch, Message


class Source(StrEnum):
    """What somebody was asked by."""

    ORDER = "order"
    """A distribution service."""
    SCHEDULE = "schedule"
    """An order of what the system operator has selected of the node ahead (total DSO)."""
    INSTRUCTION = "instruction"
    """Its part of what the system operator dispatched to the node (total DSO)."""
    RELAY = "relay"
    """The system operator's own dispatch, passed on (market facilitator)."""


ORDERED = frozenset({Source.ORDER, Source.SCHEDULE})
"""What comes as an order."""


@dataclass(slots=True)
class Instance:
    """One order, instruction or relayed dispatch."""

    id: str
    resource: str
    source: Source
    version: int
    asked_w: float
    start_s: float
    end_s: float
    sent_s: float
    state: OrderState = OrderState.SCHEDULED
    offer_id: str = ""
    program: str = ""
    need_id: str = ""
    price_per_mwh: float = 0.0
    ref: str = ""
    """The dispatch that it is a part of."""
    floor_w: float | None = None
    """Box that came with an instruction."""
    ceiling_w: float | None = None
    effective_w: float = 0.0
    """Asked, within the limits in force."""
    received_s: float | None = None
    committed_w: float | None = None
    committed_s: float | None = None
    excused: bool = False
    """A limit or an emergency has taken something away."""
    before: OrderState | None = None
    """State that an emergency has interrupted."""
    revoked_s: float | None = None
    """When the DSO took it back; late enough, its availability is due all the same."""

    @property
    def live(self) -> bool:
        """Whether something is owed."""
        return self.state in ACTIVE


@dataclass(slots=True)
class OfferRecord:
    """An offer, and what became of it."""

    offer: OfferSubmit
    owner: str
    received_s: float
    state: OrderState = OrderState.OFFERED


@dataclass(slots=True)
class NeedRecord:
    """A need, and how far it is met."""

    need: NeedPost
    posted_s: float
    state: NeedState = NeedState.POSTED
    recipients: tuple[str, ...] = ()


@dataclass(slots=True)
class NodeDispatch:
    """What the system operator wants of a node (total DSO), and what it was told about it."""

    dispatch: Dispatch
    received_s: float
    raw: str = ""
    """As it was written, to be passed on (market facilitator)."""
    receipted: bool = False
    answered: AckStatus | None = None
    answered_w: float | None = None
    shortfall_w: float | None = None
    """Capability of the newest notice."""


def answers_of(message: Message) -> Iterable[tuple[OrderEvent, str]]:
    """Which events an answer of a DER/A stands for, and of what."""
    match message.body:
        case OrderReceipt() as body:
            yield OrderEvent.RECEIPT, body.order_id
        case OrderCommit() as body:
            yield OrderEvent.COMMIT, body.order_id
        case OrderDecline() as body:
            yield OrderEvent.DECLINE, body.order_id
        case AckReceipt() as body:
            yield OrderEvent.RECEIPT, body.ref
        case AckCommit() as body:
            declined = body.status in (AckStatus.DECLINE, AckStatus.NON_RESPONSE)
            yield (OrderEvent.DECLINE if declined else OrderEvent.COMMIT), body.ref
        case _:
            return
