"""Protocol Buffers on the wire, by a table per message: bounded to read, exact to write."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, TypeVar

MAX_DEPTH = 12
"""Deepest nesting that is read; templates may hold templates."""
MAX_FIELDS = 50_000
"""Most fields in one message, nested ones included."""
_MASK_64 = 2**64 - 1
_VARINT_BYTES = 10

M = TypeVar("M")
Nested = type[Any] | Callable[[], type[Any]] | None
"""A message within a message; as a function where it is defined further down."""


class WireError(Exception):
    """Bytes that are not the message that they should be."""


class Kind(Enum):
    """How a field is carried; the value is the wire type of the encoding guide of Protocol Buffers."""

    UINT32 = (0, "uint32")
    UINT64 = (0, "uint64")
    BOOL = (0, "bool")
    DOUBLE = (1, "double")
    STRING = (2, "string")
    BYTES = (2, "bytes")
    MESSAGE = (2, "message")
    FLOAT = (5, "float")

    @property
    def wire_type(self) -> int:
        """The low three bits of the field's key."""
        return self.value[0]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    number: int
    kind: Kind
    message: type[Any] | None
    is_repeated: bool


def one(number: int, kind: Kind, message: Nested = None) -> Any:
    """An optional field of a message; `None` where it is absent."""
    return field(default=None, metadata={"wire": (number, kind, message, False)})


def many(number: int, kind: Kind, message: Nested = None) -> Any:
    """A repeated field of a message."""
    return field(default=(), metadata={"wire": (number, kind, message, True)})


_TABLES: dict[type[Any], tuple[Mapping[int, _Field], tuple[_Field, ...]]] = {}


def encode(message: Any) -> bytes:
    """A message whose fields are made by `one` and `many`, as bytes.

    Raises:
        WireError: A value does not fit its field.
    """
    out = bytearray()
    for entry in _table(type(message))[1]:
        value = getattr(message, entry.name)
        if entry.is_repeated:
            for item in value:
                _put(out, entry, item)
        elif value is not None:
            _put(out, entry, value)
    return bytes(out)


def decode(kind: type[M], data: bytes) -> M:
    """The message that the bytes hold; unknown fields are passed over, the last of several values wins.

    Raises:
        WireError: They are cut off, nested too deep, too many, or of another wire type.
    """
    return _Reader(data).message(kind, 0, len(data), 0)


def _table(kind: type[Any]) -> tuple[Mapping[int, _Field], tuple[_Field, ...]]:
    found = _TABLES.get(kind)
    if found is None:
        entries = tuple(_entry(f.name, *f.metadata["wire"]) for f in fields(kind))
        found = _TABLES[kind] = {entry.number: entry for entry in entries}, entries
    return found


def _entry(name: str, number: int, kind: Kind, message: Nested, is_repeated: bool) -> _Field:  # noqa: FBT001
    found = message if isinstance(message, type) or message is None else message()
    return _Field(name, number, kind, found, is_repeated)


def _put(out: bytearray, entry: _Field, value: Any) -> None:
    _put_varint(out, entry.number << 3 | entry.kind.wire_type)
    match entry.kind:
        case Kind.UINT32 | Kind.UINT64 | Kind.BOOL:
            number = int(value)
            if not 0 <= number <= (2**32 - 1 if entry.kind is Kind.UINT32 else _MASK_64):
                raise WireError(f"{entry.name} cannot be {value!r}")
            _put_varint(out, number)
        case Kind.DOUBLE:
            out += struct.pack("<d", value)
        case Kind.FLOAT:
            out += _packed_float(value, entry.name)
        case Kind.STRING | Kind.BYTES | Kind.MESSAGE:
            data = encode(value) if entry.kind is Kind.MESSAGE else _blob(value, entry.name)
            _put_varint(out, len(data))
            out += data


def _blob(value: str | bytes, name: str) -> bytes:
    try:
        return value.encode() if isinstance(value, str) else value
    except UnicodeEncodeError as error:
        raise WireError(f"{name} is no text that UTF-8 can hold") from error


def _packed_float(value: float, name: str) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError as error:
        raise WireError(f"{name} cannot be {value!r}") from error


def _put_varint(out: bytearray, number: int) -> None:
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


class _Reader:
    """One pass over the bytes of a message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = MAX_FIELDS
        self._at = 0

    def message(self, kind: type[M], start: int, end: int, depth: int) -> M:
        if depth > MAX_DEPTH:
            raise WireError(f"nested deeper than {MAX_DEPTH}")
        by_number = _table(kind)[0]
        found: dict[str, Any] = {}
        self._at = start
        while self._at < end:
            self._left -= 1
            if self._left < 0:
                raise WireError(f"more than {MAX_FIELDS} fields")
            key = self._varint(end)
            number, wire_type = key >> 3, key & 7
            if number == 0:
                raise WireError("a field has the number 0")
            entry = by_number.get(number)
            if entry is None:
                self._pass_over(wire_type, end)
            elif not entry.is_repeated:
                found[entry.name] = self._value(entry, wire_type, end, depth)
            elif wire_type == 2 and entry.kind.wire_type == 0:
                found.setdefault(entry.name, []).extend(self._packed(entry, end))
            else:
                found.setdefault(entry.name, []).append(self._value(entry, wire_type, end, depth))
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in found.items()})

    def _value(self, entry: _Field, wire_type: int, end: int, depth: int) -> Any:
        if wire_type != entry.kind.wire_type:
            raise WireError(f"{entry.name} has wire type {wire_type}, not {entry.kind.wire_type}")
        match entry.kind:
            case Kind.UINT32 | Kind.UINT64 | Kind.BOOL:
                return _integer(entry.kind, self._varint(end))
            case Kind.DOUBLE:
                return struct.unpack_from("<d", self._data, self._take(8, end))[0]
            case Kind.FLOAT:
                return struct.unpack_from("<f", self._data, self._take(4, end))[0]
        size = self._varint(end)
        start = self._take(size, end)
        if entry.kind is Kind.MESSAGE:
            assert entry.message is not None, "given with every field of this kind"  # noqa: S101
            inner = self.message(entry.message, start, start + size, depth + 1)
            self._at = start + size
            return inner
        data = self._data[start : start + size]
        return data if entry.kind is Kind.BYTES else _text(data, entry.name)

    def _packed(self, entry: _Field, end: int) -> list[int]:
        size = self._varint(end)
        stop = self._take(size, end) + size
        self._at, values = stop - size, []
        while self._at < stop:
            self._left -= 1
            if self._left < 0:
                raise WireError(f"more than {MAX_FIELDS} fields")
            values.append(_integer(entry.kind, self._varint(stop)))
        return values

    def _take(self, size: int, end: int) -> int:
        start = self._at
        if size > end - start:
            raise WireError(f"{size} bytes are announced and {end - start} left")
        self._at = start + size
        return start

    def _varint(self, end: int) -> int:
        number, shift, at = 0, 0, self._at
        while True:
            if at >= end:
                raise WireError("cut off within a number")
            byte = self._data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                self._at = at
                return number & _MASK_64
            shift += 7
            if shift == 7 * _VARINT_BYTES:
                raise WireError("a number has no end")

    def _pass_over(self, wire_type: int, end: int) -> None:
        match wire_type:
            case 0:
                self._varint(end)
            case 1:
                self._take(8, end)
            case 2:
                self._take(self._varint(end), end)
            case 5:
                self._take(4, end)
            case _:
                raise WireError(f"wire type {wire_type} is not in use")


def _integer(kind: Kind, number: int) -> int | bool:
    """As readers of Protocol Buffers do: a number that is too long for its field loses its upper bits."""
    if kind is Kind.BOOL:
        return number != 0
    return number & 0xFFFF_FFFF if kind is Kind.UINT32 else number


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WireError(f"{name} is not UTF-8") from error
