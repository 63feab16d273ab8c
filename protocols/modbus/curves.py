"""Curves of the 700 series without I/O: volt-var, volt-watt, trips, frequency droop and watt-var.

A device shows the curve in force as its first one, which cannot be written. Another one is filled, offered by its
number, and adopted or turned down by the device; only then is the first one a copy of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise
from typing import Final

from protocols.modbus.models import SunSpecError
from protocols.modbus.sunspec import Model, Reading

READ_ONLY: Final = 1
TRIPS: Final = frozenset((707, 708, 709, 710))
"""Curves of these have three parts, and a reversion timer of none."""


class Adoption(IntEnum):
    """AdptCrvRslt and AdptCtlRslt: what became of the curve that was offered."""

    IN_PROGRESS = 0
    COMPLETED = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class Shape:
    """How a model names the parts of its curves."""

    group: str
    """Of one curve or control setting."""
    axes: tuple[str, str] | None
    """Points on the curve; `None` where the model has settings in place of a curve."""
    increasing: bool = True
    """Whether the first axis may not go back."""
    request: str = "AdptCrvReq"
    result: str = "AdptCrvRslt"
    count: str = "NCrv"
    reverts_to: str = "RvrtCrv"


_TRIP_VOLTAGE: Final = Shape("Crv", ("V", "Tms"), increasing=False, count="NCrvSet")
_TRIP_FREQUENCY: Final = Shape("Crv", ("Hz", "Tms"), increasing=False, count="NCrvSet")
SHAPES: Final[Mapping[int, Shape]] = {
    705: Shape("Crv", ("V", "Var")),
    706: Shape("Crv", ("V", "W")),
    707: _TRIP_VOLTAGE,
    708: _TRIP_VOLTAGE,
    709: _TRIP_FREQUENCY,
    710: _TRIP_FREQUENCY,
    711: Shape("Ctl", None, request="AdptCtlReq", result="AdptCtlRslt", count="NCtl", reverts_to="RvrtCtl"),
    712: Shape("Crv", ("W", "Var")),
}
"""By model."""
TRIP_PARTS: Final = ("MustTrip", "MayTrip", "MomCess")


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve or control setting, scaled, in the units of its model."""

    model_id: int
    points: Sequence[tuple[float, float]] = ()
    settings: Mapping[str, float] = field(default_factory=dict)
    """Further values by the names of the model, such as `DeptRef`, `RspTms` or `KOf`."""
    part: str = ""
    """Of a trip model, one of `TRIP_PARTS`."""

    def __post_init__(self) -> None:
        """Raises `SunSpecError` where it could not be meant."""
        shape = SHAPES.get(self.model_id)
        if shape is None:
            raise SunSpecError(f"model {self.model_id} has no curves; those that do are {', '.join(map(str, SHAPES))}")
        if (self.model_id in TRIPS) != bool(self.part) or (self.part and self.part not in TRIP_PARTS):
            raise SunSpecError(f"model {self.model_id}: `{self.part}` is not a part of its curves")
        if bool(self.points) != (shape.axes is not None):
            raise SunSpecError(f"model {self.model_id}: {len(self.points)} points do not make its curve")
        if shape.increasing and any(b[0] < a[0] for a, b in pairwise(self.points)):
            raise SunSpecError(f"model {self.model_id}: the curve goes back in {shape.axes}")


@dataclass(frozen=True, slots=True)
class Offer:
    """What to write so that a device adopts a curve."""

    index: int
    """Of the curve that is filled, counted from 1 as the device does."""
    values: Mapping[str, float]
    """By point of the model."""
    kept: int | None = None
    """Of the curve that holds what was in force before, for the device to return to."""


def offer(curve: Curve, model: Model, reading: Reading, *, keep: bool = False) -> Offer:
    """Fill the last curve that may be written; with `keep`, the one before it takes up what is in force now.

    Raises:
        SunSpecError: the device has no curve left that may be written, or too few points on it.
    """
    shape = SHAPES[curve.model_id]
    slots = int(reading.values.get(shape.count) or 0)
    free = [
        index
        for index in range(1, slots)
        if reading.values.get(f"{shape.group}[{index}].ReadOnly", READ_ONLY) != READ_ONLY
    ]
    if len(free) < 1 + keep:
        raise SunSpecError(f"model {model.model_id}: {1 + keep} writable curves are needed, of {slots} it has {free}")
    values = _named(curve, free[-1])
    missing = [name for name in values if name not in model]
    if missing:
        raise SunSpecError(f"model {model.model_id}: there is no {missing[0]} in this device")
    if not keep:
        return Offer(free[-1] + 1, values)
    return Offer(free[-1] + 1, {**values, **_copied(shape, model, reading, free[-2])}, free[-2] + 1)


def _copied(shape: Shape, model: Model, reading: Reading, index: int) -> dict[str, float]:
    """What is in force now, by the names of the curve at `index`."""
    first, other = f"{shape.group}[0].", f"{shape.group}[{index}]."
    held = {name: value for name, value in reading.values.items() if name.startswith(first) and value is not None}
    return {other + name.removeprefix(first): value for name, value in held.items() if model.points[name].writable}


def in_force(curve: Curve) -> Mapping[str, float]:
    """What the first curve holds once `curve` was adopted."""
    return _named(curve, 0)


def unlike(curve: Curve, reading: Reading) -> dict[str, float | None]:
    """Points of the curve in force that are not those of `curve`, with what they hold."""
    return {
        name: reading.values.get(name)
        for name, wanted in in_force(curve).items()
        if not _is(wanted, reading.values.get(name), reading.exponents.get(name, 0))
    }


def _is(wanted: float, found: float | None, exponent: int) -> bool:
    return found is not None and abs(found - wanted) <= 0.5 * 10.0**exponent


def _named(curve: Curve, index: int) -> dict[str, float]:
    """The values of a curve by the names that they have at `index`, counted from 0."""
    shape = SHAPES[curve.model_id]
    prefix = f"{shape.group}[{index}]."
    values = {f"{prefix}{name}": value for name, value in curve.settings.items()}
    if shape.axes is None:
        return values
    inner = f"{prefix}{curve.part}." if curve.part else prefix
    values[f"{inner}ActPt"] = float(len(curve.points))
    for place, point in enumerate(curve.points):
        for axis, value in zip(shape.axes, point, strict=True):
            values[f"{inner}Pt[{place}].{axis}"] = value
    return values
