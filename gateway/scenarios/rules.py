"""What must be true in every scenario of a model, whatever it is about; looked at when everything is over."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gateway.coordination import wire
from gateway.coordination.market_messages import (
    BidForward,
    OfferSubmit,
    ScheduleDayAhead,
    SchedulePreDispatch,
    ScheduleRelay,
)
from gateway.coordination.messages import Dispatch, Message
from gateway.coordination.operation_messages import DispatchRelay
from gateway.coordination.payload import sha256_of, written
from gateway.scenarios.checks import Checks, Verdict
from gateway.scenarios.overheard import Overheard
from gateway.scenarios.stage import Stage

DSO = "DSO"
BELOW = frozenset(
    {"lfdi", "sfdi", "serial", "customer", "account", "phase", "phases", "pin", "endpoint", "members", "credential"}
)
"""Fields that say something of what is behind a point of interconnection."""

Found = Iterator[tuple[str, str, str, bool]]


def kept(stage: Stage, checks: Checks, overheard: Overheard, at_s: float) -> list[Verdict]:
    """The rules of the zone's model, then those of all models."""
    model = stage.zone.zone.dso_model.value
    rules: Mapping[str, Callable[[Stage, Checks], Found]] = {
        "DP": _dual_participation,
        "T": _total,
        "MF": _facilitator,
    }
    found = [*rules[model](stage, checks), *_everywhere(stage, overheard)]
    return [Verdict(at_s, *one) for one in found]


def _everywhere(stage: Stage, overheard: Overheard) -> Found:
    violations = stage.loop.book.trade.violations
    yield "life cycles: events that are not allowed", "0", str(violations), violations == 0
    refused = [line for line in overheard.named("route.forbidden") if line.get("sender") == DSO]
    told = ", ".join(f"{line['code']} to {line['recipient']}" for line in refused)
    yield "routes: forbidden messages of the DSO", "none", told or "none", not refused


def _dual_participation(stage: Stage, checks: Checks) -> Found:
    """The DSO tells the system operator nothing, and operates nothing."""
    told = sorted({message.code for message in _upwards(stage) if message.code != "HB.In"})
    yield "DP: DSO → system operator", "nothing", " ".join(told) or "nothing", not told
    operated = checks.operations()
    yield "DP: operations of the network", "none", " ".join(operated) or "none", not operated


def _total(stage: Stage, checks: Checks) -> Found:  # noqa: ARG001 - as its siblings
    """The system operator sees one resource per node and nothing below it."""
    below = {*stage.zone.devices, *(device.owner for device in stage.zone.devices.values())}
    seen = {word for message in _upwards(stage) for word in _words(wire.to_json(message)) if word in below}
    yield "T: seen by the system operator", "nodes alone", " ".join(sorted(seen)) or "nodes alone", not seen
    yield from _masked(stage, "T")


def _facilitator(stage: Stage, checks: Checks) -> Found:  # noqa: ARG001 - as its siblings
    """What is passed on is what somebody wrote, to the byte."""
    relays = list(_relays(stage))
    changed = [ref for ref, same in relays if not same]
    told = f"changed: {' '.join(changed)}" if changed else f"{len(relays)} of {len(relays)} to the byte"
    yield "MF: relays", "to the byte", told, not changed
    instructed = [m for m in stage.messages("INSTR.Issue") if m.header.sender == DSO]
    yield "MF: re-dispatch by the DSO", "none", str(len(instructed)) if instructed else "none", not instructed
    yield from _masked(stage, "MF")


def _masked(stage: Stage, model: str) -> Found:
    """Nothing from behind a point of interconnection goes to the system operator."""
    found = sorted({f"{m.code} {path}" for m in _upwards(stage) for path in _below(wire.to_json(m))})
    yield f"{model}: below the point of interconnection", "nothing", ", ".join(found) or "nothing", not found


def _upwards(stage: Stage) -> Iterator[Message]:
    """What the DSO has told the system operator."""
    operator = stage.parties.system_operator.party
    for one in stage.parties.log:
        if (one.message.header.sender, one.message.header.recipient) == (DSO, operator):
            yield one.message


def _relays(stage: Stage) -> Iterator[tuple[str, bool]]:
    """Whatever was passed on, and whether its bytes are those of its sender."""
    sent: dict[tuple[str, int], set[str]] = {}
    for message in _said(stage):  # somebody may say a version twice, and differently
        sent.setdefault(_key(message), set()).add(sha256_of(written(message)))
    for one in stage.parties.log:
        body = one.message.body
        if one.sent or not isinstance(body, DispatchRelay | ScheduleRelay | BidForward):
            continue
        ref = (
            body.offer_id
            if isinstance(body, BidForward)
            else getattr(body, "dispatch_id", "") or getattr(body, "schedule_id", "")
        )
        digest = sha256_of(body.payload_raw)
        same = digest == body.payload_sha256 and digest in sent.get((ref, body.version), ())
        yield f"{ref} version {body.version}", same


def _said(stage: Stage) -> Iterable[Message]:
    """Whatever parties said that a facilitator passes on."""
    kinds = Dispatch | ScheduleDayAhead | SchedulePreDispatch | OfferSubmit
    return (one.message for one in stage.parties.log if one.sent and isinstance(one.message.body, kinds))


def _key(message: Message) -> tuple[str, int]:
    match message.body:
        case Dispatch(ref, version) | OfferSubmit(ref, version):
            return ref, version
        case ScheduleDayAhead(ref, version) | SchedulePreDispatch(ref, version):
            return ref, version
        case _:
            return message.header.msg_id, 0


def _words(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Every word in every text of a document; what is passed on as it came is not the DSO's word."""
    match value:
        case str():
            yield from re.split(r"[^A-Za-z0-9_]+", value)
        case Mapping():
            for one in value.values():
                yield from _words(one)
        case list():
            for one in value:
                yield from _words(one)
        case _:
            return


def _below(value: Any, path: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """Paths of fields that have something in them which nobody above may see."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if key in BELOW and one not in ("", None, [], {}):
                yield f"{path}{key}"
            yield from _below(one, f"{path}{key}.")
    elif isinstance(value, list):
        for one in value:
            yield from _below(one, path)
