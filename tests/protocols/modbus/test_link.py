import pytest

from protocols.modbus.link import Link
from protocols.signals import LinkState


def test_each_change_is_told_once():
    link = Link()
    assert link.answered("ok") is LinkState.ONLINE
    assert link.answered("ok") is None
    assert [link.missed("no") for _ in range(4)] == [LinkState.DEGRADED, None, LinkState.LOST, None]
    assert link.detail == "3 polls missed, the last: no"
    assert link.answered("ok") is LinkState.ONLINE


def test_one_answer_clears_the_count():
    link = Link()
    link.answered("ok")
    link.missed("no")
    assert link.answered("ok") is LinkState.ONLINE
    assert link.missed("no") is LinkState.DEGRADED


def test_a_closed_connection_is_lost_at_once():
    link = Link()
    link.answered("ok")
    assert link.lost("closed") is LinkState.LOST
    assert link.is_down
    assert link.lost("refused") is None


def test_a_unit_that_never_answered_is_lost_without_having_been_degraded():
    link = Link()
    assert [link.missed("no") for _ in range(3)] == [None, None, LinkState.LOST]


@pytest.mark.parametrize(("missed", "interval_s"), [(0, 1), (2, 1), (3, 2), (4, 4), (6, 10), (10_000, 10)])
def test_a_lost_unit_is_asked_less_and_less_often(missed, interval_s):
    link = Link(missed_polls=missed)
    assert link.interval_s(1, 10) == interval_s


def test_no_poll_is_faster_than_the_poll_interval():
    assert Link(missed_polls=9).interval_s(60, 10) == 60
