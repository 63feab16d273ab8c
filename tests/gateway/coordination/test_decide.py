"""Which limits follow from an answer: tighten at once, loosen late and seldom, never out of ignorance."""

import pytest

from gateway.coordination.decide import limits_ahead, limits_now
from gateway.coordination.messages import LimitClear, LimitIssue
from gateway.coordination.study import intervals_ahead
from grid_engine.results import Answer, Envelope, Status
from protocols.signals import LinkState, Outcome
from tests.gateway.coordination.build import (
    BINDING,
    MW,
    T,
    answered,
    cleared,
    control,
    decided,
    dispatched,
    envelope,
    folded,
    issued,
    limit,
    linked,
    measured,
    outage,
    sent,
    situation,
    solved,
)


def told(book, now_s, answer, *signals):
    at = situation(book, now_s, measured("A", 1.0 * MW, now_s), *signals)
    return [one.body for one in limits_now(at, answer).messages]


def with_headroom(since_s, *events):
    return folded(sent(limit(1.2 * MW), T), *events, decided(since_s, headroom=("A",)))


def test_a_new_limit_names_its_constraint_and_runs_to_the_end_of_the_interval():
    (one,) = told(folded(), T + 20, solved(envelope(1.2 * MW)))
    assert isinstance(one, LimitIssue)
    assert (one.version, one.ceiling_w, one.constraint_id) == (1, 1.2 * MW, "L12")
    assert (one.start_s, one.end_s, one.expires_s) == (T + 20, T + 300, T + 920)


def test_a_limit_on_a_dispatch_has_its_window():
    book = folded(dispatched(2 * MW, T, T), dispatched(1 * MW, T + 300, T + 200))
    (one,) = told(book, T + 210, solved(envelope(1.2 * MW)))
    assert (one.start_s, one.end_s) == (T, T + 300)


def test_tightening_is_immediate():
    (one,) = told(folded(sent(limit(1.2 * MW), T)), T + 1, solved(envelope(1.1 * MW)))
    assert (one.version, one.ceiling_w) == (2, 1.1 * MW)


def test_a_floor_that_rises_is_tightening():
    (one,) = told(folded(sent(limit(1.2 * MW), T)), T + 1, solved(envelope(1.2 * MW, floor_w=-1 * MW)))
    assert one.floor_w == -1 * MW


def test_the_same_limit_is_not_issued_again():
    assert told(folded(sent(limit(1.2 * MW), T)), T + 1, solved(envelope(1.2 * MW))) == []
    assert told(folded(sent(limit(1.2 * MW), T)), T + 1, solved(envelope(1.24 * MW))) == []


def test_an_ending_limit_is_extended():
    (one,) = told(folded(sent(limit(1.2 * MW), T)), T + 601, solved(envelope(1.2 * MW)))
    assert (one.version, one.ceiling_w, one.expires_s) == (2, 1.2 * MW, T + 1501)


@pytest.mark.parametrize("answer", [solved(), solved(envelope(1.3 * MW))])
def test_loosening_waits_until_the_headroom_has_lasted(answer):
    at = situation(folded(sent(limit(1.2 * MW), T)), T + 10, measured("A", 1.0 * MW, T + 10))
    assert limits_now(at, answer).headroom == ("A",)
    assert told(folded(sent(limit(1.2 * MW), T)), T + 10, answer) == []
    assert told(with_headroom(T + 10), T + 69, answer) == []
    assert len(told(with_headroom(T + 10), T + 70, answer)) == 1


def test_headroom_on_the_whole_clears_the_limit():
    (one,) = told(with_headroom(T), T + 60, solved())
    assert one == LimitClear("R1-A-1", 1, "A")


def test_a_limit_is_loosened_once_per_interval():
    loosened = sent(limit(1.3 * MW, version=2, start_s=T + 70), T + 70)
    book = with_headroom(T + 80, loosened)
    assert told(book, T + 299, solved()) == []
    assert len(told(book, T + 300, solved())) == 1


def test_a_limit_that_must_wait_to_be_loosened_does_not_run_out_meanwhile():
    (one,) = told(folded(sent(limit(1.2 * MW), T)), T + 650, solved())
    assert (one.ceiling_w, one.expires_s) == (1.2 * MW, T + 1550)


def test_an_outage_that_telemetry_confirms_skips_the_wait():
    book = folded(sent(limit(1.2 * MW), T), outage("B", T + 10))
    assert told(book, T + 20, solved(), measured("B", 3 * MW, T + 20)) == []
    assert len(told(book, T + 20, solved(), measured("B", 0.0, T + 20))) == 1


def test_an_outage_that_lasts_does_not_switch_the_waiting_off():
    since = sent(limit(1.1 * MW, version=2, start_s=T + 60), T + 60)
    book = folded(sent(limit(1.2 * MW), T), outage("B", T + 10), since)
    assert told(book, T + 70, solved(), measured("B", 0.0, T + 70)) == []


def test_a_limit_that_ran_out_uncleared_is_cleared_by_a_cycle_and_not_forgotten():
    book = folded(sent(limit(1.2 * MW), T), decided(T + 1000, headroom=("A",)))
    assert told(book, T + 1010, solved(envelope(1.2 * MW)))[0].ceiling_w == 1.2 * MW
    (one,) = told(book, T + 1060, solved())
    assert isinstance(one, LimitClear)


def test_nothing_is_loosened_towards_a_device_that_is_lost_or_does_not_obey():
    book = with_headroom(T)
    assert told(book, T + 100, solved(), linked("A", LinkState.LOST)) == []
    for event in (issued(control(1.2 * MW), T), answered(control(1.2 * MW), Outcome.UNVERIFIED, T + 50)):
        book.fold(event)
    assert told(book, T + 100, solved()) == []
    (one,) = told(book, T + 700, solved())
    assert (one.ceiling_w, one.expires_s) == (1.2 * MW, T + 1600), "it must not run out either"


def test_an_answer_that_did_not_solve_concludes_nothing():
    assert told(folded(), T, Answer("s", Status.INFEASIBLE, "v", envelopes=(envelope(1 * MW),))) == []


def test_envelopes_ahead_get_versions_of_their_own():
    book = folded(sent(limit(1.2 * MW), T))
    at = situation(book, T + 10)
    answer = solved(envelope(1.0 * MW, interval=0), envelope(0.8 * MW, interval=2), Envelope("B", 0, 0, 6 * MW))
    bodies = [one.body for one in limits_ahead(at, answer, intervals_ahead(at))]
    assert [(b.version, b.start_s, b.ceiling_w) for b in bodies] == [
        (2, T + 300, 1.0 * MW),
        (3, T + 900, 0.8 * MW),
    ]


def test_what_was_published_ahead_is_not_published_again():
    book = folded(sent(limit(1.0 * MW, start_s=T + 300), T))
    at = situation(book, T + 10)
    assert limits_ahead(at, solved(envelope(1.0 * MW)), intervals_ahead(at)) == ()


def test_an_envelope_ahead_ends_where_nothing_binds_any_more():
    at = situation(folded(), T + 10)
    answer = solved(envelope(1.0 * MW), *(Envelope("A", k, -2.5 * MW, 2.5 * MW) for k in (1, 2)))
    bodies = [one.body for one in limits_ahead(at, answer, intervals_ahead(at))]
    assert [(b.start_s, b.ceiling_w) for b in bodies] == [(T + 300, 1.0 * MW), (T + 600, 2.5 * MW)]
    assert bodies[-1].constraint_id == BINDING.asset_id
    held = situation(folded(*(sent(body, T + 10) for body in bodies)), T + 20)
    assert limits_ahead(held, answer, intervals_ahead(held)) == ()


def test_an_envelope_ahead_is_loosened_when_the_forecast_is():
    at = situation(folded(sent(limit(1.0 * MW, start_s=T + 300), T)), T + 10)
    (body,) = (one.body for one in limits_ahead(at, solved(Envelope("A", 0, -2.5 * MW, 2.5 * MW)), intervals_ahead(at)))
    assert (body.start_s, body.ceiling_w) == (T + 300, 2.5 * MW)


def test_a_cleared_limit_does_not_stand_in_the_way_of_a_new_one():
    one = limit(1.2 * MW)
    (newer,) = told(folded(sent(one, T), cleared(one, T + 70)), T + 80, solved(envelope(1.2 * MW)))
    assert newer.version == 2
    assert BINDING.asset_id == newer.constraint_id
