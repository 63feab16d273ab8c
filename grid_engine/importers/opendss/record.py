"""What OpenDSS says of a compiled and solved circuit, as plain values: the edge where its texts become types."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from grid_engine.model import BoolArray, ComplexArray, FloatArray

Place = tuple[str, int]
"""Bus and node number, as OpenDSS writes bus.node; number 0 is the earth."""

_HOLDS_VOLTAGE = 3
"""Model of generators."""


def hangs_free(place: Place) -> bool:
    """Whether it is the end of a single open phase: these have buses of their own, named bus.element."""
    return "." in place[0]


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One element or controller."""

    kind: str
    """Its class, lower case."""
    name: str
    values: Mapping[str, Any]
    """Properties by lower-case name, as the JSON of OpenDSS gives them."""
    given: frozenset[str]
    """Names of those that the files state."""
    enabled: bool
    phases: int
    places: tuple[tuple[Place, ...], ...]
    """Per terminal, per conductor; empty for controllers."""
    opened: BoolArray
    """Shape (n_terminal,): all phases of the terminal are open."""
    admittance: ComplexArray
    """Shape (m, m): conductors of the first terminal, then of the next; empty where out of service."""
    current: ComplexArray
    """Shape (m,): amperes into the element in the solution; empty where out of service."""

    def number(self, key: str) -> float:
        """A property of one number; 0 where it was never said."""
        value = self.values[key]
        return float("nan") if isinstance(value, str) else float(value or 0)

    def numbers(self, key: str) -> FloatArray:
        """A property of several numbers."""
        return np.asarray(self.values[key], dtype=np.float64)

    def matrix(self, key: str) -> FloatArray:
        """A property of a square of numbers, be it of one row."""
        return np.atleast_2d(self.numbers(key))

    def text(self, key: str) -> str:
        """A property of words, lower case; empty where it was never said."""
        return str(self.values[key] or "").lower()

    def texts(self, key: str) -> tuple[str, ...]:
        """A property of several words, lower case."""
        return tuple(str(word).lower() for word in self.values[key] or ())

    def flag(self, key: str) -> bool:
        """A yes or no."""
        return bool(self.values[key])

    @property
    def conductors(self) -> tuple[Place, ...]:
        """Places of the first terminal, then of the next."""
        return tuple(place for terminal in self.places for place in terminal)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.kind} {self.name}"


def holds_voltage(record: Record) -> bool:
    """Whether it is a generator that looks for the reactive power with which its voltage is as told."""
    return record.kind == "generator" and record.number("model") == _HOLDS_VOLTAGE


@dataclass(frozen=True, slots=True)
class Bus:
    """One bus of the circuit."""

    name: str
    base_v: float
    """Between a phase and earth."""
    position: tuple[float, float]
    """Not numbers where unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Circuit:
    """Everything that the readers of single classes need."""

    source: str
    """What the circuit was read from, for errors."""
    frequency_hz: float
    load_multiplier: float
    buses: tuple[Bus, ...]
    records: Mapping[str, tuple[Record, ...]]
    """By class."""
    voltage: Mapping[Place, complex]
    """Volts to earth in the solution."""

    def of(self, *kinds: str) -> Iterator[Record]:
        """Records of these classes, one class after the other."""
        for kind in kinds:
            yield from self.records.get(kind, ())
