"""One learned model of many series: trained on their past, calibrated on what followed, and asked for what comes.

It answers every lead time directly (the lead is a column), against what is usual at that time of day.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from grid_engine.forecasting.conformal import Correction, correction
from grid_engine.forecasting.features import Past, Question, blinded, scales
from grid_engine.forecasting.learner import LearnerMissingError, Trees, learned, predicted
from grid_engine.forecasting.profiles import DAY_S, Readings, fingerprint
from grid_engine.forecasting.words import Method, Model, Window, digest
from grid_engine.model import FloatArray, IntArray

_HOUR_S = 3600
_SOON_S = 2 * _HOUR_S
"""Half of the questions are about what comes within it."""
_NO_MODEL = Model(Method.LEARNED, "none")
_BLINDED = 0.08
"""Share of questions without recent readings, and again without those of earlier days."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is trained; all of it is part of its version."""

    farthest_s: int = 2 * DAY_S
    """Longest lead time that it may be asked for."""
    questions: int = 40_000
    calibrated: float = 0.2
    """Share of the past, the latest, that only calibrates."""
    fewest_days: float = 10.0
    """Shorter pasts are not learned from."""
    day_offset_s: int = 0
    """How far the clock of the days is ahead of UTC."""
    trees: Trees = field(default_factory=Trees)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """A trained model; a plain value that can be kept and sent to another process."""

    model: Model
    plan: Plan
    step_s: int
    trees: tuple[str, ...]
    bands: Correction
    kinds_of_weather: tuple[str, ...] = ()
    """What it was trained with, and must be given."""
    weather: Readings | None = None
    """As given: past and expected, on the same grid."""
    issued_s: int | None = None
    reason: str = "readings of the last week, or the weather that the model knows, are missing"

    def given(self, weather: Readings) -> "Learned":
        """The same, told the weather."""
        return replace(self, weather=weather)

    def quantiles(self, readings: Readings, window: Window) -> FloatArray:
        """Shape (3, n_id, n_step) at the window; not a number where too little is known."""
        n_id, known = readings.value.shape
        shape = (3, n_id, window.steps)
        if not self._usable(readings, window):
            return np.full(shape, np.nan)
        lead = (window.start_s - readings.end_s) // self.step_s + 1 + np.arange(window.steps, dtype=np.int64)
        asked = Question(
            series=np.repeat(np.arange(n_id), window.steps),
            known=np.full(n_id * window.steps, known),
            lead=np.tile(lead, n_id),
        )
        past = Past(readings, scales(readings), self.plan.day_offset_s, self.weather)
        columns, usual = past.columns(asked)
        corrected = self.bands.apply(predicted(self.trees, columns), asked.lead * self.step_s / _HOUR_S)
        return np.asarray((corrected + usual).reshape(shape) * past.scale[:, None])

    def _usable(self, readings: Readings, window: Window) -> bool:
        same_grid = window.step_s == readings.step_s == self.step_s and window.start_s % self.step_s == 0
        ahead_s = window.start_s - readings.end_s
        in_reach = ahead_s >= 0 and ahead_s + window.steps * window.step_s <= self.plan.farthest_s
        told = () if self.weather is None else self.weather.ids
        return same_grid and in_reach and readings.value.shape[1] > 0 and told == self.kinds_of_weather


@dataclass(frozen=True, slots=True)
class NotLearned:
    """There is no model, and why; as a source it never answers."""

    reason: str
    model: Model = _NO_MODEL
    issued_s: int | None = None

    def quantiles(self, readings: Readings, window: Window) -> FloatArray:
        """Shape (3, n_id, n_step), all missing."""
        return np.full((3, len(readings.ids), window.steps), np.nan)


def fit(readings: Readings, plan: Plan, weather: Readings | None = None) -> Learned | NotLearned:
    """A model of `readings`; of fewer than `plan.fewest_days` of them, or without the learner, a reason why not."""
    days = float((~np.isnan(readings.value)).sum(axis=1).max(initial=0)) * readings.step_s / DAY_S
    if days < plan.fewest_days:
        return NotLearned(f"{days:.1f} days of readings, at least {plan.fewest_days:g} are needed")
    rng = np.random.default_rng(plan.trees.seed)
    steps = readings.value.shape[1]
    split = int(steps * (1 - plan.calibrated))
    past = Past(readings, scales(readings), plan.day_offset_s, weather)
    columns, usual, truth, _ = _drawn(past, plan, (0, split), plan.questions, rng)
    blind = rng.random((2, len(columns))) < _BLINDED
    try:
        trees = learned(blinded(columns, *blind), truth - usual, plan.trees)
    except LearnerMissingError as error:
        return NotLearned(str(error))
    columns, usual, truth, lead_h = _drawn(past, plan, (split, steps), plan.questions // 4, rng)
    version = digest(plan, fingerprint(readings), None if weather is None else fingerprint(weather))
    return Learned(
        model=Model(Method.LEARNED, version, readings.start_s, readings.end_s),
        plan=plan,
        step_s=readings.step_s,
        trees=trees,
        bands=correction(predicted(trees, columns) + usual, lead_h, truth),
        kinds_of_weather=() if weather is None else weather.ids,
    )


def _drawn(
    past: Past, plan: Plan, between: tuple[int, int], count: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Columns, what is usual, what came true, and lead in hours, of questions whose answers lie in `between`."""
    step_s = past.readings.step_s
    series = rng.integers(0, len(past.value), count)
    lead = _leads(count, step_s, plan.farthest_s, rng)
    low, high = between
    step = rng.integers(max(low, DAY_S // step_s + 1), high, count)
    lead = np.minimum(lead, step)  # of the few that would have been issued before anything was known
    asked = Question(series, step - lead + 1, lead)
    columns, usual = past.columns(asked)
    truth = past.value[series, step]
    good = ~np.isnan(truth) & ~np.isnan(usual)
    return columns[good], usual[good], truth[good], lead[good] * step_s / _HOUR_S


def _leads(count: int, step_s: int, farthest_s: int, rng: np.random.Generator) -> IntArray:
    soon, farthest = max(1, _SOON_S // step_s), max(1, farthest_s // step_s)
    near = rng.integers(1, soon + 1, count)
    far = rng.integers(1, farthest + 1, count)
    return np.where(rng.random(count) < 0.5, near, far)
