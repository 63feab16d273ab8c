"""Non-delivery: how surely units that may each fail cover a need together, and the cheapest that do.

A unit delivers all of its power with a probability, or nothing, independently of the others. Up to
`EXACT_UNITS` the distribution is exact; beyond, it is sampled with the caller's random numbers or, without
any, the normal one of the same mean and variance.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from math import ceil, erf, inf, isfinite, sqrt
from typing import Protocol

EXACT_UNITS = 20
_SAMPLES = 10_000
_BINS = 200
_NODES = 20_000
_ROUNDING = 1e-9


class Draws(Protocol):
    """A source of random numbers, such as `random.Random`."""

    def random(self) -> float:
        """The next one, from 0 to 1."""
        ...


class Method(StrEnum):
    """Where a probability comes from."""

    EXACT = "exact"
    SAMPLED = "sampled"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that was offered, and may fail."""

    unit_id: str
    power_w: float
    """At the place of the need, positive."""
    availability: float
    """Probability that it delivers."""
    cost: float = 0.0
    """Of taking it."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Probability that a need is covered."""

    probability: float
    method: Method


@dataclass(frozen=True, slots=True)
class Cover:
    """Units chosen for a need."""

    units: tuple[Unit, ...]
    """All of them, where not even these are sure enough."""
    chance: Chance
    cost: float
    enough: bool
    """Whether the probability is what was asked."""
    proven: bool
    """Whether nothing cheaper is enough; not so where there were too many units to look at everything."""


def availability(delivered: int, asked: int) -> float:
    """Probability of delivery from history: mean of the Beta posterior under Jeffreys' prior."""
    if not 0 <= delivered <= asked:
        raise ValueError(f"availability: {delivered} of {asked} deliveries")
    return (delivered + 0.5) / (asked + 1)


def chance(units: Sequence[Unit], need_w: float, draws: Draws | None = None) -> Chance:
    """Probability that `units` deliver `need_w` together."""
    _check(units, need_w)
    if len(units) <= EXACT_UNITS:
        return Chance(_exact(units, need_w), Method.EXACT)
    if draws is None:
        return Chance(_normal(units, need_w), Method.NORMAL)
    hits = sum(
        sum(unit.power_w for unit in units if draws.random() < unit.availability) >= need_w * (1 - _ROUNDING)
        for _ in range(_SAMPLES)
    )
    return Chance(hits / _SAMPLES, Method.SAMPLED)


def cover(units: Sequence[Unit], need_w: float, alpha: float = 0.95, draws: Draws | None = None) -> Cover:
    """The cheapest of `units` that deliver `need_w` with a probability of at least `alpha`."""
    if not 0 < alpha < 1:
        raise ValueError(f"cover: a probability of {alpha}")
    whole = chance(units, need_w, draws)
    if whole.probability < alpha:
        return Cover(tuple(units), whole, sum(unit.cost for unit in units), enough=False, proven=True)
    greedy = _thinned(units, need_w, alpha, draws)
    if len(units) > EXACT_UNITS:
        return _cover(greedy, need_w, draws, proven=False)
    search = _Search(units, need_w, alpha, greedy)
    return _cover(search.best(), need_w, draws, proven=search.nodes < _NODES)


def _cover(units: Sequence[Unit], need_w: float, draws: Draws | None, *, proven: bool) -> Cover:
    total = sum(unit.cost for unit in units)
    return Cover(tuple(units), chance(units, need_w, draws), total, enough=True, proven=proven)


def _check(units: Sequence[Unit], need_w: float) -> None:
    if not isfinite(need_w):
        raise ValueError(f"a need of {need_w} W")
    for unit in units:
        sound = isfinite(unit.power_w) and unit.power_w > 0 and isfinite(unit.cost) and unit.cost >= 0
        if not sound or not 0 <= unit.availability <= 1:
            raise ValueError(f"{unit.unit_id}: {unit.power_w} W at {unit.availability}, cost {unit.cost}")


def _exact(units: Sequence[Unit], need_w: float) -> float:
    """Every outcome of one half of the units against all outcomes of the other half."""
    middle = len(units) // 2
    one, other = (_outcomes(half) for half in (units[:middle], units[middle:]))
    other.sort()
    powers = [power for power, _ in other]
    surely = [*accumulate((p for _, p in reversed(other)), initial=0.0)][::-1]
    least = need_w * (1 - _ROUNDING) if need_w > 0 else -inf
    return sum(p * surely[bisect_left(powers, least - power)] for power, p in one)


def _outcomes(units: Sequence[Unit]) -> list[tuple[float, float]]:
    """Power and probability of every combination of units that deliver."""
    result = [(0.0, 1.0)]
    for unit in units:
        with_it = [(power + unit.power_w, p * unit.availability) for power, p in result]
        result = [(power, p * (1 - unit.availability)) for power, p in result] + with_it
    return result


def _normal(units: Sequence[Unit], need_w: float) -> float:
    mean = sum(unit.power_w * unit.availability for unit in units)
    variance = sum(unit.power_w**2 * unit.availability * (1 - unit.availability) for unit in units)
    if variance <= 0:
        return float(mean >= need_w * (1 - _ROUNDING))
    return (1 + erf((mean - need_w) / sqrt(2 * variance))) / 2


def _thinned(units: Sequence[Unit], need_w: float, alpha: float, draws: Draws | None) -> list[Unit]:
    """Units by merit until they are enough, then without those that are not missed, the dearest first."""
    waiting = sorted(units, key=lambda unit: unit.cost / max(unit.power_w * unit.availability, _ROUNDING))
    chosen: list[Unit] = []
    while waiting and chance(chosen, need_w).probability < alpha:
        chosen.append(waiting.pop(0))
    for unit in sorted(chosen, key=lambda unit: -unit.cost):
        rest = [other for other in chosen if other is not unit]
        if chance(rest, need_w).probability >= alpha:
            chosen = rest
    while waiting and chance(chosen, need_w, draws).probability < alpha:
        chosen.append(waiting.pop(0))
    return chosen


class _Search:
    """Depth-first search over subsets, the cheaper units first.

    Where all units that are left would not be enough together, even with powers rounded up to `_BINS` steps
    of the need, or would cost more than the best so far, a branch ends.
    """

    def __init__(self, units: Sequence[Unit], need_w: float, alpha: float, start: Sequence[Unit]) -> None:
        self._units = sorted(units, key=lambda unit: (unit.cost, -unit.power_w, -unit.availability))
        self._need_w, self._alpha = need_w, alpha
        self._best, self._least = list(start), sum(unit.cost for unit in start)
        self._bins = [min(ceil(unit.power_w / need_w * _BINS), _BINS) if need_w > 0 else 0 for unit in self._units]
        nothing = [1.0] + [0.0] * _BINS
        self._rest = [nothing]
        for unit, bins in zip(reversed(self._units), reversed(self._bins), strict=True):
            self._rest.insert(0, _joined(self._rest[0], bins, unit.availability))
        ratios = [unit.cost / unit.power_w for unit in self._units]
        self._cheapest = [min(ratios[k:], default=inf) for k in range(len(ratios) + 1)]
        self.nodes = 0

    def best(self) -> list[Unit]:
        """The cheapest subset that is enough, as far as `_NODES` branches show."""
        self._walk(0, [], 0.0, [1.0] + [0.0] * _BINS)
        return self._best

    def _walk(self, at: int, chosen: list[Unit], cost: float, reached: list[float]) -> None:
        self.nodes += 1
        if self.nodes >= _NODES or cost >= self._least - _ROUNDING:
            return
        if reached[_BINS] >= self._alpha - _ROUNDING and _exact(chosen, self._need_w) >= self._alpha:
            self._best, self._least = chosen, cost
            return
        missing_w = max(self._need_w - sum(unit.power_w for unit in chosen), 0.0)
        dear = missing_w > 0 and cost + missing_w * self._cheapest[at] >= self._least - _ROUNDING
        if at == len(self._units) or dear or _both(reached, self._rest[at]) < self._alpha - _ROUNDING:
            return
        unit = self._units[at]
        with_it = _joined(reached, self._bins[at], unit.availability)
        self._walk(at + 1, [*chosen, unit], cost + unit.cost, with_it)
        alike = (unit.power_w, unit.availability, unit.cost)
        after = at + 1
        while after < len(self._units) and alike == _kind(self._units[after]):
            after += 1
        self._walk(after, chosen, cost, reached)


def _kind(unit: Unit) -> tuple[float, float, float]:
    return unit.power_w, unit.availability, unit.cost


def _joined(reached: list[float], bins: int, availability: float) -> list[float]:
    """The distribution with one more unit; the last bin holds all that is enough."""
    result = [p * (1 - availability) for p in reached]
    for k, p in enumerate(reached):
        result[min(k + bins, _BINS)] += p * availability
    return result


def _both(one: list[float], other: list[float]) -> float:
    """Probability that two distributions are enough together."""
    surely = [*accumulate(reversed(other))]
    return sum(p * surely[k] for k, p in enumerate(one))
