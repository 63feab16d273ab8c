"""Total DSO: what the system operator hears of a dispatch of the node, and when.

It is answered once everybody has answered us and nothing more is being tried; at the latest so long after more was
needed than what is committed, that it hears of a shortfall by its deadline. After that only what changes is said.
"""

from collections.abc import Iterator

from gateway.coordination import portions
from gateway.coordination.events import Dispatched
from gateway.coordination.messages import AckCommit, AckStatus, Message
from gateway.coordination.operation_messages import ShortfallNotice
from gateway.coordination.portions import SAME_W
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import NodeDispatch


def settled(at: Situation, one: NodeDispatch, known: Dispatched, *, trying: bool) -> Iterator[Message]:
    """The answer to the system operator; nothing before its time.

    Args:
        trying: something is under way that may yet deliver what is missing.
    """
    parts = [*portions.instructed(at, one), *portions.bought(at, one)]
    waiting = any(part.state in portions.WAITING for part in parts)
    if (waiting or (trying and known.shortfall_w > SAME_W)) and at.now_s < due_s(at, one, known):
        return
    promised_w = sum(portions.promise_w(part) for part in parts if part.live)
    dispatch = one.dispatch
    # Beside what is asked is not as asked either way: nobody draws what only injects.
    status = AckStatus.ACCEPT if abs(promised_w - dispatch.power_w) <= SAME_W else AckStatus.PARTIAL
    told_w = dispatch.power_w if status is AckStatus.ACCEPT else promised_w
    if one.answered is None or one.answered_w is None or abs(one.answered_w - told_w) > SAME_W:
        commit = AckCommit(dispatch.dispatch_id, dispatch.version, dispatch.resource, status, told_w)
        yield at.message(at.zone.system_operator, dispatch.dispatch_id, commit, suffix=f":{at.cycle_id}")
    yield from _shortfall(at, one, told_w, short=told_w < dispatch.power_w)


def due_s(at: Situation, one: NodeDispatch, known: Dispatched) -> float:
    """When it is answered with what is promised by then: a cycle and a half before the deadline of a notice.

    That counts from when more than the committed offers was needed; where it is not, from the dispatch or an outage.
    """
    lost_s = [o.start_s for o in at.book.outages.values() if o.start_s <= at.now_s < o.end_s]
    begun_s = max(one.dispatch.start_s, one.received_s, *lost_s) if known.since_s is None else known.since_s
    return begun_s + at.zone.market.shortfall_s - 1.5 * at.zone.clocks.tick_s


def _shortfall(at: Situation, one: NodeDispatch, capability_w: float, *, short: bool) -> Iterator[Message]:
    """What the node can do where that is less than was asked; and again when it is restored."""
    told_w, dispatch = one.shortfall_w, one.dispatch
    if told_w is None and not short:
        return
    if told_w is not None and abs(told_w - capability_w) <= SAME_W:
        return
    out = any(o.start_s <= at.now_s < o.end_s for o in at.book.outages.values())
    cause = "RESTORED" if not short else "DER_OUTAGE" if out else "CONSTRAINT"
    notice = ShortfallNotice(dispatch.resource, capability_w, at.now_s, dispatch.end_s, cause, dispatch.dispatch_id)
    yield at.message(at.zone.system_operator, dispatch.dispatch_id, notice, suffix=f":{at.cycle_id}")
