"""From the book and meter data to baselines, contracts and messages, as the model has them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.coordination import baselining, contesting, settling
from gateway.coordination.accounts import KEPT_S
from gateway.coordination.baselining import Wanted
from gateway.coordination.events import Assessed, Received, Sent, Stated
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market import MarketRules, Program, SettlementRules
from gateway.coordination.market_messages import OrderCommit, OrderIssue
from gateway.coordination.messages import LimitClear
from gateway.coordination.settlement_messages import BaselineNominate, MeterReport, SettlementReport
from gateway.coordination.zone import DsoModel
from gateway.settlement.schedule import Asked, AskedBy
from gateway.settlement.words import LineKind, MeterInterval, Terms
from tests.gateway.coordination.build import MW, A, T, dispatched, folded, limit, message, situation, zone

TERMS = Terms(utilisation_per_mwh=60, penalty_per_mwh=90, availability_per_mwh=5, curtailment_per_mwh=25)
ORDER = Asked("o1", 1, "A", AskedBy.ORDER, 2 * MW, T, T + 300, T - 600, program="DSO")


def facts(baseline="zero", model=DsoModel.DUAL_PARTICIPATION, a=A, **rules):
    program = Program("DSO", terms=TERMS, baseline=baseline)
    market = MarketRules(programs={"DSO": program}, program="DSO", nodes=("TD1",))
    return replace(zone(a, model), market=market, settlement=SettlementRules(**rules))


def series(at, *powers_w, before_w=None, gaps=()):
    """What a meter says on each of the days before, newest first, and in the hour that adjusts them."""
    found = {}
    for wanted in baselining.needed(at, ORDER):
        day = round((T - wanted.windows[-1][0]) / 86_400)
        if day == 0 or len(wanted.windows) == 12:
            power_w = before_w
        else:
            power_w = powers_w[day - 1] if 0 < day <= len(powers_w) and day not in gaps else None
        if power_w is not None:
            found[wanted] = [
                MeterInterval("A", s, length_s, power_w * length_s / 3600) for s, length_s in wanted.windows
            ]
    return found


@pytest.mark.parametrize(("before_mw", "result_mw"), [(1.3, 1.300), (1.5, 1.360), (0.8, 0.907)])
def test_s32_baseline_of_twenty_days_with_its_adjustment(before_mw, result_mw):
    at = situation(folded(), T + 400, facts=facts("high_x_of_y"))
    days = [-1.0 * MW] * 10 + [-1.2 * MW] * 10  # a load: consumption is negative
    found, notes = baselining.baseline(at, ORDER, series(at, *days, before_w=-before_mw * MW))
    assert notes == ()
    assert [round(w / MW, 3) for w in found.power_w] == [-result_mw]


def test_s32_event_days_and_holidays_are_left_out():
    holiday = (datetime.fromtimestamp(T, UTC) - timedelta(days=3)).date()
    at = situation(folded(), T + 400, facts=facts("high_x_of_y", holidays=frozenset({holiday})))
    at.book.accounts.event_days["A"] = (T - 2 * 86_400,)
    days = [-1.0 * MW, -9.0 * MW, -9.0 * MW, *[-1.0 * MW] * 20]
    found, notes = baselining.baseline(at, ORDER, series(at, *days))
    assert notes == ()
    assert found.power_w == (pytest.approx(-1.0 * MW),)


def test_too_few_days_give_way_to_the_window_before_and_say_so():
    at = situation(folded(), T + 400, facts=facts("high_x_of_y"))
    known = series(at, -1.0 * MW)
    known[Wanted("A", baselining._before(at, ORDER, 0.0))] = [MeterInterval("A", T - 300, 300.0, -0.5 * MW / 12)]
    found, notes = baselining.baseline(at, ORDER, known)
    assert (found.method, found.power_w) == ("meter_before_after", (pytest.approx(-0.5 * MW),))
    assert "20 suitable days are needed" in notes[0]


def test_a_nomination_is_a_baseline_where_it_covers_the_event():
    at = situation(folded(), T + 400, facts=facts("nomination"))
    at.book.accounts.nominations["A"] = BaselineNominate("A", T - 300, 5.0, (0.1 * MW, 0.2 * MW))
    assert baselining.baseline(at, ORDER, {})[0].power_w == (0.2 * MW,)
    at.book.accounts.nominations["A"] = BaselineNominate("A", T - 300, 5.0, (0.1 * MW,))
    found, notes = baselining.baseline(at, ORDER, {})
    assert found.power_w == (0.0,)
    assert "does not cover the event" in notes[0]


def metered(at, power_w):
    return {settling.own(at, ORDER): [MeterInterval("A", T, 300.0, power_w / 12)]}


def ordered():
    body = OrderIssue("o1", 1, "A", "off", "DSO", 2 * MW, T, T + 300, 70.0)
    return Sent(message("DSO", "AGENT_A", body), T - 600)


def test_what_ended_is_measured_once_and_reported_to_its_owner():
    at = situation(folded(ordered()), T + 400, facts=facts())
    (due,) = settling.due(at)
    found = settling.measured(at, due, metered(at, 2 * MW), 0.0)
    (told,) = settling.reports(at, [found])
    assert (told.header.recipient, told.body.delivered_mwh) == ("AGENT_A", pytest.approx(1 / 6))
    assert found.lines[0].price_per_mwh == 70.0
    at.book.fold(Assessed((found,), T + 400))
    assert settling.due(at) == ()
    assert settling.due(situation(folded(ordered()), T + 310, facts=facts())) == (), "its telemetry may still come"


def test_a_firm_connection_is_paid_for_what_a_limit_takes_from_a_dispatch():
    """Dispatched 2.0 from 2.0, limited to 1.2 for the whole interval."""
    firm = facts(a=replace(A, firm=True))
    issued = Sent(message("DSO", "AGENT_A", limit(1.2 * MW)), T)
    at = situation(folded(dispatched(2 * MW, T, T), issued), T + 400, facts=firm)
    (due,) = settling.due(at)
    found = settling.measured(at, due, metered(at, 1.2 * MW), 2 * MW)
    assert [(line.kind, line.amount) for line in found.lines] == [
        (LineKind.CURTAILMENT, pytest.approx(0.8 / 12 * 25, rel=1e-3))
    ]
    assert [p.excused_by for p in found.performances] == ["R1-A-1"]


def test_limits_are_remembered_with_their_times_after_they_are_cleared():
    clear = Sent(message("DSO", "AGENT_A", LimitClear("R1-A-1", 1, "A"), "m2"), T + 100)
    book = folded(Sent(message("DSO", "AGENT_A", limit(1.2 * MW)), T), clear)
    assert [(h.start_s, h.end_s, h.ceiling_w) for h in book.accounts.limits["A"]] == [(T, T + 100, 1.2 * MW)]
    assert book.limits["A"] == []


def test_an_extended_limit_stays_one_and_a_newer_one_takes_over():
    first, same = limit(1.2 * MW), limit(1.2 * MW, 2, T + 200)
    lower = limit(1.0 * MW, 3, T + 250)
    sent = [Sent(message("DSO", "AGENT_A", one, f"m{one.version}"), one.start_s) for one in (first, same, lower)]
    held = folded(*sent).accounts.limits["A"]
    assert [(h.limit_id, h.start_s - T, h.end_s - T) for h in held] == [("R1-A-1", 0, 250), ("R1-A-3", 250, 1150)]


def test_a_newer_version_of_a_dispatch_takes_over_in_the_middle():
    book = folded(dispatched(2 * MW, T, T, dispatch_id="d"), dispatched(1 * MW, T, T + 100, 2, "d"))
    assert [(a.version, a.start_s - T, a.end_s - T) for a in book.accounts.asked.values()] == [
        (1, 0, 100),
        (2, 100, 300),
    ]


def test_what_is_over_and_measured_is_forgotten_unless_something_waits_for_it():
    at = situation(folded(dispatched(1 * MW, T, T)), T + 400, facts=facts())
    (due,) = settling.due(at)
    found = settling.measured(at, due, {}, 0.0)
    at.book.fold(Assessed((found,), T + 400))
    assert list(at.book.accounts.asked) == [due.key]
    at.book.fold(Assessed((), T + 300 + KEPT_S + 1))
    assert at.book.accounts.asked == {}


def test_what_nobody_may_contest_any_more_is_closed():
    committed = Received(message("AGENT_A", "DSO", OrderCommit("o1", 1, "A", 2 * MW), "c"), T - 500)
    at = situation(folded(ordered(), committed), T + 400, facts=facts(period_s=300.0, dispute_window_s=600.0))
    (due,) = settling.due(at)
    found = settling.measured(at, due, metered(at, 2 * MW), 0.0)
    at.book.fold(Assessed((found,), T + 400))
    at.book.fold(settling.stated(at, (T, T + 300)))
    assert at.book.trade.instances["o1"].state is OrderState.SETTLED
    assert settling.closing(at) == ()
    late = replace(at, snapshot=replace(at.snapshot, at_s=T + 901))
    assert settling.closing(late) == ("o1",)
    at.book.fold(Stated((), T + 901, closes=("o1",)))
    assert at.book.trade.instances["o1"].state is OrderState.CLOSED


@pytest.mark.parametrize("length_min", [0.0, -5.0, 1e6])
def test_meter_data_of_impossible_intervals_are_refused(length_min):
    for body in (MeterReport("m", "A", "MP", T, length_min, (1.0,)), BaselineNominate("A", T, length_min, (1.0,))):
        assert "BAD_INTERVAL" in (settling.refusal(message("AGENT_A", "DSO", body)) or "")


@pytest.mark.parametrize("text", ["kind,amount\npenalty,1\n", "kind,reference,amount\npenalty,d,nan\n"])
def test_a_statement_that_cannot_be_read_is_refused(text):
    body = SettlementReport("s", 1, T, T, -1.0, text)
    assert "BAD_STATEMENT: row 2" in (settling.refusal(message("IESO", "DSO", body)) or "")


def test_a_participants_meter_that_disagrees_raises_an_alarm_once():
    at = situation(folded(ordered()), T + 400, facts=facts())
    (due,) = settling.due(at)
    at.book.fold(Assessed((settling.measured(at, due, metered(at, 1.0 * MW), 0.0),), T + 400))
    said = message("AGENT_A", "DSO", MeterReport("p", "A", "LDC", T, 5.0, (2.0 / 12,)))
    at.book.accounts.received(said, T + 500)
    (alarm,) = contesting.followed(at, said).events
    assert alarm.code == settling.MISMATCH
    assert "+100.0 %" in alarm.detail
    at.book.fold(alarm)
    assert contesting.followed(at, said).events == ()
