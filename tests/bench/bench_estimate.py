"""State estimation beside power-grid-model's, and forecasts beside the seasonal naive.

Truth, meters and forecasts of the estimation are drawn from seeds and solved by OpenDSS; consumption and clouds are
made up from seeds. Errors count as root mean square of all low-voltage nodes' magnitudes, in percent of nominal.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from grid_engine.estimation.estimate import estimate
from grid_engine.estimation.words import Estimate, Measurement, Question
from grid_engine.feeders import load
from grid_engine.forecasting.forecast import clear_sky_share, forecast, forecast_photovoltaic
from grid_engine.forecasting.learned import Plan, fit
from grid_engine.forecasting.profiles import Readings, known
from grid_engine.forecasting.scores import Score, score
from grid_engine.forecasting.solar import Panels, clear_sky_power_w
from grid_engine.forecasting.sources import SeasonalNaive, Source
from grid_engine.forecasting.words import Window, day_ahead, real_time
from tests.bench.rows import Benchmark, Row, duration, percentile
from tests.grid_engine import pgm
from tests.grid_engine.field import Field, Meters, head_va, play
from tests.grid_engine.series import DAY_S, MONDAY_S, cloudiness, households
from tests.grid_engine.test_estimate_feeders import like_for_like

SEEDS = range(5)
REPEATS = 15
PANELS = Panels(43.65, -79.38, 8000.0, 30.0, 200.0)
TRAINED_DAYS, JUDGED_DAYS = 28, 7


def _median_ms(work: Callable[[], object]) -> float:
    work()
    taken = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - began))
    return percentile(taken, 50)


def _rms_pct(true: Field, voltage_pu: np.ndarray) -> float:
    network = true.network
    low = network.buses.phase_v[network.nodes.bus] < 1000
    return float(100 * np.sqrt(np.mean((voltage_pu - true.voltage_pu)[low] ** 2)))


def _magnitudes(told: Estimate) -> np.ndarray:
    return np.array([node.voltage_pu for node in told.nodes])


def _european_lv() -> Sequence[Row]:
    """Readings that both can use: three-phase voltages at six buses, powers of the source by phase."""
    network, ours, theirs = load("european_lv"), [], []
    for seed in SEEDS:
        true = play(network, np.random.default_rng(seed).uniform(0.5, 1.5, len(network.loads.ids)), 1.02)
        readings, forecasts = like_for_like(true, seed)
        question, data = Question(0, readings, expected=forecasts), pgm.sensed(network, readings, forecasts)
        ours.append(_rms_pct(true, _magnitudes(estimate(network, question))))
        theirs.append(_rms_pct(true, pgm.solved(data)[network.nodes.bus, network.nodes.terminal]))
    peer = "power-grid-model"
    plain = replace(question, samples=0)  # the peer tells no standard deviations of voltages
    ours_ms, theirs_ms = _median_ms(lambda: estimate(network, plain)), _median_ms(lambda: pgm.solved(data))
    return (
        duration("estimate.eulv.error", float(np.mean(ours)), "%", peer, float(np.mean(theirs))),
        duration("estimate.eulv.time", ours_ms, "ms", peer, theirs_ms),
        Row("estimate.eulv.time_with_deviations", _median_ms(lambda: estimate(network, question)), "ms"),
    )


def _large(name: str, scale: float, part: float) -> tuple[Field, tuple[Measurement, ...], dict]:
    network = load(name)
    rng = np.random.default_rng(0)
    true = play(network, scale * rng.uniform(0.5, 1.5, len(network.loads.ids)), 1.02)
    meters = Meters(true)
    nodes = np.unique(network.loads.node[:, :, 0][network.loads.node[:, :, 0] >= 0])
    readings = meters.voltages(nodes[rng.random(len(nodes)) < part])
    readings += meters.powers(network.sources.ids[0], head_va(true), 0.005)
    return true, tuple(readings), meters.expected(0.5)


def _beside_forecasts(name: str, scale: float, part: float) -> Sequence[Row]:
    """Voltages at a part of the customers and the feeder head, beside the power flow of the forecasts alone."""
    true, readings, forecasts = _large(name, scale, part)
    network, question = load(name), Question(0, readings, expected=forecasts)
    told, blind = estimate(network, question), estimate(network, Question(0, (), expected=forecasts, samples=0))
    errors = (100 * float(np.sqrt(np.mean((_magnitudes(one) - true.voltage_pu) ** 2))) for one in (told, blind))
    short = name.removesuffix("_unbalanced")
    return (
        duration(f"estimate.{short}.error", next(errors), "%", "forecasts alone", next(errors)),
        Row(f"estimate.{short}.time", _median_ms(lambda: estimate(network, question)), "ms"),
    )


def _judged(
    readings: Readings,
    windows: Sequence[Window],
    told: Callable[[Window, Sequence[Source]], Sequence],
    sources: Sequence[Source],
) -> Score:
    series, truth = [], []
    for window in windows:
        series += told(window, sources)
        first = (window.start_s - readings.start_s) // readings.step_s
        truth += list(readings.value[:, first : first + window.steps])
    return score(series, truth)


def _forecasts(name: str, readings: Readings, model: Source, told: Callable) -> Sequence[Row]:
    days = [MONDAY_S + day * DAY_S for day in range(TRAINED_DAYS, TRAINED_DAYS + JUDGED_DAYS - 1)]
    asked = {
        "hour": [real_time(day + hour * 3600) for day in days for hour in (8, 13, 16, 19, 22)],
        "day_ahead": [day_ahead(day + 15 * 3600, day + DAY_S) for day in days],
    }
    rows = []
    for horizon, windows in asked.items():
        ours, naive = (_judged(readings, windows, told, [source]) for source in (model, SeasonalNaive()))
        rows.append(duration(f"{name}.{horizon}.nmae", ours.nmae, "", "seasonal naive", naive.nmae))
        rows.append(Row(f"{name}.{horizon}.coverage", 100 * ours.coverage, "%"))
    one = asked["day_ahead"][0]
    rows.append(Row(f"{name}.day_ahead.time", _median_ms(lambda: told(one, [model])) / len(readings.ids), "ms"))
    return rows


def _load() -> Sequence[Row]:
    readings = households(20, TRAINED_DAYS + JUDGED_DAYS)
    began = time.perf_counter()
    model = fit(known(readings, MONDAY_S + TRAINED_DAYS * DAY_S), Plan())
    taken = time.perf_counter() - began
    rows = _forecasts("forecast.load", readings, model, lambda window, sources: forecast(readings, window, sources))
    return (*rows, Row("forecast.load.training", taken, "s"))


def _photovoltaic() -> Sequence[Row]:
    days = TRAINED_DAYS + JUDGED_DAYS
    clear = clear_sky_power_w(PANELS, MONDAY_S + 300 * np.arange(days * 288), 300)
    readings = Readings(tuple(f"pv{n}" for n in range(8)), MONDAY_S, 300, cloudiness(8, days) * clear)
    panels = [PANELS] * len(readings.ids)
    model = fit(clear_sky_share(known(readings, MONDAY_S + TRAINED_DAYS * DAY_S), panels), Plan())

    def told(window: Window, sources: Sequence[Source]) -> Sequence:
        return forecast_photovoltaic(readings, panels, window, sources)

    return _forecasts("forecast.photovoltaic", readings, model, told)


BENCHMARKS = (
    Benchmark("estimate.eulv", _european_lv),
    Benchmark("estimate.ieee123", lambda: _beside_forecasts("ieee123", 1.0, 0.2)),
    Benchmark("estimate.ieee8500", lambda: _beside_forecasts("ieee8500_unbalanced", 0.5, 0.1)),
    Benchmark("forecast.load", _load),
    Benchmark("forecast.photovoltaic", _photovoltaic),
)
