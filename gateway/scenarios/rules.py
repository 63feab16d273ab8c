"""What must be true in every scenario of a model, whatever it is about."""

from collections.abc import Iterator

from gateway.coordination.messages import Dispatch
from gateway.coordination.operation_messages import DispatchRelay
from gateway.coordination.payload import sha256_of, written
from gateway.scenarios.checks import Checks, Verdict
from gateway.scenarios.stage import Stage


def kept(stage: Stage, checks: Checks, at_s: float) -> list[Verdict]:
    """The rules of the zone's model, looked at when everything is over."""
    model = stage.zone.zone.dso_model.value
    rules = {"DP": _dual_participation, "T": _total, "MF": _facilitator}[model]
    verdicts = [Verdict(at_s, *one) for one in rules(stage, checks)]
    violations = stage.loop.book.trade.violations
    return [*verdicts, Verdict(at_s, "state violations", "0", str(violations), violations == 0)]


Found = Iterator[tuple[str, str, str, bool]]


def _dual_participation(stage: Stage, checks: Checks) -> Found:
    """The DSO tells the system operator nothing, and operates nothing."""
    operator = stage.parties.system_operator.party
    told = [
        e.message.code
        for e in stage.parties.log
        if (e.message.header.sender, e.message.header.recipient) == ("DSO", operator) and e.message.code != "HB.In"
    ]
    yield "DP: DSO → system operator", "nothing", " ".join(told) or "nothing", not told
    operated = checks.operations()
    yield "DP: operations of the network", "none", " ".join(operated) or "none", not operated


def _total(stage: Stage, checks: Checks) -> Found:  # noqa: ARG001 - as its siblings
    """The system operator sees nodes and nothing below them."""
    operator, below = stage.parties.system_operator.party, set(stage.zone.devices)
    owners = {device.owner for device in stage.zone.devices.values()}
    seen: set[str] = set()
    for one in stage.parties.log:
        if one.message.header.recipient == operator and one.message.header.sender == "DSO":
            seen |= {value for value in _texts(one.message.body) if value in below or value in owners}
    yield "T: seen by the system operator", "nodes alone", " ".join(sorted(seen)) or "nodes alone", not seen


def _texts(body: object) -> Iterator[str]:
    for name in getattr(body, "__slots__", ()):
        value = getattr(body, name)
        if isinstance(value, str):
            yield value


def _facilitator(stage: Stage, checks: Checks) -> Found:  # noqa: ARG001 - as its siblings
    """What the DER/As got is what the system operator wrote, to the byte."""
    sent = {
        (m.body.dispatch_id, m.body.version): m for m in stage.messages("DISPATCH.RT") if isinstance(m.body, Dispatch)
    }
    relays = [m.body for m in stage.messages("DISPATCH.Relay") if isinstance(m.body, DispatchRelay)]
    changed = [
        body.dispatch_id
        for body in relays
        if sha256_of(written(sent[body.dispatch_id, body.version])) != body.payload_sha256
        or sha256_of(body.payload_raw) != body.payload_sha256
    ]
    yield "MF: relays", "unchanged", " ".join(changed) or "unchanged", not changed
