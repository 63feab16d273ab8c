"""Verdicts on controls by the power measured after them, and on unknown outcomes by what the device shows."""

from dataclasses import replace

import pytest

from gateway.coordination.verify import SETTLE_POLLS, deadline_s, judge
from protocols.points import Quantity
from protocols.signals import Bounds, Outcome
from tests.gateway.coordination.build import (
    MW,
    A,
    T,
    answered,
    control,
    folded,
    issued,
    measured,
    release,
    situation,
)

CONTROL = control(1.2 * MW)


def verdicts(book, now_s, *signals):
    return [ack.outcome for ack in judge(situation(book, now_s, *signals))]


def written(power_w=2.0 * MW, at_s=T + 1, of=CONTROL):
    return folded(issued(of, T, power_w), answered(of, Outcome.WRITTEN, at_s))


def unknown(of=CONTROL):
    return folded(issued(of, T, 2.0 * MW), answered(of, Outcome.UNKNOWN, T + 5))


def shown(ceiling_w, at_s):
    return measured("A", ceiling_w, at_s, Quantity.CEILING_W)


def test_power_inside_the_limit_verifies_it_once():
    book = written()
    assert verdicts(book, T + 9, measured("A", 1.2 * MW, T + 9)) == [Outcome.VERIFIED]
    book.fold(answered(CONTROL, Outcome.VERIFIED, T + 9))
    assert verdicts(book, T + 10, measured("A", 1.2 * MW, T + 10)) == []


def test_nothing_is_concluded_before_it_was_written_or_from_a_value_before_it():
    not_yet = folded(issued(CONTROL, T))
    assert verdicts(not_yet, T + 9, measured("A", 1.2 * MW, T + 9)) == []
    assert verdicts(written(), T + 2, measured("A", 1.2 * MW, T + 0.5)) == []


def test_a_device_has_the_time_of_its_ramp():
    book = written(power_w=2.0 * MW)
    end_s = T + 1 + SETTLE_POLLS * A.poll_s + 80  # 0.8 MW at 10 kW/s
    assert deadline_s(book.controls["A"], A) == end_s
    assert verdicts(book, end_s - 1, measured("A", 1.5 * MW, end_s - 1)) == []
    assert verdicts(book, end_s, measured("A", 1.5 * MW, end_s)) == [Outcome.UNVERIFIED]


def test_a_floor_is_verified_too():
    charge = control(None, limit=Bounds(-1 * MW, None))
    book = written(power_w=-2 * MW, of=charge)
    assert verdicts(book, T + 9, measured("A", -1.8 * MW, T + 9)) == []
    assert verdicts(book, T + 300, measured("A", -1.8 * MW, T + 300)) == [Outcome.UNVERIFIED]
    assert verdicts(book, T + 300, measured("A", -1.0 * MW, T + 300)) == [Outcome.VERIFIED]


def test_a_clock_that_is_behind_does_not_hide_a_device_that_goes_its_own_way():
    late = measured("A", 2.0 * MW, T + 300, source_time_s=T - 3600)
    assert verdicts(written(), T + 300, late) == [Outcome.UNVERIFIED]
    assert verdicts(written(), T + 300, replace(late, value=1.2 * MW)) == [], "but neither does it prove anything"


def test_a_lease_that_ran_out_is_told_once():
    book = written()
    assert verdicts(book, T + 900) == [Outcome.EXPIRED]
    book.fold(answered(CONTROL, Outcome.EXPIRED, T + 900))
    assert verdicts(book, T + 901) == []


def test_after_a_lease_ran_out_the_next_write_gets_its_own_ramp():
    book = written(power_w=1.2 * MW)
    book.fold(answered(CONTROL, Outcome.EXPIRED, T + 900))
    again = replace(CONTROL, expiry_s=T + 1900)
    book.fold(issued(again, T + 1000, 2.4 * MW))
    book.fold(answered(again, Outcome.WRITTEN, T + 1001))
    assert verdicts(book, T + 1010, measured("A", 2.3 * MW, T + 1010)) == []
    assert verdicts(book, T + 1200, measured("A", 2.3 * MW, T + 1200)) == [Outcome.UNVERIFIED]


@pytest.mark.parametrize("shown_w", [1.2 * MW, 1.19 * MW])
def test_an_unknown_outcome_is_settled_by_the_limit_that_the_device_shows(shown_w):
    signals = (shown(shown_w, T + 7), measured("A", 1.2 * MW, T + 7))
    assert verdicts(unknown(), T + 7, *signals) == [Outcome.VERIFIED]


def test_an_unknown_control_that_the_device_does_not_show_has_not_arrived():
    assert verdicts(unknown(), T + 7, shown(2.5 * MW, T + 7), measured("A", 1.0 * MW, T + 7)) == [Outcome.UNDELIVERED]


def test_an_unknown_outcome_stays_unknown_until_the_device_has_been_read_since():
    assert verdicts(unknown(), T + 7, measured("A", 1.2 * MW, T + 7)) == []
    assert verdicts(unknown(), T + 7, shown(1.2 * MW, T + 4), measured("A", 1.2 * MW, T + 7)) == []


def test_an_unknown_outcome_that_arrived_is_judged_by_the_watts_as_any_other():
    later = T + 300
    assert verdicts(unknown(), later, shown(1.2 * MW, later), measured("A", 2.0 * MW, later)) == [Outcome.UNVERIFIED]


@pytest.mark.parametrize(
    ("shown_w", "expected"),
    [
        (1.2 * MW, [Outcome.UNDELIVERED]),
        (0.5 * MW, [Outcome.UNDELIVERED]),
        (2.5 * MW, [Outcome.COMPLETED]),
        (0.9 * MW, []),
    ],
)
def test_an_unknown_release_is_settled_the_same_way(shown_w, expected):
    book = folded(issued(CONTROL, T), issued(release(), T + 50), answered(release(), Outcome.UNKNOWN, T + 60))
    assert verdicts(book, T + 61, shown(shown_w, T + 61)) == expected


def test_a_release_that_was_answered_needs_no_verdict():
    book = folded(issued(CONTROL, T), issued(release(), T + 50), answered(release(), Outcome.WRITTEN, T + 60))
    assert verdicts(book, T + 61, shown(1.2 * MW, T + 61)) == []
