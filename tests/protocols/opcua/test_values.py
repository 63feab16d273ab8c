"""Values as a server tells them, with what their StatusCodes say beside their names."""

import pytest
from asyncua import ua

from protocols.opcua.values import OVERFLOW, is_overflow, reading
from protocols.signals import Quality


@pytest.mark.parametrize(("bits", "overflows"), [(0, False), (OVERFLOW, True), (0x0400, False), (0x0080, False)])
def test_a_value_after_a_queue_ran_over_is_as_good_as_any_and_counted(bits, overflows):
    data = ua.DataValue(ua.Variant(5.0), StatusCode=ua.StatusCode(bits))
    assert is_overflow(data) is overflows
    found = reading(data)
    assert (found.value, found.quality, found.status) == (5.0, Quality.GOOD, "Good")


def test_bits_beside_the_name_do_not_hide_what_an_uncertain_value_is():
    substituted = ua.StatusCodes.UncertainSubstituteValue | OVERFLOW
    found = reading(ua.DataValue(ua.Variant(5.0), StatusCode=ua.StatusCode(substituted)))
    assert (found.status, found.quality) == ("UncertainSubstituteValue", Quality.SUBSTITUTED)
