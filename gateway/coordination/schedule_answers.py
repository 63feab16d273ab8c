"""Total DSO: what the system operator hears of the node's schedule: what is committed, and which hours fall short.

An hour is told of once nothing more is being tried for it: everybody who was ordered has answered, and the time is
over that the local market has for what is missing.
"""

from collections.abc import Iterator, Sequence

from gateway.coordination import standby
from gateway.coordination.hours import Hour, meets, ordered
from gateway.coordination.market_messages import NeedPost, OrderIssue, SchedulePoint
from gateway.coordination.messages import AckCommit, AckStatus, Message
from gateway.coordination.operation_messages import ShortfallNotice
from gateway.coordination.portions import SAME_W, WAITING, promise_w
from gateway.coordination.schedules import Heard
from gateway.coordination.situation import Situation
from grid_engine.dispatch.words import Outcome

SOLVED = frozenset({Outcome.DELIVERED, Outcome.SHORTFALL})


def answers(at: Situation, node: str, hours: Sequence[Hour]) -> Iterator[Message]:
    """What is committed of each schedule, until its first hour begins; which hours fall short, until they begin."""
    settled = {hour.point: _committed_w(at, hour) for hour in hours if _is_settled(at, hour)}
    for heard in at.book.trade.schedules.heard.values():
        if heard.body.resource != node:
            continue
        points = [point for point in heard.body.points if point.start_s > heard.at_s]
        if points and all(point in settled for point in points):
            yield from _commitment(at, heard, [(point, settled[point]) for point in points])
        for point in points:
            if point in settled:
                yield from _shortfall(at, heard, point, settled[point])


def _is_settled(at: Situation, hour: Hour) -> bool:
    """Whether everybody who was ordered has answered, nobody is asked any more, and nothing waits for an operator."""
    found = at.book.shared[hour.ref]
    proposals = at.book.approvals.waiting.values()
    held = {m.body.need_id for one in proposals for m in one.messages if isinstance(m.body, OrderIssue | NeedPost)}
    waiting = any(order.state in WAITING for order in ordered(at, hour)) or standby.is_open(at, hour.need_id)
    return found.outcome in SOLVED and not {hour.ref, hour.need_id} & held and not waiting


def _committed_w(at: Situation, hour: Hour) -> float:
    """What is committed; the schedule itself where that is the same."""
    promised_w = sum(promise_w(order) for order in ordered(at, hour) if order.live)
    return hour.point.power_w if abs(promised_w - hour.point.power_w) <= SAME_W else promised_w


def _commitment(at: Situation, heard: Heard, found: Sequence[tuple[SchedulePoint, float]]) -> Iterator[Message]:
    """One answer to a schedule: whether all its hours are committed, and the mean power over them."""
    whole = all(power_w == point.power_w for point, power_w in found)
    length_s = sum(point.end_s - point.start_s for point, _ in found)
    mean_w = sum(power_w * (point.end_s - point.start_s) for point, power_w in found) / length_s
    status = AckStatus.ACCEPT if whole else AckStatus.PARTIAL
    if heard.answered is status and heard.answered_w is not None and abs(heard.answered_w - mean_w) <= SAME_W:
        return
    body = AckCommit(heard.body.schedule_id, heard.body.version, heard.body.resource, status, mean_w)
    suffix = f":{body.version}:{at.cycle_id}"
    yield at.message(at.zone.system_operator, body.ref, body, suffix=suffix)


def _shortfall(at: Situation, heard: Heard, point: SchedulePoint, capability_w: float) -> Iterator[Message]:
    """What the node can do in an hour where that is less than its schedule; and again when it changes."""
    told_w, short = heard.short_w.get(point.start_s), capability_w < point.power_w
    if told_w is None and not short:
        return
    if told_w is not None and abs(told_w - capability_w) <= SAME_W:
        return
    out = any(meets(outage.start_s, outage.end_s, point) for outage in at.book.outages.values())
    cause = "RESTORED" if not short else "DER_OUTAGE" if out else "CONSTRAINT"
    ref = heard.body.schedule_id
    notice = ShortfallNotice(heard.body.resource, capability_w, point.start_s, point.end_s, cause, ref)
    suffix = f":{point.start_s:.0f}:{at.cycle_id}"
    yield at.message(at.zone.system_operator, ref, notice, suffix=suffix)
