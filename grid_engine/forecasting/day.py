"""A day of a zone's customers: what each kind of them may be expected to draw or inject, and how one day turned out.

Expected power is a share of size by kind and time of day, as a utility's load shapes are. How a day turned out is
drawn from a seed, member by member. Powers have the sign of whoever the member is: a load's consumption, a
unit's or a resource's injection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from grid_engine.model import FloatArray

DAY_S = 86_400
_MINUTE_S = 60
_MINUTES = DAY_S // _MINUTE_S


class Variation(StrEnum):
    """How members of one kind differ from what is expected of them."""

    STEADY = "steady"
    """Not at all."""
    DIVERSE = "diverse"
    """Each by a factor of its own that wanders; `spread` is its standard deviation, of the logarithm."""
    CLOUDY = "cloudy"
    """All together, a few minutes apart, under passing clouds; `spread` is the part that a thick one takes."""
    SESSIONS = "sessions"
    """Each at full size or not at all, at times as likely as expected; `spread` is the hours of one session."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What the members of one kind have in common."""

    share: FloatArray
    """Shape (n_step,): of size, mean over each step from midnight on."""
    variation: Variation
    spread: float


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """All members, each of one kind and of its own size."""

    step_s: int
    """A whole number of steps makes a day."""
    kinds: Mapping[str, Kind]
    ids: tuple[str, ...]
    """Loads and units of the network; each once."""
    kind: tuple[str, ...]
    """By member, in `kinds`."""
    size_w: FloatArray


def expected_share(kind: Kind, step_s: int, time_s: FloatArray) -> FloatArray:
    """Share of size at seconds after midnight, between the middles of the steps on a straight line."""
    middles = (np.arange(len(kind.share), dtype=np.float64) + 0.5) * step_s
    return np.asarray(np.interp(time_s, middles, kind.share, period=DAY_S), dtype=np.float64)


def turned_out(day: Day, rng: np.random.Generator) -> FloatArray:
    """One day as it was, shape (n_member, 1440): W in each minute from midnight on."""
    clouds = _clouds(rng)
    result = np.empty((len(day.ids), _MINUTES))
    minutes = (np.arange(_MINUTES, dtype=np.float64) + 0.5) * _MINUTE_S
    expected = {name: expected_share(kind, day.step_s, minutes) for name, kind in day.kinds.items()}
    for n, name in enumerate(day.kind):
        kind = day.kinds[name]
        match kind.variation:
            case Variation.STEADY:
                share = expected[name]
            case Variation.DIVERSE:
                share = expected[name] * np.exp(kind.spread * _wandering(rng, 30.0) - kind.spread**2 / 2)
            case Variation.CLOUDY:
                share = expected[name] * (1 - kind.spread * np.roll(clouds, int(rng.integers(0, 6))))
            case Variation.SESSIONS:
                share = _sessions(rng, expected[name], kind.spread)
        result[n] = day.size_w[n] * share
    return result


def _wandering(rng: np.random.Generator, memory_min: float) -> FloatArray:
    """Shape (1440,): a stationary Ornstein-Uhlenbeck process with mean 0 and variance 1."""
    keep = np.exp(-1 / memory_min)
    steps = rng.standard_normal(_MINUTES) * np.sqrt(1 - keep**2)
    result = np.empty(_MINUTES)
    value = float(rng.standard_normal())
    for minute in range(_MINUTES):
        value = keep * value + steps[minute]
        result[minute] = value
    return result


def _clouds(rng: np.random.Generator) -> FloatArray:
    """Shape (1440,): 0 under a clear sky, 1 under a thick cloud; clear for about three quarters of the time.

    A cloud takes minutes to come, hence the running mean.
    """
    wandering = _wandering(rng, 15.0)
    running = sum(np.roll(wandering, shift) for shift in range(-4, 5)) / 9
    return np.asarray(np.clip((running - 0.6) / 0.5, 0.0, 1.0))


def _sessions(rng: np.random.Generator, expected: FloatArray, hours: float) -> FloatArray:
    """Shape (1440,): 1 while a session runs; their mean over many members is about what is expected.

    Sessions come as a Poisson process, so that a share p of the time is in at least one of them where they come
    at -log(1 - p) per length of a session.
    """
    length = max(1, round(60 * hours))
    rate = -np.log1p(-np.clip(expected, 0.0, 0.99)) / length
    result = np.zeros(_MINUTES)
    for _ in range(int(rng.poisson(rate.sum()))):
        middle = int(rng.choice(_MINUTES, p=rate / rate.sum()))
        result[(middle - length // 2 + np.arange(length)) % _MINUTES] = 1.0
    return result
