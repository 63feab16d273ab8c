"""One field of one element, from parsed JSON into its place in an array of the model."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from numpy.typing import NDArray

from grid_engine.model import ABSENT, EARTH
from grid_engine.modelling.document import EARTH_NAME, SWITCHED, Field, Leaf

Parse: TypeAlias = Callable[[object], complex]
"""One value; whole numbers and flags are numbers too."""
_Array: TypeAlias = NDArray[Any]

_LETTER_NAMES = {"k": "conductor", "s": "node", "w": "winding", "p": "phase", "b": "branch or phase"}
_WHOLE_LIMIT = 2**53


class MisfitError(Exception):
    """A value is not what its field takes; the message goes behind the name of the field."""


@dataclass(slots=True)
class Names:
    """What can be named in a document."""

    nodes: dict[str, int] = field(default_factory=lambda: {EARTH_NAME: EARTH})
    positions: dict[str, dict[str, int]] = field(default_factory=dict)
    """By table and id."""
    curves: int = 0


@dataclass(frozen=True, slots=True)
class Slot:
    """One field of one element."""

    spec: Field
    own: Mapping[str, int]
    """The element's own size per letter of `SIZE_LIMITS`."""
    parse: Parse
    """Of one value."""

    def place(self, values: _Array, n: int, raw: object) -> None:
        """Put what `raw` says into entry `n`, which holds what is absent or zero already.

        Raises:
            MisfitError: it is not what the field takes.
        """
        if self.spec.dims:
            self._fill(values[n], raw, self.spec.dims)
        else:
            values[n] = self.parse(raw)

    def _fill(self, target: _Array, raw: object, dims: tuple[int | str, ...]) -> None:
        if raw is None and self.spec.leaf is Leaf.NODE and len(dims) < len(self.spec.dims):
            return
        rows = listed(raw)
        _fit_length(len(rows), len(target), dims[0], self.own)
        if self.spec.is_matrix:
            _fill_matrix(target, rows, self.parse)
            return
        for i, row in enumerate(rows):
            if len(dims) > 1:
                self._fill(target[i], row, dims[1:])
            else:
                target[i] = self.parse(row)


def slot(spec: Field, own: Mapping[str, int], names: Names, entry: Mapping[str, object]) -> Slot:
    """Where a field of `entry` goes; its other fields may say what an id is of."""
    if spec.leaf is Leaf.ELEMENT:
        table = spec.of if spec.of in names.positions else SWITCHED.get(str(entry.get(spec.of)), "")
        positions = names.positions.get(table, {})
        return Slot(spec, own, lambda raw: _element(raw, table, positions, optional=not spec.required))
    parse: Mapping[Leaf, Parse] = {
        Leaf.NUMBER: lambda raw: number(raw, spec.null),
        Leaf.COMPLEX: _complex,
        Leaf.WHOLE: _whole,
        Leaf.FLAG: _flag,
        Leaf.NODE: lambda raw: _node(raw, names.nodes),
        Leaf.CHOICE: lambda raw: _choice(raw, spec.choices),
        Leaf.CURVE: lambda raw: _curve(raw, names.curves),
    }
    return Slot(spec, own, parse[spec.leaf])


def _fit_length(found: int, room: int, dim: int | str, own: Mapping[str, int]) -> None:
    if isinstance(dim, int):
        if found != dim:
            raise MisfitError(f"needs {dim} values, there are {found}")
    elif dim in own:
        if found != own[dim]:
            raise MisfitError(f"needs {own[dim]} values, one per {_LETTER_NAMES[dim]}, there are {found}")
    elif found > room:
        raise MisfitError(f"has room for {room} values, one per {_LETTER_NAMES[dim]}, there are {found}")


def _fill_matrix(target: _Array, raw_rows: list[object], parse: Parse) -> None:
    rows = [listed(row) for row in raw_rows]
    size = len(rows)
    triangle = [len(row) for row in rows] == list(range(1, size + 1))
    if not triangle and any(len(row) != size for row in rows):
        raise MisfitError(f"needs {size} rows of {size} values, or of 1 to {size} as a lower triangle")
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            target[i, j] = parse(value)
            if triangle:
                target[j, i] = target[i, j]


def listed(raw: object) -> list[object]:
    """`raw` if it is a list."""
    if not isinstance(raw, list):
        raise MisfitError(f"must be a list, not {_told(raw)}")
    return raw


def number(raw: object, null: float | None = None) -> float:
    """A finite number, or what null stands for."""
    if raw is None and null is not None:
        return null
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) <= 1e300:
        raise MisfitError(f"must be a number, not {_told(raw)}")
    return float(raw)


def _complex(raw: object) -> complex:
    pair = listed(raw)
    if len(pair) != 2:
        raise MisfitError(f"a complex number is [real, imaginary], not {_told(raw)}")
    return complex(number(pair[0]), number(pair[1]))


def _whole(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > _WHOLE_LIMIT:
        raise MisfitError(f"must be a whole number, not {_told(raw)}")
    return raw


def _flag(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise MisfitError(f"must be true or false, not {_told(raw)}")
    return raw


def _node(raw: object, nodes: Mapping[str, int]) -> int:
    if raw is None:
        return ABSENT
    node = nodes.get(raw) if isinstance(raw, str) else None
    if node is None:
        raise MisfitError(f"there is no node {_told(raw)}; a node is BUS.TERMINAL, or {EARTH_NAME}")
    return node


def _choice(raw: object, choices: tuple[str, ...]) -> int:
    if raw not in choices:
        raise MisfitError(f"must be one of {', '.join(choices)}, not {_told(raw)}")
    return choices.index(str(raw))


def _element(raw: object, table: str, positions: Mapping[str, int], *, optional: bool) -> int:
    if raw is None and optional:
        return -1
    position = positions.get(raw) if isinstance(raw, str) else None
    if position is None:
        raise MisfitError(f"{table or 'the network'} has no {_told(raw)}")
    return position


def _curve(raw: object, count: int) -> int:
    if raw is None:
        return -1
    if isinstance(raw, bool) or not isinstance(raw, int) or not 0 <= raw < count:
        raise MisfitError(f"must be the position of one of the {count} curves, not {_told(raw)}")
    return raw


def _told(raw: object) -> str:
    """A value as it is told to people, shortened."""
    if isinstance(raw, float) and not math.isfinite(raw):
        return "a number beyond all bounds"
    text = repr(raw) if isinstance(raw, str | int | float | bool) or raw is None else type(raw).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."
