"""What loads and units are expected to do, by the time of day."""

import pytest

from gateway.coordination.daily import Daily, DayClock, Member

HOUR = 3600.0
NOON_UTC = 1_800_014_400.0  # 2027-01-15 12:00
SHARES = {"flat": (0.5, 0.5), "step": (0.0, 1.0)}


def test_a_day_is_that_of_its_own_clock():
    assert DayClock().at(NOON_UTC) == 12 * HOUR
    assert DayClock(utc_offset_s=-5 * HOUR).at(NOON_UTC) == 7 * HOUR
    assert DayClock(utc_offset_s=-5 * HOUR).at(NOON_UTC + 17.5 * HOUR) == 0.5 * HOUR


def test_a_part_of_the_day_is_played_over_and_over():
    clock = DayClock(from_s=10 * HOUR, to_s=14 * HOUR)
    assert [clock.at(NOON_UTC + k * HOUR) / HOUR for k in range(5)] == [12, 13, 10, 11, 12]


def test_a_faster_day_passes_faster():
    clock = DayClock(from_s=10 * HOUR, to_s=14 * HOUR, speed=10.0)
    assert (clock.at(NOON_UTC + 60) - clock.at(NOON_UTC)) % (4 * HOUR) == pytest.approx(600)


def test_every_member_has_its_part_of_its_kind():
    daily = Daily(DayClock(), 12 * HOUR, SHARES, {"L": Member("flat", 100.0)}, {"U": Member("step", 2e3)})
    times_s = [NOON_UTC - 6 * HOUR, NOON_UTC, NOON_UTC + 6 * HOUR, NOON_UTC + 12 * HOUR]
    assert daily.load_w(times_s) == {"L": (50.0,) * 4}
    assert daily.unit_w(times_s) == {"U": (0.0, 1e3, 2e3, 1e3)}
