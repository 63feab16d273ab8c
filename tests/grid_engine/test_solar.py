"""The sun beside published positions and closed forms."""

from calendar import timegm

import numpy as np
import pytest

from grid_engine.forecasting.solar import Panels, Sky, Sun, clear_sky, clear_sky_power_w, on_plane, sun

TORONTO = (43.65, -79.38)


def at(*date):
    return timegm((*date, 0, 0, 0)[:6])


def position(latitude, longitude, *date):
    return sun(np.array([at(*date)]), latitude, longitude)


def test_position_agrees_with_the_worked_example_of_the_solar_position_algorithm():
    """NREL/TP-560-34302, table A5.1: 2003-10-17 12:30:30 at UTC-7; elevation before refraction 39.872046 degrees."""
    where = position(39.742476, -105.1786, 2003, 10, 17, 19, 30, 30)
    assert where.elevation_deg[0] == pytest.approx(39.872046, abs=0.01)
    assert where.azimuth_deg[0] == pytest.approx(194.340241, abs=0.02)
    assert where.distance_au[0] == pytest.approx(0.9965422974, abs=1e-4)


@pytest.mark.parametrize(
    ("date", "declination_deg"),
    [((2024, 6, 20, 20, 51), 23.44), ((2024, 12, 21, 9, 20), -23.44), ((2024, 3, 20, 3, 6), 0)],
)
def test_the_sun_at_the_pole_stands_as_high_as_its_declination(date, declination_deg):
    assert position(90, 0, *date).elevation_deg[0] == pytest.approx(declination_deg, abs=0.01)


@pytest.mark.parametrize(("date", "early_min"), [((2024, 2, 11), -14.2), ((2024, 11, 3), 16.4)])
def test_noon_moves_by_the_equation_of_time(date, early_min):
    """Its extremes, Astronomical Almanac."""
    seconds = at(*date) + np.arange(0, 86_400, 10)
    highest = seconds[np.argmax(sun(seconds, 0, 0).elevation_deg)]
    assert (at(*date, 12) - highest) / 60 == pytest.approx(early_min, abs=0.3)


def test_the_sun_is_in_the_east_before_noon_and_in_the_west_after_it():
    day = at(2024, 6, 1) + np.array([12, 22]) * 3600
    assert np.all((sun(day, *TORONTO).azimuth_deg < 180) == [True, False])


def test_a_leap_day_is_a_day_like_any_other():
    noon = sun(at(2024, 2, 28, 17) + 86_400 * np.arange(3), *TORONTO).elevation_deg
    assert np.diff(noon) == pytest.approx([0.377, 0.380], abs=0.01)


def test_clear_sky_at_the_zenith_is_that_of_the_formulae():
    overhead = Sun(np.array([90.0]), np.array([180.0]), np.array([1.0]))
    sky = clear_sky(overhead)
    assert sky.global_w_m2[0] == pytest.approx(1098 * np.exp(-0.059))
    assert sky.beam_w_m2[0] == pytest.approx(1353 * 0.7, rel=1e-3)
    assert sky.diffuse_w_m2[0] == pytest.approx(sky.global_w_m2[0] - sky.beam_w_m2[0])


def test_sky_is_dark_at_night_and_never_negative():
    times = at(2024, 1, 1) + 300 * np.arange(366 * 288)
    where = sun(times, *TORONTO)
    sky = clear_sky(where)
    parts = np.stack([sky.global_w_m2, sky.beam_w_m2, sky.diffuse_w_m2])
    assert (parts >= 0).all()
    assert (parts[:, where.elevation_deg <= 0] == 0).all()


def test_a_flat_plane_sees_the_global_irradiance():
    where = position(*TORONTO, 2024, 6, 1, 15)
    sky = clear_sky(where)
    assert on_plane(sky, where, 0, 123)[0] == pytest.approx(sky.global_w_m2[0])


def test_a_plane_that_faces_the_sun_sees_the_whole_beam():
    where = Sun(np.array([30.0]), np.array([100.0]), np.array([1.0]))
    beam_only = Sky(np.zeros(1), np.array([800.0]), np.zeros(1))
    assert on_plane(beam_only, where, 60, 100)[0] == pytest.approx(800)
    assert on_plane(beam_only, where, 60, 280)[0] == 0


def test_power_of_an_interval_is_the_mean_of_its_parts():
    panels = Panels(*TORONTO, 5000, 30, 200)
    hour = clear_sky_power_w(panels, np.array([at(2024, 6, 1, 12)]), 3600)
    parts = clear_sky_power_w(panels, at(2024, 6, 1, 12) + 300 * np.arange(12), 300)
    assert hour[0] == pytest.approx(parts.mean())
    assert 0 < hour[0] < 5000
