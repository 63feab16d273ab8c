"""SunSpec information models as tables, read from the JSON definitions that the pysunspec2 package ships.

Only its data files are used, never its client.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

NO_COUNTS: Mapping[str, int] = MappingProxyType({})


class SunSpecError(Exception):
    """A SunSpec map, model or value is not what it has to be."""


class UnknownModelError(SunSpecError):
    """No definition exists for this model id."""


@dataclass(frozen=True, slots=True)
class PointDefinition:
    """One point as its model defines it."""

    name: str
    type: str
    """The type's SunSpec name, for example `uint16` or `sunssf`."""
    size: int
    """Registers."""
    scale: str | int | None
    """Name of the scale factor point, or a constant exponent."""
    writable: bool


@dataclass(frozen=True, slots=True)
class GroupDefinition:
    """Points that belong together, and the groups nested behind them."""

    name: str
    count: int | str | None
    """`None`: once. A name: as often as that point says. 0: as often as the model's length allows."""
    points: tuple[PointDefinition, ...]
    groups: tuple["GroupDefinition", ...]

    @property
    def size(self) -> int:
        """Registers of one repetition, without nested groups that repeat."""
        return sum(point.size for point in self.points) + sum(g.size for g in self.groups if g.count is None)


@dataclass(frozen=True, slots=True)
class Placed:
    """A point at its place in one model of one device."""

    name: str
    """Path inside the model: `WMaxLimPct`, `PFWInj.PF` or, in a repeating group, `Crv[0].Pt[1].V`."""
    type: str
    offset: int
    """Registers from the model's ID point."""
    size: int
    scale: str | int | None
    """Path of the scale factor point, or a constant exponent."""
    writable: bool

    @property
    def end(self) -> int:
        """Offset of the first register behind the point."""
        return self.offset + self.size


@cache
def definition(model_id: int) -> GroupDefinition:
    """The definition of one model.

    Raises:
        UnknownModelError: the package has no model of this id.
    """
    file = files("sunspec2") / "models" / "json" / f"model_{model_id}.json"
    if not file.is_file():
        raise UnknownModelError(f"there is no definition of SunSpec model {model_id}")
    return _group(json.loads(file.read_text(encoding="utf-8"))["group"])


@cache
def known_models() -> tuple[int, ...]:
    """Ids of all models that have a definition."""
    names = (file.name for file in (files("sunspec2") / "models" / "json").iterdir())
    return tuple(sorted(int(name[6:-5]) for name in names if name.startswith("model_")))


def layout(model_id: int, length: int | None = None, counts: Mapping[str, int] = NO_COUNTS) -> tuple[Placed, ...]:
    """Place every point of a model.

    Args:
        model_id: the model.
        length: what the device's L point says: points behind it do not exist there, and a group that
            repeats to the end of the model does so up to here.
        counts: values of the points that say how often a group repeats, by their names; 0 where absent. Without
            `length`, a group that repeats to the end is counted by its own name.
    """
    group = definition(model_id)
    room = None if length is None else length + 2
    placed = tuple(_place(group, "", 0, (), _Repeats(room, counts)))
    return placed if room is None else tuple(point for point in placed if point.end <= room)


def count_points(model_id: int) -> frozenset[str]:
    """Names of the points that say how often a group of this model repeats."""
    return frozenset(_count_points(definition(model_id)))


def _count_points(group: GroupDefinition) -> Iterator[str]:
    for inner in group.groups:
        if isinstance(inner.count, str):
            yield inner.count
        yield from _count_points(inner)


def _group(data: Mapping[str, Any]) -> GroupDefinition:
    return GroupDefinition(
        name=str(data["name"]),
        count=data.get("count"),
        points=tuple(_point(point) for point in data.get("points", ())),
        groups=tuple(_group(group) for group in data.get("groups", ())),
    )


def _point(data: Mapping[str, Any]) -> PointDefinition:
    return PointDefinition(
        name=str(data["name"]),
        type=str(data["type"]),
        size=int(data["size"]),
        scale=data.get("sf"),
        writable=data.get("access") == "RW",
    )


@dataclass(frozen=True, slots=True)
class _Repeats:
    """How often groups repeat in one device."""

    room: int | None
    counts: Mapping[str, int]

    def of(self, group: GroupDefinition, offset: int) -> int:
        match group.count:
            case None:
                return 1
            case str(name):
                return self.counts.get(name, 0)
            case 0:
                if self.room is None:
                    return self.counts.get(group.name, 0)
                return max(0, self.room - offset) // group.size
            case int(times):
                return times


def _place(
    group: GroupDefinition,
    prefix: str,
    offset: int,
    scopes: tuple[Mapping[str, str], ...],
    repeats: _Repeats,
) -> Iterator[Placed]:
    scopes = (*scopes, {point.name: prefix + point.name for point in group.points})
    for point in group.points:
        yield Placed(prefix + point.name, point.type, offset, point.size, _resolve(point.scale, scopes), point.writable)
        offset += point.size
    for inner in group.groups:
        for index in range(repeats.of(inner, offset)):
            if repeats.room is not None and offset >= repeats.room:
                return  # whatever a device says about how often it repeats, its model ends here
            path = f"{prefix}{inner.name}" + ("." if inner.count is None else f"[{index}].")
            for placed in _place(inner, path, offset, scopes, repeats):
                yield placed
                offset = placed.end


def _resolve(scale: str | int | None, scopes: tuple[Mapping[str, str], ...]) -> str | int | None:
    """The nearest scale factor of that name, looking outward."""
    if not isinstance(scale, str):
        return scale
    return next((scope[scale] for scope in reversed(scopes) if scale in scope), None)
