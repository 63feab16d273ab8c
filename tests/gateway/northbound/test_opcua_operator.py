"""What the variables of an operator's folder ask for, and what they cannot."""

from math import inf

import pytest

from gateway.northbound.opcua_operator import LONGEST_S, NAMES, Wanted, wanted
from protocols.signals import Bounds

NOW = 1_800_000_000.0
OFF = dict.fromkeys(NAMES, 0.0)


def test_switches_say_which_values_count():
    values = OFF | {"LimitMax": 5.0, "LimitMaxEnabled": True, "LimitMin": 3.0, "Target": 4.0, "ValidUntil": NOW + 60}
    assert wanted(values, NOW) == Wanted(Bounds(None, 5.0), None, 60.0)


def test_all_off_asks_for_nothing_and_needs_no_end():
    found = wanted(OFF, NOW)
    assert isinstance(found, Wanted)
    assert found.is_nothing


@pytest.mark.parametrize("until_s", [0.0, NOW, NOW - 1, NOW + LONGEST_S + 1, inf])
def test_an_instruction_has_an_end_that_lies_ahead_and_within_a_week(until_s):
    assert "ValidUntil must lie ahead, and by at most 7 days" in str(
        wanted(OFF | {"TargetEnabled": True, "ValidUntil": until_s}, NOW)
    )


def test_a_floor_above_the_ceiling_is_told():
    crossed = {"LimitMax": 1.0, "LimitMaxEnabled": True, "LimitMin": 2.0, "LimitMinEnabled": True}
    assert wanted(OFF | crossed | {"ValidUntil": NOW + 60}, NOW) == "LimitMin 2 W is above LimitMax 1 W"
