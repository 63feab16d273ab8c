"""Clocks that are off: found, told, and trusted again once they agree."""

from dataclasses import replace

import pytest

from gateway.coordination.controls import due
from gateway.coordination.events import Sent
from gateway.coordination.messages import LimitIssue
from gateway.coordination.operation_messages import EmergencyControl, EmergencyDeclare
from gateway.coordination.timekeeping import IN_A_ROW, OURS, SETTLED_S, OwnClock, Skewed, SourceClocks
from gateway.snapshot import Image
from protocols.signals import Bounds, Control, Measurement, Outcome, Quality
from tests.gateway.coordination.build import (
    MW,
    T,
    answered,
    cleared,
    control,
    folded,
    issued,
    limit,
    measured,
    message,
    sent,
    situation,
)


def looked(*offsets_s: float, step_s: float = 1.0) -> list[float | None]:
    """What a clock that is ahead by so much, look by look, is found to be."""
    clock, found = OwnClock(), list[Skewed | None]()
    for k, offset_s in enumerate(offsets_s):
        found.append(clock.look(T + k * step_s + offset_s, k * step_s))
    return [None if one is None else one.skew_s for one in found]


def test_small_corrections_of_our_clock_are_followed():
    assert looked(0.0, 1.5, 3.0, 4.5, 3.0) == [None] * 5


@pytest.mark.parametrize("step_s", [30.0, -30.0])
def test_a_clock_that_is_set_is_quarantined_until_it_has_run_steadily(step_s):
    found = looked(0.0, *([step_s] * (int(SETTLED_S) + 1)))
    assert found[1] == pytest.approx(step_s)
    assert found[2:-1] == [None] * (len(found) - 3)
    assert found[-1] == 0.0


def test_a_clock_that_goes_back_to_where_it_was_agrees_at_once():
    assert looked(0.0, 30.0, 0.0) == [None, 30.0, 0.0]


def test_a_clock_that_is_set_twice_begins_its_quarantine_anew():
    found = looked(0.0, *([30.0] * 40), *([60.0] * (int(SETTLED_S) + 1)))
    assert [k for k, one in enumerate(found) if one == 0.0] == [41 + SETTLED_S]


def series(skew_s: float, count: int = 6) -> list[Measurement]:
    """A power that changes from poll to poll, by a clock that is ahead by so much."""
    found = [measured("A", MW + k, T + k) for k in range(count)]
    return [replace(one, source_time_s=one.source_time_s + skew_s - 0.2) for one in found]


def verdicts(*readings: Measurement) -> list[Skewed]:
    clocks, image, found = SourceClocks(), Image({"A": 1.0}), list[Skewed | None]()
    for one in readings:
        found.append(clocks.look(image.held(one.point), one))
        image.fold(one)
    return [one for one in found if one is not None]


def test_a_device_whose_clock_is_ahead_is_found_and_is_right_again_later():
    later = [replace(one, received_time_s=T + 100 + k, source_time_s=T + 100 + k) for k, one in enumerate(series(0.0))]
    first, second = verdicts(*series(20.0), *later)
    assert (first.subject, first.skew_s) == ("A", pytest.approx(19.8))
    assert second == Skewed("A", 0.0)


def test_a_reading_that_has_waited_says_nothing_of_a_clock():
    assert verdicts(*series(-20.0)) == []


def test_what_is_bad_says_nothing_of_a_clock():
    assert verdicts(*(replace(one, quality=Quality.BAD) for one in series(20.0, 2 * IN_A_ROW))) == []


def told(*events, doubtful: frozenset[str], now_s: float = T + 10):
    at = replace(situation(folded(*events), now_s, measured("A", MW, now_s)), doubtful=doubtful)
    return [one for one, _ in due(at) if one.resource == "A"]


HELD = control(1.0 * MW, target_w=0.5 * MW)
STANDS = (sent(limit(1.0 * MW), T), issued(HELD, T), answered(HELD, Outcome.WRITTEN, T))


def after(ceiling_w: float) -> LimitIssue:
    return limit(ceiling_w, version=2, start_s=T + 5)


@pytest.mark.parametrize("doubtful", ["A", OURS])
def test_a_tighter_limit_is_told_whatever_the_clock_and_the_set_point_stays(doubtful):
    (one,) = told(*STANDS, sent(after(0.8 * MW), T + 5), doubtful=frozenset({doubtful}))
    assert isinstance(one, Control)
    assert (one.limit, one.target_w) == (Bounds(None, 0.8 * MW), 0.5 * MW)


@pytest.mark.parametrize("doubtful", ["A", OURS])
def test_a_looser_limit_waits_for_the_clock(doubtful):
    loosened = (*STANDS, sent(after(2.0 * MW), T + 5))
    assert told(*loosened, doubtful=frozenset({doubtful})) == []
    (one,) = told(*loosened, doubtful=frozenset())
    assert isinstance(one, Control)
    assert one.limit.ceiling_w == 2.0 * MW


def test_an_emergency_outlasts_a_clock_that_is_set_back():
    declared = Sent(message("DSO", "AGENT_A", EmergencyDeclare("e1", 2, "zone", T + 500)), T + 500)
    keeps_off = Sent(message("DSO", "AGENT_A", EmergencyControl("e1", "A", 0.0, -2.5 * MW, T + 500)), T + 500)
    (one,) = told(declared, keeps_off, doubtful=frozenset(), now_s=T + 300)
    assert isinstance(one, Control)
    assert (one.limit.ceiling_w, one.urgent) == (0.0, True)


def test_nobody_is_set_free_by_a_clock_of_ours_that_was_set():
    free = (*STANDS, cleared(limit(1.0 * MW), T + 5))
    assert told(*free, doubtful=frozenset({OURS})) == []
    assert len(told(*free, doubtful=frozenset())) == 1


def test_a_clock_behind_what_it_recorded_is_off_until_it_has_caught_up():
    clock = OwnClock(recorded_s=T + 30.0)
    first = clock.look(T, 0.0)
    assert first is not None
    assert (first.subject, first.skew_s) == (OURS, -30.0)
    assert "--trust-clock" in first.detail
    assert [clock.look(T + 10.0, 10.0), clock.quarantined] == [None, True], "it is told once"
    assert clock.look(T + 29.0, 29.0) == Skewed(OURS, 0.0)
    assert not clock.quarantined
    assert clock.look(T + 30.0, 30.0) is None


def test_a_clock_behind_its_records_that_is_then_set_right_agrees_at_once():
    clock = OwnClock(recorded_s=T + 3600.0)
    assert clock.look(T, 0.0) is not None
    assert clock.look(T + 3601.0, 1.0) == Skewed(OURS, 0.0)
    assert clock.look(T + 3602.0, 2.0) is None


def test_a_clock_that_is_ahead_of_its_records_is_trusted():
    clock = OwnClock(recorded_s=T)
    assert [clock.look(T - 1.5, 0.0), clock.look(T, 1.5)] == [None, None]
