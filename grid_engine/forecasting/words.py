"""What a forecast is, as plain values: no numpy, so that anyone may import the words.

Times are UTC epoch seconds, intervals half-open. Powers are watts, one entry per interval. A series says of
what it is by its target alone: consumption counts positive where it is meant for `Study.load_w`, injection
where it is meant for `Participant.held_w`.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from grid_engine.results import Quality


class Method(StrEnum):
    """How values were found."""

    LEARNED = "learned"
    """Gradient-boosted quantile trees with conformal bands."""
    SEASONAL_NAIVE = "seasonal_naive"
    """As at the same time of the last day known."""
    PERSISTENCE = "persistence"
    """As it was last."""
    PROFILE = "profile"
    """As on a typical day."""
    EXTERNAL = "external"
    """As another party says."""
    SCHEDULE = "schedule"
    """As committed."""
    SUM = "sum"
    """Added up from other forecasts."""


@dataclass(frozen=True, slots=True)
class Model:
    """Which model said so."""

    kind: Method
    version: str
    """The same for the same parameters and training data, and for nothing else; or what the source calls it."""
    trained_from_s: int | None = None
    trained_until_s: int | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.version}"


@dataclass(frozen=True, slots=True)
class Window:
    """The intervals that are asked for, and when."""

    issued_s: int
    """Nothing that is later than this may be used."""
    start_s: int
    step_s: int
    steps: int


def real_time(now_s: int, step_s: int = 300, steps: int = 12) -> Window:
    """The intervals that begin next."""
    return Window(now_s, -(-now_s // step_s) * step_s, step_s, steps)


def day_ahead(now_s: int, day_start_s: int, step_s: int = 300) -> Window:
    """The market day that begins at `day_start_s`."""
    return Window(now_s, day_start_s, step_s, 86_400 // step_s)


@dataclass(frozen=True, slots=True)
class ForecastSeries:
    """What was expected of one target."""

    target: str
    issued_s: int
    start_s: int
    step_s: int
    p10_w: tuple[float, ...]
    """Nine times of ten it is more."""
    p50_w: tuple[float, ...]
    p90_w: tuple[float, ...]
    model: Model
    quality: Quality = Quality.GOOD
    """`ESTIMATED` where a method stood in for the one asked for, `STALE` where the source's word is old."""
    detail: str = ""
    """For people: why it is not `GOOD`."""

    @property
    def forecast_id(self) -> str:
        """The same for the same content, and for nothing else."""
        return digest(self)


@dataclass(frozen=True, slots=True)
class NoForecast:
    """Nothing can be said of a target."""

    target: str
    reason: str


def digest(*parts: object) -> str:
    """Sixteen hexadecimal digits of the SHA-256 of values that print what they hold."""
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()[:16]


def issue_id(series: Iterable[ForecastSeries]) -> str:
    """One name for forecasts that are used together, whatever their order."""
    return digest(*sorted(one.forecast_id for one in series))


def total(
    target: str, gains: Sequence[ForecastSeries], losses: Sequence[ForecastSeries] = (), correlation: float = 0.0
) -> ForecastSeries:
    """Sum of `gains` less `losses`, all over the same window: net load is consumption less generation.

    Half-widths of the bands add as those of errors that correlate by `correlation` between any two: 0 adds their
    squares, 1 adds them as they are. What is subtracted swaps its bands.
    """
    parts = [*gains, *losses]
    windows = {(one.start_s, one.step_s, len(one.p50_w)) for one in parts}
    if len(windows) != 1:
        raise ValueError(f"{target}: forecasts to be added must share one window, not {sorted(windows)}")
    middle, below, above = [], [], []
    for at in range(len(parts[0].p50_w)):
        middle.append(sum(one.p50_w[at] for one in gains) - sum(one.p50_w[at] for one in losses))
        down = [(one.p50_w[at] - one.p10_w[at], one.p90_w[at] - one.p50_w[at]) for one in gains]
        down += [(one.p90_w[at] - one.p50_w[at], one.p50_w[at] - one.p10_w[at]) for one in losses]
        below.append(middle[at] - _together([width for width, _ in down], correlation))
        above.append(middle[at] + _together([width for _, width in down], correlation))
    worst = max(parts, key=lambda one: _RANK.index(one.quality))
    return ForecastSeries(
        target=target,
        issued_s=min(one.issued_s for one in parts),
        start_s=parts[0].start_s,
        step_s=parts[0].step_s,
        p10_w=tuple(below),
        p50_w=tuple(middle),
        p90_w=tuple(above),
        model=Model(Method.SUM, issue_id(parts)),
        quality=worst.quality,
        detail=f"{worst.target}: {worst.detail}" if worst.detail else "",
    )


_RANK = (Quality.GOOD, Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.STALE, Quality.BAD)


def _together(widths: Sequence[float], correlation: float) -> float:
    apart, joined = sum(width**2 for width in widths), sum(widths) ** 2
    return math.sqrt((1 - correlation) * apart + correlation * joined)
