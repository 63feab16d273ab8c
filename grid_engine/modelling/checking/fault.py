"""One fault of a network as a value: what is wrong, where, and what to do about it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grid_engine.model import BoolArray


class FaultKind(StrEnum):
    """What is wrong."""

    WRONG_SHAPE = "wrong shape"
    """A table whose columns do not fit each other."""
    DUPLICATE_ID = "id used twice"
    UNKNOWN_NODE = "unknown node"
    UNKNOWN_ELEMENT = "unknown element"
    NOT_A_NUMBER = "not a number"
    OUT_OF_RANGE = "out of range"
    """A rating, a rated quantity or a setting that cannot be so, such as a negative one."""
    ZERO_IMPEDANCE = "no impedance"
    NEGATIVE_REACTANCE = "negative reactance"
    NOT_SYMMETRIC = "not symmetric"
    NOT_PASSIVE = "not passive"
    """An element that would feed power into the network by itself."""
    TAP_RANGE = "tap out of range"
    LOAD_LAW = "law of voltage"
    CURVE = "curve"
    NO_SOURCE = "no source"
    ISLAND = "island"
    MISSING_PHASE = "missing phase"
    """Something stands on a conductor that is not there, or that nothing feeds."""
    UNEARTHED = "not earthed"
    """A section whose voltage to earth nothing fixes."""
    VOLTAGE_LEVELS = "voltage levels"
    TRANSFORMER_RATIO = "transformer ratio"
    UNITS = "units"
    """A number that looks like another unit's, such as kilovolts in the place of volts."""
    CONTROL = "control"
    """A controller whose settings contradict each other or what it controls."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one element."""

    kind: FaultKind
    table: str
    """What people call the element, such as `line`."""
    id: str
    what: str
    """With the numbers."""
    remedy: str

    def __str__(self) -> str:
        """For people."""
        return f"{self.table} {self.id}: {self.what}; {self.remedy}"


WORDS: Mapping[str, str] = MappingProxyType(
    {
        "buses": "bus",
        "lines": "line",
        "transformers": "transformer",
        "sequence_transformers": "transformer",
        "shunts": "shunt",
        "loads": "load",
        "units": "unit",
        "regulators": "regulator",
        "capacitor_controls": "capacitor control",
        "switches": "switch",
        "sources": "source",
    }
)
"""By table of the network, what people call one of its elements."""


@dataclass(frozen=True, slots=True)
class Finder:
    """Makes faults of one table."""

    table: str
    """Of the network."""
    ids: tuple[str, ...]

    def where(self, bad: BoolArray, kind: FaultKind, what: str | Callable[[int], str], remedy: str) -> Iterator[Fault]:
        """One fault per entry that is bad anywhere; `what` may be a function of its position."""
        for n in np.flatnonzero(anywhere(bad)).tolist():
            told = what if isinstance(what, str) else what(n)
            yield Fault(kind, WORDS.get(self.table, self.table), self.ids[n], told, remedy)


def anywhere(bad: NDArray[np.bool_]) -> BoolArray:
    """Shape (n,): whether it holds anywhere in each entry."""
    return np.asarray(bad.any(axis=tuple(range(1, bad.ndim))))


def finder(network: Any, table: str) -> Finder:  # noqa: ANN401 - any table of the network by its name
    """For one table of the network."""
    return Finder(table, getattr(network, table).ids)


def first(values: NDArray[Any], bad: BoolArray) -> str:
    """The first bad value of an entry, for people."""
    found = values[bad] if np.ndim(values) else values
    return f"{np.ravel(found)[0]:g}"
