"""What is put to the engine: measured where it can be trusted, otherwise the worst that may be true."""

from dataclasses import replace

import pytest

from gateway.coordination.daily import Daily, DayClock, Member
from gateway.coordination.events import IntervalClosed
from gateway.coordination.study import as_if, impact, look_ahead, network_state, standing, wanted_w, wish_now
from gateway.coordination.zone import Controllable, Forecast
from gateway.settlement.curtailment import Curtailment, Source, Wish
from grid_engine.results import Connection, Policy, Purpose
from protocols.points import Quantity
from protocols.signals import LinkState, Outcome, Quality
from tests.gateway.coordination.build import (
    MW,
    A,
    B,
    T,
    answered,
    control,
    decided,
    dispatched,
    folded,
    issued,
    limit,
    linked,
    measured,
    outage,
    sent,
    situation,
    zone,
)

LOST = linked("A", LinkState.LOST, T + 1)
HEARD = measured("A", 0.3 * MW, T)
CONTROL = control(1.2 * MW)
TOOK = Curtailment("A", "R1-A-1", "L12", T - 300, T, 2 * MW, 1.2 * MW, 0.8 * MW / 12, Source.DISPATCH)


def stands(book, *signals, resource=A, **other):
    at = situation(book, T + 10, *signals, **other)
    found = standing(at, resource)
    return found.power_w, found.trusted


def wish(book, *signals, resource=A, time_s=T + 10):
    at = situation(book, T + 10, *signals)
    return wanted_w(at, resource, standing(at, resource), time_s)


def test_what_is_measured_and_obeys_is_trusted():
    assert stands(folded(), measured("A", 0.3 * MW, T + 9)) == (0.3 * MW, True)


def test_who_does_not_obey_is_measured_but_not_counted_on():
    book = folded(issued(CONTROL, T), answered(CONTROL, Outcome.UNVERIFIED, T + 5))
    assert stands(book, measured("A", 2 * MW, T + 9)) == (2 * MW, False)


@pytest.mark.parametrize(
    ("last_w", "dispatched_w", "worst_w"), [(0.3, 1.0, 1.0), (1.5, 1.0, 1.5), (-2.0, -1.0, -2.0), (-1.0, 0.5, 0.5)]
)
def test_a_lost_device_counts_at_the_worse_of_measured_and_commanded(last_w, dispatched_w, worst_w):
    book = folded(dispatched(dispatched_w * MW, T, T))
    assert stands(book, measured("A", last_w * MW, T), LOST) == (worst_w * MW, False)


def test_what_was_commanded_is_what_the_limit_left_of_it():
    book = folded(dispatched(2 * MW, T, T), sent(limit(1.2 * MW), T))
    assert stands(book, HEARD, LOST) == (1.2 * MW, False)


def test_a_lost_device_without_dispatch_may_use_all_that_its_limit_allows():
    assert stands(folded(issued(CONTROL, T)), HEARD, LOST) == (1.2 * MW, False)


def test_a_dispatch_that_has_not_begun_is_not_what_was_commanded():
    book = folded(dispatched(1 * MW, T, T), dispatched(2 * MW, T + 300, T + 5))
    assert stands(book, HEARD, LOST) == (1 * MW, False)


def test_a_device_that_was_never_heard_may_do_all_that_it_can():
    assert stands(folded(), linked("A", LinkState.LOST)) == (2.5 * MW, False)
    load = replace(A, ceiling_w=0.0)
    assert stands(folded(), linked("A", LinkState.LOST), resource=load) == (-2.5 * MW, False)


def test_a_value_that_is_too_old_counts_as_the_worst_of_what_is_known():
    assert stands(folded(), measured("A", 0.3 * MW, T - 60)) == (0.3 * MW, False)


def test_a_value_that_is_bad_leaves_the_last_good_one():
    bad = measured("A", 0.0, T + 9, quality=Quality.BAD)
    assert stands(folded(), HEARD, bad) == (0.3 * MW, False)


def test_a_confirmed_fallback_is_believed():
    at_most = stands(folded(), measured("A", 1.2 * MW, T), LOST, confirmed=frozenset({"A"}))
    assert at_most == (0.5 * MW, False)


def test_who_is_dispatched_wants_that_until_the_next_dispatch_begins():
    book = folded(dispatched(1 * MW, T, T), dispatched(2 * MW, T + 300, T + 5))
    assert [wish(book, HEARD, time_s=t) for t in (T + 10, T + 299, T + 300, T + 900)] == [
        1 * MW,
        1 * MW,
        2 * MW,
        2 * MW,
    ]


def test_without_dispatch_the_forecast_counts():
    sunny = replace(B, forecast=Forecast(T, 300, (4 * MW, 5 * MW)))
    assert wish(folded(), resource=sunny, time_s=T + 300) == 5 * MW


@pytest.mark.parametrize(("measured_mw", "wanted_mw"), [(4.8, 4.8), (3.1, 4.0), (-1.0, 4.0)])
def test_a_forecast_of_now_counts_unless_what_is_measured_is_worse(measured_mw, wanted_mw):
    sunny = replace(B, forecast=Forecast(T, 300, (4 * MW, 3 * MW)))
    now = measured("B", measured_mw * MW, T + 9)
    assert wish(folded(), now, resource=sunny) == wanted_mw * MW
    assert wish(folded(), now, resource=sunny, time_s=T + 300) == 3 * MW


def test_who_sits_at_a_limit_beyond_its_forecast_may_want_all_that_it_can():
    sunny = replace(B, forecast=Forecast(T, 300, (3 * MW,)))
    book = folded(sent(limit(3.4 * MW, resource="B"), T))
    assert wish(book, measured("B", 3.4 * MW, T + 9), resource=sunny) == sunny.ceiling_w
    assert wish(book, measured("B", 3.02 * MW, T + 9), resource=sunny) == 3.02 * MW


def test_without_forecast_a_solar_plant_wants_what_is_available_to_it():
    available = measured("B", 4 * MW, T + 9, Quantity.AVAILABLE_POWER_W)
    assert wish(folded(), available, resource=B) == 4 * MW


def test_who_sits_at_its_limit_may_want_all_that_it_can():
    book = folded(sent(limit(1.2 * MW), T))
    assert wish(book, measured("A", 1.19 * MW, T + 9)) == 2.5 * MW
    assert wish(book, measured("A", 0.3 * MW, T + 9)) == 0.3 * MW


def test_an_outage_takes_from_what_is_wanted_only_while_it_lasts():
    book = folded(dispatched(2 * MW, T, T), outage("A", T, 0.4 * MW))
    assert [wish(book, HEARD, time_s=t) for t in (T + 10, T + 3600)] == [0.4 * MW, 2 * MW]


def test_who_does_not_obey_is_a_given_at_its_worst():
    book = folded(issued(CONTROL, T), answered(CONTROL, Outcome.REJECTED, T + 5), dispatched(2 * MW, T, T))
    (member, _) = impact(situation(book, T + 10, measured("A", 0.3 * MW, T + 9))).participants
    assert (member.adjustable, member.requested_w[0], member.held_w[0]) == (False, 2 * MW, 2 * MW)


def test_the_impact_of_now_is_measured_from_where_all_was_well():
    book = folded(dispatched(2 * MW, T, T), decided(T + 5, settled_w={"A": 0.1 * MW}))
    study = impact(situation(book, T + 10, measured("A", 1.1 * MW, T + 9)))
    member = study.participants[0]
    assert study.purpose is Purpose.IMPACT
    assert (member.held_w[0], member.requested_w) == (0.1 * MW, (2 * MW,) * 3)


def test_looking_ahead_begins_with_the_next_interval():
    book = folded(dispatched(1 * MW, T, T), dispatched(2 * MW, T + 600, T + 5))
    study = look_ahead(situation(book, T + 10, measured("A", 1 * MW, T + 9)))
    assert study.participants[0].requested_w == (1 * MW, 2 * MW, 2 * MW)
    assert study.participants[0].held_w == study.participants[0].requested_w


def test_as_if_is_the_same_network_with_powers_given():
    question = impact(situation(folded(), T + 10, measured("A", 1 * MW, T + 9)))
    told = as_if(question, {"A": -3 * MW}, "other")
    member = told.participants[0]
    assert (told.study_id, told.intervals, member.requested_w, member.adjustable) == ("other", 1, (-3 * MW,), False)
    assert member.floor_w == -3 * MW


def test_switches_and_taps_hold_also_when_their_report_is_old_but_not_when_it_is_bad():
    signals = (
        measured("SWT", 0.0, T - 600, Quantity.SWITCH_CLOSED),
        measured("T1", -3.0, T - 600, Quantity.TAP_POSITION),
        measured("T2", 0.0, T, Quantity.TAP_POSITION, quality=Quality.BAD),
    )
    state = network_state(situation(folded(), T, *signals).snapshot)
    assert (state.switches_closed, state.taps) == ({"SWT": False}, {"T1": -3})


def test_the_switch_of_a_capacitor_says_whether_it_is_in_service():
    signals = (measured("C1", 1.0, T, Quantity.SWITCH_CLOSED), measured("SWT", 0.0, T, Quantity.SWITCH_CLOSED))
    facts = replace(zone(), capacitors=frozenset({"C1"}))
    state = impact(situation(folded(), T, *signals, facts=facts)).state
    assert (state.in_service, state.switches_closed) == ({"C1": True}, {"SWT": False})


def test_customers_are_expected_to_do_what_the_day_says_interval_by_interval():
    day = Daily(DayClock(), 43_200.0, {"ramp": (0.0, 1.0)}, {"L": Member("ramp", 100.0)}, {"U": Member("ramp", 2.0)})
    question = impact(situation(folded(), T, facts=replace(zone(), daily=day)))
    assert (T + 21_600) % 86_400 == 50_400  # 8 o'clock; the ramp runs from 6 to 18
    assert question.load_w["L"] == pytest.approx([16.7, 17.4, 18.1], abs=0.1)
    assert question.unit_w["U"] == pytest.approx([0.3, 0.3, 0.4], abs=0.05)
    assert as_if(question, {}, "other").unit_w["U"] == question.unit_w["U"][:1]


NOW = measured("A", 0.3 * MW, T + 9)


def could(book, *signals, resource=A, **other):
    return wish_now(situation(book, T + 10, *signals, **other), resource, T)


def test_what_could_be_is_what_was_asked_else_what_is_expected_and_never_more_than_is_there():
    available = measured("B", 4 * MW, T + 9, Quantity.AVAILABLE_POWER_W)
    sunny, sun = replace(B, forecast=Forecast(T, 300, (5 * MW,))), measured("B", 1 * MW, T + 9)
    assert could(folded(dispatched(2 * MW, T, T)), NOW) == Wish(T, 2 * MW, Source.DISPATCH)
    assert could(folded(), sun, resource=sunny) == Wish(T, 5 * MW)
    assert could(folded(), sun, available, resource=sunny) == Wish(T, 4 * MW)
    assert could(folded(), sun, available, resource=B) == Wish(T, 4 * MW)


def test_what_could_be_is_unknown_where_nothing_says_so_or_nobody_obeys():
    book = folded(sent(limit(1.2 * MW), T), dispatched(2 * MW, T, T))
    assert could(folded(sent(limit(1.2 * MW), T)), measured("A", 1.19 * MW, T + 9)).power_w is None
    assert could(book, NOW, LOST).power_w is None
    assert could(book, NOW, resource=replace(A, controllable=Controllable.NONE)).power_w is None


def test_who_gave_up_most_lately_is_told_to_the_engine_where_it_counts():
    book = folded(IntervalClosed(T - 300, T, 1, 1, {}, (TOOK,)))
    at = situation(book, T + 10, NOW)
    told = situation(book, T + 10, NOW, facts=zone(policy=Policy.ROTATIONAL))
    assert [p.curtailed_wh for p in impact(at).participants] == [0.0, 0.0]
    assert [p.curtailed_wh for p in impact(told).participants] == [TOOK.energy_wh, 0.0]
    ahead = look_ahead(situation(book, T + 10, NOW, facts=zone(sharing="rotational")))
    assert [p.curtailed_wh for p in ahead.participants] == [TOOK.energy_wh, 0.0]


def test_only_who_was_asked_for_something_is_instructed():
    at = situation(folded(dispatched(2 * MW, T, T)), T + 10, NOW)
    assert [p.instructed for p in impact(at).participants] == [True, False]


def test_a_resource_is_connected_as_it_is():
    facts = zone(replace(A, phases="s1s2", connection=Connection.SPLIT))
    assert impact(situation(folded(), T, facts=facts)).participants[0].connection is Connection.SPLIT
