"""Who may tell whom what, under each DSO model; the router refuses everything that the table does not allow."""

from gateway.coordination.messages import Message
from gateway.coordination.zone import DsoModel, Role, ZoneFacts

_DP, _T, _MF = DsoModel.DUAL_PARTICIPATION, DsoModel.TOTAL_DSO, DsoModel.MARKET_FACILITATOR
_ALL = frozenset({_DP, _T, _MF})
_ISO, _DERA, _DSO = Role.SYSTEM_OPERATOR, Role.DERA, Role.DSO

MATRIX: dict[str, dict[tuple[Role, Role], frozenset[DsoModel]]] = {
    "DISPATCH.RT": {(_ISO, _DERA): frozenset({_DP}), (_ISO, _DSO): frozenset({_T, _MF})},
    "DISPATCH.Copy": {(_ISO, _DSO): frozenset({_DP})},
    "ACK.Receipt": {(_DERA, _ISO): frozenset({_DP}), (_DERA, _DSO): _ALL, (_DSO, _ISO): frozenset({_T, _MF})},
    "ACK.Commit": {(_DERA, _ISO): frozenset({_DP}), (_DERA, _DSO): _ALL, (_DSO, _ISO): frozenset({_T, _MF})},
    "LIMIT.Issue": {(_DSO, _DERA): _ALL},
    "LIMIT.Clear": {(_DSO, _DERA): _ALL},
    "LIMIT.Ack": {(_DERA, _DSO): _ALL},
    "CAP.Notice": {(_DERA, _ISO): frozenset({_DP}), (_DERA, _DSO): frozenset({_DP})},
    "OUTAGE.Notice": {(_DERA, _ISO): frozenset({_DP}), (_DERA, _DSO): _ALL, (_DSO, _ISO): frozenset({_MF})},
    "OUTAGE.Ack": {(_DSO, _DERA): _ALL},
}
"""Message code to (sender's role, recipient's role) to the models in which that is allowed."""


def refusal(zone: ZoneFacts, message: Message) -> str | None:
    """Why a message may not travel, or `None` where it may."""
    header = message.header
    sender, recipient = _role(zone, header.sender), _role(zone, header.recipient)
    if sender is None or recipient is None:
        unknown = header.sender if sender is None else header.recipient
        return f"ROUTE_FORBIDDEN: {unknown} is not a party of zone {zone.id}"
    if zone.model in MATRIX[message.code].get((sender, recipient), frozenset()):
        return _not_theirs(zone, message) if sender is Role.DERA else None
    return (
        f"ROUTE_FORBIDDEN: {message.code} from {sender.value} {header.sender} to {recipient.value} "
        f"{header.recipient} is not allowed under model {zone.model.value}"
    )


def _not_theirs(zone: ZoneFacts, message: Message) -> str | None:
    """Why a DER/A may not say this: it speaks for its own resources alone."""
    resource = zone.resources.get(message.body.resource)
    if resource is None or resource.owner == message.header.sender:
        return None
    return f"ROUTE_FORBIDDEN: {message.header.sender} does not speak for {resource.id}, which {resource.owner} does"


def _role(zone: ZoneFacts, party: str) -> Role | None:
    return Role.DSO if party == zone.dso else zone.parties.get(party)
