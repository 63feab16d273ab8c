"""What waits for an operator: what it would do and to whom, why, since when, and until when somebody has to decide."""

from collections.abc import Iterator

from gateway.console import words as w
from gateway.coordination.events import Proposed, Sent
from gateway.coordination.market_messages import NeedPost, OrderIssue
from gateway.coordination.messages import LimitClear, LimitIssue, Message
from gateway.coordination.operating import described
from gateway.coordination.operation_messages import Instruction
from gateway.coordination.situation import Situation
from gateway.tell import mw, told


def waiting(at: Situation) -> w.WaitingList:
    """Everything that waits, the most urgent first."""
    proposals = sorted(at.book.approvals.waiting.values(), key=lambda one: (one.expires_s, one.at_s, one.action_id))
    return w.WaitingList(mode=at.zone.approval.mode.value, waiting=[_waiting(at, one) for one in proposals])


def _waiting(at: Situation, proposal: Proposed) -> w.Waiting:
    return w.Waiting(
        id=proposal.action_id,
        steps=[*_steps(at, proposal)],
        why="; ".join(dict.fromkeys(_why(at, proposal))) or proposal.reason,
        cause=_cycle(proposal),
        since_s=proposal.at_s,
        deadline_s=proposal.expires_s,
    )


def _steps(at: Situation, proposal: Proposed) -> Iterator[w.Step]:
    for message in proposal.messages:
        yield w.Step(who=f"{message.header.sender} → {message.header.recipient}", what=told(Sent(message, 0.0))[1])
    if proposal.plan is not None:
        yield w.Step(who=f"{at.zone.dso} → ADMS", what=described(proposal.plan))


def _why(at: Situation, proposal: Proposed) -> Iterator[str]:
    for message in proposal.messages:
        yield from _reason(at, message)
    if proposal.plan is not None:
        yield proposal.plan.detail or "less curtailment than limits alone"


def _reason(at: Situation, message: Message) -> Iterator[str]:
    match message.body:
        case LimitIssue() as body:
            loading = f"{body.supporting.loading_before_pct:.1f} %"
            case = "" if body.supporting.case == "N-0" else f" after loss of {body.supporting.case}"
            yield f"{body.reason.value} {body.constraint_id}: {loading} at the requested powers{case}"
        case LimitClear() as body:
            held = at.book.limit(body.limit_id)
            behind = "" if held is None else f" of {held.reason.value} {held.constraint_id}"
            yield f"the limit{behind} is not needed any more"
        case Instruction() as body:
            yield f"part of {body.ref}"
        case OrderIssue() as body:
            need = at.book.trade.needs.get(body.need_id)
            price = f"{body.price_per_mwh:.2f} per MWh"
            yield f"offer {body.offer_id} at {price}" + ("" if need is None else f", meets {need.need.constraint_id}")
        case NeedPost() as body:
            yield f"{body.kind.value} {body.constraint_id}: {mw(body.required_w)} are missing"
        case _:
            yield message.code


def _cycle(proposal: Proposed) -> str:
    if proposal.plan is not None:
        return proposal.plan.cycle_id
    cycles = (m.body.supporting.cycle_id for m in proposal.messages if isinstance(m.body, LimitIssue))
    return next(cycles, "")
