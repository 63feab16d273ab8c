"""How good forecasts were, once the truth is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.forecasting.words import ForecastSeries
from grid_engine.model import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Score:
    """Over all intervals whose truth was read."""

    intervals: int
    nmae: float
    """Mean absolute error of P50 over the mean magnitude of the truth."""
    mape_pct: float
    """Mean of absolute error over truth, of the intervals where the truth is more than 1 % of its mean magnitude."""
    coverage: float
    """Share of truths within P10 to P90; 0.8 is meant."""
    pinball: float
    """Mean quantile loss of the three levels over the mean magnitude of the truth."""


def score(series: Sequence[ForecastSeries], truth_w: Sequence[Sequence[float]]) -> Score:
    """Of one or more forecasts, and what came true in each of their intervals; not a number where that was not read."""
    truth = np.concatenate([np.asarray(values, dtype=np.float64) for values in truth_w])
    levels = np.stack([np.concatenate([getattr(one, name) for one in series]) for name in ("p10_w", "p50_w", "p90_w")])
    read = np.isfinite(truth)
    truth, levels = truth[read], levels[:, read]
    size, error = _mean(np.abs(truth)), np.abs(levels[1] - truth)
    large = np.abs(truth) > 0.01 * size
    over = truth - levels
    alpha = np.array([[0.1], [0.5], [0.9]])
    return Score(
        intervals=len(truth),
        nmae=_over(_mean(error), size),
        mape_pct=100 * _mean(error[large] / np.abs(truth[large])),
        coverage=_mean((truth >= levels[0]) & (truth <= levels[2])),
        pinball=_over(_mean(np.maximum(alpha * over, (alpha - 1) * over)), size),
    )


def _mean(values: FloatArray | BoolArray) -> float:
    return float(np.mean(values)) if values.size else math.nan


def _over(value: float, size: float) -> float:
    return value / size if size else math.nan
