"""Forecasts without learning, the order in which sources stand in for each other, and photovoltaic power."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.forecasting.forecast import clear_sky_share, forecast, forecast_photovoltaic, sky_share
from grid_engine.forecasting.learned import NotLearned
from grid_engine.forecasting.profiles import Readings, known, typical_day
from grid_engine.forecasting.scores import score
from grid_engine.forecasting.solar import Panels, clear_sky_power_w
from grid_engine.forecasting.sources import Given, Persistence, SeasonalNaive, Typical, newest
from grid_engine.forecasting.words import ForecastSeries, Method, Model, NoForecast, Window, day_ahead
from grid_engine.results import Quality
from tests.grid_engine.series import DAY_S, MONDAY_S, cloudiness, households

NAN = np.nan
ROOF = Panels(43.65, -79.38, 8000.0, 30.0, 200.0)


def hourly(value, name="x"):
    return Readings((name,), MONDAY_S, 3600, np.array([value], dtype=float))


def window(hours_known, steps, step_s=3600):
    now_s = MONDAY_S + hours_known * 3600
    return Window(now_s, now_s, step_s, steps)


def only(told):
    (one,) = told
    assert isinstance(one, ForecastSeries), one
    return one


def test_persistence_is_the_last_reading_with_bands_of_past_changes():
    """A walk of steps -1 and +1 with equal odds moves by at most one in one step."""
    walk = np.cumsum(np.tile([1.0, -1.0], 60))
    one = only(forecast(hourly(walk), window(120, 1), [Persistence()]))
    assert (one.p10_w, one.p50_w, one.p90_w) == ((0.0,), (0.0,), (1.0,))  # never negative before
    assert (one.model.kind, one.quality) == (Method.PERSISTENCE, Quality.GOOD)


def test_persistence_looks_past_a_gap_but_not_past_a_day():
    value = np.arange(60.0)
    value[50:] = NAN
    assert only(forecast(hourly(value), window(60, 1), [Persistence()])).p50_w == (49.0,)
    value[20:] = NAN
    (none,) = forecast(hourly(value[:60]), Window(MONDAY_S + 60 * 3600, MONDAY_S + 60 * 3600, 3600, 200), [])
    assert isinstance(none, NoForecast)
    assert "no reading of the last day" in none.reason


def test_one_reading_is_believed_but_not_far():
    one = only(forecast(hourly([100.0]), window(1, 2), []))
    assert (one.p10_w, one.p50_w, one.p90_w) == ((0.0, 0.0), (100.0, 100.0), (200.0, 200.0))


def test_the_seasonal_naive_repeats_the_last_day_known_at_any_lead():
    day = np.arange(24.0)
    readings = hourly(np.concatenate([day, day + 100, day[:10] + 200]))
    one = only(forecast(readings, window(58, 24), [SeasonalNaive()]))
    assert one.p50_w == (*(day[10:] + 100), *(day[:10] + 200))
    later = only(forecast(readings, replace(window(58, 24), start_s=MONDAY_S + 96 * 3600), [SeasonalNaive()]))
    assert later.p50_w == (*(day[:10] + 200), *(day[10:] + 100))


def test_a_gap_yesterday_is_filled_from_the_day_before():
    value = np.tile(np.arange(24.0), 3)
    value[48 + 5] = NAN
    assert only(forecast(hourly(value), window(72, 24), [SeasonalNaive()])).p50_w == tuple(np.arange(24.0))


def test_bands_of_the_naive_hold_about_eight_in_ten():
    readings = households(6, 28)
    told, truth = [], []
    for day in range(21, 27):
        asked = day_ahead(MONDAY_S + day * DAY_S, MONDAY_S + day * DAY_S)
        told += forecast(readings, asked, [SeasonalNaive()])
        truth += list(readings.value[:, day * 288 : (day + 1) * 288])
    assert 0.7 < score(told, truth).coverage < 0.9


def test_nothing_after_the_issue_is_used():
    readings = households(1, 3)
    spoiled = replace(readings, value=np.where(np.arange(864) >= 500, 1e9, readings.value))
    asked = Window(MONDAY_S + 500 * 300, MONDAY_S + 500 * 300, 300, 12)
    assert forecast(readings, asked, []) == forecast(spoiled, asked, [])


def test_who_stands_in_is_said_with_the_reason():
    one = only(forecast(hourly(np.ones(60)), window(60, 2), [NotLearned("the extra is missing")]))
    assert one.model.kind is Method.SEASONAL_NAIVE
    assert (one.quality, one.detail) == (Quality.ESTIMATED, "learned: the extra is missing")


def test_each_reading_has_the_best_source_that_knows_it():
    value = np.ones((2, 60))
    value[1, :55] = NAN
    readings = Readings(("old", "new"), MONDAY_S, 3600, value)
    old, new = forecast(readings, window(60, 24), [SeasonalNaive()])
    assert (old.model.kind, new.model.kind) == (Method.SEASONAL_NAIVE, Method.PERSISTENCE)
    assert (old.quality, new.quality) == (Quality.GOOD, Quality.ESTIMATED)


def test_readings_of_another_step_are_brought_to_the_windows():
    quarter_hours = Readings(("x",), MONDAY_S, 900, np.arange(96.0)[None])
    told = only(forecast(quarter_hours, Window(MONDAY_S + DAY_S, MONDAY_S + DAY_S, 300, 6), [SeasonalNaive()]))
    assert told.p50_w == (0, 0, 0, 1, 1, 1)


def test_a_typical_day_needs_no_readings():
    day = typical_day(hourly(np.tile(np.arange(24.0), 14)))
    nothing = Readings(("new",), MONDAY_S, 300, np.empty((1, 0)))
    asked = Window(MONDAY_S, MONDAY_S + 3 * 3600, 300, 12)
    one = only(forecast(nothing, asked, [Typical([day], Model(Method.PROFILE, "residential-1"))]))
    assert one.p50_w == (3.0,) * 12
    assert str(one.model) == "profile:residential-1"


def given(issued_s, value, name="x", kind=Method.EXTERNAL):
    return Given((name,), MONDAY_S, 3600, np.array(value, dtype=float)[:, None], Model(kind, "w1"), issued_s)


def test_what_another_says_keeps_its_own_issue_time():
    said = given(MONDAY_S - 600, [[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    one = only(forecast(hourly([]), Window(MONDAY_S, MONDAY_S + 3600, 3600, 2), [said]))
    assert (one.p10_w, one.p50_w, one.p90_w) == ((2, 3), (5, 6), (8, 9))
    assert one.issued_s == MONDAY_S - 600


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (given(MONDAY_S - 2 * DAY_S, np.ones((3, 3))), "older than"),
        (given(MONDAY_S, np.ones((3, 2))), "does not cover"),
        (given(MONDAY_S, np.ones((3, 3)), name="y"), "does not cover"),
        (given(MONDAY_S + 1, np.ones((3, 3))), "older than"),
    ],
)
def test_word_that_is_old_short_of_another_or_of_the_future_is_not_used(said, why):
    (none,) = forecast(hourly([]), Window(MONDAY_S, MONDAY_S, 3600, 3), [said])
    assert isinstance(none, NoForecast)
    assert why in none.reason


def test_the_newest_issue_wins():
    early, late = given(MONDAY_S - 900, np.ones((3, 3))), given(MONDAY_S - 600, np.ones((3, 3)))
    assert newest([late, early]) is late


def test_a_committed_schedule_is_certain():
    plan = given(MONDAY_S, np.tile([1e6, 0, 1e6], (3, 1)), kind=Method.SCHEDULE)
    one = only(forecast(hourly([]), Window(MONDAY_S, MONDAY_S, 3600, 3), [plan]))
    assert one.p10_w == one.p50_w == one.p90_w == (1e6, 0, 1e6)


def plant(days, seed=0, panels=ROOF):
    starts = MONDAY_S + 300 * np.arange(days * 288)
    value = cloudiness(1, days, seed=seed) * clear_sky_power_w(panels, starts, 300)
    return Readings(("pv",), MONDAY_S, 300, value)


def test_photovoltaic_power_keeps_its_share_of_the_clear_sky():
    starts = MONDAY_S + 300 * np.arange(11 * 288)
    clear = clear_sky_power_w(ROOF, starts, 300)
    readings = Readings(("pv",), MONDAY_S, 300, 0.6 * clear[None])
    asked = Window(MONDAY_S + 10 * DAY_S + 15 * 3600, MONDAY_S + 10 * DAY_S + 15 * 3600, 300, 108)
    one = only(forecast_photovoltaic(readings, [ROOF], asked, [Persistence()]))
    expected = 0.6 * clear[10 * 288 + 180 : 11 * 288]
    np.testing.assert_allclose(one.p50_w, expected, atol=1)
    assert one.p50_w[-1] == 0.0


def test_photovoltaic_power_of_the_day_ahead_is_dark_at_night_and_within_capacity():
    asked = day_ahead(MONDAY_S + 20 * DAY_S + 15 * 3600, MONDAY_S + 21 * DAY_S)
    one = only(forecast_photovoltaic(plant(21), [ROOF], asked, []))
    clear = clear_sky_power_w(ROOF, asked.start_s + 300 * np.arange(288), 300)
    levels = np.array([one.p10_w, one.p50_w, one.p90_w])
    assert (levels[:, clear == 0] == 0).all()
    assert (levels >= 0).all()
    assert (levels <= ROOF.capacity_w).all()
    assert (np.diff(levels, axis=0) >= 0).all()


def test_the_night_needs_no_readings():
    nothing = Readings(("pv",), MONDAY_S, 300, np.empty((1, 0)))
    night = Window(MONDAY_S + 5 * 3600, MONDAY_S + 5 * 3600, 300, 12)
    assert only(forecast_photovoltaic(nothing, [ROOF], night, [])).p90_w == (0.0,) * 12


def test_the_share_of_the_clear_sky_is_missing_in_the_dark():
    share = clear_sky_share(known(plant(2), MONDAY_S + 2 * DAY_S), [ROOF]).value[0]
    assert np.isnan(share[: 11 * 12]).all()
    assert np.nanmax(share) <= 1.0
    assert np.nanmin(share) >= 0.1


def test_weather_is_told_as_a_share_of_the_clear_sky():
    starts = MONDAY_S + 3600 * np.arange(24)
    flat = Panels(ROOF.latitude_deg, ROOF.longitude_deg, 1000.0)
    irradiance = Readings(("ghi",), MONDAY_S, 3600, 0.4 * clear_sky_power_w(flat, starts, 3600)[None])
    share = sky_share(irradiance, ROOF).value[0]
    assert np.nanmin(share) == pytest.approx(0.4)
    assert np.nanmax(share) == pytest.approx(0.4)
    assert np.isnan(share[5])
