"""Flows as witnesses that a lost device has fallen back."""

from dataclasses import replace

import pytest

from gateway.coordination.evidence import agrees, awaiting, kept, powers
from grid_engine.results import Answer, Flow, Status
from protocols.points import Quantity
from protocols.signals import LinkState, Outcome
from tests.gateway.coordination.build import (
    MW,
    T,
    answered,
    control,
    dispatched,
    folded,
    issued,
    linked,
    measured,
    release,
    situation,
)

LOST = linked("A", LinkState.LOST)
CONTROL = control(1.2 * MW)
PROOF = {"requested": {"x": 1.0}, "read_back": {"x": 1.0}}


def answer(status=Status.SOLVED, **amperes):
    return Answer("s", status, "v", flows=tuple(Flow(line, 0, value, "A", 50.0) for line, value in amperes.items()))


def agreed(worst, low, **amperes):
    found = [measured(line, value, T, Quantity.CURRENT_A) for line, value in amperes.items()]
    return agrees(situation(folded(), T, *found), worst, low, 0.7 * MW)


def test_a_lost_device_is_asked_after_once_its_proven_lease_is_over():
    book = folded(issued(CONTROL, T), answered(CONTROL, Outcome.WRITTEN, T + 1, **PROOF))
    assert awaiting(situation(book, T + 899, LOST)) == ()
    assert awaiting(situation(book, T + 900, LOST)) == ("A",)
    assert awaiting(situation(book, T + 900)) == (), "it is not lost"
    assert awaiting(situation(book, T + 900, LOST, confirmed=frozenset({"A"}))) == ()


@pytest.mark.parametrize("proof", [{}, {"requested": {"x": 1.0}}])
def test_a_timer_that_was_never_read_back_proves_nothing(proof):
    book = folded(issued(CONTROL, T), answered(CONTROL, Outcome.WRITTEN, T + 1, **proof))
    assert awaiting(situation(book, T + 900, LOST)) == ()


def test_a_released_device_has_no_fallback_to_wait_for():
    book = folded(issued(release(), T), answered(release(), Outcome.WRITTEN, T + 1, **PROOF))
    assert awaiting(situation(book, T + 900, LOST)) == ()


def test_the_two_powers_are_the_worst_and_the_fallback():
    at = situation(folded(dispatched(2 * MW, T, T)), T, measured("A", 1.2 * MW, T), LOST)
    assert powers(at, "A") == (2 * MW, 0.5 * MW)


def test_flows_as_the_fallback_predicts_are_proof():
    assert agreed(answer(L12=150.0), answer(L12=122.0), L12=123.0)


def test_flows_as_before_are_not():
    assert not agreed(answer(L12=150.0), answer(L12=122.0), L12=149.0)


def test_one_flow_that_contradicts_is_enough():
    assert not agreed(answer(L11=150.0, L12=150.0), answer(L11=122.0, L12=122.0), L11=122.0, L12=149.0)


def test_without_a_measured_flow_there_is_no_proof():
    assert not agreed(answer(L12=150.0), answer(L12=122.0))


def test_a_dead_line_is_no_witness():
    assert not agreed(answer(LT=0.0), answer(LT=0.0), LT=0.0)
    assert agreed(answer(L12=150.0, LT=0.0), answer(L12=122.0, LT=0.0), L12=122.0, LT=0.1)


def test_an_answer_that_did_not_solve_is_no_proof():
    assert not agreed(answer(Status.NOT_CONVERGED, L12=150.0), answer(L12=122.0), L12=122.0)


def test_two_powers_too_close_to_tell_apart_prove_nothing():
    at = situation(folded(), T, measured("L12", 122.0, T, Quantity.CURRENT_A))
    assert not agrees(at, answer(L12=124.0), answer(L12=122.0), 50_000.0)


def test_of_the_flows_those_are_kept_that_are_metered_now():
    found = answer(L12=100.0, L99=50.0)
    ahead = replace(found, flows=(*found.flows, Flow("L12", 1, 90.0, "A", 40.0)))
    at = situation(folded(), T, measured("L12", 101.0, T, Quantity.CURRENT_A))
    assert kept(at, ahead) == answer(L12=100.0)
