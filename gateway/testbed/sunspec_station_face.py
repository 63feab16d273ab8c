"""Registers of a simulated SunSpec meter or string box without I/O: measured values at points of its models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, log10
from re import findall
from typing import Final

from protocols.modbus.codec import OutOfRangeError
from protocols.modbus.sunspec import IllegalAddressError, ModelImage
from protocols.points import Point

_FULL_SCALE: Final = 32_000
_FINEST: Final = -3
_COUNTED: Final[Mapping[int, str]] = {160: "N", 714: "NPrt"}
"""The points that say how many strings a model has."""


@dataclass(frozen=True, slots=True)
class ServedPoint:
    """A measured point and the model's point that tells it."""

    point: Point
    model_id: int
    name: str
    scale: float = 1.0
    """The model's value is the point's divided by it."""


class SunSpecStationFace:
    """Serves the points that `measure` tells; scale factors follow the values, as those of some devices do."""

    def __init__(self, served: Sequence[ServedPoint], measure: Callable[[Point], float]) -> None:
        """`measure` gives a point's value in its unit, NaN where there is none."""
        self._served = served
        self._measure = measure
        models = tuple(sorted({one.model_id for one in served}))
        self._image = ModelImage((1, *models), counts=_counts(served))
        self._image.set("1.Mn", "Ampacity")
        self._image.set("1.Md", "simulated meter")
        self.base, self.size = self._image.base, len(self._image.registers)
        if 160 in models:
            self._image.set("160.N", _counts(served).get("N", 0))

    def read(self, address: int, count: int) -> list[int]:
        """What a client gets now.

        Raises:
            IllegalAddressError: part of it is outside of the map.
        """
        self._refresh()
        return self._image.read(address, count)

    def write(self, address: int, values: Sequence[int]) -> None:
        """Refuse.

        Raises:
            IllegalAddressError: always.
        """
        raise IllegalAddressError(f"{len(values)} registers at {address} are read-only")

    def _refresh(self) -> None:
        values = {f"{one.model_id}.{one.name}": self._measure(one.point) / one.scale for one in self._served}
        largest: dict[str, float] = {}
        for name, value in values.items():
            factor = self._factor(name)
            if factor is not None and isfinite(value):
                largest[factor] = max(largest.get(factor, 0.0), abs(value))
        for factor, value in largest.items():
            self._image.set(factor, max(_FINEST, ceil(log10(value / _FULL_SCALE)) if value else _FINEST))
        for name, value in values.items():
            try:
                self._image.set(name, value if isfinite(value) else None)
            except OutOfRangeError:
                self._image.set(name, None)

    def _factor(self, name: str) -> str | None:
        model_id, _, path = name.partition(".")
        scale = self._image.models[int(model_id)].points[path].scale
        return f"{model_id}.{scale}" if isinstance(scale, str) else None


def _counts(served: Sequence[ServedPoint]) -> dict[str, int]:
    """How often each group of the models has to repeat for the points in it."""
    counts: dict[str, int] = {}
    for one in served:
        for group, index in findall(r"(\w+)\[(\d+)\]", one.name):
            for key in {group, _COUNTED.get(one.model_id, group)}:
                counts[key] = max(counts.get(key, 0), int(index) + 1)
    return counts
