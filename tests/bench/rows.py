"""What a benchmark yields."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure; `ratio` is how many times better than the peer we are."""

    name: str
    """What is measured, general to special: `control.latency.p95`."""
    value: float
    unit: str
    peer: str | None = None
    peer_value: float | None = None
    ratio: float | None = None


def duration(name: str, value: float, unit: str, peer: str, peer_value: float) -> Row:
    """A figure that is better when smaller."""
    return Row(name, value, unit, peer, peer_value, peer_value / value)


def rate(name: str, value: float, unit: str, peer: str, peer_value: float) -> Row:
    """A figure that is better when larger."""
    return Row(name, value, unit, peer, peer_value, value / peer_value)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A measurement that yields one or more rows."""

    name: str
    """Common beginning of its rows' names, for `ONLY=`."""
    run: Callable[[], Sequence[Row]]


def percentile(values: Sequence[float], percent: float) -> float:
    """Nearest-rank percentile of at least one value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
