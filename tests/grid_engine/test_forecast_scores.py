"""Scores by their definitions."""

import math

import pytest

from grid_engine.forecasting.scores import score
from grid_engine.forecasting.words import ForecastSeries, Method, Model


def series(p10, p50, p90):
    return ForecastSeries("x", 0, 0, 300, p10, p50, p90, Model(Method.PROFILE, "1"))


def test_scores_are_those_of_their_definitions():
    got = score([series((8.0, 18.0), (10.0, 20.0), (12.0, 22.0))], [(11.0, 29.0)])
    assert got.intervals == 2
    assert got.nmae == pytest.approx((1 + 9) / 2 / 20)
    assert got.mape_pct == pytest.approx(100 * (1 / 11 + 9 / 29) / 2)
    assert got.coverage == 0.5
    losses = (0.1 * 3, 0.5 * 1, 0.1 * 1, 0.1 * 11, 0.5 * 9, 0.9 * 7)
    assert got.pinball == pytest.approx(sum(losses) / 6 / 20)


def test_what_was_not_read_does_not_count():
    whole = score([series((8.0,), (10.0,), (12.0,))], [(11.0,)])
    assert score([series((8.0, 0.0), (10.0, 0.0), (12.0, 0.0))], [(11.0, math.nan)]) == whole


def test_a_percentage_of_nothing_is_left_out():
    got = score([series((0.0, 0.0), (1.0, 10.0), (2.0, 20.0))], [(0.0, 10.0)])
    assert got.mape_pct == 0.0
    assert math.isnan(score([series((0.0,), (1.0,), (2.0,))], [(0.0,)]).nmae)
    assert math.isnan(score([series((0.0,), (1.0,), (2.0,))], [(math.nan,)]).coverage)
