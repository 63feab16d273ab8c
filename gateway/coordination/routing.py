"""Who may tell whom what, under each DSO model; the router refuses everything that the table does not allow."""

from gateway.coordination.messages import Message
from gateway.coordination.zone import DsoModel, Role, ZoneFacts

_DP, _T, _MF = DsoModel.DUAL_PARTICIPATION, DsoModel.TOTAL_DSO, DsoModel.MARKET_FACILITATOR
_ALL = frozenset({_DP, _T, _MF})
_ONLY_DP, _ONLY_T, _ONLY_MF, _BETWEEN = frozenset({_DP}), frozenset({_T}), frozenset({_MF}), frozenset({_T, _MF})
"""`_BETWEEN`: the models in which the DSO stands between the system operator and the DER/As."""
_ISO, _DERA, _DSO, _HOST = Role.SYSTEM_OPERATOR, Role.DERA, Role.DSO, Role.HOST

Routes = dict[tuple[Role, Role], frozenset[DsoModel]]

_DOWN: Routes = {(_DSO, _DERA): _ALL}
_UP: Routes = {(_DERA, _DSO): _ALL}
_ANSWERS: Routes = {(_DERA, _ISO): _ONLY_DP, (_DERA, _DSO): _ALL, (_DSO, _ISO): _BETWEEN}
_SCHEDULES: Routes = {(_ISO, _DERA): _ONLY_DP, (_ISO, _DSO): _ALL}
_UTILITIES: Routes = {(_HOST, _DSO): _ALL, (_DSO, _HOST): _ALL}
_EMERGENCY: Routes = {(_DSO, _DERA): _ALL, (_DSO, _HOST): _ALL, (_DSO, _ISO): _BETWEEN}

MATRIX: dict[str, Routes] = {
    "DISPATCH.RT": {(_ISO, _DERA): _ONLY_DP, (_ISO, _DSO): _BETWEEN},
    "DISPATCH.Copy": {(_ISO, _DSO): _ONLY_DP},
    "DISPATCH.Relay": {(_DSO, _DERA): _ONLY_MF},
    "INSTR.Issue": _DOWN,
    "ACK.Receipt": _ANSWERS,
    "ACK.Commit": _ANSWERS,
    "LIMIT.Issue": _DOWN,
    "LIMIT.Clear": _DOWN,
    "LIMIT.Ack": _UP,
    "LIMIT.Info": {(_DSO, _ISO): _ONLY_MF, (_DSO, _DERA): _ONLY_MF},
    "CAP.Notice": {(_DERA, _ISO): _ONLY_DP, (_DERA, _DSO): _ONLY_DP, (_DERA, _HOST): _ONLY_DP},
    "SHORTFALL.Notice": {(_DSO, _ISO): _ONLY_T},
    "OUTAGE.Notice": {(_DERA, _ISO): _ONLY_DP, (_DERA, _DSO): _ALL, (_DSO, _ISO): _ONLY_MF},
    "OUTAGE.Ack": _DOWN,
    "REG.Register": _UP,
    "REG.Accept": _DOWN,
    "REG.Reject": _DOWN,
    "NEED.Post": _DOWN,
    "NEED.Withdraw": _DOWN,
    "OFFER.Submit": {(_DERA, _ISO): _ONLY_DP, (_DERA, _DSO): _ALL},
    "OFFER.Revoke": {(_DERA, _ISO): _ONLY_DP, (_DERA, _DSO): _ALL},
    "OFFER.Accept": _DOWN,
    "OFFER.Reject": _DOWN,
    "BID.Forward": {(_DSO, _ISO): _ONLY_MF},
    "BID.Aggregate": {(_DSO, _ISO): _ONLY_T},
    "SCHED.DA": _SCHEDULES,
    "SCHED.PD": _SCHEDULES,
    "SCHED.Relay": {(_DSO, _DERA): _ONLY_MF},
    "ORDER.Issue": _DOWN,
    "ORDER.Revoke": _DOWN,
    "ORDER.Receipt": _UP,
    "ORDER.Commit": _UP,
    "ORDER.Decline": _UP,
    "HOST.Limit": _UTILITIES,
    "HOST.Tele": _UTILITIES,
    "HOST.Include": _UTILITIES,
    "HOST.NoObjection": _UTILITIES,
    "HOST.Object": _UTILITIES,
    "EMERG.Declare": _EMERGENCY,
    "EMERG.Control": _DOWN,
    "EMERG.Clear": _EMERGENCY,
    "HB.Out": {(_ISO, _DERA): _ONLY_DP, (_ISO, _DSO): _BETWEEN},
    "HB.In": {(_DERA, _ISO): _ONLY_DP, (_DSO, _ISO): _BETWEEN},
    "METER.Report": _UP,
    "BASELINE.Nominate": _UP,
    "MV.Report": {(_DSO, _DERA): _ALL, (_DERA, _ISO): _ONLY_DP, (_DSO, _ISO): _BETWEEN},
    "SETTLE.Report": {
        **_DOWN,
        (_ISO, _DERA): frozenset({_DP, _MF}),
        (_ISO, _DSO): _ONLY_T,
        (_DSO, _ISO): _ONLY_MF,
    },
    "DISPUTE.Open": {(_DERA, _DSO): _ALL, (_DSO, _ISO): _ONLY_T},
    "DISPUTE.Respond": {(_DSO, _DERA): _ALL, (_ISO, _DSO): _ONLY_T},
    "DISPUTE.Resolve": {(_DSO, _DERA): _ALL, (_ISO, _DSO): _ONLY_T},
}
"""Message code to (sender's role, recipient's role) to the models in which that is allowed."""


_BOOK = frozenset(
    {
        *("REG.Register", "REG.Accept", "REG.Reject", "NEED.Post", "NEED.Withdraw"),
        *("OFFER.Submit", "OFFER.Accept", "OFFER.Reject", "OFFER.Revoke"),
        *("ORDER.Issue", "ORDER.Receipt", "ORDER.Commit", "ORDER.Decline", "ORDER.Revoke"),
        *("SCHED.DA", "SCHED.PD", "MV.Report"),
    }
)
"""What a platform hosts under every model: registration, needs, offers, orders, schedules, verification."""

CARRIED: dict[DsoModel, frozenset[str]] = {
    _DP: _BOOK | {"DISPATCH.Copy", "LIMIT.Issue", "LIMIT.Clear", "LIMIT.Ack", "CAP.Notice"},
    _T: (_BOOK - {"SCHED.DA", "SCHED.PD"}) | {"INSTR.Issue", "LIMIT.Issue", "LIMIT.Clear", "LIMIT.Ack"},
    _MF: _BOOK
    | {
        *("DISPATCH.RT", "DISPATCH.Relay", "SCHED.Relay", "BID.Forward", "ACK.Receipt", "ACK.Commit"),
        *("LIMIT.Issue", "LIMIT.Clear", "LIMIT.Ack", "LIMIT.Info", "OUTAGE.Notice"),
    },
}
"""Message codes that travel by the platform where the zone has one; the system operator's link to a total DSO stays."""


def by_platform(model: DsoModel, code: str) -> bool:
    """Whether a message goes by the platform, where there is one and it can be reached."""
    return code in CARRIED[model]


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
    resource = zone.resources.get(message.resource)
    if resource is None or resource.owner == message.header.sender:
        return None
    return f"ROUTE_FORBIDDEN: {message.header.sender} does not speak for {resource.id}"


def _role(zone: ZoneFacts, party: str) -> Role | None:
    return Role.DSO if party == zone.dso else zone.parties.get(party)
