"""The learner beside the seasonal naive, its bands, what it says of itself, and what it does when it cannot answer."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from grid_engine.forecasting.conformal import correction
from grid_engine.forecasting.forecast import clear_sky_share, forecast, forecast_photovoltaic, sky_share
from grid_engine.forecasting.learned import Learned, NotLearned, Plan, fit
from grid_engine.forecasting.learner import Trees
from grid_engine.forecasting.profiles import Readings, known
from grid_engine.forecasting.scores import score
from grid_engine.forecasting.solar import Panels, clear_sky_power_w
from grid_engine.forecasting.sources import SeasonalNaive
from grid_engine.forecasting.words import Method, Window, day_ahead, real_time
from grid_engine.results import Quality
from tests.grid_engine.series import DAY_S, MONDAY_S, cloudiness, households

NAN = np.nan
PLAN = Plan(questions=12_000, trees=Trees(num_iterations=60))
READINGS = households(8, 35, step_s=900)
TRAINED_S = MONDAY_S + 28 * DAY_S
NOONS = [TRAINED_S + day * DAY_S + 12 * 3600 for day in range(6)]


@pytest.fixture(scope="module")
def learned():
    model = fit(known(READINGS, TRAINED_S), PLAN)
    assert isinstance(model, Learned)
    return model


def after(window, readings=READINGS):
    first = (window.start_s - readings.start_s) // readings.step_s
    return readings.value[:, first : first + window.steps]


def judged(sources, windows):
    told, truth = [], []
    for window in windows:
        told += forecast(READINGS, window, sources)
        truth += list(after(window))
    return score(told, truth)


def soon(now_s):
    return real_time(now_s, 900, 4)


def tomorrow(now_s):
    return day_ahead(now_s, (now_s // DAY_S + 1) * DAY_S, 900)


@pytest.mark.parametrize(("window", "part"), [(soon, 0.6), (tomorrow, 0.85)])
def test_it_beats_the_seasonal_naive(learned, window, part):
    windows = [window(now_s) for now_s in NOONS[:5]]
    ours, naive = judged([learned], windows), judged([SeasonalNaive()], windows)
    assert ours.nmae < part * naive.nmae
    assert ours.pinball < part * naive.pinball


def test_its_bands_hold_about_eight_in_ten(learned):
    hourly = [soon(TRAINED_S + hour * 3600) for hour in range(0, 150, 2)]
    assert 0.72 < judged([learned], hourly).coverage < 0.88
    assert 0.70 < judged([learned], [tomorrow(now_s) for now_s in NOONS[:5]]).coverage < 0.90


def test_bands_are_in_order_and_every_answer_names_its_model(learned):
    for one in forecast(READINGS, tomorrow(NOONS[0]), [learned]):
        levels = np.array([one.p10_w, one.p50_w, one.p90_w])
        assert (np.diff(levels, axis=0) >= 0).all()
        assert (one.model, one.quality) == (learned.model, Quality.GOOD)
        assert one.model.trained_until_s == TRAINED_S


def test_the_same_past_makes_the_same_model(learned):
    again = fit(known(READINGS, TRAINED_S), PLAN)
    assert again.model == learned.model
    assert again.trees == learned.trees
    assert forecast(READINGS, soon(NOONS[0]), [again]) == forecast(READINGS, soon(NOONS[0]), [learned])


def test_another_past_or_another_plan_makes_another_version():
    short = households(1, 12, step_s=3600)
    plan = replace(PLAN, questions=500)
    versions = {
        fit(short, plan).model.version,
        fit(replace(short, value=short.value * 1.01), plan).model.version,
        fit(short, replace(plan, trees=Trees(seed=1))).model.version,
    }
    assert len(versions) == 3


def test_it_bears_gaps_in_what_it_learns_and_in_what_it_is_asked(learned):
    rng = np.random.default_rng(3)
    holes = replace(READINGS, value=np.where(rng.random(READINGS.value.shape) < 0.3, NAN, READINGS.value))
    model = fit(known(holes, TRAINED_S), PLAN)
    told = forecast(holes, tomorrow(NOONS[0]), [model])
    assert {one.quality for one in told} == {Quality.GOOD}
    naive = forecast(READINGS, tomorrow(NOONS[0]), [SeasonalNaive()])
    truth = after(tomorrow(NOONS[0]))
    assert score(told, truth).nmae < score(naive, truth).nmae


def test_without_the_last_hours_it_still_answers_and_better_than_the_naive(learned):
    silent = READINGS.value.copy()
    now = (NOONS[0] - MONDAY_S) // 900
    silent[:, now - 16 : now] = NAN
    told = forecast(replace(READINGS, value=silent), soon(NOONS[0]), [learned])
    assert {one.model.kind for one in told} == {Method.LEARNED}
    truth = after(soon(NOONS[0]))
    assert score(told, truth).nmae < 1.1 * score(forecast(READINGS, soon(NOONS[0]), [SeasonalNaive()]), truth).nmae


def test_a_short_past_is_not_learned_from():
    model = fit(households(1, 5, step_s=900), PLAN)
    assert model == NotLearned("5.0 days of readings, at least 10 are needed")


def test_without_the_extra_the_naive_answers_and_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    model = fit(households(1, 12, step_s=3600), replace(PLAN, questions=500))
    (one,) = forecast(READINGS, soon(NOONS[0]), [model])[:1]
    assert one.model.kind is Method.SEASONAL_NAIVE
    assert one.quality is Quality.ESTIMATED
    assert "install the extra `forecast`" in one.detail


@pytest.mark.parametrize(
    "window",
    [
        Window(NOONS[0], NOONS[0], 3600, 4),
        Window(NOONS[0], NOONS[0] + 3 * DAY_S, 900, 4),
    ],
)
def test_another_step_or_too_far_ahead_is_left_to_the_naive(learned, window):
    assert {one.model.kind for one in forecast(READINGS, window, [learned])} == {Method.SEASONAL_NAIVE}


def test_a_new_meter_without_a_week_of_readings_is_left_to_the_others(learned):
    nothing = Readings(("new",), TRAINED_S, 900, np.full((1, 40), NAN))
    (one,) = forecast(nothing, Window(TRAINED_S + 9 * 3600, TRAINED_S + 9 * 3600, 900, 4), [learned])
    assert "learned: readings of the last week" in one.reason


ROOF = Panels(43.65, -79.38, 8000.0, 30.0, 200.0)


def plants(count, days):
    clear = clear_sky_power_w(ROOF, MONDAY_S + 900 * np.arange(days * 96), 900)
    clouds = cloudiness(count, days, step_s=900)
    names = tuple(f"pv{n}" for n in range(count))
    return Readings(names, MONDAY_S, 900, clouds * clear), Readings(("sky",), MONDAY_S, 900, clouds[:1])


def test_photovoltaic_power_is_learned_as_a_share_of_the_clear_sky():
    readings, _ = plants(4, 35)
    panels = [ROOF] * 4
    model = fit(clear_sky_share(known(readings, TRAINED_S), panels), PLAN)
    told, naive, truth = [], [], []
    for now_s in NOONS[:5]:
        window = tomorrow(now_s)
        told += forecast_photovoltaic(readings, panels, window, [model])
        naive += forecast_photovoltaic(readings, panels, window, [SeasonalNaive()])
        truth += list(after(window, readings))
    assert {one.model.kind for one in told} == {Method.LEARNED}
    assert score(told, truth).nmae < 0.95 * score(naive, truth).nmae


def test_weather_that_is_told_is_used():
    readings, sky = plants(1, 35)
    dark = clear_sky_power_w(ROOF, sky.starts_s(), 900) == 0
    flat = Panels(ROOF.latitude_deg, ROOF.longitude_deg, 1000.0)
    irradiance = replace(sky, ids=("ghi",), value=sky.value * clear_sky_power_w(flat, sky.starts_s(), 900))
    weather = sky_share(irradiance, ROOF)
    assert np.isnan(weather.value[0][dark]).mean() > 0.9
    share = clear_sky_share(known(readings, TRAINED_S), [ROOF])
    told, blind = fit(share, PLAN, weather), fit(share, PLAN)
    window = tomorrow(NOONS[1])
    truth = after(window, readings)
    knowing = forecast_photovoltaic(readings, [ROOF], window, [told.given(weather)])
    guessing = forecast_photovoltaic(readings, [ROOF], window, [blind])
    assert score(knowing, truth).nmae < 0.5 * score(guessing, truth).nmae
    (untold,) = forecast_photovoltaic(readings, [ROOF], window, [told])
    assert "weather" in untold.detail


def test_corrected_bands_hold_eight_in_ten_of_any_law():
    """Quantiles of a normal law given for answers of an exponential one: 80 % only after the correction."""
    rng = np.random.default_rng(5)
    leads = np.repeat([0.5, 3.0, 12.0, 30.0], 2000)
    median = np.log(2) * (1 + leads)
    wrong = np.stack([median - 1.2816, median, median + 1.2816])
    truth = rng.exponential(1 + leads)
    corrected = correction(wrong, leads, truth)
    fresh = rng.exponential(1 + leads)
    low, _, high = corrected.apply(wrong, leads)
    for lead in np.unique(leads):
        mine = leads == lead
        assert np.mean(fresh[mine] < low[mine]) == pytest.approx(0.1, abs=0.02)
        assert np.mean(fresh[mine] > high[mine]) == pytest.approx(0.1, abs=0.02)


def test_a_range_of_leads_never_seen_takes_the_widest_correction():
    levels = np.zeros((3, 40))
    leads = np.repeat([0.5, 3.0], 20)
    truth = np.repeat([1.0, 5.0], 20)
    assert correction(levels, leads, truth).upper.tolist() == [1, 5, 5, 5]
