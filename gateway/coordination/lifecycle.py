"""Life cycles as tables: which event leads from which state to which, for everything that is agreed or done.

The book folds events through these tables, so that replaying them rebuilds every state; what a table does
not know is refused before it is journalled.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

State = TypeVar("State", bound=StrEnum)
Happening = TypeVar("Happening", bound=StrEnum)


class StateViolation(Exception):  # noqa: N818 - a verdict, not a defect
    """Something happened that cannot happen in this state."""


@dataclass(frozen=True, slots=True)
class Machine(Generic[State, Happening]):
    """One table."""

    name: str
    table: Mapping[tuple[State, Happening], State]

    def step(self, state: State, event: Happening) -> State:
        """The state after an event.

        Raises:
            StateViolation: the table does not know it.
        """
        found = self.table.get((state, event))
        if found is None:
            raise StateViolation(f"STATE_VIOLATION: {self.name} in {state.value} knows no {event.value}")
        return found

    def allows(self, state: State, event: Happening) -> bool:
        """Whether the event may happen."""
        return (state, event) in self.table


class OrderState(StrEnum):
    """Of an order, an instruction or a relayed dispatch."""

    OFFERED = "OFFERED"
    SELECTED = "SELECTED"
    SCHEDULED = "SCHEDULED"
    LIMITED = "LIMITED"
    """A limit allows less than was asked; what was asked is kept."""
    DISPATCHED = "DISPATCHED"
    RECEIVED = "RECEIVED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    DELIVERING = "DELIVERING"
    DELIVERED = "DELIVERED"
    VERIFIED = "VERIFIED"
    SETTLED = "SETTLED"
    DISPUTED = "DISPUTED"
    CLOSED = "CLOSED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    REVOKED_BY_DERA = "REVOKED_BY_DERA"
    REVOKED_BY_DSO = "REVOKED_BY_DSO"
    DECLINED = "DECLINED"
    NON_RESPONSE = "NON_RESPONSE"
    """Counts as undelivered until telemetry proves otherwise."""
    INTERRUPTED = "INTERRUPTED"
    EMERGENCY = "EMERGENCY"
    SUPERSEDED = "SUPERSEDED"
    """A newer version has taken its place."""


class OrderEvent(StrEnum):
    """What may happen to one."""

    REJECT = "OFFER.Reject"
    REVOKE = "OFFER.Revoke"
    EXPIRE = "expire"
    SELECT = "selected"
    ISSUE = "ORDER.Issue"
    LIMIT = "limited"
    UNLIMIT = "limit raised"
    WITHDRAW = "ORDER.Revoke"
    DISPATCH = "dispatched"
    RECEIPT = "receipt"
    COMMIT = "commit"
    DECLINE = "decline"
    SILENCE = "no answer by the deadline"
    START = "interval start"
    OUTAGE = "OUTAGE.Notice"
    END = "interval end"
    EMERGENCY = "EMERG.Control"
    CALM = "EMERG.Clear"
    VERIFY = "measurement and verification"
    STATEMENT = "statement"
    DISPUTE = "DISPUTE.Open"
    RESOLVE = "DISPUTE.Resolve"
    CLOSE = "dispute window over"
    SUPERSEDE = "newer version"


_O, _E = OrderState, OrderEvent
ACTIVE = frozenset({_O.SCHEDULED, _O.LIMITED, _O.DISPATCHED, _O.RECEIVED, _O.ACKNOWLEDGED, _O.DELIVERING})
"""States in which something is owed."""

ORDER: Machine[OrderState, OrderEvent] = Machine(
    "order",
    {
        (_O.OFFERED, _E.REJECT): _O.REJECTED,
        (_O.OFFERED, _E.REVOKE): _O.REVOKED_BY_DERA,
        (_O.OFFERED, _E.EXPIRE): _O.EXPIRED,
        (_O.OFFERED, _E.SELECT): _O.SELECTED,
        (_O.SELECTED, _E.ISSUE): _O.SCHEDULED,
        (_O.SCHEDULED, _E.LIMIT): _O.LIMITED,
        (_O.LIMITED, _E.LIMIT): _O.LIMITED,
        (_O.LIMITED, _E.UNLIMIT): _O.SCHEDULED,
        **{(state, _E.WITHDRAW): _O.REVOKED_BY_DSO for state in ACTIVE - {_O.DELIVERING}},
        (_O.SCHEDULED, _E.DISPATCH): _O.DISPATCHED,
        (_O.LIMITED, _E.DISPATCH): _O.DISPATCHED,
        (_O.DISPATCHED, _E.RECEIPT): _O.RECEIVED,
        (_O.RECEIVED, _E.RECEIPT): _O.RECEIVED,
        (_O.RECEIVED, _E.COMMIT): _O.ACKNOWLEDGED,
        (_O.DISPATCHED, _E.COMMIT): _O.ACKNOWLEDGED,  # a commitment says that it was received
        (_O.ACKNOWLEDGED, _E.COMMIT): _O.ACKNOWLEDGED,
        (_O.DELIVERING, _E.COMMIT): _O.DELIVERING,
        (_O.ACKNOWLEDGED, _E.RECEIPT): _O.ACKNOWLEDGED,  # overtaken by the commitment
        (_O.DELIVERING, _E.RECEIPT): _O.DELIVERING,
        (_O.DISPATCHED, _E.DECLINE): _O.DECLINED,
        (_O.RECEIVED, _E.DECLINE): _O.DECLINED,
        (_O.DISPATCHED, _E.SILENCE): _O.NON_RESPONSE,
        (_O.RECEIVED, _E.SILENCE): _O.NON_RESPONSE,
        (_O.ACKNOWLEDGED, _E.START): _O.DELIVERING,
        (_O.DELIVERING, _E.LIMIT): _O.DELIVERING,
        (_O.DELIVERING, _E.UNLIMIT): _O.DELIVERING,
        (_O.ACKNOWLEDGED, _E.LIMIT): _O.ACKNOWLEDGED,
        (_O.ACKNOWLEDGED, _E.UNLIMIT): _O.ACKNOWLEDGED,
        (_O.DISPATCHED, _E.LIMIT): _O.DISPATCHED,
        (_O.DISPATCHED, _E.UNLIMIT): _O.DISPATCHED,
        (_O.RECEIVED, _E.LIMIT): _O.RECEIVED,
        (_O.RECEIVED, _E.UNLIMIT): _O.RECEIVED,
        (_O.DELIVERING, _E.OUTAGE): _O.INTERRUPTED,
        (_O.DELIVERING, _E.END): _O.DELIVERED,
        (_O.NON_RESPONSE, _E.END): _O.DELIVERED,  # telemetry proves what it did
        **{(state, _E.OUTAGE): _O.INTERRUPTED for state in ACTIVE - {_O.DELIVERING}},
        **{(state, _E.EMERGENCY): _O.EMERGENCY for state in ACTIVE},
        **{(state, _E.SUPERSEDE): _O.SUPERSEDED for state in (*ACTIVE, _O.NON_RESPONSE, _O.DECLINED, _O.INTERRUPTED)},
        (_O.EMERGENCY, _E.CALM): _O.DELIVERING,
        (_O.EMERGENCY, _E.WITHDRAW): _O.REVOKED_BY_DSO,
        (_O.DELIVERED, _E.VERIFY): _O.VERIFIED,
        (_O.INTERRUPTED, _E.VERIFY): _O.VERIFIED,
        (_O.EMERGENCY, _E.VERIFY): _O.VERIFIED,
        (_O.VERIFIED, _E.STATEMENT): _O.SETTLED,
        (_O.SETTLED, _E.DISPUTE): _O.DISPUTED,
        (_O.DISPUTED, _E.RESOLVE): _O.SETTLED,
        (_O.DISPUTED, _E.CLOSE): _O.CLOSED,
        (_O.SETTLED, _E.CLOSE): _O.CLOSED,
    },
)
"""Of what a DER/A was asked to do; an emergency that ends returns to where it began (`Instance.before`)."""


class NeedState(StrEnum):
    """Of a need."""

    DETECTED = "DETECTED"
    POSTED = "POSTED"
    OFFERED = "OFFERED"
    COVERED = "COVERED"
    PARTIAL = "PARTIAL"
    UNCOVERED = "UNCOVERED"
    CLOSED = "CLOSED"


class NeedEvent(StrEnum):
    """What may happen to one."""

    POST = "NEED.Post"
    OFFER = "OFFER.Submit"
    COVER = "covered"
    PART = "partly covered"
    FAIL = "nothing offered"
    CLOSE = "NEED.Withdraw or end"


_N, _V = NeedState, NeedEvent
NEED: Machine[NeedState, NeedEvent] = Machine(
    "need",
    {
        (_N.DETECTED, _V.POST): _N.POSTED,
        (_N.POSTED, _V.POST): _N.POSTED,  # to the next recipient
        (_N.OFFERED, _V.POST): _N.OFFERED,
        (_N.POSTED, _V.OFFER): _N.OFFERED,
        (_N.OFFERED, _V.OFFER): _N.OFFERED,
        **{(state, _V.COVER): _N.COVERED for state in (_N.POSTED, _N.OFFERED, _N.PARTIAL)},
        **{(state, _V.PART): _N.PARTIAL for state in (_N.POSTED, _N.OFFERED)},
        (_N.POSTED, _V.FAIL): _N.UNCOVERED,
        (_N.OFFERED, _V.FAIL): _N.UNCOVERED,
        **{(state, _V.CLOSE): _N.CLOSED for state in _N},  # every recipient is told
    },
)


class LimitState(StrEnum):
    """Of an operating envelope."""

    DRAFT = "DRAFT"
    ISSUED = "ISSUED"
    RECEIVED = "RECEIVED"
    COMMITTED = "COMMITTED"
    ACTIVE = "ACTIVE"
    SUPERSEDED = "SUPERSEDED"
    CLEARED = "CLEARED"
    EXPIRED = "EXPIRED"
    UNCONFIRMED = "UNCONFIRMED"
    ENFORCED_BY_ALTERNATE = "ENFORCED_BY_ALTERNATE"


class LimitEvent(StrEnum):
    """What may happen to one."""

    ISSUE = "LIMIT.Issue"
    RECEIPT = "receipt"
    COMMIT = "LIMIT.Ack"
    START = "start"
    SILENCE = "no answer by the deadline"
    ALTERNATE = "another resource limited instead"
    SUPERSEDE = "newer version"
    CLEAR = "LIMIT.Clear"
    EXPIRE = "expiry"


_L, _M = LimitState, LimitEvent
_STANDING = (_L.ISSUED, _L.RECEIVED, _L.COMMITTED, _L.ACTIVE, _L.UNCONFIRMED, _L.ENFORCED_BY_ALTERNATE)
LIMIT: Machine[LimitState, LimitEvent] = Machine(
    "limit",
    {
        (_L.DRAFT, _M.ISSUE): _L.ISSUED,
        (_L.ISSUED, _M.RECEIPT): _L.RECEIVED,
        (_L.ISSUED, _M.COMMIT): _L.COMMITTED,
        (_L.RECEIVED, _M.COMMIT): _L.COMMITTED,
        (_L.UNCONFIRMED, _M.COMMIT): _L.COMMITTED,
        (_L.COMMITTED, _M.COMMIT): _L.COMMITTED,
        (_L.ACTIVE, _M.COMMIT): _L.ACTIVE,
        (_L.ENFORCED_BY_ALTERNATE, _M.COMMIT): _L.COMMITTED,
        (_L.COMMITTED, _M.START): _L.ACTIVE,
        (_L.ISSUED, _M.SILENCE): _L.UNCONFIRMED,
        (_L.RECEIVED, _M.SILENCE): _L.UNCONFIRMED,
        (_L.UNCONFIRMED, _M.ALTERNATE): _L.ENFORCED_BY_ALTERNATE,
        **{(state, _M.SUPERSEDE): _L.SUPERSEDED for state in _STANDING},
        **{(state, _M.CLEAR): _L.CLEARED for state in _STANDING},
        **{(state, _M.EXPIRE): _L.EXPIRED for state in _STANDING},
    },
)


class AlertState(StrEnum):
    """Of the zone."""

    NORMAL = "NORMAL"
    ALERT = "ALERT"
    EMERGENCY = "EMERGENCY"
    RESTORING = "RESTORING"


class AlertEvent(StrEnum):
    """What may happen to it."""

    WARN = "warning"
    DECLARE = "EMERG.Declare"
    CLEAR = "EMERG.Clear"
    RESTORED = "limits in force again"
    CALM = "warning over"


_A, _B = AlertState, AlertEvent
ALERT: Machine[AlertState, AlertEvent] = Machine(
    "emergency",
    {
        (_A.NORMAL, _B.WARN): _A.ALERT,
        (_A.ALERT, _B.CALM): _A.NORMAL,
        (_A.NORMAL, _B.DECLARE): _A.EMERGENCY,
        (_A.ALERT, _B.DECLARE): _A.EMERGENCY,
        (_A.RESTORING, _B.DECLARE): _A.EMERGENCY,
        (_A.EMERGENCY, _B.CLEAR): _A.RESTORING,
        (_A.RESTORING, _B.RESTORED): _A.NORMAL,
    },
)
