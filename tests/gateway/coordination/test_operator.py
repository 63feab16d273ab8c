"""An operator's instruction: what is taken, what of it a limit admits, and how it reaches and leaves the device."""

from dataclasses import replace
from math import inf

import pytest

from gateway.coordination import study
from gateway.coordination.controls import due
from gateway.coordination.events import Instructed
from gateway.coordination.operator import OperatorInstruction, refusal, within
from gateway.coordination.verify import judge
from gateway.coordination.zone import Controllable
from protocols.points import Quantity
from protocols.signals import Bounds, Control, LinkState, Outcome, Release
from tests.gateway.coordination.build import (
    MW,
    A,
    T,
    answered,
    cleared,
    folded,
    issued,
    limit,
    linked,
    measured,
    sent,
    situation,
    zone,
)

ASKED = OperatorInstruction("A-o1", "A", 1, T, T + 600, "bench", Bounds(None, 2.0 * MW), 1.5 * MW)
LIMIT = limit(1.2 * MW, expires_s=T + 3600)


def told(book, now_s=T + 1):
    return [(one, cause) for one, cause in due(situation(book, now_s))]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"resource": "X"}, "X is not a resource"),
        ({"resource": "B"}, "no set point"),
        ({"limit": Bounds(None, inf)}, "not a number"),
        ({"expires_s": T}, "end before it begins"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_reason(changes, problem):
    assert problem in refusal(zone(), replace(ASKED, **changes))
    assert refusal(zone(), ASKED) is None


@pytest.mark.parametrize("asked", [Bounds(2.6 * MW, None), Bounds(None, -2.6 * MW)])
def test_what_a_resource_can_never_do_is_not_asked_of_it(asked):
    assert "can do -2.500 to 2.500 MW" in refusal(zone(), replace(ASKED, limit=asked, target_w=None))


def test_nothing_is_asked_of_a_resource_that_cannot_be_controlled():
    assert "cannot be controlled" in refusal(zone(replace(A, controllable=Controllable.NONE)), ASKED)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Bounds(None, 2.0), Bounds(-1.0, 1.0)),
        (Bounds(None, 0.5), Bounds(-1.0, 0.5)),
        (Bounds(0.5, None), Bounds(0.5, 1.0)),
        (Bounds(3.0, 4.0), Bounds(1.0, 1.0)),
        (Bounds(-4.0, -3.0), Bounds(-1.0, -1.0)),
        (Bounds(), Bounds(-1.0, 1.0)),
    ],
)
def test_what_is_asked_never_leaves_the_limit(asked, found):
    assert within(Bounds(-1.0, 1.0), asked) == found


def test_an_instruction_becomes_a_leased_control_that_names_it():
    ((control, cause),) = told(folded(Instructed(ASKED)))
    assert isinstance(control, Control)
    assert (control.limit, control.target_w, cause) == (Bounds(None, 2.0 * MW), 1.5 * MW, "A-o1")
    assert (control.expiry_s, control.fallback) == (T + 600, A.static)


def test_a_limit_of_the_dso_beats_it_and_keeps_its_own_lease():
    ((control, cause),) = told(folded(sent(LIMIT, T), Instructed(ASKED)))
    assert (control.limit, control.target_w, cause) == (Bounds(None, 1.2 * MW), 1.2 * MW, LIMIT.limit_id)
    assert control.expiry_s == T + 901, "the end of the instruction opens no limit"


def test_a_set_point_beyond_the_nameplate_is_cut_to_it():
    ((control, _),) = told(folded(Instructed(replace(ASKED, limit=Bounds(), target_w=9 * MW))))
    assert (control.limit, control.target_w) == (Bounds(), A.ceiling_w)


def test_the_newest_instruction_replaces_the_one_before_as_a_whole():
    newer = OperatorInstruction("A-o2", "A", 2, T + 1, T + 600, "bench", Bounds(None, 0.4 * MW))
    ((control, cause),) = told(folded(Instructed(ASKED), Instructed(newer)))
    assert (control.limit.ceiling_w, control.target_w, cause) == (0.4 * MW, None, "A-o2")


@pytest.mark.parametrize("withdrawn", [True, False])
def test_at_its_end_the_device_gets_its_baseline_back(withdrawn):
    book = folded(Instructed(ASKED))
    ((control, _),) = told(book)
    book.fold(issued(control, T + 1))
    book.fold(answered(control, Outcome.WRITTEN, T + 1))
    if withdrawn:
        book.fold(Instructed(OperatorInstruction("A-o2", "A", 2, T + 5, T + 6, "bench")))
    ((last, _),) = told(book, T + 5 if withdrawn else T + 600)
    assert last == Release("A-c2", "A", 2, {})


def test_at_its_end_the_limit_of_the_dso_stays():
    book = folded(sent(LIMIT, T), Instructed(replace(ASKED, target_w=0.5 * MW)))
    ((control, _),) = told(book)
    book.fold(issued(control, T + 1))
    ((after, cause),) = told(book, T + 601)
    assert (after.limit.ceiling_w, after.target_w, cause) == (1.2 * MW, None, LIMIT.limit_id)


def test_it_does_not_set_free_what_a_limit_that_only_ran_out_still_holds():
    book = folded(sent(limit(1.2 * MW), T), Instructed(replace(ASKED, expires_s=T + 7200)))
    assert told(book, T + 901) == []
    book.fold(cleared(limit(1.2 * MW), T + 902))
    ((control, _),) = told(book, T + 903)
    assert control.target_w == 1.5 * MW


def test_the_study_expects_its_set_point_for_as_long_as_it_holds():
    at = situation(folded(Instructed(ASKED)), T + 1, measured("A", 0.1 * MW, T + 1))
    a = next(one for one in study.impact(at).participants if one.resource == "A")
    assert a.requested_w == (1.5 * MW, 1.5 * MW, 0.1 * MW), "the third interval begins with its end"


def test_of_a_device_that_is_lost_its_set_point_is_feared():
    book = folded(Instructed(ASKED))
    ((control, _),) = told(book)
    book.fold(issued(control, T + 1))
    at = situation(book, T + 60, measured("A", 0.1 * MW, T), linked("A", LinkState.LOST, T + 50))
    assert study.standing(at, A).power_w == 1.5 * MW


@pytest.mark.parametrize(
    ("power_w", "available_w", "at_s", "outcome"),
    [
        (1.52 * MW, None, T + 2, Outcome.VERIFIED),
        (0.9 * MW, 0.9 * MW, T + 2, Outcome.VERIFIED),
        (0.3 * MW, None, T + 160, Outcome.UNVERIFIED),
    ],
)
def test_a_set_point_is_verified_by_the_watts(power_w, available_w, at_s, outcome):
    book = folded(Instructed(ASKED))
    ((control, _),) = told(book)
    book.fold(issued(control, T + 1, power_w=0.0))
    book.fold(answered(control, Outcome.WRITTEN, T + 1))
    signals = [measured("A", power_w, at_s)]
    if available_w is not None:
        signals.append(measured("A", available_w, at_s, Quantity.AVAILABLE_POWER_W))
    (ack,) = judge(situation(book, at_s, *signals))
    assert ack.outcome is outcome
    assert "1.500 MW is asked for" in ack.detail


def test_a_set_point_has_the_time_of_its_ramp():
    book = folded(Instructed(ASKED))
    ((control, _),) = told(book)
    book.fold(issued(control, T + 1, power_w=0.0))
    book.fold(answered(control, Outcome.WRITTEN, T + 1))
    assert judge(situation(book, T + 140, measured("A", 1.2 * MW, T + 140))) == (), "150 s at 10 kW/s"
