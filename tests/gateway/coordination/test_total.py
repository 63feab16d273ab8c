"""Total DSO: the remedies for a new limit in their order, each in its time."""

from collections import Counter
from dataclasses import replace

import pytest

from gateway.coordination import conduct, deadlines, operating, study
from gateway.coordination.book import Book
from gateway.coordination.events import Decided, Received, Sent
from gateway.coordination.lifecycle import NeedState, OrderState
from gateway.coordination.market import Approval, ControlRoom, MarketRules, Mode
from gateway.coordination.market_messages import (
    Block,
    MarketSide,
    NeedPost,
    OfferSubmit,
    OrderCommit,
    OrderIssue,
    SchedulePoint,
    SchedulePreDispatch,
)
from gateway.coordination.messages import AckCommit, AckStatus, Dispatch, LimitClear, LimitIssue
from gateway.coordination.operation_messages import Instruction, ShortfallNotice
from gateway.coordination.zone import Controllable, DsoModel
from grid_engine.dispatch.operation_words import Act, Controls, Operation, RemoteSwitch
from grid_engine.dispatch.questions import Clear, Cleared, Reconfigure
from grid_engine.dispatch.words import Outcome
from grid_engine.results import NetworkState, Study
from protocols.points import Point, Quantity
from protocols.signals import LinkState
from tests.gateway.coordination.build import MW, A, T, linked, measured, message, outage, situation, zone
from tests.gateway.coordination.small_engine import SmallEngine

SWITCHES = ("SWT", "SW12")
SWITCHING = (Operation(Act.CLOSE, "SWT"), Operation(Act.OPEN, "SW12"))
ROOM = ControlRoom(
    Controls(switches=tuple(RemoteSwitch(name) for name in SWITCHES)),
    {name: (Point(name, Quantity.SWITCH_CLOSED),) for name in SWITCHES},
)
TIED = NetworkState(switches_closed={"SWT": True, "SW12": False})
MARKET = MarketRules(nodes=("TD1",), wholesale_gate_s=0.0, local_gate_s=0.0)
PV = replace(A, id="B", floor_w=0.0, ceiling_w=6 * MW, owner="AGENT_B", controllable=Controllable.LIMIT)


class Switched(SmallEngine):
    """Its line carries as much as one wants once the tie is closed."""

    steps = SWITCHING
    delivers = False
    """Whether a dispatch that falls short is helped by that."""

    def _bears_w(self, study):
        return 99 * MW if study.state.switches_closed.get("SWT") else self.carries_w

    def reply(self, question):
        found = super().reply(question)
        if isinstance(question, Reconfigure) and found.options:
            return replace(found, options=(replace(found.options[0], operations=self.steps),))
        return self._clear(question) if isinstance(question, Clear) else found

    def _clear(self, question):
        """At most what the line carries, unless the tie may be closed and that is wanted."""
        market, operations = question.market, ()
        if question.controls != Controls() and self.delivers and not market.study.state.switches_closed.get("SWT"):
            market, operations = replace(market, limits=(), study=replace(market.study, state=TIED)), self.steps
        (wanted_w,) = market.delivery_w
        within_w = min(wanted_w, self._bears_w(market.study))
        found = super().reply(Clear(replace(market, delivery_w=(within_w,)))).schedule
        short_w = wanted_w - found.delivered_w[0]
        outcome = Outcome.SHORTFALL if short_w > 1.0 else Outcome.DELIVERED
        return Cleared(replace(found, outcome=outcome, shortfall_w=(short_w,)), operations)


class Play:
    """A book, an engine that answers at once, and a field that does what it is told where it is told to."""

    def __init__(self, *, room=ROOM, approval=None, firm=(("A", 2.0, 30.0), ("C", 2.0, 50.0))):
        base = zone(model=DsoModel.TOTAL_DSO)
        resources = {
            "A": A,
            "B": PV,
            "C": replace(A, id="C", owner="AGENT_C"),
            "H": replace(A, id="H", owner="AGENT_H"),
        }
        owners = {r.owner: base.parties["AGENT_A"] for r in resources.values()}
        self.facts = replace(
            base,
            resources=resources,
            parties={"IESO": base.parties["IESO"], **owners},
            market=MARKET,
            room=room,
            approval=approval or Approval(),
        )
        self.book, self.engine, self.now_s = Book(), Switched(9.0 * MW), T
        self.power_mw = dict.fromkeys(resources, 0.0)
        self.switches = {"SWT": 0.0, "SW12": 1.0}
        self.stuck: set[str] = set()
        self.silent: set[str] = set()
        self.told, self.asked, self.count = [], [], Counter()
        for resource, power_mw, price in firm:
            self.offer(resource, power_mw, price)

    def hear(self, sender, body):
        self.count["heard"] += 1
        self.book.fold(Received(message(sender, "DSO", body, f"m{self.count['heard']}"), self.now_s))

    def offer(self, resource, power_mw, price, *, need_id="", standby=False, side=MarketSide.BOTH):
        blocks = (Block(power_mw * MW, price),)
        name = f"o{resource}{need_id}"
        offer = OfferSubmit(name, 1, resource, side, T, T + 3600, blocks, T + 3600, need_id, standby=standby)
        self.hear(f"AGENT_{resource}", offer)

    def dispatch(self, power_mw, version=1):
        self.hear("IESO", Dispatch("d", version, "TD1", power_mw * MW, T, T + 300))

    @property
    def at(self):
        self.count["cycles"] += 1
        signals = [linked(r, LinkState.ONLINE) for r in "CH"]
        signals += [measured(r, mw * MW, self.now_s) for r, mw in self.power_mw.items()]
        signals += [measured(s, on, self.now_s, Quantity.SWITCH_CLOSED) for s, on in self.switches.items()]
        at = situation(self.book, self.now_s, *signals, facts=self.facts)
        return replace(at, cycle_id=f"k{self.count['cycles']}")

    def cycle(self):
        """What one cycle says; all that it concludes is folded, and answered by who answers."""
        at = self.at
        question = study.impact(at)
        answer = self.engine.answer(question)
        steps, told = conduct.conclude(at, question, answer), None
        try:
            while True:
                asked = steps.send(told)
                self.asked.append(asked)
                told = self.engine.answer(asked) if isinstance(asked, Study) else self.engine.reply(asked)
        except StopIteration as end:
            found = end.value
        owed = deadlines.overdue(at)
        self.book.fold(Decided(at.cycle_id, at.now_s, question, answer, headroom=found.headroom))
        sent = [Sent(m, self.now_s) for m in found.messages]
        for event in (*found.selected, *found.proposed, *found.ruled, *sent, *found.alarms, *owed.alarms):
            self.book.fold(event)
        if found.plan is not None:
            self.book.fold(found.plan)
        self._operate()
        bodies = [m.body for m in found.messages]
        self.told += [(self.now_s - T, body) for body in bodies]
        for body in bodies:
            self._answer(body)
        assert self.book.trade.violations == 0
        return bodies

    def _operate(self):
        for event in operating.due(self.at):
            self.book.fold(event)
            if type(event).__name__ == "Operated":
                record = self.book.operating.newest
                for command in operating.commands(ROOM, record, event.step, self.now_s):
                    if command.point.resource not in self.stuck:
                        self.switches[command.point.resource] = command.value

    def _answer(self, body):
        if isinstance(body, OrderIssue | Instruction) and body.resource not in self.silent:
            if isinstance(body, OrderIssue):
                answer = OrderCommit(body.order_id, body.version, body.resource, body.power_w)
            else:
                answer = AckCommit(body.instruction_id, body.version, body.resource, AckStatus.ACCEPT, body.power_w)
            self.hear(f"AGENT_{body.resource}", answer)

    def until(self, after_s, step_s=5.0):
        """Cycles up to a time; all that was said on the way."""
        said = []
        while self.now_s - T < after_s:
            said += self.cycle()
            self.now_s += step_s
        return said

    def first(self, kind):
        """When something of a kind was said first, seconds after T; and it."""
        return next(((at_s, body) for at_s, body in self.told if isinstance(body, kind)), (None, None))

    def operated(self):
        record = self.book.operating.newest
        return [] if record is None else [operation.device for operation in record.plan.operations]


def powers(bodies):
    return {b.resource: b.power_w / MW for b in bodies if isinstance(b, Instruction)}


def limits(bodies):
    return {b.resource: b.ceiling_w / MW for b in bodies if isinstance(b, LimitIssue)}


def only(kind, bodies):
    return [body for body in bodies if isinstance(body, kind)]


# --- the network


def test_who_is_on_his_way_to_a_limit_waits_for_the_network_and_nobody_is_limited():
    play = Play()
    play.dispatch(3.0)
    assert powers(play.cycle()) == {"A": 2.0, "C": 1.0}
    play.engine.carries_w = 2.5 * MW
    play.now_s = T + 10
    assert limits(play.cycle()) == {}
    assert play.operated() == ["SWT", "SW12"]
    said = play.until(60)
    assert (limits(said), powers(said), only(ShortfallNotice, said)) == ({}, {}, [])
    assert play.switches == {"SWT": 1.0, "SW12": 0.0}


def test_who_stands_beyond_a_limit_is_limited_at_once_and_set_free_as_soon_as_the_field_shows_the_switching():
    play = Play()
    play.dispatch(3.0)
    play.cycle()
    play.power_mw |= {"A": 2.0, "C": 1.0}
    play.engine.carries_w, play.now_s = 2.5 * MW, T + 100
    first = play.cycle()
    assert sum(limits(first).values()) == pytest.approx(2.5 - (3.0 - sum(play.power_mw[r] for r in limits(first))))
    assert play.operated() == ["SWT", "SW12"], "in the same cycle"
    said = play.until(130)
    assert {b.resource for b in only(LimitClear, said)} == limits(first).keys()
    assert play.first(LimitClear)[0] <= 100 + 2 * ROOM.confirm_s


def test_one_operation_that_is_on_its_way_relieves_as_fast_as_a_limit():
    play = Play()
    play.engine.steps = SWITCHING[:1]
    play.stuck.add("SWT")
    play.dispatch(3.0)
    play.cycle()
    play.power_mw |= {"A": 2.0, "C": 1.0}
    play.engine.carries_w, play.now_s = 2.5 * MW, T + 100
    assert limits(play.cycle()) == {}
    play.until(110 + 10)
    at_s, _ = play.first(LimitIssue)
    assert 100 < at_s <= 115, "the field has not shown it in time"


def test_a_limit_takes_over_from_what_was_not_confirmed_before_the_ramp_reaches_it():
    play = Play()
    play.stuck.add("SWT")
    play.dispatch(3.0)
    play.cycle()
    play.engine.carries_w, play.now_s = 2.5 * MW, T + 5
    play.until(60)
    at_s, _ = play.first(LimitIssue)
    assert at_s <= 5 + 2 * ROOM.confirm_s + 10
    assert play.switches == {"SWT": 0.0, "SW12": 1.0}


def test_nothing_is_shared_out_anew_while_the_network_is_switched():
    play = Play()
    play.dispatch(3.0)
    play.cycle()
    play.power_mw |= {"A": 2.0, "C": 1.0}
    play.engine.carries_w, play.now_s = 2.5 * MW, T + 100
    said = play.cycle()
    while play.book.operating.running is not None:
        play.now_s += 2
        said += play.cycle()
    assert powers(said) == {}
    assert only(NeedPost, said) == []


def test_without_a_dispatch_the_network_gives_way_first_too():
    play = Play()
    play.engine.carries_w, play.power_mw["B"] = 3.0 * MW, 4.0
    play.now_s = T + 20
    play.cycle()
    assert play.operated() == ["SWT", "SW12"]
    play.until(60)
    assert play.first(LimitClear)[0] is not None


# --- the market


def test_firm_offers_come_before_those_that_are_called_however_cheap():
    play = Play(room=None)
    play.offer("H", 1.0, 5.0, standby=True)
    play.dispatch(3.0)
    assert powers(play.cycle()) == {"A": 2.0, "C": 1.0}
    play.dispatch(4.5, version=2)
    said = play.cycle()
    assert [(o.resource, o.power_w / MW) for o in only(OrderIssue, said)] == [("H", 1.0)]
    assert only(NeedPost, said) == [], "what may be called covers it"


def test_a_limit_in_force_is_made_up_for_by_others_and_by_the_market_and_by_nobody_else_promised():
    play = Play(room=None)
    play.dispatch(3.5)
    play.cycle()
    play.power_mw |= {"A": 2.0, "C": 1.5}
    play.engine.carries_w, play.now_s = 3.0 * MW, T + 100
    said = play.cycle()
    box = limits(said)
    assert all(powers(said).get(r, 0.0) <= mw + 1e-6 for r, mw in box.items()), "portions keep within new limits"
    need = only(NeedPost, said)[0]
    assert need.closes_s == play.now_s + MARKET.standby_s
    play.until(240)
    at_s, notice = play.first(ShortfallNotice)
    assert MARKET.standby_s <= at_s - 100 <= MARKET.shortfall_s
    assert notice.capability_w == pytest.approx(3.0 * MW, abs=0.02 * MW)
    assert play.book.trade.needs["d:balance"].state is NeedState.UNCOVERED


def test_limits_are_not_shared_out_again_among_what_they_have_left():
    play = Play(room=None)
    play.dispatch(3.5)
    play.cycle()
    play.power_mw |= {"A": 2.0, "B": 1.0, "C": 1.5}
    play.engine.carries_w, play.now_s = 3.0 * MW, T + 100
    play.cycle()
    play.now_s += 5
    again = [limits(play.until(play.now_s - T + 5)) for _ in range(6)]
    assert again[1:] == [{}] * 5


@pytest.mark.parametrize("silent", [set(), {"H"}])
def test_the_notice_comes_in_time_whoever_was_ordered_and_does_not_answer(silent):
    play = Play(room=None)
    play.silent = silent
    play.offer("H", 0.5, 90.0, standby=True)
    play.dispatch(5.0)
    play.until(130)
    at_s, notice = play.first(ShortfallNotice)
    assert at_s <= MARKET.shortfall_s
    assert notice.capability_w / MW == pytest.approx(4.0 if silent else 4.5)


def test_what_was_never_answered_is_asked_of_the_others_once_more():
    play = Play(room=None)
    play.silent = {"H"}
    play.offer("H", 0.5, 90.0, standby=True)
    play.dispatch(4.5)
    assert only(NeedPost, play.cycle()) == []
    play.until(75)
    at_s, need = play.first(NeedPost)
    assert (at_s, need.required_w) == (65.0, pytest.approx(0.5 * MW))
    assert not any(e.resource == "H" for n in only(NeedPost, [b for _, b in play.told]) for e in n.effects)
    play.offer("B", 0.5, 95.0, need_id="d:balance", side=MarketSide.DISTRIBUTION)
    play.until(100)
    last = only(AckCommit, [b for _, b in play.told if getattr(b, "ref", "") == "d"])[-1]
    assert last.status is AckStatus.ACCEPT
    assert play.first(ShortfallNotice) == (None, None)


def test_more_that_goes_missing_later_is_asked_for_again():
    play = Play(room=None)
    play.offer("H", 0.5, 90.0, standby=True)
    play.dispatch(4.5)
    play.until(100)
    play.hear("AGENT_C", replace(outage("C", T + 100).message.body, available_w=1.0 * MW))
    said = play.until(180)
    assert {(n.version, round(n.required_w / MW, 3)) for n in only(NeedPost, said)} == {(1, 1.0)}
    at_s, notice = play.first(ShortfallNotice)
    assert 130 <= at_s <= 220
    assert (notice.capability_w / MW, notice.cause) == (pytest.approx(3.5), "DER_OUTAGE")


# --- both


def test_a_dispatch_that_falls_short_is_helped_by_the_network_before_the_market():
    play = Play()
    play.engine.delivers, play.engine.carries_w = True, 3.0 * MW
    play.dispatch(3.5)
    first = play.cycle()
    assert sum(powers(first).values()) == pytest.approx(3.0)
    assert play.operated() == ["SWT", "SW12"]
    said = play.until(60)
    assert only(NeedPost, said) == []
    assert sum(i.asked_w for i in play.book.trade.instances.values() if i.live) == pytest.approx(3.5 * MW)
    (answer,) = [b for _, b in play.told if isinstance(b, AckCommit)]
    assert answer.status is AckStatus.ACCEPT


def test_operations_that_fail_leave_it_to_the_market():
    play = Play()
    play.engine.delivers, play.engine.carries_w = True, 3.0 * MW
    play.stuck.add("SWT")
    play.dispatch(3.5)
    play.cycle()
    play.until(130)
    at_s, _ = play.first(NeedPost)
    assert 10 <= at_s <= 40
    assert play.first(ShortfallNotice)[0] <= MARKET.shortfall_s
    assert sum(isinstance(q, Clear) and q.controls != Controls() for q in play.asked) == 1, "it is tried once"


def test_operations_that_nobody_approves_leave_it_to_the_market_and_are_not_proposed_again_in_the_interval():
    play = Play(approval=Approval(Mode.SEMI, threshold_w=9 * MW))
    play.engine.delivers, play.engine.carries_w = True, 3.0 * MW
    play.dispatch(3.5)
    assert sum(powers(play.cycle()).values()) == pytest.approx(3.0), "what is committed does not wait"
    play.until(130)
    at_s, _ = play.first(NeedPost)
    assert 60 <= at_s <= 75
    assert play.first(ShortfallNotice)[0] <= MARKET.shortfall_s
    assert play.book.approvals.waiting == {}
    assert play.operated() == []


def test_what_was_bought_ahead_of_the_hour_is_committed_and_dispatched_like_the_rest():
    play = Play(room=None, firm=(("A", 2.0, 30.0),))
    play.now_s = T - 300
    point = SchedulePoint(T, T + 3600, 2.5 * MW)
    play.hear("IESO", SchedulePreDispatch("s", 1, "TD1", (point,)))
    need_id = f"TD1-{T:.0f}:balance:schedule"
    play.offer("H", 0.5, 90.0, standby=True)
    order = OrderIssue("x", 1, "H", "oH", "DSO", 0.5 * MW, T, T + 3600, 90.0, need_id)
    play.book.fold(Sent(message("DSO", "AGENT_H", order, "x"), play.now_s))
    play.hear("AGENT_H", OrderCommit("x", 1, "H", 0.5 * MW))
    assert play.book.trade.instances["x"].state is OrderState.ACKNOWLEDGED
    play.now_s = T
    play.dispatch(2.3)
    said = play.cycle()
    assert powers(said) == pytest.approx({"A": 2.0, "H": 0.3})
    assert only(OrderIssue, said) == []


def test_what_nobody_can_draw_is_not_accepted():
    play = Play(room=None)
    play.dispatch(-1.0)
    play.until(130)
    _, answer = play.first(AckCommit)
    assert (answer.status, answer.power_w) == (AckStatus.PARTIAL, 0.0)
    assert play.first(ShortfallNotice) == (None, None)
