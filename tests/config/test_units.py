"""Conversions to SI are exact where people write decimals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import units


def test_megawatts_become_the_watts_that_people_expect():
    assert [units.watts(value) for value in (1.2, 0.1, 2.3, 4.35, -2.5)] == [1.2e6, 1e5, 2.3e6, 4.35e6, -2.5e6]
    assert units.watts_or_none(None) is None
    assert units.watts_or_none(0.81) == 810_000


@given(st.integers(-10_000_000_000, 10_000_000_000))
def test_any_whole_number_of_watts_survives_being_written_in_megawatts(power_w):
    assert units.watts(float(f"{power_w / 1e6:.6f}")) == power_w


def test_the_other_units():
    assert units.watt_hours(5) == 5e6
    assert units.volt_amperes(10) == 1e7
    assert units.amperes(12.5) == 12_500
    assert units.watts_per_second(0.2) == pytest.approx(3333.333, abs=1e-3)
    assert units.per_unit(10) == 0.1
