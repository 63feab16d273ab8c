"""Emergencies take devices off the grid where they can be, and nothing else does or puts them back."""

from dataclasses import replace

import pytest

from gateway.coordination.controls import due
from gateway.coordination.events import Kept, Sent
from gateway.coordination.operation_messages import EmergencyClear, EmergencyControl, EmergencyDeclare
from protocols.signals import Baseline, Bounds, Control, GridSwitch, LinkState, Outcome, Release
from tests.gateway.coordination.build import MW, T, answered, folded, issued, limit, linked, message, sent, situation

LEAVE, OPEN, CLOSE = GridSwitch
LIMIT = limit(1.2 * MW, expires_s=T + 3600)


def said(body, at_s):
    return Sent(message("DSO", "AGENT_A", body, f"{type(body).__name__}{at_s}"), at_s)


def emergency(resource, floor_w, ceiling_w=0.0, at_s=T):
    declared = EmergencyDeclare("e1", 3, "zone", at_s)
    return said(declared, at_s), said(EmergencyControl("e1", resource, ceiling_w, floor_w, at_s), at_s)


CLEARED = said(EmergencyClear("e1", T + 60), T + 60)


def told(*events, resource="A", now_s=T + 61, reassert=()):
    at = situation(folded(*events), now_s, linked(resource, LinkState.ONLINE, now_s))
    found = [one for one, _ in due(at, frozenset(reassert)) if one.resource == resource]
    return found[0] if found else None


def off(*before, outcome=Outcome.WRITTEN, disconnects=True):
    """A was told to keep off, and what it answered."""
    events = (*before, *emergency("A", 0.0))
    instruction = told(*events, now_s=T)
    assert isinstance(instruction, Control)
    return (*events, issued(instruction, T), answered(instruction, outcome, T + 1, disconnects=disconnects))


@pytest.mark.parametrize(
    ("resource", "floor_w", "ceiling_w", "switch"),
    [
        ("A", -2.5 * MW, 0.0, LEAVE),  # a battery may go on charging
        ("A", 0.0, 0.0, OPEN),
        ("B", 0.0, 0.0, OPEN),
        ("B", 0.0, 3 * MW, LEAVE),
    ],
)
def test_what_is_left_no_power_is_taken_off_the_grid(resource, floor_w, ceiling_w, switch):
    found = told(*emergency(resource, floor_w, ceiling_w), resource=resource, now_s=T)
    assert (found.urgent, found.grid_switch) == (True, switch)


def test_no_limit_takes_anybody_off_the_grid():
    found = told(sent(limit(0.0, floor_w=0.0), T), now_s=T)
    assert (found.limit, found.grid_switch) == (Bounds(0.0, 0.0), LEAVE)


def test_the_limit_after_an_emergency_puts_back_once_what_we_took_off():
    over = (*off(sent(LIMIT, T)), CLEARED)
    after = told(*over)
    assert (after.limit.ceiling_w, after.urgent, after.grid_switch) == (1.2 * MW, False, CLOSE)
    written = (*over, issued(after, T + 61), answered(after, Outcome.WRITTEN, T + 62))
    assert told(*written, reassert=["A"]).grid_switch is LEAVE, "whoever takes it off from now on may leave it off"
    lost = (*over, issued(after, T + 61), answered(after, Outcome.UNKNOWN, T + 62))
    assert told(*lost, reassert=["A"]).grid_switch is CLOSE


def test_without_a_limit_the_release_puts_it_back():
    over = (Kept(Baseline("A", {"x": 1.0}, T - 1)), *off(), CLEARED)
    found = told(*over)
    assert isinstance(found, Release)
    assert found.grid_switch is CLOSE
    assert told(*over, issued(found, T + 61), answered(found, Outcome.WRITTEN, T + 62), reassert=["A"]) is None


def test_what_was_off_already_is_left_to_whoever_took_it_off():
    assert told(*off(disconnects=False), CLEARED).grid_switch is LEAVE


def test_a_device_that_may_have_been_taken_off_is_put_back():
    assert told(*off(outcome=Outcome.UNKNOWN), CLEARED).grid_switch is CLOSE


def test_a_renewal_during_the_emergency_does_not_forget_that_it_was_us():
    events = off()
    renewed = told(*events, now_s=T + 500, reassert=["A"])
    assert renewed.grid_switch is OPEN
    again = answered(renewed, Outcome.WRITTEN, T + 501, disconnects=False)
    over = (*events, issued(renewed, T + 500), again, said(EmergencyClear("e1", T + 600), T + 600))
    assert told(*over, now_s=T + 601).grid_switch is CLOSE


def test_a_limit_that_ran_out_meanwhile_leaves_it_on_the_grid_within_its_fallback():
    over = (*off(sent(replace(LIMIT, expires_s=T + 30, end_s=T + 30), T)), CLEARED)
    found = told(*over)
    assert (found.limit, found.grid_switch) == (Bounds(None, 0.5 * MW), CLOSE)
    done = (*over, issued(found, T + 61), answered(found, Outcome.WRITTEN, T + 62))
    assert told(*done, now_s=T + 600) is None
