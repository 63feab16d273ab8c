"""Baselines beside figures worked out by hand."""

from datetime import date, timedelta

import pytest

from gateway.settlement.baselines import (
    BaselineError,
    Day,
    control_group,
    high_x_of_y,
    meter_before,
    mid_x_of_y,
    nomination,
    nothing,
    potential,
    quality,
    regression,
    suitable,
)

MW = 1e6
FIRST = date(2026, 6, 1)


def day(n: int, load_mw: float) -> Day:
    return Day(FIRST + timedelta(n), (-load_mw * MW,) * 3, (-load_mw * MW,) * 2)


TWENTY = tuple(day(n, 1.0 if n % 2 else 1.2) for n in range(20))


@pytest.mark.parametrize(("before_mw", "result_mw"), [(1.3, 1.300), (1.5, 1.360), (0.8, 0.907)])
def test_the_day_itself_moves_the_baseline_by_a_fifth_at_most(before_mw, result_mw):
    found = high_x_of_y(TWENTY, [-before_mw * MW])
    assert found.power_w == pytest.approx([-result_mw * MW] * 3, abs=500)


def test_without_adjustment_it_is_the_mean_of_the_fifteen_highest():
    found = high_x_of_y(TWENTY, [])
    assert found.power_w[0] == pytest.approx(-17 / 15 * MW)
    assert len(found.days) == 15


def test_event_days_and_holidays_do_not_count():
    odd = day(20, 9.0)
    broken = Day(FIRST + timedelta(21), (float("nan"),) * 3)
    days = suitable((*TWENTY, odd, broken), frozenset({odd.on}))
    assert odd not in days
    assert broken not in days
    assert high_x_of_y(days, []).power_w[0] == pytest.approx(-17 / 15 * MW)


def test_only_the_newest_days_count():
    old = tuple(day(n, 5.0) for n in range(-10, 0))
    assert high_x_of_y((*old, *TWENTY), []).power_w[0] == pytest.approx(-17 / 15 * MW)


def test_too_few_days_are_named():
    with pytest.raises(BaselineError, match="20 suitable days are needed, there are 19"):
        high_x_of_y(TWENTY[1:], [])


def test_the_middle_days_leave_out_as_many_above_as_below():
    days = [day(n, float(n)) for n in range(20)]
    found = mid_x_of_y(days, [], x=10)
    assert found.power_w[0] == pytest.approx(-9.5 * MW)


def test_the_simple_methods():
    assert meter_before([-1.0, -3.0], 2).power_w == (-2.0, -2.0)
    assert nomination([1.0, 2.0]).power_w == (1.0, 2.0)
    assert nothing(2).power_w == (0.0, 0.0)
    assert potential([3.0]).method == "forecast_potential"
    with pytest.raises(BaselineError):
        meter_before([], 2)


def test_a_control_group_is_scaled_to_the_resource():
    assert control_group([-2.0, -4.0], [-1.0], [-2.0]).power_w == (-1.0, -2.0)
    with pytest.raises(BaselineError, match="control group"):
        control_group([-2.0], [-1.0], [0.0])


def test_regression_follows_the_temperature():
    warmth = {FIRST + timedelta(n): 20.0 + n for n in range(5)}
    days = [Day(on, (-(0.5 + 0.1 * t) * MW,)) for on, t in warmth.items()]
    assert regression(days, warmth, 30.0).power_w[0] == pytest.approx(-3.5 * MW)
    with pytest.raises(BaselineError, match="three days of different temperature"):
        regression(days[:2], warmth, 30.0)


def test_quality_tells_bias_from_scatter():
    found = quality([11.0, 9.0, 11.0, 9.0], [10.0] * 4)
    assert (found.bias_pct, found.cv_rmse_pct) == (pytest.approx(0.0), pytest.approx(10.0))
