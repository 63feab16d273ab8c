"""Reminders and alarms: once each, when due, and only where something is owed."""

from gateway.coordination.deadlines import overdue
from gateway.coordination.events import Received
from gateway.coordination.messages import CapabilityNotice
from gateway.coordination.zone import DsoModel
from tests.gateway.coordination.build import (
    MW,
    T,
    acked,
    cleared,
    dispatched,
    folded,
    limit,
    message,
    sent,
    situation,
    zone,
)

LIMIT = limit(1.2 * MW)
NOTICE = Received(
    message("AGENT_A", "DSO", CapabilityNotice("A", 1.2 * MW, T, T + 300, "DISTRIBUTION_LIMIT", LIMIT.limit_id)), T + 40
)


def owed(book, now_s, **other):
    found = overdue(situation(book, now_s, **other))
    return len(found.reminders), [alarm.code for alarm in found.alarms]


def test_a_limit_that_nobody_acknowledged_is_sent_once_more_and_raises_an_alarm():
    book = folded(sent(LIMIT, T))
    assert owed(book, T + 59) == (0, [])
    found = overdue(situation(book, T + 60))
    assert [(m.body, m.header.recipient) for m in found.reminders] == [(LIMIT, "AGENT_A")]
    assert [alarm.code for alarm in found.alarms] == ["NON_RESPONSE"]


def test_a_reminder_and_an_alarm_come_once():
    book = folded(sent(LIMIT, T))
    found = overdue(situation(book, T + 60))
    book.fold(sent(LIMIT, T + 60))
    for alarm in found.alarms:
        book.fold(alarm)
    assert owed(book, T + 70) == (0, [])


def test_a_reminder_has_an_id_of_its_own():
    at = situation(folded(sent(LIMIT, T)), T + 60)
    assert overdue(at).reminders[0].header.msg_id.endswith(":again")


def test_a_missing_capability_notice_is_told_where_the_limit_takes_something():
    book = folded(dispatched(2 * MW, T, T), sent(LIMIT, T), acked(LIMIT, T + 5))
    assert owed(book, T + 119) == (0, [])
    assert owed(book, T + 120) == (0, ["CAP_NOTICE_MISSING"])
    book.fold(NOTICE)
    assert owed(book, T + 120) == (0, [])


def test_no_notice_is_owed_for_a_limit_that_takes_nothing():
    book = folded(dispatched(1 * MW, T, T), sent(LIMIT, T), acked(LIMIT, T + 5))
    assert owed(book, T + 120) == (0, [])
    assert owed(folded(sent(LIMIT, T), acked(LIMIT, T + 5)), T + 120) == (0, [])


def test_what_is_dispatched_later_does_not_count_for_a_limit_of_now():
    book = folded(dispatched(1 * MW, T, T), dispatched(2 * MW, T + 300, T), sent(LIMIT, T), acked(LIMIT, T + 5))
    assert owed(book, T + 120) == (0, [])


def test_no_notice_is_owed_where_the_dso_stands_between():
    book = folded(dispatched(2 * MW, T, T), sent(LIMIT, T), acked(LIMIT, T + 5))
    assert owed(book, T + 120, facts=zone(model=DsoModel.TOTAL_DSO)) == (0, [])


def test_nobody_is_reminded_of_the_old_when_told_something_new():
    found = overdue(situation(folded(sent(LIMIT, T)), T + 60), frozenset({"A"}))
    assert found.reminders == ()


def test_nothing_is_owed_for_a_limit_that_ran_out():
    assert owed(folded(sent(LIMIT, T)), T + 900) == (0, [])


def test_nothing_is_owed_for_a_limit_that_was_cleared():
    assert owed(folded(sent(LIMIT, T), cleared(LIMIT, T + 50)), T + 120) == (0, [])
