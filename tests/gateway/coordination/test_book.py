"""The book as a fold: what an event changes, and what no order of events may bring about."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import record
from gateway.coordination import controls
from gateway.coordination.book import SEEN, Book
from gateway.coordination.events import Answered, Issued
from gateway.coordination.messages import LimitIssue
from protocols.signals import Ack, Bounds, Control, LinkState, Outcome
from tests.gateway.coordination.build import (
    MW,
    T,
    acked,
    answered,
    cleared,
    control,
    decided,
    dispatched,
    folded,
    issued,
    limit,
    linked,
    release,
    sent,
    situation,
)


def test_the_limit_in_force_is_the_one_that_started_last():
    now, ahead = limit(1.2 * MW), limit(1.0 * MW, version=2, start_s=T + 300)
    book = folded(sent(now, T), sent(ahead, T))
    assert [found and found.limit for found in (book.limit_at("A", T + 299), book.limit_at("A", T + 300))] == [
        now,
        ahead,
    ]


def test_a_cleared_limit_does_not_bring_back_the_one_before():
    first, second = limit(1.2 * MW), limit(1.0 * MW, version=2, start_s=T + 100)
    book = folded(sent(first, T), sent(second, T + 100), cleared(second, T + 200))
    assert book.limit_at("A", T + 200) is None
    assert book.lapsed("A", T + 200) is None


def test_clearing_an_envelope_does_not_bring_back_that_of_an_interval_before():
    before, now = limit(0.1 * MW, 1), limit(1.2 * MW, 2, start_s=T + 300)
    book = folded(sent(before, T - 300), sent(now, T - 300), cleared(now, T + 310))
    assert book.limit_at("A", T + 311) is None


def test_clearing_the_limit_of_now_leaves_those_ahead():
    now, ahead = limit(1.2 * MW), limit(1.0 * MW, version=2, start_s=T + 300)
    book = folded(sent(now, T), sent(ahead, T), cleared(now, T + 10))
    assert book.limit_at("A", T + 299) is None
    found = book.limit_at("A", T + 300)
    assert found is not None
    assert found.limit == ahead


def test_a_limit_that_ran_out_uncleared_has_lapsed():
    book = folded(sent(limit(1.2 * MW), T))
    assert book.lapsed("A", T + 899) is None
    found = book.lapsed("A", T + 900)
    assert found is not None
    assert found.limit == limit(1.2 * MW)


def test_a_reminder_is_not_a_new_limit():
    one = limit(1.2 * MW)
    book = folded(sent(one, T), acked(one, T + 1), sent(one, T + 60))
    (record_of_it,) = book.limits["A"]
    assert record_of_it.reminded
    assert record_of_it.ack is not None
    assert record_of_it.sent_s == T


def test_a_dispatch_ahead_does_not_end_the_one_in_force():
    book = folded(dispatched(1 * MW, T, T), dispatched(2 * MW, T + 300, T + 240))
    powers = [found and found.power_w for found in (book.dispatch_at("A", T + 299), book.dispatch_at("A", T + 300))]
    assert powers == [1 * MW, 2 * MW]


def test_dispatches_that_are_over_are_forgotten():
    book = folded(*(dispatched(k * MW, T + 300 * k, T + 300 * k) for k in range(10)))
    assert [d.start_s for d in book.dispatches["A"]] == [T + 2700]


def test_a_newer_version_moves_its_dispatch():
    book = folded(
        dispatched(1 * MW, T + 300, T, dispatch_id="d"),
        dispatched(2 * MW, T + 600, T, version=2, dispatch_id="d"),
        dispatched(1 * MW, T + 300, T, dispatch_id="d"),
    )
    assert [(d.version, d.start_s) for d in book.dispatches["A"]] == [(2, T + 600)]


def test_forgetting_old_message_ids_keeps_the_newer_half():
    book = Book(seen={f"m{n}": float(n) for n in range(SEEN)})
    book.fold(dispatched(1 * MW, T, T))
    assert len(book.seen) == SEEN // 2
    assert "m0" not in book.seen
    assert f"m{SEEN - 1}" in book.seen


def test_loosening_is_remembered_and_tightening_is_not():
    book = folded(sent(limit(1.2 * MW), T), sent(limit(1.0 * MW, version=2, start_s=T + 10), T + 10))
    assert book.relaxed_s == {}
    book.fold(sent(limit(1.4 * MW, version=3, start_s=T + 90), T + 90))
    assert book.relaxed_s == {"A": T + 90}


def test_headroom_counts_on_while_a_limit_is_only_extended():
    book = folded(sent(limit(1.2 * MW), T), decided(T + 10, headroom=("A",)))
    book.fold(sent(limit(1.2 * MW, version=2, start_s=T + 20), T + 20))
    assert book.headroom_since_s == {"A": T + 10}
    book.fold(sent(limit(1.3 * MW, version=3, start_s=T + 30), T + 30))
    assert book.headroom_since_s == {}


def test_a_limit_ahead_says_nothing_of_how_tight_it_was_now():
    book = folded(sent(limit(1.0 * MW), T), sent(limit(2.0 * MW, version=2, start_s=T + 300), T))
    assert book.tightest["A"].ceiling_w == 1.0 * MW


def test_an_answer_to_an_older_instruction_is_ignored():
    book = folded(issued(control(1 * MW), T), issued(control(2 * MW, version=2), T + 1))
    book.fold(answered(control(1 * MW), Outcome.REJECTED, T + 2))
    assert book.controls["A"].outcome is None


def test_a_refreshed_lease_does_not_undo_a_verdict():
    one = control(1 * MW)
    book = folded(issued(one, T), answered(one, Outcome.WRITTEN, T + 1), answered(one, Outcome.VERIFIED, T + 9))
    book.fold(issued(replace(one, expiry_s=T + 1350), T + 450))
    book.fold(answered(one, Outcome.WRITTEN, T + 451))
    assert book.controls["A"].outcome is Outcome.VERIFIED
    assert book.controls["A"].leased_until_s == T + 1350


def test_a_refresh_that_nobody_answered_does_not_prolong_the_lease_that_is_held():
    one = control(1 * MW)
    book = folded(issued(one, T), answered(one, Outcome.WRITTEN, T + 1))
    book.fold(issued(replace(one, expiry_s=T + 1350), T + 450))
    book.fold(answered(one, Outcome.UNKNOWN, T + 465))
    assert book.controls["A"].leased_until_s == T + 900


@pytest.mark.parametrize("outcome", [Outcome.EXPIRED, Outcome.REJECTED])
def test_a_device_that_let_go_is_given_its_ramp_anew(outcome):
    one = control(1 * MW)
    book = folded(issued(one, T, 1 * MW), answered(one, Outcome.WRITTEN, T + 1), answered(one, outcome, T + 900))
    book.fold(issued(replace(one, expiry_s=T + 2000), T + 1100, 2.5 * MW))
    held = book.controls["A"]
    assert (held.written_s, held.power_w, held.first_issued_s) == (None, 2.5 * MW, T + 1100)


def test_a_lease_that_was_read_back_to_be_gone_is_no_longer_held_and_the_next_write_gets_its_ramp():
    one = control(1 * MW)
    book = folded(
        issued(one, T, 1 * MW), answered(one, Outcome.WRITTEN, T + 1), answered(one, Outcome.UNKNOWN, T + 450)
    )
    book.fold(answered(one, Outcome.UNDELIVERED, T + 451))
    held = book.controls["A"]
    assert (held.written_s, held.leased_until_s, book.obeys("A")) == (None, None, False)
    book.fold(issued(replace(one, expiry_s=T + 1351), T + 451, 2.5 * MW))
    assert (held.power_w, held.first_issued_s) == (2.5 * MW, T + 451)


def test_a_renewal_that_did_not_arrive_leaves_the_lease_that_is_held_as_it_was():
    one = control(1 * MW)
    book = folded(issued(one, T, 1 * MW), answered(one, Outcome.WRITTEN, T + 1))
    book.fold(issued(replace(one, expiry_s=T + 1350), T + 450, 0.9 * MW))
    book.fold(answered(one, Outcome.UNDELIVERED, T + 451))
    book.fold(issued(replace(one, expiry_s=T + 1351), T + 451, 0.9 * MW))
    held = book.controls["A"]
    assert (held.written_s, held.leased_until_s, held.power_w) == (T + 1, T + 900, 1 * MW)


def test_times_in_a_row_that_an_instruction_was_missed_end_with_the_first_that_arrives():
    one = control(1 * MW)
    book = folded(issued(one, T), answered(one, Outcome.UNDELIVERED, T + 1), answered(one, Outcome.UNDELIVERED, T + 2))
    held = book.controls["A"]
    assert (held.missed, held.missed_s) == (2, T + 2)
    book.fold(answered(one, Outcome.WRITTEN, T + 3))
    assert (held.missed, held.missed_s) == (0, None)


def test_a_release_remembers_what_it_lifts():
    book = folded(issued(control(1 * MW), T), issued(release(), T + 1), issued(release(), T + 40))
    assert book.controls["A"].lifted == control(1 * MW)


versions = st.integers(1, 4)
dispatch_events = st.builds(
    lambda start, version: dispatched(version * MW, T + 300 * start, T, version=version),
    st.integers(-1, 3),
    versions,
)


@given(st.lists(dispatch_events, max_size=12))
def test_no_order_or_repetition_of_dispatches_brings_an_older_one_back(events):
    book = Book()
    newest: dict[float, int] = {}
    in_force = None
    for event in events:
        book.fold(event)
        body = event.message.body
        newest[body.start_s] = max(body.version, newest.get(body.start_s, 0))
        found = book.dispatch_at("A", T)
        if found is not None:
            assert found.version == newest[found.start_s]
            assert in_force is None or found.start_s >= in_force
            in_force = found.start_s
    for start_s in (T + 300, T + 600, T + 900):
        if start_s in newest:
            assert book.dispatch_at("A", start_s).version == newest[start_s]


limit_events = st.builds(
    lambda version, start, at: sent(limit(version * MW, version=version, start_s=T + 60 * start), T + 60 * at),
    st.integers(1, 9),
    st.integers(0, 9),
    st.integers(0, 9),
)


@given(st.lists(limit_events, max_size=12))
def test_no_order_or_repetition_of_limits_lowers_a_version(events):
    book, highest = Book(), 0
    for event in events:
        book.fold(event)
        body = event.message.body
        assert isinstance(body, LimitIssue)
        highest = max(highest, body.version)
        assert book.limit_versions["A"] == highest
        (newest,) = [r.limit for r in book.limits["A"] if r.limit.version == highest]
        for time_s in (newest.start_s, newest.end_s - 1):
            found = book.limit_at("A", time_s)
            assert found is not None
            assert found.limit == newest, "in its own window nothing older holds"


def _steps():
    """What may happen to A from one moment to the next."""
    return st.lists(
        st.sampled_from(["limit", "tighter", "clear", "answer", "refuse", "lose", "wait", "restart"]),
        max_size=25,
    )


@given(_steps())
def test_versions_of_controls_rise_across_restarts_and_the_journal_tells_the_same_book(steps):
    book, journal, now_s, power_w, highest = Book(), [], T, 2 * MW, 0
    link = LinkState.ONLINE

    def happen(event):
        journal.append(record.entry(event))
        book.fold(event)

    for step in steps:
        now_s += 40
        version = book.limit_versions.get("A", 0) + 1
        held = book.controls.get("A")
        if step in ("limit", "tighter"):
            power_w = power_w - 0.1 * MW if step == "tighter" else 2 * MW
            happen(sent(limit(power_w, version=version, start_s=now_s), now_s))
        elif step == "clear" and (found := book.limit_at("A", now_s)) is not None:
            happen(cleared(found.limit, now_s))
        elif step in ("answer", "refuse") and held is not None:
            outcome = Outcome.WRITTEN if step == "answer" else Outcome.REJECTED
            happen(answered(held.instruction, outcome, now_s))
        elif step == "lose":
            link = LinkState.LOST if link is LinkState.ONLINE else LinkState.ONLINE
        elif step == "restart":
            live, book = book, folded(*record.events(journal))
            assert book == live
        at = situation(book, now_s, linked("A", link))
        reassert = frozenset({"A"}) if step in ("lose", "restart") else frozenset()
        for instruction, limit_id in controls.due(at, reassert):
            same = held is not None and instruction.control_id == held.instruction.control_id
            assert instruction.version == highest if same else instruction.version > highest
            if same and isinstance(instruction, Control):
                assert isinstance(held.instruction, Control)
                assert instruction.limit == held.instruction.limit
            highest = instruction.version
            happen(record.Issued(instruction, now_s, "k", limit_id, 0.0))


def test_a_renewal_whose_answer_got_lost_does_not_undo_what_was_read_back() -> None:
    book = Book()
    control = Control("A-c1", "A", 1, 0.0, 60.0, Bounds(ceiling_w=1e6))
    book.fold(Issued(control, 0.0))
    book.fold(Answered(Ack.of(control, Outcome.WRITTEN, 1.0, "", requested={"x": 1.0}, read_back={"x": 1.0})))
    book.fold(Answered(Ack.of(control, Outcome.UNKNOWN, 31.0, "no answer", requested={"x": 1.0})))
    assert book.controls["A"].read_back
