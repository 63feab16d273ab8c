"""Worked examples of settlement: USEF's, and a five-minute order with ramp and limits."""

from dataclasses import replace

import pytest

from gateway.settlement.performance import Obligation, metrics, performances
from gateway.settlement.settle import Deal, passed_through, settled
from gateway.settlement.words import Box, LineKind, Statement, Terms

MW = 1e6
DEAL = Deal("order-1", "A", buyer="DSO", seller="AGENT_A")


def order(mw, count=1, length_s=300.0, **more):
    return [Obligation(n * length_s, length_s, mw * MW, **more) for n in range(count)]


def net(found, terms, **more):
    return Statement("s", "AGENT_A", 0, 1, settled(DEAL, found, terms, **more)).net


@pytest.mark.parametrize(("allocation_mw", "paid"), [(7, 14), (8, 14), (9, -4), (10, -22), (11, -33)])
def test_usef_example(allocation_mw, paid):
    """Load of 10 MW, order to reduce by 2: USEF counts load up, this product injection."""
    terms = Terms(utilisation_per_mwh=7, penalty_per_mwh=11)
    found = performances(order(2, length_s=3600.0), [-10 * MW], [-allocation_mw * MW], terms)
    assert net(found, terms) == pytest.approx(paid, abs=0.01)


METERED_MW = [0.4, 0.8, 1.2, 1.6, 2, 2, 2, 2.1, 1.95, 1.8, 1.0, -0.2]
PLAIN = Terms(utilisation_per_mwh=60, penalty_per_mwh=90, grace_pct=5)
RAMPED = replace(PLAIN, ramp_profile=True, ramp_w_per_s=0.4 * MW / 300)


def five_minute(terms, limits_mw=()):
    boxes = [None] * (12 - len(limits_mw)) + [Box(-9 * MW, mw * MW, f"l{n}") for n, mw in enumerate(limits_mw)]
    obligations = [replace(one, box=box) for one, box in zip(order(2, 12), boxes, strict=True)]
    return performances(obligations, [0.0] * 12, [mw * MW for mw in METERED_MW], terms)


@pytest.mark.parametrize(
    ("terms", "limits_mw", "result"), [(PLAIN, (), 28.25), (RAMPED, (), 58.25), (RAMPED, (1.8, 1.0, 0.0), 83.75)]
)
def test_five_minute_order(terms, limits_mw, result):
    assert net(five_minute(terms, limits_mw), terms) == pytest.approx(result, abs=0.01)


def test_a_limit_takes_nothing_from_an_order_that_the_wholesale_schedule_pays_for_whole():
    (found,) = performances(order(1, wholesale_w=2 * MW, box=Box(-9 * MW, -0.5 * MW, "l")), [0.0], [-0.5 * MW], PLAIN)
    assert (found.expected_w, found.curtailed_w, found.shortfall_w) == (0.0, 0.0, 0.0)


def test_lines_say_what_they_are_for():
    lines = {line.kind: line for line in settled(DEAL, five_minute(PLAIN), PLAIN)}
    assert lines[LineKind.UTILISATION].amount == pytest.approx(83.75)
    assert lines[LineKind.PENALTY].amount == pytest.approx(55.50)
    assert (lines[LineKind.PENALTY].payer, lines[LineKind.PENALTY].payee) == ("AGENT_A", "DSO")


def test_what_a_limit_took_is_neither_paid_nor_penalised_but_recorded():
    terms = Terms(utilisation_per_mwh=60, penalty_per_mwh=90)
    (found,) = performances(order(2, length_s=3600.0, box=Box(-2.5 * MW, 1.2 * MW, "l1")), [0.0], [1.2 * MW], terms)
    assert (found.delivered_w, found.shortfall_w, found.excused_by) == (1.2 * MW, 0.0, "l1")
    assert found.curtailed_w == pytest.approx(0.8 * MW)
    assert net([found], terms) == pytest.approx(72.0)


def test_a_firm_connection_is_compensated_for_what_a_limit_took():
    terms = Terms(60, 90, curtailment_per_mwh=25, firm=True)
    (found,) = performances(order(2, length_s=3600.0, box=Box(-2.5 * MW, 1.2 * MW, "l1")), [0.0], [1.2 * MW], terms)
    assert net([found], terms) == pytest.approx(72.0 + 20.0)


@pytest.mark.parametrize(("ordered_mw", "paid_mwh"), [(1.2, 0.0), (1.5, 0.3 / 12)])
def test_the_same_megawatt_is_paid_once(ordered_mw, paid_mwh):
    terms = Terms(utilisation_per_mwh=60, penalty_per_mwh=90)
    found = performances(order(ordered_mw, wholesale_w=1.2 * MW), [0.0], [ordered_mw * MW], terms)
    lines = settled(DEAL, found, terms)
    assert sum(line.quantity_mwh for line in lines) == pytest.approx(paid_mwh)
    assert all(line.kind is LineKind.UTILISATION for line in lines)


def test_a_stackable_program_pays_beside_a_wholesale_schedule():
    terms = Terms(60, 90, stackable=True)
    found = performances(order(1.2, wholesale_w=1.2 * MW), [0.0], [1.2 * MW], terms)
    assert net(found, terms) == pytest.approx(1.2 / 12 * 60)


def test_a_wholesale_schedule_the_other_way_is_no_overlap():
    terms = Terms(60, 90)
    found = performances(order(1.2, wholesale_w=-1.0 * MW), [0.0], [1.2 * MW], terms)
    assert found[0].expected_w == 1.2 * MW


def test_an_emergency_is_paid_at_the_higher_price_and_never_penalised():
    terms = Terms(60, 90, emergency_per_mwh=200)
    found = performances(order(2, length_s=3600.0, emergency="e1"), [0.0], [1.0 * MW], terms)
    assert net(found, terms) == pytest.approx(200.0)


def test_availability_is_paid_for_the_time_it_was_there():
    terms = Terms(60, 90, availability_per_mwh=5)
    lines = settled(DEAL, performances(order(0, 12), [0.0] * 12, [0.0] * 12, terms), terms, 2.0, 0.9)
    assert [(line.kind, line.amount) for line in lines] == [(LineKind.AVAILABILITY, pytest.approx(9.0))]


@pytest.mark.parametrize(("metered_mw", "share"), [(0.9, 0.0), (1.5, 0.5), (2.0, 1.0)])
def test_payment_may_depend_on_how_much_was_delivered(metered_mw, share):
    terms = Terms(60, 0, payment_scale=((0.0, 0.0), (0.5, 0.5), (1.0, 1.0)))
    found = performances(order(2, length_s=3600.0), [0.0], [metered_mw * MW], terms)
    assert net(found, terms) == pytest.approx(60 * metered_mw * share)


def test_a_downward_order_counts_downward():
    terms = Terms(60, 90)
    (found,) = performances(order(-1, length_s=3600.0), [0.5 * MW], [-0.2 * MW], terms)
    assert (found.delivered_w, found.shortfall_w) == (pytest.approx(0.7 * MW), pytest.approx(0.3 * MW))


def test_a_charge_is_passed_on_to_those_who_caused_it():
    lines = passed_through(90.0, "d1", "DSO", {"A": 2.0, "B": 1.0, "C": 0.0})
    assert {line.resource: line.amount for line in lines} == {"A": pytest.approx(60.0), "B": pytest.approx(30.0)}
    assert passed_through(90.0, "d1", "DSO", {"A": 0.0}) == ()


def test_the_figures_of_an_order():
    found = five_minute(RAMPED)
    figures = metrics(found, [Box(-9 * MW, 1.9 * MW)] * 6 + [None] * 6)
    assert figures.delivery_ratio == pytest.approx(16.75 / 20.0)
    assert figures.shortfall_mwh == pytest.approx(3.4 / 12)
    assert (figures.latency_s, figures.reached_s) == (300.0, 1500.0)
    assert figures.compliance_pct == pytest.approx(100.0)
    assert metrics(found, [Box(0.0, 1.0 * MW)] * 12).compliance_pct == pytest.approx(100 * 3 / 12)
