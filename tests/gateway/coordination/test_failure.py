"""Without an engine: a little tighter once, then the static envelope; never looser than the last."""

from dataclasses import replace

from gateway.coordination.failure import EQUAL, SHRUNK, STATIC, limits_without_engine
from grid_engine.results import Answer, Envelope, Status
from protocols.signals import Bounds
from tests.gateway.coordination.build import MW, A, T, decided, dispatched, folded, limit, sent, situation, zone

FAILED = Answer("s", Status.NOT_CONVERGED, "v")


def ladder(book, now_s, resource=A, answer=FAILED):
    at = situation(book, now_s, facts=zone(resource))
    return [m.body for m in limits_without_engine(at, answer) if m.body.resource == "A"]


def test_a_limit_in_force_shrinks_with_its_old_expiry():
    (one,) = ladder(folded(decided(T), sent(limit(1.2 * MW, floor_w=-2 * MW), T)), T + 10)
    assert (one.ceiling_w, one.floor_w, one.constraint_id) == (1.08 * MW, -1.8 * MW, SHRUNK)
    assert (one.version, one.expires_s) == (2, T + 900)


def test_an_export_that_is_forced_in_shrinks_towards_zero_and_never_past_it():
    (one,) = ladder(folded(sent(limit(-1 * MW, floor_w=-1.05 * MW), T)), T + 10)
    assert one.floor_w <= one.ceiling_w <= -1 * MW


def test_it_shrinks_once():
    book = folded(sent(limit(1.2 * MW), T))
    book.fold(sent(ladder(book, T + 10)[0], T + 10))
    assert ladder(book, T + 20) == []


def test_without_a_limit_nothing_happens_until_a_limit_would_have_run_out():
    book = folded(decided(T), decided(T + 100, Status.NOT_CONVERGED))
    assert ladder(book, T + 899) == []
    (one,) = ladder(book, T + 900)
    assert (one.ceiling_w, one.floor_w, one.constraint_id) == (0.5 * MW, -2.5 * MW, STATIC)


def test_what_came_since_the_last_answer_is_held_to_the_static_limit_once_the_time_to_look_at_it_is_over():
    book = folded(decided(T - 10), dispatched(2 * MW, T, T))
    assert ladder(book, T + 29) == []
    (one,) = ladder(book, T + 30)
    assert (one.ceiling_w, one.constraint_id) == (0.5 * MW, STATIC)


def test_what_came_before_the_last_answer_was_looked_at():
    book = folded(dispatched(2 * MW, T, T), decided(T + 10))
    assert ladder(book, T + 40) == []
    book.fold(dispatched(2.5 * MW, T, T + 20, version=2))
    assert ladder(book, T + 49) == []
    assert len(ladder(book, T + 50)) == 1


def test_a_limit_that_runs_out_is_followed_by_the_static_one_at_once():
    book = folded(decided(T + 500), sent(limit(1.2 * MW), T))
    (one,) = ladder(book, T + 900)
    assert (one.ceiling_w, one.constraint_id) == (0.5 * MW, STATIC)


def test_the_static_limit_is_no_looser_than_the_last():
    book = folded(decided(T), sent(limit(0.2 * MW, floor_w=-1 * MW), T))
    (one,) = ladder(book, T + 1000)
    assert (one.ceiling_w, one.floor_w) == (0.2 * MW, -1 * MW)


def test_a_static_limit_that_ran_out_is_renewed():
    book = folded(decided(T), sent(limit(0.5 * MW, constraint_id=STATIC), T))
    assert ladder(book, T + 600) == []
    (one,) = ladder(book, T + 1000)
    assert (one.ceiling_w, one.expires_s) == (0.5 * MW, T + 1900)


def test_a_static_limit_is_renewed_before_it_runs_out():
    book = folded(decided(T), sent(limit(0.5 * MW, start_s=T + 900, constraint_id=STATIC), T + 900))
    assert ladder(book, T + 1500) == []
    (one,) = ladder(book, T + 1501)
    assert (one.version, one.ceiling_w, one.expires_s) == (2, 0.5 * MW, T + 2401)


def test_without_a_static_envelope_there_is_nothing_to_fall_back_to():
    assert ladder(folded(decided(T)), T + 5000, replace(A, static=Bounds())) == []


def spared(floor_mw, ceiling_mw):
    return replace(FAILED, spare=(Envelope("A", 0, floor_mw * MW, ceiling_mw * MW),))


def test_when_the_shrunk_limit_has_run_out_a_verified_equal_share_goes_before_the_static_limit():
    book = folded(decided(T), sent(limit(1.2 * MW, floor_w=-2 * MW), T))
    (shrunk,) = ladder(book, T + 10, answer=spared(-1.5, 0.9))
    assert (shrunk.ceiling_w, shrunk.constraint_id) == (1.08 * MW, SHRUNK)
    book.fold(sent(shrunk, T + 10))
    (one,) = ladder(book, T + 900, answer=spared(-1.5, 0.9))
    assert (one.ceiling_w, one.floor_w, one.constraint_id) == (0.9 * MW, -1.5 * MW, EQUAL)


def test_an_equal_share_is_no_looser_than_the_last_limit_either():
    book = folded(decided(T), sent(limit(0.2 * MW, floor_w=-1 * MW), T))
    (one,) = ladder(book, T + 1000, answer=spared(-2.0, 0.9))
    assert (one.ceiling_w, one.floor_w, one.constraint_id) == (0.2 * MW, -1 * MW, EQUAL)


def test_where_one_feeder_failed_only_its_resources_climb_down():
    book = folded(decided(T), sent(limit(1.2 * MW), T))
    solved = Answer("s", Status.SOLVED, "v")
    assert ladder(book, T + 10, answer=solved) == []
    (one,) = ladder(book, T + 10, answer=replace(solved, unanswered=("A",)))
    assert one.constraint_id == SHRUNK


def test_a_feeder_that_fails_while_others_go_on_runs_out_by_its_own_time():
    solved = Answer("s", Status.SOLVED, "v", unanswered=("A",))
    book = folded(decided(T), *(replace(decided(T + k), answer=solved) for k in (10, 600)))
    assert ladder(book, T + 899, answer=solved) == []
    (one,) = ladder(book, T + 900, answer=solved)
    assert (one.ceiling_w, one.constraint_id) == (0.5 * MW, STATIC)
