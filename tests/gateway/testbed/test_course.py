"""How a day turns out in the simulated world."""

from pathlib import Path

import numpy as np
import pytest

from config.loader import load
from gateway.coordination.daily import DayClock
from gateway.testbed.course import Course, course_of_zone

ZONES = Path(__file__).parents[3] / "config" / "zones"
DAY = np.arange(1440, dtype=np.float64)[None]


def test_powers_are_told_once_a_minute():
    course = Course(DayClock(), ("L",), DAY)
    assert course.changed(0.0) == {"L": 0.0}
    assert course.changed(59.9) is None
    assert course.changed(60.0) == {"L": 1.0}
    assert course.changed(86_400 + 60.0) is None
    assert course.changed(86_400 - 1.0) == {"L": 1439.0}


def test_customers_and_devices_see_the_same_sky():
    zone = load(ZONES / "maple.yaml")
    course = course_of_zone(zone, ZONES)
    assert course is not None
    at_noon = course.changed(17 * 3600.0 + 1800)
    assert at_noon is not None
    assert 3e6 < at_noon["SUN1"] < 4.5e6
    share = at_noon["SUN1"] / 4.5e6
    assert at_noon["FARM1"] / 75e3 == pytest.approx(share, abs=0.5)
    assert "BAT1" not in at_noon
    again = course_of_zone(zone, ZONES)
    assert again is not None
    assert again.changed(17 * 3600.0 + 1800) == at_noon


def test_another_seed_is_another_day():
    zone = load(ZONES / "maple.yaml")
    other = zone.model_copy(update={"testbed": zone.testbed.model_copy(update={"seed": 3})})
    one, two = (course_of_zone(z, ZONES) for z in (zone, other))
    assert one is not None
    assert two is not None
    assert one.changed(0.0) != two.changed(0.0)


def test_a_zone_without_a_day_has_no_course():
    assert course_of_zone(load(ZONES / "r1.yaml"), ZONES) is None
