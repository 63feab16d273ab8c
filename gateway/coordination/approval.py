"""What waits for an operator: in manual mode everything that changes the world, in semi-automatic mode the large.

A newer proposal for the same thing takes the place of the one that waits; what was turned down is not proposed again
before it would have lapsed; and a limit gets its version when it leaves, so that no older one follows a newer.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.coordination.approval_record import BY_NEWER
from gateway.coordination.events import Planned, Proposed, Ruled
from gateway.coordination.market import Mode
from gateway.coordination.market_messages import NeedPost, OrderIssue
from gateway.coordination.messages import LimitClear, LimitIssue, Message
from gateway.coordination.operation_messages import DispatchRelay, Instruction
from gateway.coordination.situation import Situation

_WAITS = (LimitIssue, LimitClear, Instruction, OrderIssue, NeedPost)
"""A relayed dispatch is the system operator's, not ours: it never waits."""
BY_TIME = "patience"
"""Who rules where nobody did in time."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """What leaves, and what is proposed in its place."""

    messages: tuple[Message, ...]
    plan: Planned | None
    proposed: tuple[Proposed, ...] = ()


def sorted_out(at: Situation, messages: Sequence[Message], plan: Planned | None) -> Sorted:
    """Hold back what an operator has to see first; what was proposed before and still waits is not proposed again."""
    if at.zone.approval.mode is Mode.AUTO:
        return Sorted(tuple(messages), plan)
    held = [m for m in messages if _waits(at, m)]
    going = tuple(m for m in messages if not _waits(at, m))
    proposed = [*_messages(at, held), *_plan(at, plan)]
    return Sorted(going, None, tuple(p for p in proposed if _is_new(at, p)))


def let_out(at: Situation, proposal: Proposed) -> tuple[Message, ...]:
    """The messages of a proposal as they leave now; what accompanies them is made from them."""
    return tuple(_stamped(at, message) for message in proposal.messages if isinstance(message.body, _WAITS))


def lapsed(at: Situation) -> Iterator[Ruled]:
    """Proposals that nobody has decided about in time."""
    for proposal in at.book.approvals.waiting.values():
        if at.now_s >= proposal.expires_s:
            yield Ruled(proposal.action_id, at.now_s, approved=False, by=BY_TIME)


def replaced(at: Situation, proposed: Sequence[Proposed]) -> Iterator[Ruled]:
    """Proposals that wait in vain because something newer is proposed for the same thing."""
    newer = {subject for one in proposed if (subject := _subject(one))}
    for proposal in at.book.approvals.waiting.values():
        if _subject(proposal) in newer and at.now_s < proposal.expires_s:
            yield Ruled(proposal.action_id, at.now_s, approved=False, by=BY_NEWER)


def _is_new(at: Situation, proposal: Proposed) -> bool:
    waits = proposal.action_id in at.book.approvals.waiting
    return not waits and at.now_s >= at.book.approvals.turned_down.get(proposal.action_id, at.now_s)


def _subject(proposal: Proposed) -> str:
    """What a proposal is about, where a newer one makes it void; empty where each stands for itself."""
    if proposal.plan is not None:
        return "network"
    match proposal.messages[0].body:
        case LimitIssue() | LimitClear() as body:
            return f"limit {body.resource}"
        case Instruction() as body:
            return f"instruction {body.resource} {body.start_s:.0f}"
        case _:
            return ""


def _stamped(at: Situation, message: Message) -> Message:
    """A limit with the version that is next now, and in force at least to the end of this interval."""
    body, clocks = message.body, at.zone.clocks
    if not isinstance(body, LimitIssue):
        return message
    version = at.book.limit_versions.get(body.resource, 0) + 1
    limit_id = f"{at.zone.id}-{body.resource}-{version}"
    end_s = max(body.end_s, clocks.interval_start(at.now_s) + clocks.interval_s)
    expires_s = max(body.start_s, at.now_s) + clocks.limit_expiry_s
    limit = replace(body, limit_id=limit_id, version=version, end_s=end_s, expires_s=expires_s)
    return at.message(message.header.recipient, limit_id, limit)


def _waits(at: Situation, message: Message) -> bool:
    if isinstance(message.body, DispatchRelay) or not isinstance(message.body, _WAITS):
        return False
    small = _size_w(at, message) < at.zone.approval.threshold_w
    return at.zone.approval.mode is Mode.MANUAL or not small


def _messages(at: Situation, held: Sequence[Message]) -> Iterator[Proposed]:
    for message in held:
        reason = f"{message.code} of {_size_w(at, message) / 1e6:.2f} MW"
        until_s = at.now_s + at.zone.approval.patience_s
        yield Proposed(_id(at, _content(message)), at.now_s, (message,), None, until_s, reason)


def _plan(at: Situation, plan: Planned | None) -> Iterator[Proposed]:
    if plan is not None and plan.operations:
        until_s = at.now_s + at.zone.approval.operation_patience_s
        yield Proposed(_id(at, repr(plan.operations)), at.now_s, (), plan, until_s, "operation of the network")


def _content(message: Message) -> str:
    """What a message would do, whatever its id and version."""
    body = message.body
    match body:
        case LimitIssue():
            return f"limit {body.resource} {body.ceiling_w:.0f} {body.floor_w:.0f} {body.constraint_id}"
        case LimitClear():
            return f"clear {body.limit_id}"
        case _:
            return message.header.msg_id


def _id(at: Situation, content: str) -> str:
    return f"{at.zone.id}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _size_w(at: Situation, message: Message) -> float:
    """By how much it moves somebody."""
    stands_w = at.snapshot.power_w(message.resource, stale=True) or 0.0
    match message.body:
        case LimitIssue() as body:
            return abs(min(max(stands_w, body.floor_w), body.ceiling_w) - stands_w)
        case Instruction() | OrderIssue() as body:
            return abs(body.power_w - stands_w)
        case NeedPost() as body:
            return abs(body.required_w)
        case _:
            return 0.0
