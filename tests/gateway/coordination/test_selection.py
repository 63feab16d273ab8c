"""A node's schedule ahead: shared out by hour, ordered, answered, and replaced by what is dispatched."""

from collections import Counter
from dataclasses import replace

import pytest

from gateway.coordination import orders, selection, settling, total
from gateway.coordination.admission import outdated
from gateway.coordination.book import Book
from gateway.coordination.events import Alarmed, Received, Sent
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market import MarketRules
from gateway.coordination.market_messages import (
    Block,
    MarketSide,
    OfferSubmit,
    OrderCommit,
    OrderDecline,
    OrderIssue,
    OrderRevoke,
    ScheduleDayAhead,
    SchedulePoint,
    SchedulePreDispatch,
)
from gateway.coordination.messages import AckCommit, AckStatus, Dispatch
from gateway.coordination.operation_messages import Instruction, ShortfallNotice
from gateway.coordination.precedence import target
from gateway.coordination.zone import DsoModel, Storage
from gateway.settlement.words import MeterInterval
from grid_engine.dispatch.questions import Clear, Cleared
from grid_engine.results import Study
from protocols.points import Quantity
from tests.gateway.coordination.build import MW, A, T, measured, message, outage, situation, zone
from tests.gateway.coordination.small_engine import SmallEngine

HOUR_S = 3600.0
FROM_S = T + HOUR_S
FACTS = replace(
    zone(replace(A, storage=Storage(5 * MW)), DsoModel.TOTAL_DSO),
    market=MarketRules(nodes=("TD1",), wholesale_gate_s=0.0),
)


class Play:
    """A book, an engine that answers at once, and parties that answer as they are told to."""

    def __init__(self, line_mw=9.0, facts=FACTS):
        self.facts = facts
        self.book, self.engine, self.now_s = Book(), SmallEngine(line_mw * MW), T
        self.told, self.asked, self.count = [], [], Counter()
        self.offer("A", 2.5, 30.0)
        self.offer("B", 6.0, 50.0)

    def hear(self, sender, body):
        self.count["heard"] += 1
        self.book.fold(Received(message(sender, "DSO", body, f"m{self.count['heard']}"), self.now_s))

    def offer(self, resource, power_mw, price, hours=(0, 8), name="", **other):
        span = (FROM_S + hours[0] * HOUR_S, FROM_S + hours[1] * HOUR_S)
        blocks = (Block(power_mw * MW, price),)
        offer = OfferSubmit(name or f"o{resource}", 1, resource, MarketSide.BOTH, *span, blocks, span[1], **other)
        self.hear(f"AGENT_{resource}", offer)

    def schedule(self, *powers_mw, version=1, kind=ScheduleDayAhead, name="s", start_s=FROM_S, step_s=HOUR_S):
        ends = [(start_s + n * step_s, start_s + (n + 1) * step_s) for n in range(len(powers_mw))]
        points = tuple(SchedulePoint(*end, mw * MW) for end, mw in zip(ends, powers_mw, strict=True))
        self.hear("IESO", kind(name, version, "TD1", points))

    @property
    def at(self):
        self.count["cycles"] += 1
        at = situation(self.book, self.now_s, measured("A", 0.0, self.now_s), *self.stored(), facts=self.facts)
        return replace(at, cycle_id=f"k{self.count['cycles']}")

    def stored(self):
        return [measured("B", 0.0, self.now_s), measured("A", 1.0, self.now_s, Quantity.STATE_OF_CHARGE_PU)]

    def cycle(self):
        """What one cycle says; it is sent."""
        steps, told = selection.chosen(self.at), None
        try:
            while True:
                question = steps.send(told)
                self.asked.append(question)
                told = self.engine.answer(question) if isinstance(question, Study) else self.engine.reply(question)
        except StopIteration as end:
            found = end.value
        said = [m for m in found.messages if not outdated(self.book, m)]
        assert len(said) == len(found.messages)
        for event in (*found.selected, *(Sent(m, self.now_s) for m in said), *found.alarms):
            self.book.fold(event)
        self.told += said
        assert len({m.header.msg_id for m in self.told}) == len(self.told)
        return [m.body for m in said]

    def commit(self, bodies, part=1.0):
        for body in bodies:
            if isinstance(body, OrderIssue):
                commit = OrderCommit(body.order_id, body.version, body.resource, part * body.power_w)
                self.hear(f"AGENT_{body.resource}", commit)

    def settle(self):
        """Cycles in which everybody commits, until it is quiet; all that was said."""
        said, quiet = [], 0
        while quiet < 2:
            bodies = self.cycle()
            quiet = 0 if bodies else quiet + 1
            said += bodies
            self.commit(bodies)
        return said


def shares(bodies):
    return {(b.resource, (b.start_s - FROM_S) / HOUR_S): b.power_w / MW for b in bodies if isinstance(b, OrderIssue)}


def acks(bodies):
    return [(b.ref, b.version, b.status, b.power_w / MW) for b in bodies if isinstance(b, AckCommit)]


def test_every_hour_is_shared_out_at_least_cost_ordered_and_answered_once():
    play = Play()
    play.schedule(2.0, 3.5)
    first = play.cycle()
    assert shares(first) == {("A", 0): 2.0, ("A", 1): 2.5, ("B", 1): 1.0}
    assert {(b.offer_id, b.price_per_mwh, b.version) for b in first} == {("oA", 30.0, 1), ("oB", 50.0, 1)}
    assert play.cycle() == [], "nobody has committed"
    play.commit(first)
    (answer,) = acks(play.cycle())
    assert answer == ("s", 1, AckStatus.ACCEPT, pytest.approx(2.75))
    asked = len(play.asked)
    assert play.cycle() == []
    assert len(play.asked) == asked, "nothing has changed"
    assert play.book.trade.violations == 0


def test_nothing_is_ordered_for_what_has_begun():
    play = Play()
    play.now_s = FROM_S + 1
    play.schedule(2.0, 1.0)
    said = play.settle()
    assert shares(said) == {("A", 1): 1.0}
    assert acks(said) == [("s", 1, AckStatus.ACCEPT, 1.0)]


def test_what_is_declined_or_not_answered_is_given_to_others_and_what_is_missing_is_said():
    play = Play()
    play.schedule(2.0, 7.0)
    first = play.cycle()
    for body in first:
        if body.resource == "A":
            play.hear("AGENT_A", OrderDecline(body.order_id, 1, "A"))
        else:
            play.book.fold(Alarmed("NON_RESPONSE", body.order_id, T + 60, ""))
    second = play.cycle()
    assert shares(second) == {("B", 0): 2.0}, "in the second hour there is nobody left"
    play.commit(second)
    said = play.cycle()
    assert acks(said) == [("s", 1, AckStatus.PARTIAL, pytest.approx(1.0))]
    (notice,) = [b for b in said if isinstance(b, ShortfallNotice)]
    assert (notice.capability_w, notice.start_s, notice.end_s) == (0.0, FROM_S + HOUR_S, FROM_S + 2 * HOUR_S)
    assert (notice.node, notice.ref, notice.cause) == ("TD1", "s", "CONSTRAINT")
    assert play.cycle() == []


def test_what_is_committed_of_an_order_counts_and_not_what_was_asked():
    play = Play()
    play.schedule(2.0)
    play.commit(play.cycle(), part=0.75)
    assert acks(play.cycle()) == [("s", 1, AckStatus.PARTIAL, pytest.approx(1.5))]


def test_a_shortfall_behind_a_limit_is_told_ahead_and_what_is_ordered_stays_where_it_is_enough():
    play = Play(line_mw=3.0)
    play.schedule(2.0, 6.0)
    said = play.settle()
    assert acks(said) == [("s", 1, AckStatus.PARTIAL, pytest.approx(3.75))]
    assert [b.capability_w for b in said if isinstance(b, ShortfallNotice)] == [5.5 * MW]
    play.schedule(2.0, 5.5, version=2)
    again = play.settle()
    assert shares(again) == {}
    assert acks(again) == [("s", 2, AckStatus.ACCEPT, pytest.approx(3.75))]


def test_a_shortfall_that_ends_is_told_too():
    play = Play()
    play.schedule(7.0)
    play.hear("AGENT_A", replace(outage("A", FROM_S).message.body, end_s=FROM_S + 600))
    short = play.settle()
    assert [(b.capability_w, b.cause) for b in short if isinstance(b, ShortfallNotice)] == [(6.0 * MW, "DER_OUTAGE")]
    play.hear("AGENT_A", replace(outage("A", T).message.body, end_s=T + 60))
    said = play.settle()
    assert acks(said) == [("s", 1, AckStatus.ACCEPT, 7.0)]
    assert [(b.capability_w, b.cause) for b in said if isinstance(b, ShortfallNotice)] == [(7.0 * MW, "RESTORED")]


def test_a_newer_schedule_changes_orders_and_takes_back_what_nobody_wants_any_more():
    play = Play()
    play.schedule(3.0, 3.0)
    play.settle()
    play.schedule(1.0, 3.0, version=2)
    said = play.cycle()
    assert shares(said) == {("A", 0): 1.0}, "the other hour stays"
    assert [(b.resource, b.version) for b in said if isinstance(b, OrderIssue)] == [("A", 2)]
    assert [b.resource for b in said if isinstance(b, OrderRevoke)] == ["B"]
    play.commit(said)
    assert acks(play.cycle()) == [("s", 2, AckStatus.ACCEPT, pytest.approx(2.0))]
    play.schedule(3.0, 3.0, version=3)
    assert [(b.resource, b.version) for b in play.settle() if isinstance(b, OrderIssue)] == [("A", 3), ("B", 2)]


def test_pre_dispatch_of_other_intervals_cuts_the_hour_that_it_speaks_of():
    play = Play()
    play.schedule(2.0)
    play.settle()
    play.schedule(1.0, kind=SchedulePreDispatch, name="p", start_s=FROM_S + 300, step_s=300)
    play.settle()
    live = [i for i in play.book.trade.of("A") if i.live]
    spans = sorted((i.start_s - FROM_S, i.end_s - FROM_S, i.asked_w / MW) for i in live)
    assert spans == [(0, 300, 2.0), (300, 600, 1.0), (600, 3600, 2.0)]


def test_an_hour_that_starts_nowhere_any_more_is_taken_back():
    play = Play()
    play.schedule(2.0)
    play.settle()
    play.schedule(1.0, kind=SchedulePreDispatch, name="p", start_s=FROM_S - 300, step_s=600)
    said = play.settle()
    assert [b.order_id for b in said if isinstance(b, OrderRevoke)] == [f"TD1-{FROM_S:.0f}:A"]
    assert all(b.start_s == FROM_S + 300 for b in said if isinstance(b, OrderIssue)), "the offer does not begin before"


def test_an_outage_takes_a_resource_out_of_the_hours_that_it_meets():
    play = Play()
    play.schedule(2.0, 2.0)
    play.settle()
    notice = outage("A", T).message.body
    play.hear("AGENT_A", replace(notice, end_s=FROM_S + 600))
    said = play.settle()
    assert shares(said) == {("B", 0): 2.0}
    assert play.book.trade.instances[f"TD1-{FROM_S + HOUR_S:.0f}:A"].state is OrderState.ACKNOWLEDGED
    assert acks(said) == [], "the node still does what it promised"


def test_what_the_engine_cannot_say_is_asked_again_an_interval_later():
    play = Play()
    play.engine.failing = True
    play.schedule(2.0)
    assert play.cycle() == play.cycle() == []
    asked, play.engine.failing = len(play.asked), False
    assert (play.cycle(), len(play.asked)) == ([], asked)
    play.now_s = T + 300
    assert shares(play.cycle()) == {("A", 0): 2.0}


def test_hours_of_other_offers_begin_with_the_energy_that_is_left():
    class Emptying(SmallEngine):
        def reply(self, question):
            found = super().reply(question)
            assert isinstance(found, Cleared)
            told = tuple(replace(i, charge_wh=1.5 * MW) for i in found.schedule.instructions)
            return Cleared(replace(found.schedule, instructions=told))

    play = Play()
    play.offer("A", 2.5, 30.0, hours=(0, 1), name="first")
    play.book.trade.offers["oA"] = replace(
        play.book.trade.offers["oA"],
        offer=replace(play.book.trade.offers["oA"].offer, start_s=FROM_S + HOUR_S, blocks=(Block(2.0 * MW, 35.0),)),
    )
    play.engine = Emptying(9.0 * MW)
    play.schedule(2.0, 1.0, 1.0)
    play.cycle()
    markets = [q.market for q in play.asked if isinstance(q, Clear)]
    assert [m.delivery_w for m in markets] == [(2.0 * MW,), (1.0 * MW, 1.0 * MW)]
    assert [m.interval_s for m in markets] == [HOUR_S, HOUR_S]
    stores = [next(o.store for o in m.offers if o.resource == "A") for m in markets]
    assert [s.charge_wh for s in stores if s is not None] == [5 * MW, 1.5 * MW]
    assert [next(o.initial_w for o in m.offers if o.resource == "A") for m in markets] == [None, 2.0 * MW]


def instruct(play, power_mw, start_s=FROM_S):
    ref = f"d{start_s:.0f}"
    body = Instruction(f"{ref}:A", 1, "A", power_mw * MW, start_s, start_s + 300, power_mw * MW, -2.5 * MW, ref)
    play.book.fold(Sent(message("DSO", "AGENT_A", body, f"i{start_s}"), start_s))


@pytest.mark.parametrize("power_mw", [0.0, 0.5, 2.2])
def test_a_dispatch_takes_the_place_of_an_order_and_the_order_holds_after_it(power_mw):
    play = Play()
    play.schedule(2.0)
    play.settle()
    assert target(play.at, "A", FROM_S + 10).power_w == 2.0 * MW
    play.now_s = FROM_S + 5
    instruct(play, power_mw)
    assert target(play.at, "A", FROM_S + 10).power_w == power_mw * MW
    play.book.fold(Alarmed("NON_RESPONSE", f"d{FROM_S:.0f}:A", FROM_S + 60, ""))
    assert target(play.at, "A", FROM_S + 70) is None, "who does not answer is not held to the schedule instead"
    assert target(play.at, "A", FROM_S + 301).power_w == 2.0 * MW


def test_a_dispatch_that_wants_nothing_of_a_resource_tells_it_so_where_it_is_ordered():
    play = Play()
    play.schedule(4.0)
    play.settle()
    play.now_s = FROM_S + 5
    play.hear("IESO", Dispatch("d", 1, "TD1", 1.0 * MW, FROM_S, FROM_S + 300))
    steps, told = total.share_out(play.at), None
    try:
        while True:
            question = steps.send(told)
            told = play.engine.answer(question) if isinstance(question, Study) else play.engine.reply(question)
    except StopIteration as end:
        found = end.value
    powers = {m.body.resource: m.body.power_w / MW for m in found.messages if isinstance(m.body, Instruction)}
    assert powers == {"A": 1.0, "B": 0.0}


def paid(play, metered_mw):
    """What comes of the order of A for the hour: its due energy, delivered energy, shortfall and money."""
    play.now_s = FROM_S + HOUR_S + 60
    (due,) = [one for one in settling.due(play.at) if one.ref == f"TD1-{FROM_S:.0f}:A"]
    windows = settling.own(play.at, due)
    meters = [MeterInterval("A", s, length_s, metered_mw * MW * length_s / 3600) for s, length_s in windows.windows]
    found = settling.measured(play.at, due, {windows: meters}, 0.0)
    return [found.expected_mwh, found.delivered_mwh, found.shortfall_mwh, sum(line.amount for line in found.lines)]


def test_an_order_without_a_dispatch_is_paid_at_its_price():
    play = Play()
    play.schedule(2.0)
    play.settle()
    assert paid(play, 2.0) == pytest.approx([2.0, 2.0, 0.0, 60.0])


@pytest.mark.parametrize("power_mw", [0.0, 0.5, 2.0, 2.4])
def test_no_megawatt_hour_is_paid_twice_and_a_smaller_dispatch_is_no_shortfall(power_mw):
    """Dispatched for the first half of the hour: the order counts in the second."""
    play = Play()
    play.schedule(2.0)
    play.settle()
    for n in range(6):
        instruct(play, power_mw, FROM_S + 300 * n)
    assert paid(play, 2.0) == pytest.approx([1.0, 1.0, 0.0, 30.0])


def test_an_order_of_a_schedule_can_be_taken_back_by_hand_and_nothing_is_due_for_it():
    play = Play()
    play.schedule(2.0)
    play.settle()
    told = orders.revoked(play.at, f"TD1-{FROM_S:.0f}:A", "by hand")
    assert told.body.detail == "by hand"
    play.book.fold(Sent(told, play.now_s))
    assert acks(play.cycle()) == [("s", 1, AckStatus.PARTIAL, 0.0)]


def test_only_the_node_is_named_to_the_system_operator():
    play = Play()
    play.schedule(2.0, 7.0)
    play.settle()
    for one in play.told:
        if one.header.recipient == "IESO":
            assert getattr(one.body, "resource", "TD1") == getattr(one.body, "node", "TD1") == "TD1"
