"""What firm offers leave of an hour ahead: asked for in the local market, ordered, and only then told."""

from dataclasses import replace

import pytest

from gateway.coordination.events import Alarmed
from gateway.coordination.lifecycle import NeedState
from gateway.coordination.market_messages import NeedPost, NeedWithdraw, OrderIssue, OrderRevoke
from gateway.coordination.messages import AckStatus
from gateway.coordination.operation_messages import ShortfallNotice
from gateway.coordination.trade_records import Source
from tests.gateway.coordination.build import MW, A, T, outage
from tests.gateway.coordination.test_selection import FACTS, FROM_S, HOUR_S, acks, shares
from tests.gateway.coordination.test_selection import Play as Basic

WINDOW_S = FACTS.market.standby_ahead_s
NEED = f"TD1-{FROM_S:.0f}:balance:schedule"
OTHERS = {name: replace(A, id=name, owner=f"AGENT_{name}", storage=None) for name in "HK"}
PARTIES = {resource.owner: FACTS.parties["AGENT_A"] for resource in OTHERS.values()}
WIDE = replace(FACTS, resources=FACTS.resources | OTHERS, parties={**FACTS.parties, **PARTIES})


class Play(Basic):
    """With two more resources that have no firm offer: H and K."""

    def __init__(self, line_mw=99.0, facts=WIDE):
        super().__init__(line_mw, facts)

    def answer(self, resource, power_mw, price, need_id=NEED, hours=(0, 1)):
        self.offer(resource, power_mw, price, hours, name=f"{resource}@{need_id}", need_id=need_id)

    def at_s(self, now_s):
        self.now_s = now_s
        return self.settle()


def needs(bodies):
    return {(b.need_id, b.version): round(b.required_w / MW, 3) for b in bodies if isinstance(b, NeedPost)}


def notices(bodies):
    return [(b.start_s, round(b.capability_w / MW, 3)) for b in bodies if isinstance(b, ShortfallNotice)]


def test_only_those_without_a_firm_offer_are_asked_for_what_is_missing_and_nobody_is_told_yet():
    play = Play()
    play.schedule(2.0, 9.0)
    said = play.settle()
    (need_id,) = {b.need_id for b in said if isinstance(b, NeedPost)}
    assert need_id == f"TD1-{FROM_S + HOUR_S:.0f}:balance:schedule"
    assert needs(said) == {(need_id, 1): 0.5}
    posts = [b for b in said if isinstance(b, NeedPost)]
    assert {e.resource for b in posts for e in b.effects} == {"H", "K"}
    assert {(b.start_s, b.end_s, b.closes_s) for b in posts} == {
        (FROM_S + HOUR_S, FROM_S + 2 * HOUR_S, T + WINDOW_S),
    }
    assert (acks(said), notices(said)) == ([], []), "the whole schedule is answered at once, and this hour is tried"


def test_the_cheapest_are_ordered_as_soon_as_they_suffice_and_the_schedule_is_accepted():
    play = Play()
    play.schedule(9.0)
    play.settle()
    play.now_s = T + 100
    play.answer("K", 0.3, 80.0)
    assert shares(play.settle()) == {}, "not enough: others may be cheaper"
    play.answer("H", 1.0, 70.0)
    said = play.settle()
    assert shares(said) == pytest.approx({("H", 0): 0.5})
    (order,) = [b for b in said if isinstance(b, OrderIssue)]
    assert (order.need_id, order.price_per_mwh) == (NEED, 70.0)
    assert play.book.trade.instances[order.order_id].source is Source.SCHEDULE
    assert play.book.trade.needs[NEED].state is NeedState.COVERED
    assert acks(said) == [("s", 1, AckStatus.ACCEPT, 9.0)]
    assert notices([b.body for b in play.told]) == []


def test_when_the_time_is_up_what_there_is_is_ordered_and_the_rest_is_told():
    play = Play()
    play.schedule(9.0)
    play.settle()
    play.answer("K", 0.3, 80.0)
    assert notices(play.at_s(T + WINDOW_S - 1)) == []
    said = play.at_s(T + WINDOW_S)
    assert shares(said) == pytest.approx({("K", 0): 0.3})
    assert play.book.trade.needs[NEED].state is NeedState.PARTIAL
    assert acks(said) == [("s", 1, AckStatus.PARTIAL, pytest.approx(8.8))]
    assert notices(said) == [(FROM_S, 8.8)]
    assert play.at_s(T + WINDOW_S + 60) == []


def test_a_need_that_nobody_answers_is_uncovered_and_told_once():
    play = Play()
    play.schedule(9.0)
    play.settle()
    said = play.at_s(T + WINDOW_S)
    assert (shares(said), notices(said)) == ({}, [(FROM_S, 8.5)])
    assert play.book.trade.needs[NEED].state is NeedState.UNCOVERED
    assert play.at_s(T + 2 * WINDOW_S) == []


def test_what_may_be_called_without_asking_is_ordered_where_it_suffices_and_not_where_it_is_not_needed():
    play = Play()
    play.offer("H", 1.0, 20.0, standby=True)
    play.schedule(2.0, 9.0)
    said = play.settle()
    assert needs(said) == {}
    assert shares(said) == pytest.approx({("A", 0): 2.0, ("A", 1): 2.5, ("B", 1): 6.0, ("H", 1): 0.5})
    assert acks(said) == [("s", 1, AckStatus.ACCEPT, 5.5)]


def test_what_may_be_called_waits_for_others_where_it_is_not_enough():
    play = Play()
    play.offer("H", 0.2, 90.0, standby=True)
    play.schedule(9.0)
    said = play.settle()
    assert needs(said) == {(NEED, 1): 0.3}
    assert shares(said) == {("A", 0): 2.5, ("B", 0): 6.0}
    play.answer("K", 2.0, 60.0)
    assert shares(play.settle()) == pytest.approx({("K", 0): 0.5}), "all of it, for it is cheaper"


def test_the_time_ends_so_early_that_orders_can_be_committed_before_the_hour():
    play = Play()
    play.now_s = FROM_S - 400
    play.schedule(9.0)
    (closes_s,) = {b.closes_s for b in play.settle() if isinstance(b, NeedPost)}
    assert closes_s == FROM_S - 2 * FACTS.clocks.commit_s


def test_too_late_to_ask_it_is_told_at_once():
    play = Play()
    play.now_s = FROM_S - 100
    play.schedule(9.0)
    said = play.settle()
    assert (needs(said), notices(said)) == ({}, [(FROM_S, 8.5)])


def test_a_need_that_is_gone_is_taken_back_and_so_is_what_was_ordered_for_it():
    play = Play()
    play.schedule(9.0)
    play.settle()
    play.schedule(8.0, version=2)
    said = play.settle()
    assert {b.need_id for b in said if isinstance(b, NeedWithdraw)} == {NEED}
    assert acks(said) == [("s", 2, AckStatus.ACCEPT, 8.0)]
    play.schedule(9.0, version=3)
    again = play.settle()
    assert needs(again) == {(NEED, 2): 0.5}
    play.answer("H", 1.0, 70.0)
    assert shares(play.settle()) == pytest.approx({("H", 0): 0.5})
    play.schedule(8.0, version=4)
    assert [b.resource for b in play.settle() if isinstance(b, OrderRevoke)] == ["H"]


def test_more_that_goes_missing_later_is_asked_for_beside_what_was_bought():
    play = Play()
    play.schedule(9.0)
    play.settle()
    play.answer("H", 0.5, 70.0)
    play.settle()
    notice = outage("A", T).message.body
    play.hear("AGENT_A", replace(notice, available_w=2.0 * MW, end_s=FROM_S + 600))
    said = play.settle()
    assert needs(said) == {(NEED, 2): 0.5}
    assert [b for b in said if isinstance(b, OrderRevoke)] == []
    play.answer("K", 2.0, 90.0)
    said = play.settle()
    assert shares(said) == pytest.approx({("K", 0): 0.5})
    assert notices([b.body for b in play.told]) == []


def test_an_order_that_is_not_answered_is_asked_of_others():
    play = Play()
    play.schedule(9.0)
    play.settle()
    play.answer("H", 0.5, 70.0)
    play.cycle()
    play.book.fold(Alarmed("NON_RESPONSE", f"TD1-{FROM_S:.0f}:H", T + 60, ""))
    said = play.cycle()
    assert {e.resource for b in said if isinstance(b, NeedPost) for e in b.effects} == {"K"}
