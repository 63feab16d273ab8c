"""Grids of readings, kinds of day, and quantiles beside numpy's own."""

import numpy as np
import pytest

from grid_engine.forecasting.profiles import (
    Readings,
    fingerprint,
    known,
    mean,
    on_grid,
    quantiles,
    resampled,
    scaled,
    time_of_day,
    typical_day,
    weekday,
)
from tests.grid_engine.series import DAY_S, MONDAY_S

NAN = np.nan


def one(value, start_s=0, step_s=300):
    return Readings(("x",), start_s, step_s, np.array([value], dtype=float))


def test_samples_are_averaged_within_their_step_and_gaps_stay_gaps():
    times = np.array([910, 10, 20, 1000, 30])
    readings = on_grid("x", times, np.array([4.0, 1.0, 3.0, 6.0, np.inf]), 300)
    assert (readings.start_s, readings.end_s) == (0, 1200)
    np.testing.assert_array_equal(readings.value, [[2, NAN, NAN, 5]])


def test_no_sample_makes_no_step():
    assert on_grid("x", np.array([5.0]), np.array([NAN]), 300).value.shape == (1, 0)


def test_only_steps_that_have_ended_are_known():
    readings = one([1, np.inf, 3, 4])
    np.testing.assert_array_equal(known(readings, 899).value, [[1, NAN]])
    np.testing.assert_array_equal(known(readings, 900).value, [[1, NAN, 3]])
    assert known(readings, -5).value.shape == (1, 0)


def test_a_coarser_grid_averages_what_is_there():
    coarse = resampled(one([1, 3, NAN, 5, NAN, NAN, 7], start_s=300), 900)
    assert coarse.start_s == 0
    np.testing.assert_array_equal(coarse.value, [[2, 5, 7]])


def test_a_finer_grid_repeats():
    np.testing.assert_array_equal(resampled(one([1, 2], step_s=900), 300).value, [[1, 1, 1, 2, 2, 2]])


def test_grids_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="300 s and 420 s"):
        resampled(one([1, 2]), 420)


def test_days_are_those_of_the_clock_that_is_asked_for():
    sunday_in_toronto = np.array([MONDAY_S + 4 * 3600])
    assert weekday(sunday_in_toronto, 0)[0] == 0
    assert weekday(sunday_in_toronto, -5 * 3600)[0] == 6
    assert time_of_day(sunday_in_toronto, -5 * 3600)[0] == pytest.approx(23 / 24)


def test_a_leap_day_is_a_thursday_in_2024():
    assert weekday(np.array([1_709_164_800]), 0)[0] == 3


def test_quantiles_are_those_of_what_is_there():
    rng = np.random.default_rng(1)
    value = rng.standard_normal((6, 40))
    value[rng.random(value.shape) < 0.3] = NAN
    value[4] = NAN
    value[5, 1:] = NAN
    value[5, 0] = 2.0
    ours = quantiles(value, axis=1)
    np.testing.assert_allclose(ours[:, :4], np.nanquantile(value[:4], [0.1, 0.5, 0.9], axis=1))
    assert np.isnan(ours[:, 4]).all()
    np.testing.assert_array_equal(ours[:, 5], [2, 2, 2])
    np.testing.assert_allclose(mean(value, 1)[:4], np.nanmean(value[:4], axis=1))


def test_a_typical_day_tells_working_days_from_days_off():
    days = np.repeat(np.tile([1.0, 1, 1, 1, 1, 5, 5], 3), 24).reshape(-1)
    day = typical_day(one(days, start_s=MONDAY_S, step_s=3600))
    monday, saturday = MONDAY_S + 35 * DAY_S, MONDAY_S + 40 * DAY_S
    np.testing.assert_array_equal(day.at(np.array([monday, saturday])), [[1, 5], [1, 5], [1, 5]])
    np.testing.assert_array_equal(scaled(day, -2).at(np.array([saturday]))[:, 0], [-10, -10, -10])


def test_a_kind_of_day_never_seen_borrows_from_the_other():
    day = typical_day(one(np.arange(24.0), start_s=MONDAY_S, step_s=3600))
    assert day.at(np.array([MONDAY_S + 5 * DAY_S + 7 * 3600]))[1, 0] == 7


def test_fingerprints_tell_readings_apart():
    assert fingerprint(one([1, 2])) == fingerprint(one([1, 2]))
    assert len({fingerprint(r) for r in (one([1, 2]), one([1, 3]), one([1, 2], 300), one([1, 2], 0, 600))}) == 4
