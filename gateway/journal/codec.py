"""Frozen dataclasses to plain JSON values and back, strictly and by their annotations alone.

A dataclass becomes an object, an enum its value, a tuple an array, a mapping by str an object, any
other mapping an array of pairs. Where several dataclasses may stand, the object names its class
under `is`, which no field can be called. Reading accepts exactly what writing makes, but for one
thing: a field with a default may be missing, so that what was written before the field existed can
still be read. What a type does not say unambiguously is refused when the codec is built, not when
it is used. Recursive types are not supported.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from math import isfinite
from types import NoneType, UnionType
from typing import Generic, Protocol, TypeVar, Union, cast, get_args, get_origin, get_type_hints

TAG = "is"

T = TypeVar("T")


class CodecError(Exception):
    """A value does not fit its type; the message begins with the path to it."""


class Codec(Generic[T]):
    """Writes and reads values of one type: a dataclass, or a union of dataclasses.

    The form is that type as a value; `T` repeats it for the type checker, because no annotation
    covers unions: `body: Codec[Body] = Codec(Body)`.
    """

    def __init__(self, form: object) -> None:
        self._form = _compile(form)
        if self._form.kind != "object":
            raise TypeError(f"{form} does not become a JSON object")

    def to_json(self, value: T) -> dict[str, object]:
        """The value as an object of plain JSON values.

        Raises:
            CodecError: A part of it is not what its annotation says, or not a finite number.
        """
        return cast("dict[str, object]", self._form.write(value))

    def from_json(self, data: object) -> T:
        """The value that `to_json` was given.

        Raises:
            CodecError: A key is missing or unknown, or a value is not what its annotation says.
        """
        return cast("T", self._form.read(data))


class _Form(Protocol):
    """How the values of one type are written and read."""

    @property
    def kind(self) -> str:
        """The sort of JSON value that they become: two of a union may not become the same."""
        ...

    @property
    def python(self) -> type:
        """Their class."""
        ...

    def write(self, value: object) -> object: ...

    def read(self, data: object) -> object: ...


def _compile(form: object) -> _Form:
    origin, parts = get_origin(form), get_args(form)
    made: _Form | None = None
    if origin in (Union, UnionType):
        made = _Union(form, [_compile(part) for part in parts])
    elif origin in (tuple, list):
        one_kind = origin is list or parts[1:] == (Ellipsis,)
        made = _Many(origin, _compile(parts[0])) if one_kind else _Fixed([_compile(part) for part in parts])
    elif origin in (Mapping, dict):
        key, item = _compile(parts[0]), _compile(parts[1])
        made = _Mapping(item) if parts[0] is str else _Pairs(key, item)
    elif isinstance(form, type):
        if issubclass(form, StrEnum):
            made = _Enum(form)
        elif is_dataclass(form):
            made = _Dataclass(form)
        else:
            made = _SCALARS.get(form)
    if made is None:
        raise TypeError(f"{form}: only dataclasses, StrEnums, tuples, lists, mappings and scalars become JSON and back")
    return made


class _Scalar:
    def __init__(self, python: type, kind: str, accepts: Callable[[object], bool]) -> None:
        self.python, self.kind, self._accepts = python, kind, accepts

    def write(self, value: object) -> object:
        if not self._accepts(value):
            raise _misfit(value, self.python.__name__)
        return value if type(value) is self.python else self.python(value)  # float given as int, str as StrEnum

    read = write


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and isfinite(cast("float", value))


def _is_integer(value: object) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


_SCALARS: Mapping[type, _Form] = {
    NoneType: _Scalar(NoneType, "null", lambda value: value is None),
    bool: _Scalar(bool, "boolean", lambda value: type(value) is bool),
    int: _Scalar(int, "number", _is_integer),
    float: _Scalar(float, "number", _is_number),
    str: _Scalar(str, "string", lambda value: isinstance(value, str)),
}


class _Enum:
    kind = "string"

    def __init__(self, python: type[StrEnum]) -> None:
        self.python = python

    def write(self, value: object) -> object:
        if not isinstance(value, self.python):
            raise _misfit(value, self.python.__name__)
        return value.value

    def read(self, data: object) -> object:
        try:
            return self.python(cast("str", data))
        except ValueError as error:
            raise _misfit(data, f"one of {', '.join(self.python)}") from error


class _Many:
    """A tuple or list of any length."""

    kind = "array"

    def __init__(self, python: type, item: _Form) -> None:
        self.python, self._item = python, item

    def write(self, value: object) -> object:
        if not isinstance(value, self.python):
            raise _misfit(value, f"a {self.python.__name__}")
        return _each(self._item.write, cast("Sequence[object]", value))

    def read(self, data: object) -> object:
        if not isinstance(data, list):
            raise _misfit(data, "an array")
        found = _each(self._item.read, data)
        return found if self.python is list else tuple(found)


class _Fixed:
    """A tuple of so many items, each of its own type."""

    kind, python = "array", tuple

    def __init__(self, items: Sequence[_Form]) -> None:
        self._items = items

    def write(self, value: object) -> object:
        if not isinstance(value, tuple) or len(value) != len(self._items):
            raise _misfit(value, f"a tuple of {len(self._items)}")
        return [_inside(n, form.write, one) for n, (form, one) in enumerate(zip(self._items, value, strict=True))]

    def read(self, data: object) -> object:
        if not isinstance(data, list) or len(data) != len(self._items):
            raise _misfit(data, f"an array of {len(self._items)}")
        return tuple(_inside(n, form.read, one) for n, (form, one) in enumerate(zip(self._items, data, strict=True)))


class _Mapping:
    """By str: an object."""

    kind, python = "object", Mapping

    def __init__(self, item: _Form) -> None:
        self._item = item

    def write(self, value: object) -> object:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise _misfit(value, "a mapping by str")
        return {str(key): _inside(key, self._item.write, one) for key, one in value.items()}

    def read(self, data: object) -> object:
        if not isinstance(data, dict):
            raise _misfit(data, "an object")
        return {key: _inside(key, self._item.read, one) for key, one in data.items()}


class _Pairs:
    """A mapping by anything else: an array of pairs."""

    kind, python = "array", Mapping

    def __init__(self, key: _Form, item: _Form) -> None:
        self._pairs = _Many(list, _Fixed([key, item]))

    def write(self, value: object) -> object:
        if not isinstance(value, Mapping):
            raise _misfit(value, "a mapping")
        return self._pairs.write(list(value.items()))

    def read(self, data: object) -> object:
        return dict(cast("list[tuple[object, object]]", self._pairs.read(data)))


class _Dataclass:
    kind = "object"

    def __init__(self, python: type) -> None:
        hints = get_type_hints(python)
        self.python = python
        self._parts = {one.name: _compile(hints[one.name]) for one in fields(python)}
        self._needed = {one.name for one in fields(python) if one.default is one.default_factory is MISSING}

    def write(self, value: object) -> object:
        if type(value) is not self.python:
            raise _misfit(value, self.python.__name__)
        return {name: _inside(name, part.write, getattr(value, name)) for name, part in self._parts.items()}

    def read(self, data: object) -> object:
        name = self.python.__name__
        if not isinstance(data, dict):
            raise _misfit(data, f"an object of {name}")
        if odd := data.keys() - self._parts.keys():
            raise CodecError(f": {name} has no {', '.join(sorted(odd))}")
        if missing := self._needed - data.keys():
            raise CodecError(f": {name} needs {', '.join(sorted(missing))}")
        values = {key: _inside(key, self._parts[key].read, one) for key, one in data.items()}
        try:
            return self.python(**values)
        except ValueError as error:
            raise CodecError(f": {error}") from error


class _Union:
    """Its members are told apart by the sort of JSON value that they become, dataclasses by their names."""

    python = object

    def __init__(self, form: object, members: list[_Form]) -> None:
        self._name = str(form)
        self._classes = {one.python.__name__: one for one in members if isinstance(one, _Dataclass)}
        self._plain = {one.kind: one for one in members if not isinstance(one, _Dataclass)}
        if len(self._classes) + len(self._plain) < len(members) or (self._classes and "object" in self._plain):
            raise TypeError(f"{form}: two of these would look the same as JSON")
        self.kind = "object" if not self._plain else "several"

    def write(self, value: object) -> object:
        form = self._classes.get(type(value).__name__)
        if form is not None:
            tag = {TAG: form.python.__name__} if len(self._classes) > 1 else {}
            return tag | cast("dict[str, object]", form.write(value))
        return self._plain_form(value).write(value)

    def read(self, data: object) -> object:
        if not (self._classes and isinstance(data, dict)):
            return self._plain_form(data).read(data)
        if len(self._classes) == 1:
            return next(iter(self._classes.values())).read(data)
        form = self._classes.get(str(data.get(TAG)))
        if form is None:
            raise CodecError(f".{TAG}: {data.get(TAG)!r} is none of {', '.join(self._classes)}")
        return form.read({key: one for key, one in data.items() if key != TAG})

    def _plain_form(self, value: object) -> _Form:
        kind = next((kind for python, kind in _KINDS if isinstance(value, python)), "")
        if kind not in self._plain:
            raise _misfit(value, self._name)
        return self._plain[kind]


_KINDS: tuple[tuple[type, str], ...] = (
    (NoneType, "null"),
    (bool, "boolean"),  # before int, which it is to Python
    (int, "number"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (tuple, "array"),
    (Mapping, "object"),
)


def _each(act: Callable[[object], object], values: Sequence[object]) -> list[object]:
    """`act` on every value; the place of an error is only looked for once there is one."""
    try:
        return [act(one) for one in values]
    except CodecError:
        return [_inside(number, act, one) for number, one in enumerate(values)]


def _inside(where: object, act: Callable[[object], object], value: object) -> object:
    """`act(value)`, with the place named in an error."""
    try:
        return act(value)
    except CodecError as error:
        raise CodecError(f".{where}{error}") from error


def _misfit(value: object, wanted: str) -> CodecError:
    return CodecError(f": {value!r:.80} is not {wanted}")
