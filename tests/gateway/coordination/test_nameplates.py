"""What a device says of itself, against the zone file: more than one percent apart is an alarm, once."""

from dataclasses import replace

import pytest

from gateway.coordination.nameplates import MISMATCH, differing
from protocols.points import Quantity
from tests.gateway.coordination.build import MW, A, T, folded, measured, situation, zone


def alarms(said_w: float | None, written_w: float | None = 2.5 * MW, late_s: float = 1.0):
    told = [] if said_w is None else [measured("A", said_w, T, Quantity.RATED_POWER_W)]
    facts = zone(replace(A, nameplate_w=written_w))
    return list(differing(situation(folded(), T + late_s, *told, facts=facts)))


@pytest.mark.parametrize("said_w", [2.5 * MW, 2.52 * MW, 2.48 * MW, None])
def test_n2_what_agrees_or_is_not_said_is_no_alarm(said_w):
    assert alarms(said_w) == []
    assert alarms(3.0 * MW, written_w=None) == []


@pytest.mark.parametrize("said_w", [2.6 * MW, 2.0 * MW])
def test_n2_a_nameplate_that_differs_by_more_than_one_percent_is_an_alarm_that_says_both(said_w):
    (alarm,) = alarms(said_w, late_s=3_600.0)
    assert (alarm.code, alarm.subject) == (MISMATCH, "A")
    assert f"made for {said_w / 1e6:.3f} MW, the zone file 2.500 MW" in alarm.detail


def test_n2_it_is_told_once():
    (alarm,) = alarms(2.0 * MW)
    facts = zone(replace(A, nameplate_w=2.5 * MW))
    told = measured("A", 2.0 * MW, T, Quantity.RATED_POWER_W)
    assert list(differing(situation(folded(alarm), T + 1, told, facts=facts))) == []
