"""Whether what a party says can be so at all: values that are each in range, and together mean nothing, are refused."""

from collections.abc import Iterator

from gateway.coordination.market_messages import OfferSubmit, ScheduleDayAhead, SchedulePreDispatch
from gateway.coordination.messages import Dispatch, DispatchCopy, Message
from gateway.coordination.operation_messages import HostLimit, HostObject

DAY_S = 86_400.0
DISPATCHED_S = 35 * DAY_S
"""Longest time of a dispatch, or of an interval of a schedule: a month, with its days of grace."""
OFFERED_S = 366 * DAY_S
"""Longest time of an offer: what is settled interval by interval has to have an end."""


def refusal(message: Message) -> str | None:
    """What contradicts itself in a message, or would last beyond reason; `None` where nothing does."""
    match message.body:
        case HostLimit(ceiling_w=ceiling_w, floor_w=floor_w) | HostObject(ceiling_w=ceiling_w, floor_w=floor_w):
            if floor_w > ceiling_w:
                return f"IMPOSSIBLE: nothing is above {floor_w / 1e6:g} MW and below {ceiling_w / 1e6:g} MW"
        case _:
            pass
    return next((problem for problem in _spans(message)), None)


def _spans(message: Message) -> Iterator[str]:
    match message.body:
        case Dispatch(start_s=start_s, end_s=end_s) | DispatchCopy(start_s=start_s, end_s=end_s):
            spans, longest_s = [(start_s, end_s)], DISPATCHED_S
        case OfferSubmit(start_s=start_s, end_s=end_s):
            spans, longest_s = [(start_s, end_s)], OFFERED_S
        case ScheduleDayAhead(points=points) | SchedulePreDispatch(points=points):
            spans, longest_s = [(point.start_s, point.end_s) for point in points], DISPATCHED_S
        case _:
            return
    for start_s, end_s in spans:
        if end_s - start_s > longest_s:
            days = (end_s - start_s) / DAY_S
            yield f"IMPOSSIBLE: {message.code} over {days:,.0f} days; at most {longest_s / DAY_S:.0f} go into one"
