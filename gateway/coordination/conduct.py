"""One cycle of decisions under the zone's model: what follows from the engine's answer, and what else has to be asked.

The models differ in four places only: who operates the network, who re-dispatches, who tells the system
operator, and whose counterparty the DER/As are.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from gateway.coordination import (
    admission,
    aggregate,
    approval,
    decide,
    facilitator,
    failure,
    host,
    hosting,
    needs,
    network,
    notices,
    selection,
    total,
)
from gateway.coordination.events import Alarmed, Dispatched, Planned, Proposed, Ruled
from gateway.coordination.inquiry import Asked, Told
from gateway.coordination.messages import Message
from gateway.coordination.situation import Situation
from gateway.coordination.zone import DsoModel
from grid_engine.results import Answer, Study

Steps = Generator[Asked, Told, "Conclusion"]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a cycle concludes."""

    messages: tuple[Message, ...] = ()
    headroom: tuple[str, ...] = ()
    """Resources whose limit could be loosened by at least the release step."""
    plan: Planned | None = None
    selected: tuple[Dispatched, ...] = ()
    """How a dispatch was shared out, or who was chosen for a need."""
    alarms: tuple[Alarmed, ...] = ()
    proposed: tuple[Proposed, ...] = ()
    ruled: tuple[Ruled, ...] = ()


def conclude(at: Situation, question: Study, answer: Answer) -> Steps:
    """What follows from the answer to the cycle's first question."""
    solved = decide.limits_now(at, answer)
    limits = (*solved.messages, *failure.limits_without_engine(at, answer))
    match at.zone.model:
        case DsoModel.DUAL_PARTICIPATION:
            found = Conclusion(limits)
        case DsoModel.TOTAL_DSO:
            found = yield from _total(at, question, answer, limits)
        case DsoModel.MARKET_FACILITATOR:
            found = yield from _facilitated(at, question, answer, limits)
    bought = yield from needs.procured(at, question, answer)
    messages, selected = (*found.messages, *bought.messages), (*found.selected, *bought.selections)
    return _released(
        at,
        replace(
            found,
            messages=(*messages, *hosting.published(at)),
            headroom=solved.headroom,
            alarms=(*found.alarms, *bought.alarms, *notices.noticed(at, answer)),
            selected=selected,
        ),
    )


def limits_ahead(at: Situation, messages: Sequence[Message]) -> tuple[Message, ...]:
    """Envelopes of intervals ahead as the model tells them; what an operator has to see waits for its own interval."""
    return accompanied(at, approval.sorted_out(at, messages, None).messages)


def _total(at: Situation, question: Study, answer: Answer, limits: tuple[Message, ...]) -> Steps:
    """Network first, then the portions of the node's dispatch, then what is ordered ahead."""
    first = yield from network.network_first(at, question, answer)
    kept = network.without(limits, first.withheld)
    operated = first.plan is not None and bool(first.plan.operations)
    shared = yield from total.share_out(at, kept, operated=operated)
    ahead = yield from selection.chosen(at)
    bids = yield from aggregate.bids(at)
    messages, selected = (*shared.messages, *ahead.messages, *bids), (*shared.selected, *ahead.selected)
    alarms, plan = (*shared.alarms, *ahead.alarms), shared.plan or first.plan
    return Conclusion((*kept, *messages), plan=plan, selected=selected, alarms=alarms)


def _facilitated(at: Situation, question: Study, answer: Answer, limits: tuple[Message, ...]) -> Steps:
    first = yield from network.network_first(at, question, answer)
    notes = yield from facilitator.annotations(at)
    kept = network.without(limits, first.withheld)
    return Conclusion((*facilitator.relays(at), *kept, *notes), plan=first.plan)


def _released(at: Situation, found: Conclusion) -> Conclusion:
    """What may leave: seen by the host where it has to be, approved by an operator where it has to be."""
    seen = host.cleared(at, [one for one in found.messages if not admission.outdated(at.book, one)])
    going = approval.sorted_out(at, seen.messages, found.plan)
    searched = found.plan is not None and not found.plan.operations
    return replace(
        found,
        messages=accompanied(at, going.messages),
        plan=found.plan if searched else going.plan,
        # What the host still looks at is asked for again in the next cycle, so nothing is concluded from it yet.
        selected=() if seen.waiting else found.selected,
        alarms=(*found.alarms, *seen.alarms),
        proposed=tuple(replace(one, messages=accompanied(at, one.messages)) for one in going.proposed),
        ruled=(*approval.lapsed(at), *approval.replaced(at, going.proposed)),
    )


def accompanied(at: Situation, messages: Sequence[Message]) -> tuple[Message, ...]:
    """With what travels beside them and not before: notes on limits under a market facilitator, copies for the host."""
    if at.zone.model is DsoModel.MARKET_FACILITATOR:
        messages = tuple(facilitator.informed(at, messages))
    return tuple(one for message in messages for one in (message, *host.copied(at, message)))
