"""The journal's facts in words for people: who, and what."""

from datetime import UTC, datetime
from typing import assert_never

from gateway.coordination.events import (
    Alarmed,
    Answered,
    Assessed,
    Contested,
    Decided,
    Dispatched,
    Instructed,
    IntervalClosed,
    Issued,
    Kept,
    Operated,
    Planned,
    Proposed,
    Received,
    Ruled,
    Sent,
    Shown,
    Stated,
)
from gateway.coordination.forecasts import ForecastIssued
from gateway.coordination.long_term import NeedsImported
from gateway.coordination.market_messages import NeedPost, OfferSubmit, OrderCommit, OrderIssue
from gateway.coordination.messages import (
    AckCommit,
    CapabilityNotice,
    Dispatch,
    DispatchCopy,
    LimitAck,
    LimitIssue,
    Message,
    OutageNotice,
)
from gateway.coordination.model_records import ModelProposed, ModelRuled
from gateway.coordination.operating import described
from gateway.coordination.operation_messages import EmergencyControl, EmergencyDeclare, ShortfallNotice
from gateway.coordination.operation_messages import Instruction as Instructs
from gateway.coordination.operator import OperatorInstruction
from gateway.coordination.topology import Cancelled, Scheduled
from gateway.record import Acted, Checkpoint, Fact, Started
from protocols.signals import Ack, Bounds, Control, GridSwitch, Instruction, LinkChanged


def told(fact: Fact) -> tuple[str, str]:
    """Who said or did it, and what."""
    match fact:
        case Received(message) | Sent(message):
            found = f"{message.header.sender} → {message.header.recipient}", _said(message)
        case Issued():
            found = f"DSO → {fact.instruction.resource}", _issued(fact)
        case Answered(ack):
            found = f"{ack.resource} → DSO", _answered(ack)
        case Kept(baseline):
            values = ", ".join(f"{name}={number(value)}" for name, value in baseline.values.items())
            found = f"{baseline.resource} → DSO", f"baseline before the first control: {values or 'nothing'}"
        case LinkChanged():
            found = fact.resource, f"link {fact.state.value}: {fact.detail}"
        case Instructed(asked):
            found = asked.source, _asked(asked)
        case Alarmed():
            found = "alarm", f"{fact.code} {fact.subject}: {fact.detail}"
        case Dispatched() | Planned() | Operated() | Shown() | Proposed() | Ruled():
            found = "DSO", _acted(fact)
        case Scheduled() | Cancelled() | ModelProposed() | ModelRuled() | ForecastIssued() | NeedsImported():
            found = _network(fact)
        case _:
            found = _own(fact)
    return found


def _own(
    fact: Decided | Checkpoint | Started | Acted | Assessed | Stated | Contested | IntervalClosed,
) -> tuple[str, str]:
    match fact:
        case Decided():
            return "DSO", f"cycle {fact.cycle_id}: study {fact.answer.status.value}"
        case Checkpoint():
            return "DSO", "checkpoint: all that was agreed until here"
        case Assessed() | Stated() | Contested() | IntervalClosed():
            return "DSO", _over(fact)
        case Started():
            what = f"started as {fact.dso_model}-DSO of zone {fact.zone} with network model {fact.model_version}"
            return "DSO", what
        case Acted():
            reason = f": {fact.because}" if fact.because else ""
            return fact.by, f"{fact.what} ({fact.subject}){reason}"


def _over(fact: Assessed | Stated | Contested | IntervalClosed) -> str:
    match fact:
        case IntervalClosed():
            span = f"{clock(fact.start_s)} to {clock(fact.end_s)}"
            taken = "".join(
                f"; {one.limit_id} took {one.energy_wh / 1e6:.4f} MWh from {one.resource}" for one in fact.curtailed
            )
            return f"interval {span}: {fact.cycles} cycles, {fact.solved} of them with an answer{taken}"
        case Assessed(found):
            parts = (f"{one.ref} {one.delivered_mwh:.4f} of {one.expected_mwh:.4f} MWh" for one in found)
            return f"measured {', '.join(parts) or 'nothing'}"
        case Stated(statements):
            parts = (f"{one.statement_id} v{one.version} net {one.net:.2f} $" for one in statements)
            return f"stated {', '.join(parts) or 'nothing'}"
        case Contested(dispute):
            return f"dispute {dispute.dispute_id} of {dispute.statement_id} is {dispute.state.value}"
        case _:
            assert_never(fact)


def _network(
    fact: Scheduled | Cancelled | ModelProposed | ModelRuled | ForecastIssued | NeedsImported,
) -> tuple[str, str]:
    match fact:
        case NeedsImported():
            return fact.by, f"imported for years to come: services {len(fact.services)}, needs {len(fact.needs)}"
        case ForecastIssued(issue_id, source):
            return source, f"forecast {issue_id} of {', '.join(fact.values)}, from {clock(fact.start_s)} on"
        case Scheduled(work):
            times = f"{day(work.start_s)} {clock(work.start_s)} … {day(work.end_s)} {clock(work.end_s)}"
            return work.source, f"{work.id} ({work.kind.value}): {work.described}, {times}"
        case Cancelled():
            return fact.by, f"{fact.work_id} is cancelled"
        case ModelProposed():
            return fact.by, f"network model {fact.version} is uploaded: {'; '.join(fact.changes) or 'no change'}"
        case ModelRuled():
            what = "approved" if fact.approved else "not to hold"
            return fact.by, f"network model {fact.version} is {what}" + (f": {fact.detail}" if fact.detail else "")
        case _:
            assert_never(fact)


def instructed(one: Instruction) -> str:
    """What an instruction asks for."""
    switch = _SWITCHED.get(one.grid_switch, "")
    if not isinstance(one, Control):
        return f"release: what was there before the first control comes back{switch}"
    return f"{_powers(one.limit, one.target_w)}{switch}"


_SWITCHED = {GridSwitch.OPEN: ", off the grid where it can be", GridSwitch.CLOSE: ", on the grid again"}


def mw(power_w: float) -> str:
    """Watts as megawatts, to 10 kW."""
    return f"{power_w / 1e6:.2f} MW"


def number(value: float) -> str:
    """A value of a register or the like: whole where it is large, so that a time is one."""
    return f"{value:.0f}" if abs(value) >= 1e6 else f"{value:g}"


def value_of(value: float, unit: str) -> str:
    """A value of the engine (`A`, `VA`, `W` or `pu`) with its unit."""
    if unit in ("W", "VA"):
        return f"{value / 1e6:.3f} M{unit}"
    return f"{value:.4f} pu" if unit == "pu" else f"{value:.1f} {unit}".rstrip()


def clock(at_s: float) -> str:
    """Time of day, UTC, to a tenth of a second."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%M:%S.%f")[:-5]


def day(at_s: float) -> str:
    """Date, UTC."""
    return datetime.fromtimestamp(at_s, UTC).date().isoformat()


def _powers(limit: Bounds, target_w: float | None) -> str:
    parts = [("at most", limit.ceiling_w), ("at least", limit.floor_w), ("target", target_w)]
    return ", ".join(f"{word} {mw(power_w)}" for word, power_w in parts if power_w is not None) or "no limit"


def _asked(asked: OperatorInstruction) -> str:
    if asked.is_withdrawal:
        return f"operator asks nothing of {asked.resource} any more"
    words = _powers(asked.limit, asked.target_w)
    return f"operator asks {asked.resource} for {words}, until {clock(asked.expires_s)}"


def _acted(fact: Dispatched | Planned | Operated | Shown | Proposed | Ruled) -> str:
    match fact:
        case Dispatched():
            short = f", {mw(fact.shortfall_w)} short" if fact.shortfall_w > 0 else ""
            return f"{fact.ref} shared out: {mw(fact.delivered_w)} at {fact.cost_per_h:.2f} $/h{short}"
        case Planned():
            return f"plan {fact.plan_id}: {described(fact)}"
        case Operated():
            return f"plan {fact.plan_id}: step {fact.step + 1} goes to the control room"
        case Shown():
            return f"plan {fact.plan_id}: step {fact.step + 1} " + (
                "shown by the field" if fact.confirmed else fact.detail
            )
        case Proposed():
            what = [_said(message) for message in fact.messages] + ([described(fact.plan)] if fact.plan else [])
            return f"{fact.action_id} waits for an operator: {'; '.join(what)}"
        case Ruled():
            return f"{fact.action_id} {'approved' if fact.approved else 'not approved'} by {fact.by}"
        case _:
            assert_never(fact)


def _issued(fact: Issued) -> str:
    words = [instructed(fact.instruction)]
    if isinstance(fact.instruction, Control):
        words.append(f"lease {fact.instruction.expiry_s - fact.at_s:.0f} s")
    if fact.power_w is not None:
        words.append(f"measured {mw(fact.power_w)} just before")
    return "; ".join(words)


def _said(message: Message) -> str:
    body = message.body
    match body:
        case Dispatch() | DispatchCopy():
            what = f"{body.resource} to {mw(body.power_w)} by {clock(body.end_s)} (version {body.version})"
        case LimitIssue():
            box = f"{mw(body.floor_w)} … {mw(body.ceiling_w)}"
            what = f"{body.resource} {box} until {clock(body.end_s)}, {body.reason.value} at {body.constraint_id}"
        case LimitAck():
            what = f"{body.status.value}, {body.resource} will do {mw(body.power_w)}"
        case CapabilityNotice():
            box = mw(body.power_w) if body.floor_w is None else f"{mw(body.floor_w)} … {mw(body.power_w)}"
            what = f"{body.resource} can do {box} until {clock(body.end_s)}, {body.cause}"
        case OutageNotice():
            what = f"{body.resource} can do {mw(body.available_w)} until {clock(body.end_s)}"
        case _:
            what = _traded(message)
    return f"{message.code}  {what}"


def _traded(message: Message) -> str:
    match message.body:
        case Instructs() as body:
            what = f"{body.resource} to {mw(body.power_w)} until {clock(body.end_s)}, part of {body.ref}"
        case OrderIssue() as body:
            window = f"{clock(body.start_s)} … {clock(body.end_s)}"
            what = f"{body.resource} {mw(body.power_w)} {window} at {body.price_per_mwh:.2f} per MWh"
        case OfferSubmit() as body:
            steps = ", ".join(f"to {mw(b.power_w)} at {b.price_per_mwh:.2f}" for b in body.blocks)
            what = f"{body.resource} {body.market.value}: {steps}"
        case OrderCommit() as body:
            what = f"{body.resource} will do {mw(body.power_w)}"
        case AckCommit() as body:
            what = f"{body.status.value}, {body.resource} will do {mw(body.power_w)}"
        case NeedPost() as body:
            what = f"{mw(body.required_w)} for {body.kind.value} {body.constraint_id} until {clock(body.end_s)}"
        case ShortfallNotice() as body:
            what = f"{body.node} can do {mw(body.capability_w)} until {clock(body.end_s)}, {body.cause}"
        case EmergencyDeclare() as body:
            what = f"level {body.level} in {body.scope}: {body.detail}"
        case EmergencyControl() as body:
            what = f"{body.resource} {mw(body.floor_w)} … {mw(body.ceiling_w)}"
        case _:
            what = message.resource
    return what


def _answered(ack: Ack) -> str:
    words = [ack.outcome.value]
    if ack.requested:
        words.append("wrote " + ", ".join(f"{name}={number(value)}" for name, value in ack.requested.items()))
        words.append(_read_back(ack))
    return "; ".join([*words, *([ack.detail] if ack.detail else [])])


def _read_back(ack: Ack) -> str:
    differing = [name for name, value in ack.requested.items() if ack.read_back.get(name, value) != value]
    beyond = [name for name in ack.read_back if name not in ack.requested]
    told = ", ".join(f"{name}={number(ack.read_back[name])}" for name in [*differing, *beyond])
    equal = "equal" if ack.read_back and not differing else ""
    return "read back " + (", ".join(word for word in (equal, told) if word) or "nothing")
