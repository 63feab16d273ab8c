"""What cannot be is refused before anything is calculated from it."""

import pytest

from gateway.coordination.market_messages import Block, MarketSide, OfferSubmit, SchedulePoint, SchedulePreDispatch
from gateway.coordination.messages import Body, Dispatch, DispatchCopy, Header, Message
from gateway.coordination.operation_messages import HostLimit, HostObject
from gateway.coordination.sense import DAY_S, refusal

NOW_S = 1_800_000_000.0
BLOCKS = (Block(1e6, 30.0),)


def offer(end_s: float) -> OfferSubmit:
    return OfferSubmit("o", 1, "A", MarketSide.BOTH, NOW_S, end_s, BLOCKS, end_s)


def said(body: Body) -> str | None:
    return refusal(Message(Header("m", "c", "X", "DSO", NOW_S, "R1", "MF"), body))


@pytest.mark.parametrize(
    "body",
    [
        HostLimit("h", 1, "HE1", 0.0, 1.0, NOW_S, NOW_S + 60),
        HostObject("HE1:1", "HE1", -1e6, 1e6),
        Dispatch("d", 1, "A", 1e6, 0.0, NOW_S),
        DispatchCopy("d", 1, "A", 1e6, 0.0, NOW_S),
        SchedulePreDispatch("s", 1, "A", (SchedulePoint(NOW_S, NOW_S + 300, 1e6), SchedulePoint(0.0, NOW_S, 1e6))),
        offer(NOW_S + 400 * DAY_S),
    ],
)
def test_a_limit_without_room_and_a_time_without_end_are_impossible(body: Body) -> None:
    problem = said(body)
    assert problem is not None
    assert problem.startswith("IMPOSSIBLE: ")


@pytest.mark.parametrize(
    "body",
    [
        HostLimit("h", 1, "HE1", 0.0, 0.0, NOW_S, NOW_S + 60),
        Dispatch("d", 1, "A", 1e6, NOW_S, NOW_S + 300),
        Dispatch("d", 1, "A", 1e6, NOW_S + 300, NOW_S),
        SchedulePreDispatch("s", 1, "A", (SchedulePoint(NOW_S, NOW_S + 86_400, 1e6),)),
        offer(NOW_S + 365 * DAY_S),
    ],
)
def test_what_can_be_is_left_to_others_to_judge(body: Body) -> None:
    assert said(body) is None
