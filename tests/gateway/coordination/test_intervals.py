"""One record for every market interval, whatever clock and process do."""

import asyncio
from dataclasses import replace
from itertools import pairwise

import async_solipsism
import pytest

from gateway.coordination.events import Event, IntervalClosed
from gateway.coordination.intervals import MOST, Tally
from gateway.coordination.zone import LimitRules
from gateway.settlement.curtailment import Source
from tests.gateway.coordination.build import (
    MW,
    A,
    T,
    decided,
    dispatched,
    folded,
    limit,
    measured,
    sent,
    situation,
    zone,
)
from tests.gateway.coordination.chaos import Chaos

HOUR_S = 3600.0


class Counted:
    """A tally with its book; `cycle` is one cycle at a time."""

    def __init__(self, *events: Event) -> None:
        self.book, self.tally, self.records = folded(*events), Tally(), list[IntervalClosed]()

    def cycle(self, at_s: float, power_w: float = MW, *, solved: bool = True) -> None:
        at = situation(self.book, at_s, measured("A", power_w, at_s))
        over = self.tally.closed(at)
        for event in (decided(at_s), *over):
            self.book.fold(event)
        self.tally.saw(at, over, solved=solved)
        self.records += over

    def spans(self) -> list[tuple[float, float, int]]:
        return [(r.start_s - T, r.end_s - T, r.cycles) for r in self.records]


def test_a_record_says_how_many_cycles_there_were_and_what_they_measured():
    one = Counted()
    for at_s, power_w, solved in ((10, 1.0, True), (100, 2.0, False), (299, 3.0, True), (301, 9.0, True)):
        one.cycle(T + at_s, power_w * MW, solved=solved)
    assert one.records == [IntervalClosed(T, T + 300, 3, 2, {"A": 2.0 * MW})]


def test_intervals_without_the_gateway_are_recorded_as_such():
    one = Counted()
    one.cycle(T + 10)
    one.tally = Tally()  # another process
    one.cycle(T + 1000)
    one.cycle(T + 1201)
    assert one.spans() == [(0, 300, 0), (300, 600, 0), (600, 900, 0), (900, 1200, 1)]


def test_a_clock_that_is_set_back_records_nothing_twice():
    one = Counted()
    for at_s in (10, 310, 20, 320, 610, 910):
        one.cycle(T + at_s)
    assert one.spans() == [(0, 300, 1), (300, 600, 2), (600, 900, 1)]


def test_after_a_long_absence_the_records_follow_little_by_little():
    one = Counted()
    one.cycle(T)
    for k in range(4):
        one.cycle(T + 300.0 * 2.5 * MOST + k)
    ends = [r.end_s for r in one.records]
    assert len(ends) == 2.5 * MOST
    assert [after - before for before, after in pairwise(ends)] == [300.0] * (len(ends) - 1)


def test_a_record_says_what_limits_took_and_the_book_adds_it_up():
    one = Counted(dispatched(2 * MW, T, T), sent(limit(1.2 * MW), T + 30))
    for at_s in (10, 290, 310, 590, 610):
        one.cycle(T + at_s)
    first, second = (record.curtailed for record in one.records)
    assert [(c.resource, c.limit_id, c.constraint_id, c.source) for c in first] == [
        ("A", "R1-A-1", "L12", Source.DISPATCH)
    ]
    assert [c.energy_wh for c in (*first, *second)] == [
        pytest.approx(0.8 * MW * 270 / 3600),
        pytest.approx(0.8 * MW * 300 / 3600),
    ]
    assert one.book.accounts.given_up.lately_wh("A", T + 700) == pytest.approx(0.8 * MW * 570 / 3600)


def test_nothing_is_known_of_the_time_without_the_gateway():
    one = Counted(dispatched(2 * MW, T, T), sent(limit(1.2 * MW), T + 30))
    one.cycle(T + 10)
    one.tally = Tally()  # another process
    for at_s in (500, 610):
        one.cycle(T + at_s)
    took = [c for record in one.records for c in record.curtailed]
    assert [c.energy_wh for c in took] == [pytest.approx(0.8 * MW * 100 / 3600)]


@pytest.mark.usefixtures("unheard")
def test_a_day_has_288_records_across_a_restart_and_a_clock_that_is_corrected():
    async def day() -> list[IntervalClosed]:
        play = Chaos(replace(zone(), resources={"A": A}, limits=LimitRules()), seed=1)
        play.start()
        try:
            await asyncio.sleep(6 * HOUR_S)
            play.life.end()
            await asyncio.sleep(6 * HOUR_S)
            play.set_by_s = -7.0  # a time server is heard again
            await asyncio.sleep(6 * HOUR_S)
            play.set_by_s = 5.0
            await asyncio.sleep(6 * HOUR_S - 5.0 + 30.0)
        finally:
            await play.end()
        return [fact for fact in play.journal.facts() if isinstance(fact, IntervalClosed)]

    loop = async_solipsism.EventLoop()
    try:
        records = loop.run_until_complete(day())
    finally:
        loop.close()
    assert [(r.start_s, r.end_s) for r in records] == [(T + 300 * k, T + 300 * (k + 1)) for k in range(288)]
    few = [r.start_s - T for r in records if r.cycles < 25]
    assert few == [6 * HOUR_S - 300], "the count of the interval that the restart cut off is lost, its record is not"
    assert all(r.solved == r.cycles for r in records)
