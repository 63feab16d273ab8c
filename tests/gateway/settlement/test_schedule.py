"""What was due in each interval, from what was asked and what stood against it."""

from dataclasses import replace

import pytest

from gateway.settlement.assessment import Contract, assessed, measured_again
from gateway.settlement.schedule import Asked, AskedBy, Circumstances, Excuse, Held, obligations, pieces
from gateway.settlement.words import MeterInterval, MeterQuality, MeterSource, Terms

MW = 1e6
TERMS = Terms(utilisation_per_mwh=60, penalty_per_mwh=90)
ORDER = Asked("o1", 1, "A", AskedBy.ORDER, 2 * MW, 0.0, 600.0, -60.0)
DISPATCH = replace(ORDER, ref="d1", by=AskedBy.DISPATCH, power_w=1.2 * MW, sent_s=0.0)
LIMIT = Held("R1-A-1", 300.0, 900.0, -2.5 * MW, 1.2 * MW, "L12")


def metered(*powers_mw, source=MeterSource.LDC):
    return [MeterInterval("m", n * 300.0, 300.0, mw * MW / 12, source=source) for n, mw in enumerate(powers_mw)]


def came_to(*powers_mw, asked=ORDER, around=None, terms=TERMS, **more):
    contract = Contract("DSO", "AGENT_A", terms, **more)
    return assessed(asked, around or Circumstances(), contract, [0.0] * len(powers_mw), metered(*powers_mw))


def test_market_intervals_between_two_moments():
    assert pieces(100.0, 700.0, 300.0) == [(100.0, 200.0), (300.0, 300.0), (600.0, 100.0)]
    assert pieces(300.0, 300.0, 300.0) == []


def test_a_limit_takes_its_part_of_the_time_it_was_in_force():
    late = replace(LIMIT, start_s=450.0)
    first, second = obligations(ORDER, Circumstances((late,)), (0.0, 0.0), TERMS)
    assert first.box is None
    assert second.box is not None
    assert second.box.ceiling_w == pytest.approx(1.6 * MW)
    assert second.box.limit_id == "R1-A-1"


def test_what_a_limit_took_is_excused_and_recorded():
    found = came_to(2.0, 1.2, around=Circumstances((LIMIT,)))
    assert found.shortfall_mwh == pytest.approx(0.0)
    assert found.curtailed_mwh == pytest.approx(0.8 / 12)
    assert [p.excused_by for p in found.performances] == ["", "R1-A-1"]


@pytest.mark.parametrize(("ordered_mw", "paid_mwh"), [(1.2, 0.0), (1.5, 0.3 / 6)])
def test_s07_the_wholesale_schedule_is_not_paid_again(ordered_mw, paid_mwh):
    order = replace(ORDER, power_w=ordered_mw * MW)
    found = came_to(ordered_mw, ordered_mw, asked=order, around=Circumstances(sold=(DISPATCH,)))
    assert found.delivered_mwh == pytest.approx(paid_mwh)
    assert found.shortfall_mwh == pytest.approx(0.0)


def test_no_penalty_where_a_limit_takes_order_and_schedule_alike():
    sold = replace(DISPATCH, power_w=2.0 * MW)
    order = replace(ORDER, power_w=2.5 * MW)
    limit = replace(LIMIT, start_s=0.0)
    found = came_to(1.2, 1.2, asked=order, around=Circumstances((limit,), (sold,)))
    assert (found.expected_mwh, found.shortfall_mwh) == (pytest.approx(0.0), pytest.approx(0.0))


def test_a_dispatch_is_due_at_its_end_on_a_straight_line():
    dispatch = replace(DISPATCH, end_s=300.0, agreed_end_s=300.0)
    (due,) = obligations(dispatch, Circumstances(from_w=0.2 * MW), (0.0,), TERMS)
    assert due.reached_w == pytest.approx(0.7 * MW)
    found = came_to(0.7, asked=dispatch, around=Circumstances(from_w=0.2 * MW))
    assert (found.expected_mwh, found.shortfall_mwh) == (pytest.approx(0.7 / 12), pytest.approx(0.0))


def test_a_limit_cuts_the_line_of_a_dispatch():
    dispatch = replace(DISPATCH, power_w=2.0 * MW, end_s=300.0, agreed_end_s=300.0)
    limit = replace(LIMIT, start_s=0.0, ceiling_w=1.0 * MW)
    (due,) = obligations(dispatch, Circumstances((limit,)), (0.0,), TERMS)
    assert due.box is not None
    assert due.box.ceiling_w == pytest.approx(0.75 * MW, rel=1e-3)
    found = came_to(0.75, asked=dispatch, around=Circumstances((limit,)))
    assert found.curtailed_mwh == pytest.approx(0.25 / 12, rel=1e-2)


def test_s24_an_emergency_excuses_the_intervals_that_it_touches():
    found = came_to(2.0, 0.0, around=Circumstances(emergencies=(Excuse("e1", 400.0, 450.0),)))
    assert found.shortfall_mwh == 0.0
    assert [p.emergency for p in found.performances] == [False, True]
    assert found.excused_mwh == pytest.approx(2.0 / 12)


def test_what_was_revoked_too_late_is_paid_for_its_availability():
    taken = replace(ORDER, revoked_s=-10.0, power_w=0.0)
    found = came_to(0.0, 0.0, asked=taken, terms=replace(TERMS, availability_per_mwh=5), held_w=2 * MW)
    assert [(line.kind.value, line.amount) for line in found.lines] == [("availability", pytest.approx(2 / 6 * 5))]


def test_no_meter_data_count_as_nothing_delivered():
    contract = Contract("DSO", "AGENT_A", TERMS)
    bad = replace(metered(0.0)[0], quality=MeterQuality.BAD)
    found = assessed(replace(ORDER, end_s=300.0), Circumstances(), contract, [-1.0 * MW], [bad])
    assert found.delivered_mwh == 0.0
    assert found.estimated == 1
    assert "without any meter data" in found.notes[0]


def test_the_same_by_another_meter():
    found = came_to(1.0, 2.0)
    again = measured_again(found, {0.0: metered(2.0, source=MeterSource.MARKET_PARTICIPANT)[0]})
    assert (found.shortfall_mwh, again.shortfall_mwh) == (pytest.approx(1 / 12), 0.0)
    assert again.inputs != found.inputs
    assert measured_again(found, {}) is found
