"""When a device is told what: first, at half-life, after a refusal, when a link comes up, and at the end."""

from dataclasses import replace

import pytest

from gateway.coordination.controls import FIRST_PAUSE_S, RETRY_S, due
from gateway.coordination.events import Kept
from protocols.signals import Baseline, Bounds, Control, LinkState, Outcome, Release
from tests.gateway.coordination.build import (
    MW,
    A,
    T,
    answered,
    cleared,
    control,
    folded,
    issued,
    limit,
    linked,
    release,
    sent,
    situation,
    zone,
)

LIMIT = limit(1.2 * MW, expires_s=T + 3600)
CONTROL = control(1.2 * MW)


def instructions(book, now_s, *signals, reassert=(), **other):
    return [one for one, _ in due(situation(book, now_s, *signals, **other), frozenset(reassert))]


def held(outcome=Outcome.VERIFIED, at_s=T + 1, of=LIMIT):
    """A control in force, written when it was issued."""
    events = [sent(of, T), issued(CONTROL, T), answered(CONTROL, Outcome.WRITTEN, T + 1)]
    return folded(*events, answered(CONTROL, outcome, at_s))


def test_a_limit_becomes_a_leased_control_that_leaves_open_what_does_not_bind():
    ((first, limit_id),) = due(situation(folded(sent(LIMIT, T)), T + 1))
    assert isinstance(first, Control)
    assert (first.version, first.limit, limit_id) == (1, Bounds(None, 1.2 * MW), LIMIT.limit_id)
    assert (first.expiry_s, first.fallback) == (T + 901, A.static)


def test_an_import_limit_becomes_a_floor():
    charging = limit(2.5 * MW, floor_w=-1 * MW)
    (first,) = instructions(folded(sent(charging, T)), T)
    assert first.limit == Bounds(-1 * MW, None)


def test_a_lease_never_outlives_its_limit():
    (first,) = instructions(folded(sent(limit(1.2 * MW), T)), T + 600)
    assert first.expiry_s == T + 900


def test_nothing_is_told_twice():
    assert instructions(held(), T + 2) == []
    assert instructions(folded(sent(LIMIT, T), issued(CONTROL, T)), T + 20) == [], "still under way"


@pytest.mark.parametrize("state", [LinkState.INIT, LinkState.LOST])
def test_nothing_is_told_to_a_device_that_is_not_there(state):
    assert instructions(folded(sent(LIMIT, T)), T, linked("A", state)) == []


def test_a_lease_is_refreshed_at_half_life_as_the_same_control():
    assert instructions(held(), T + 449) == []
    assert instructions(held(), T + 450) == [replace(CONTROL, expiry_s=T + 1350)]


def test_a_lease_that_its_limit_cut_short_is_refreshed_once_the_limit_is_extended():
    cut = replace(CONTROL, expiry_s=T + 700)
    book = folded(sent(limit(1.2 * MW, expires_s=T + 700), T), issued(cut, T), answered(cut, Outcome.WRITTEN, T + 1))
    assert instructions(book, T + 500) == [], "there is nothing to gain yet"
    book.fold(sent(limit(1.2 * MW, version=2, start_s=T + 500, expires_s=T + 1400), T + 500))
    assert instructions(book, T + 500) == [replace(cut, expiry_s=T + 1400)]


def test_a_limit_that_is_extended_often_costs_no_write_each_time():
    book = held()
    for k in range(40):
        now_s = T + 10 + 10 * k
        book.fold(sent(limit(1.2 * MW, version=2 + k, start_s=now_s), now_s))
        assert instructions(book, now_s) == []


def test_a_refresh_that_got_lost_is_made_good_before_the_lease_that_is_held_runs_out():
    book = held()
    refreshed = replace(CONTROL, expiry_s=T + 1350)
    book.fold(issued(refreshed, T + 450))
    book.fold(answered(refreshed, Outcome.UNKNOWN, T + 465))
    assert instructions(book, T + 490) == [], "first it is read back"
    book.fold(answered(refreshed, Outcome.VERIFIED, T + 491))
    (again,) = instructions(book, T + 491)
    assert (again.control_id, again.expiry_s) == ("A-c1", T + 1391)


def test_an_answer_that_never_comes_does_not_end_the_refreshing():
    book = folded(sent(LIMIT, T), issued(CONTROL, T))
    assert len(instructions(book, T + 450)) == 1


def test_a_refused_control_rests_before_it_is_tried_again():
    book = held(Outcome.REJECTED)
    assert instructions(book, T + RETRY_S - 1) == []
    assert instructions(book, T + RETRY_S) == [replace(CONTROL, expiry_s=T + RETRY_S + 900)]


def test_what_did_not_arrive_is_told_again_at_once_and_not_while_that_is_under_way():
    book = held(Outcome.UNDELIVERED, T + 2)
    again = replace(CONTROL, expiry_s=T + 902)
    assert instructions(book, T + 2) == [again]
    book.fold(issued(again, T + 2))
    assert instructions(book, T + 4) == []


@pytest.mark.parametrize(("times", "pause_s"), [(2, FIRST_PAUSE_S), (3, 2 * FIRST_PAUSE_S), (60, RETRY_S)])
def test_what_never_arrives_is_told_less_and_less_often(times, pause_s):
    book = held()
    for _ in range(times):
        book.fold(issued(CONTROL, T + 1))
        book.fold(answered(CONTROL, Outcome.UNDELIVERED, T + 2))
    assert instructions(book, T + 1.9 + pause_s - 1) == []
    assert len(instructions(book, T + 2 + pause_s)) == 1


def test_a_release_that_did_not_arrive_is_told_again_at_once():
    book = held()
    for event in (cleared(LIMIT, T + 5), issued(release(), T + 5), answered(release(), Outcome.UNDELIVERED, T + 6)):
        book.fold(event)
    assert instructions(book, T + 6) == [release()]
    book.fold(issued(release(), T + 6))
    assert instructions(book, T + 7) == []


def test_an_unknown_outcome_is_not_answered_by_writing_again():
    assert instructions(held(Outcome.UNKNOWN), T + 449) == []


def test_a_link_that_comes_up_gets_what_holds_at_the_same_version():
    (again,) = instructions(held(), T + 5, reassert={"A"})
    assert (again.control_id, again.version, again.expiry_s) == ("A-c1", 1, T + 905)


def test_another_limit_is_another_control():
    book = held()
    book.fold(sent(limit(1.0 * MW, version=2, start_s=T + 5), T + 5))
    (newer,) = instructions(book, T + 5)
    assert (newer.version, newer.limit.ceiling_w) == (2, 1.0 * MW)


def test_a_changed_fallback_is_brought_to_the_device():
    changed = zone(replace(A, static=Bounds(None, 0.3 * MW)))
    (newer,) = instructions(held(), T + 5, facts=changed)
    assert (newer.version, newer.fallback.ceiling_w) == (2, 0.3 * MW)


def test_a_cleared_limit_is_released_to_what_was_there_before():
    book = held()
    book.fold(Kept(Baseline("A", {"x": 1.0}, T - 1)))
    book.fold(cleared(LIMIT, T + 5))
    assert instructions(book, T + 5) == [Release("A-c2", "A", 2, {"x": 1.0})]


def test_a_limit_that_only_ran_out_sets_nobody_free():
    book = held(of=limit(1.2 * MW))
    assert instructions(book, T + 899.5) == []
    assert instructions(book, T + 901) == []
    assert instructions(book, T + 901, reassert={"A"}) == [], "nor does a restart"


def test_a_released_device_is_left_alone_also_when_its_link_comes_up():
    book = held()
    for event in (cleared(LIMIT, T + 5), issued(release(), T + 5), answered(release(), Outcome.WRITTEN, T + 6)):
        book.fold(event)
    assert instructions(book, T + 5000) == []
    assert instructions(book, T + 5000, reassert={"A"}) == []


@pytest.mark.parametrize("outcome", [None, Outcome.UNKNOWN, Outcome.REJECTED])
def test_a_release_that_may_not_have_arrived_goes_out_again_with_the_link(outcome):
    book = held()
    for event in (cleared(LIMIT, T + 5), issued(release(), T + 5)):
        book.fold(event)
    if outcome is not None:
        book.fold(answered(release(), outcome, T + 6))
    assert instructions(book, T + 10) == []
    assert instructions(book, T + 10, reassert={"A"}) == [release()]


def test_a_refused_release_is_tried_again():
    book = held()
    for event in (cleared(LIMIT, T + 5), issued(release(), T + 5), answered(release(), Outcome.REJECTED, T + 6)):
        book.fold(event)
    assert instructions(book, T + 5 + RETRY_S) == [release()]


def test_a_limit_after_a_release_is_a_newer_version():
    book = held()
    for event in (cleared(LIMIT, T + 5), issued(release(), T + 5), answered(release(), Outcome.WRITTEN, T + 6)):
        book.fold(event)
    book.fold(sent(limit(1.1 * MW, version=2, start_s=T + 9), T + 9))
    (newer,) = instructions(book, T + 9)
    assert newer.version == 3
