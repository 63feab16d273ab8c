"""What a forecast says of itself, and sums of forecasts."""

import math
from dataclasses import replace

import pytest

from grid_engine.forecasting.words import (
    ForecastSeries,
    Method,
    Model,
    Window,
    day_ahead,
    issue_id,
    real_time,
    total,
)
from grid_engine.results import Quality


def series(target, p10, p50, p90, **other):
    return ForecastSeries(target, 100, 300, 300, (p10,), (p50,), (p90,), Model(Method.PROFILE, "v1"), **other)


LOAD, SUN = series("load", 70.0, 100.0, 140.0), series("sun", 20.0, 60.0, 90.0)


def test_windows_begin_at_the_next_interval():
    assert real_time(301) == Window(301, 600, 300, 12)
    assert real_time(600).start_s == 600
    assert day_ahead(600, 86_400) == Window(600, 86_400, 300, 288)


def test_the_id_follows_from_the_content_alone():
    assert series("load", 70.0, 100.0, 140.0).forecast_id == LOAD.forecast_id
    assert (
        len({LOAD.forecast_id, replace(LOAD, issued_s=101).forecast_id, replace(LOAD, p50_w=(99.0,)).forecast_id}) == 3
    )
    assert issue_id([LOAD, SUN]) == issue_id([SUN, LOAD]) != issue_id([LOAD])


def test_bands_of_independent_errors_add_as_squares():
    both = total("all", [LOAD, SUN])
    assert (both.p50_w, both.model.kind) == ((160.0,), Method.SUM)
    assert both.p10_w[0] == pytest.approx(160 - math.hypot(30, 40))
    assert both.p90_w[0] == pytest.approx(160 + math.hypot(40, 30))


def test_bands_of_equal_errors_add_as_they_are():
    both = total("all", [LOAD, SUN], correlation=1.0)
    assert (both.p10_w[0], both.p90_w[0]) == pytest.approx((90, 230))


def test_net_load_is_low_when_the_sun_is_strong():
    net = total("net", [LOAD], [SUN], correlation=1.0)
    assert (net.p10_w[0], net.p50_w[0], net.p90_w[0]) == pytest.approx((40 - 60, 40, 40 + 80))


def test_a_sum_is_as_good_as_its_worst_part_and_as_old_as_its_oldest():
    guessed = replace(SUN, quality=Quality.ESTIMATED, detail="no readings", issued_s=50)
    net = total("net", [LOAD], [guessed])
    assert (net.quality, net.detail, net.issued_s) == (Quality.ESTIMATED, "sun: no readings", 50)


def test_different_windows_do_not_add_up():
    with pytest.raises(ValueError, match="share one window"):
        total("all", [LOAD, replace(SUN, start_s=600)])
