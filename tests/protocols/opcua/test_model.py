import struct
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.opcua import model
from protocols.opcua.model import Kind, Rounding
from protocols.signals import Bounds, Control

NAMES = ("LimitMax", "LimitMin", "Target", "FallbackMax", "FallbackMin")
ALL_DOUBLE = dict.fromkeys(model.CONTROL, Kind.DOUBLE)


def control(**changes: object) -> Control:
    words = {"control_id": "c", "resource": "A", "version": 3, "start_s": 0.0, "expiry_s": 900.25, "limit": Bounds()}
    return Control(**(words | changes))


def test_an_open_side_is_disabled_and_its_value_left_alone():
    values = model.control_values(control(limit=Bounds(ceiling_w=1.2e6), fallback=Bounds(0.0, 5e5)), watchdog_s=10)
    assert values["LimitMax"] == 1.2e6
    assert values["LimitMaxEnabled"] == 1.0
    assert "LimitMin" not in values
    assert values["LimitMinEnabled"] == 0.0
    assert values["TargetEnabled"] == 0.0
    assert (values["FallbackMax"], values["FallbackMin"]) == (5e5, 0.0)
    assert values["ValidUntil"] == 900.25


def test_version_is_written_last():
    assert list(model.control_values(control(target_w=1.0), 10))[-1] == model.VERSION
    assert list(model.release_values({"LimitMax": 4.0, "Version": 9.0}, version=10, now_s=0.0))[-1] == model.VERSION


def test_release_restores_the_baseline_under_its_own_version():
    baseline = {"LimitMax": 2e6, "LimitMaxEnabled": 1.0, "ValidUntil": 77.0, "Version": 4.0, "Other": 1.0}
    values = model.release_values(baseline, version=11, now_s=70.0)
    assert (values["LimitMax"], values["LimitMaxEnabled"], values["ValidUntil"]) == (2e6, 1.0, 77.0)
    assert values["LimitMinEnabled"] == 0.0
    assert values["Version"] == 11.0
    assert "Other" not in values


def test_release_into_a_lease_that_has_run_out_leaves_its_fallback():
    baseline = {
        "LimitMax": 2e6,
        "LimitMaxEnabled": 1.0,
        "FallbackMax": 1e6,
        "FallbackMaxEnabled": 1.0,
        "ValidUntil": 77.0,
    }
    values = model.release_values(baseline, version=11, now_s=78.0)
    assert (values["LimitMax"], values["LimitMaxEnabled"], values["ValidUntil"]) == (1e6, 1.0, 0.0)
    assert values["LimitMinEnabled"] == 0.0


def test_release_without_a_baseline_enables_nothing():
    values = model.release_values({}, version=2, now_s=0.0)
    assert all(values[f"{name}Enabled"] == 0.0 for name in NAMES)
    assert values["ValidUntil"] == 0.0


def test_a_device_may_lack_what_would_only_be_disabled():
    kinds = dict.fromkeys(("LimitMax", "LimitMaxEnabled", "ValidUntil", "Version"), Kind.DOUBLE)
    fits, lacking = model.fitted(model.control_values(control(limit=Bounds(None, 5.0)), 10), kinds)
    assert lacking == []
    assert set(fits) == set(kinds)


def test_a_device_that_lacks_what_is_needed_is_named():
    kinds = dict.fromkeys(("LimitMax", "LimitMaxEnabled", "Version"), Kind.DOUBLE)
    _, lacking = model.fitted(model.control_values(control(limit=Bounds(-1.0, 5.0)), 10), kinds)
    assert lacking == ["LimitMin", "LimitMinEnabled", "ValidUntil"]


@pytest.mark.parametrize(
    ("value", "rounding", "held"),
    [
        (1000.7, Rounding.DOWN, 1000.0),
        (1000.2, Rounding.UP, 1001.0),
        (-1000.2, Rounding.DOWN, -1001.0),
        (-1000.7, Rounding.UP, -1000.0),
    ],
)
def test_integers_round_a_limit_to_the_safe_side(value: float, rounding: Rounding, held: float):
    assert model.as_kind(value, Kind.INTEGER, rounding) == held


@given(st.floats(-1e9, 1e9), st.sampled_from([Rounding.DOWN, Rounding.UP]))
def test_32_bit_floats_round_a_limit_to_the_safe_side(value: float, rounding: Rounding):
    held = model.as_kind(value, Kind.FLOAT, rounding)
    assert held <= value if rounding is Rounding.DOWN else held >= value
    assert struct.unpack("<f", struct.pack("<f", held)) == (held,)
    assert abs(held - value) <= max(abs(value) * 2**-23, model.SMALLEST_FLOAT)


@given(st.dictionaries(st.sampled_from(list(model.CONTROL)), st.floats(-1e9, 1e9), min_size=1))
def test_what_reads_back_as_written_does_not_differ(values: dict[str, float]):
    fits, lacking = model.fitted(values, ALL_DOUBLE)
    assert lacking == []
    assert model.differing(fits, fits) == []
    moved = {name: value + 1.0 + abs(value) / 1e3 for name, value in fits.items()}
    assert model.differing(fits, moved) == list(fits)
    assert model.differing(fits, {}) == list(fits)


def test_the_result_is_told_in_words():
    assert model.verdict(None) == ""
    assert model.verdict(0.0) == ""
    assert model.verdict(2.0) == "value out of range"
    assert model.verdict(99.0) == "Result 99"


def test_infinity_reads_back_as_different():
    assert model.differing({"LimitMax": 5.0}, {"LimitMax": inf}) == ["LimitMax"]
