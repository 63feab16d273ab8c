"""Readings to measurements: scale, quality, time and the limits in force."""

import math

import pytest

from protocols.dnp3.layouts import Kind
from protocols.dnp3.measure import Image, quality_of
from protocols.dnp3.profile import der_inputs, der_points
from protocols.dnp3.readings import Readings
from protocols.dnp3.settings import Dnp3Settings, MappedInput
from protocols.points import Phase, Point, Quantity
from protocols.signals import Quality

CURRENT = Point("L12", Quantity.CURRENT_A)
SWITCH = Point("S1", Quantity.SWITCH_CLOSED)
NOW = 1_000_000.0


def image(*inputs, ders=()):
    return Image(Dnp3Settings("rtu", inputs, ders))


def readings(kind, values, *, flags=1, times_ms=None, is_time_good=True, first=0):
    indices = range(first, first + len(values))
    return Readings(0, 0, kind, True, indices, values, [flags] * len(values), times_ms, is_time_good)


def only(measurements):
    (found,) = measurements
    return found


def test_counts_become_units_and_other_points_are_left_out():
    made = image(MappedInput(CURRENT, Kind.ANALOG_INPUT, 2, 0.1, 5.0))
    found = only(made.take(readings(Kind.ANALOG_INPUT, [1, 2, 300, 4]), NOW))
    assert (found.point, found.value, found.quality) == (CURRENT, 35.0, Quality.GOOD)
    assert made.take(readings(Kind.COUNTER, [1, 2, 3]), NOW) == []


@pytest.mark.parametrize(
    ("kind", "flags", "quality"),
    [
        (Kind.ANALOG_INPUT, 0x01, Quality.GOOD),
        (Kind.ANALOG_INPUT, 0x00, Quality.BAD),
        (Kind.ANALOG_INPUT, 0x03, Quality.BAD),
        (Kind.ANALOG_INPUT, 0x05, Quality.STALE),
        (Kind.ANALOG_INPUT, 0x09, Quality.SUBSTITUTED),
        (Kind.ANALOG_INPUT, 0x11, Quality.SUBSTITUTED),
        (Kind.ANALOG_INPUT, 0x21, Quality.BAD),
        (Kind.ANALOG_INPUT, 0x41, Quality.BAD),
        (Kind.BINARY_INPUT, 0x21, Quality.BAD),
        (Kind.COUNTER, 0x21, Quality.GOOD),
    ],
)
def test_flags_say_how_far_a_value_is_trusted(kind, flags, quality):
    assert quality_of(kind, flags) is quality


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_bad(value):
    made = image(MappedInput(CURRENT, Kind.ANALOG_INPUT, 0))
    found = only(made.take(readings(Kind.ANALOG_INPUT, [value]), NOW))
    assert (found.value, found.quality) == (0.0, Quality.BAD)
    assert made.raw((Kind.ANALOG_INPUT, 0)) is None


@pytest.mark.parametrize(
    ("state", "value", "quality"),
    [(0, 0.0, Quality.BAD), (1, 0.0, Quality.GOOD), (2, 1.0, Quality.GOOD), (3, 0.0, Quality.BAD)],
)
def test_a_switch_between_its_ends_has_no_position(state, value, quality):
    made = image(MappedInput(SWITCH, Kind.DOUBLE_BIT_INPUT, 0))
    found = only(made.take(readings(Kind.DOUBLE_BIT_INPUT, [state]), NOW))
    assert (found.value, found.quality) == (value, quality)


@pytest.mark.parametrize(
    ("time_ms", "is_good", "source_s"),
    [
        (999_999_500, True, 999_999.5),
        (999_999_500, False, NOW),
        (0, True, NOW),
        (0xFFFFFFFFFFFF, True, NOW),
        (1_100_000_000, True, NOW),
    ],
)
def test_the_outstations_time_is_taken_where_it_can_be_right(time_ms, is_good, source_s):
    made = image(MappedInput(CURRENT, Kind.ANALOG_INPUT, 0))
    event = readings(Kind.ANALOG_INPUT, [1], times_ms=[time_ms], is_time_good=is_good)
    found = only(made.take(event, NOW))
    assert (found.source_time_s, found.received_time_s) == (source_s, NOW)


def test_what_was_not_reported_again_still_holds_after_a_poll():
    made = image(MappedInput(CURRENT, Kind.ANALOG_INPUT, 0))
    made.take(readings(Kind.ANALOG_INPUT, [7]), NOW)
    found = only(made.all(NOW + 5))
    assert (found.value, found.source_time_s) == (7.0, NOW + 5)


def test_the_limit_in_force_is_the_nameplate_while_the_function_is_off():
    made = image(ders=(der_points("A", 2e6, -1e6),))
    made.take(readings(Kind.ANALOG_INPUT, [500, -250], first=148), NOW)
    made.take(readings(Kind.BINARY_INPUT, [0], first=69), NOW)
    assert {m.point.quantity: m.value for m in made.all(NOW)} == {Quantity.CEILING_W: 2e6, Quantity.FLOOR_W: -1e6}
    made.take(readings(Kind.BINARY_INPUT, [1], first=69), NOW)
    assert {m.point.quantity: m.value for m in made.all(NOW)} == {Quantity.CEILING_W: 1e6, Quantity.FLOOR_W: -5e5}


def test_the_profile_gives_the_wanted_values_of_the_meter():
    found = der_inputs("A", frozenset({Quantity.ACTIVE_POWER_W, Quantity.FREQUENCY_HZ}))
    assert [(i.point.phase, i.index, i.scale) for i in found] == [
        (Phase.TOTAL, 537, 1.0),
        (Phase.A, 538, 1.0),
        (Phase.B, 539, 1.0),
        (Phase.C, 540, 1.0),
        (Phase.TOTAL, 536, 0.001),
    ]
