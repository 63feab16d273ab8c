"""Messages as JSON: MW and ISO 8601 UTC on the wire, watts and Unix seconds inside; strict both ways.

A message is one object: the header's fields, `type` (the code of the catalogue) and `body`. The rules
follow from the names in `messages`: a field `power_w` travels as `power_mw`, a field `start_s` as
`start`. A message type added there needs nothing here.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import orjson

from gateway.coordination.messages import Body, Header, Message

MAX_BYTES: Final = 65_536
"""Larger messages are refused unread."""
MAX_TEXT: Final = 256
TEXT: Final = (
    "^[^\\u0000-\\u001f\\u007f-\\u00a0\\u00ad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u1680\\u180e\\u2000-\\u200f"
    "\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ue000-\\uf8ff\\ufeff\\ufff0-\\uffff]*$"
)
"""What a text may hold, as ECMAScript and Python read it: no control, no formatting, no blank but the space itself."""
MAX_RAW: Final = 32_768
"""Characters of a field that carries a whole document of somebody's, verbatim (`…_raw`)."""
MAX_ITEMS: Final = 1_000
MAX_MW: Final = 10_000.0
MAX_NUMBER: Final = 1e12
YEARS: Final = range(1970, 9_999)
"""Of times, in UTC: what is calculated from them can be written again."""
MODELS: Final = ("DP", "T", "MF")
TYPES: Final[Mapping[str, type]] = {body.code: body for body in get_args(Body)}
"""Body class of every message code."""

_TEXT: Final = re.compile(TEXT)


class WireError(ValueError):
    """A message that cannot be read: which field, what is wrong with it, and what to send instead."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field = field
        """Path from the top, for example `body.power_mw`; `.` is the message itself."""
        self.problem = problem
        self.remedy = remedy


def encode(message: Message) -> bytes:
    """The message as UTF-8 JSON."""
    return orjson.dumps(to_json(message))


def decode(raw: bytes) -> Message:
    """The message in UTF-8 JSON.

    Raises:
        WireError: `raw` is too large, is not JSON, or is not a message of the catalogue.
    """
    if len(raw) > MAX_BYTES:
        raise WireError(".", f"{len(raw)} bytes are too many", f"send at most {MAX_BYTES} bytes")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise WireError(".", f"not JSON: {error}", "send one JSON object in UTF-8") from error
    _look_for_twins(raw)
    return replace(from_json(document), raw=raw.decode())


def to_json(message: Message) -> dict[str, object]:
    """The message as a JSON object."""
    return {**write_record(message.header), "type": message.code, "body": write_record(message.body)}


def from_json(document: object) -> Message:
    """The message in a JSON object.

    Raises:
        WireError: it is not a message of the catalogue.
    """
    if not isinstance(document, dict):
        raise WireError(".", f"is {_called(document)}", "send one JSON object")
    rest = dict(document)
    code, body = rest.pop("type", None), rest.pop("body", None)
    kind = TYPES.get(code) if isinstance(code, str) else None
    if kind is None:
        raise WireError("type", f"{str(code)[:MAX_TEXT]!r} is unknown", f"send one of {', '.join(TYPES)}")
    header: Header = _read_record(Header, rest, "")
    if header.model not in MODELS:
        raise WireError("model", f"{header.model!r} is unknown", f"send one of {', '.join(MODELS)}")
    return Message(header, _read_record(kind, body, "body"))


def _look_for_twins(raw: bytes) -> None:
    """Refuse a name that stands twice in one object: of two values, one reader takes the first, another the last."""

    def named_once(pairs: Sequence[tuple[str, object]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            twin = next(name for name in names if names.count(name) > 1)
            raise WireError(twin[:MAX_TEXT], "is there twice", "send each field once")

    try:
        json.loads(raw, object_pairs_hook=named_once)
    except RecursionError as error:
        raise WireError(".", "is nested too deeply", "send a message of the catalogue") from error


@cache
def shape(kind: type) -> tuple[tuple[str, str, object, bool], ...]:
    """Per field of a record: name inside, name on the wire, type, and whether it must be sent."""
    hints = get_type_hints(kind)
    return tuple(
        (
            field.name,
            _wire_name(field.name),
            hints[field.name],
            field.default is MISSING and field.default_factory is MISSING,
        )
        for field in fields(kind)
    )


def _wire_name(name: str) -> str:
    if name.endswith("_w"):
        return f"{name[:-2]}_mw"
    return name.removesuffix("_s")


def write_record(record: object) -> dict[str, object]:
    """Any frozen record as a JSON object, by the same rules."""
    kind: type = type(record)
    return {wire: _write(name, getattr(record, name)) for name, wire, _, _ in shape(kind)}


def _write(name: str, value: object) -> object:
    match value:
        case tuple() | list():
            return [_write(name, item) for item in value]
        case float() | int() if not isinstance(value, bool) and name.endswith("_w"):
            return round(value / 1e6, 9)
        case float() | int() if not isinstance(value, bool) and name.endswith("_s"):
            return datetime.fromtimestamp(value, UTC).isoformat().replace("+00:00", "Z")
        case StrEnum():
            return value.value
        case _:
            return write_record(value) if is_dataclass(value) else value


def _read_record(kind: type, document: object, path: str) -> Any:  # noqa: ANN401 - an instance of `kind`
    if not isinstance(document, dict):
        raise WireError(path or ".", f"is {_called(document)}", "send a JSON object")
    prefix = f"{path}." if path else ""
    fields_of = shape(kind)
    known = [wire for _, wire, _, _ in fields_of]
    for name in document:
        if name not in known:
            raise WireError(f"{prefix}{name[:MAX_TEXT]}", "is not a field here", f"send only {', '.join(known)}")
    values: dict[str, object] = {}
    for name, wire, hint, required in fields_of:
        if wire in document:
            values[name] = _read(hint, name, document[wire], prefix + wire)
        elif required:
            raise WireError(prefix + wire, "is missing", "send it")
    try:
        return kind(**values)
    except ValueError as error:
        raise WireError(path or ".", str(error), "send values that agree") from error


def _read(hint: Any, name: str, value: object, path: str) -> object:  # noqa: ANN401 - a type hint
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (choice for choice in get_args(hint) if choice is not NoneType)
        return None if value is None else _read(inner, name, value, path)
    if get_origin(hint) is tuple:
        return _read_tuple(get_args(hint)[0], name, value, path)
    if is_dataclass(hint) and isinstance(hint, type):
        return _read_record(hint, value, path)
    if issubclass(hint, StrEnum):
        return _read_choice(hint, value, path)
    if hint is float:
        reader = _read_megawatts if name.endswith("_w") else _read_time if name.endswith("_s") else _read_number
        return reader(value, path)
    return _read_raw(value, path) if name.endswith("_raw") else _PLAIN[hint](value, path)


def _read_tuple(inner: object, name: str, value: object, path: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise WireError(path, f"is {_called(value)}", "send a list")
    if len(value) > MAX_ITEMS:
        raise WireError(path, f"has {len(value)} items", f"send at most {MAX_ITEMS}")
    return tuple(_read(inner, name, item, f"{path}[{index}]") for index, item in enumerate(value))


def _read_choice(kind: type[StrEnum], value: object, path: str) -> StrEnum:
    try:
        return kind(_read_text(value, path))
    except ValueError as error:
        if isinstance(error, WireError):
            raise
        raise WireError(path, f"{value!r} is unknown", f"send one of {', '.join(kind)}") from error


def _read_text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise WireError(path, f"is {_called(value)}", "send a string")
    if len(value) > MAX_TEXT or not _TEXT.fullmatch(value):
        raise WireError(path, "is too long or holds control characters", f"send up to {MAX_TEXT} printable characters")
    return value


def _read_raw(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise WireError(path, f"is {_called(value)}", "send a string")
    if len(value) > MAX_RAW:
        raise WireError(path, f"has {len(value)} characters", f"send at most {MAX_RAW}")
    return value


def _read_number(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WireError(path, f"is {_called(value)}", "send a number")
    if not isfinite(value) or abs(value) > MAX_NUMBER:
        raise WireError(path, f"{value} is out of range", f"send a number between -{MAX_NUMBER:g} and {MAX_NUMBER:g}")
    return float(value)


def _read_megawatts(value: object, path: str) -> float:
    megawatts = _read_number(value, path)
    if abs(megawatts) > MAX_MW:
        raise WireError(path, f"{megawatts} MW is out of range", f"send MW between -{MAX_MW:g} and {MAX_MW:g}")
    return round(megawatts * 1e6, 3)


def _read_time(value: object, path: str) -> float:
    text = _read_text(value, path)
    remedy = "send ISO 8601 with an offset, for example 2026-01-31T17:05:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WireError(path, f"{text!r} is not a time", remedy) from error
    if moment.tzinfo is None:
        raise WireError(path, f"{text!r} has no offset from UTC", remedy)
    try:
        year = moment.astimezone(UTC).year
    except OverflowError:
        year = 0
    if year not in YEARS:
        raise WireError(path, f"{text!r} is out of range", f"send a time of the years {YEARS[0]} to {YEARS[-1]}")
    return moment.timestamp()


def _read_count(value: object, path: str) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # to JSON schema, 2.0 is a whole number
    if isinstance(value, bool) or not isinstance(value, int):
        raise WireError(path, f"is {_called(value)}", "send a whole number")
    if not 0 <= value <= 2**31 - 1:
        raise WireError(path, f"{value} is out of range", f"send a whole number from 0 to {2**31 - 1}")
    return value


def _read_truth(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise WireError(path, f"is {_called(value)}", "send true or false")
    return value


def _called(value: object) -> str:
    """What a person calls the JSON value."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false", NoneType: "missing or null"}
    return names.get(type(value), "a number")


_PLAIN: Final[Mapping[object, Callable[[object, str], object]]] = {
    str: _read_text,
    int: _read_count,
    bool: _read_truth,
}
