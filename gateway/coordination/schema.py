"""The message catalogue as JSON schemas (draft 2020-12): what `wire` accepts, in the terms of others.

Derived from the same dataclasses that `wire` reads, so that the two cannot part.
"""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from enum import StrEnum
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin

from gateway.coordination import wire
from gateway.coordination.messages import Header
from gateway.coordination.routing import MATRIX

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def message_schema(code: str) -> Schema:
    """The whole message of one code: header, `type` and `body`.

    Raises:
        KeyError: no message has that code.
    """
    header = record_schema(Header)
    body = record_schema(wire.TYPES[code])
    properties = {**header["properties"], "type": {"const": code}, "body": body}
    properties["model"] = {"enum": list(wire.MODELS)}
    return {
        "title": code,
        "description": cleandoc(wire.TYPES[code].__doc__ or ""),
        "type": "object",
        "properties": properties,
        "required": [*header["required"], "type", "body"],
        "additionalProperties": False,
    }


def catalogue() -> Schema:
    """Every message, by code under `$defs`, and their union."""
    return {
        "$schema": DIALECT,
        "title": "Messages between a DSO and its parties",
        "oneOf": [{"$ref": f"#/$defs/{code}"} for code in sorted(wire.TYPES)],
        "$defs": {code: message_schema(code) for code in sorted(wire.TYPES)},
    }


def routes(code: str) -> list[Mapping[str, object]]:
    """Who may say it to whom, under which models."""
    return [
        {"from": sender.value, "to": recipient.value, "models": sorted(model.value for model in models)}
        for (sender, recipient), models in MATRIX[code].items()
    ]


def record_schema(kind: type) -> Schema:
    """Any frozen record that `wire.write_record` writes."""
    shape = wire.shape(kind)
    return {
        "type": "object",
        "properties": {on_wire: _value(hint, inside) for inside, on_wire, hint, _ in shape},
        "required": [on_wire for _, on_wire, _, required in shape if required],
        "additionalProperties": False,
    }


def _value(hint: Any, name: str) -> Schema:  # noqa: ANN401 - a type hint
    if get_origin(hint) in (Union, UnionType):
        (inner,) = (choice for choice in get_args(hint) if choice is not NoneType)
        return {"anyOf": [_value(inner, name), {"type": "null"}]}
    if get_origin(hint) is tuple:
        return {"type": "array", "maxItems": wire.MAX_ITEMS, "items": _value(get_args(hint)[0], name)}
    if is_dataclass(hint) and isinstance(hint, type):
        return record_schema(hint)
    if issubclass(hint, StrEnum):
        return {"enum": [choice.value for choice in hint]}
    return _number(name) if hint is float else _PLAIN[hint](name)


def _number(name: str) -> Schema:
    if name.endswith("_w"):
        return {"type": "number", "minimum": -wire.MAX_MW, "maximum": wire.MAX_MW, "description": "MW"}
    if name.endswith("_s"):
        return {"type": "string", "format": "date-time", "maxLength": wire.MAX_TEXT}
    return {"type": "number", "minimum": -wire.MAX_NUMBER, "maximum": wire.MAX_NUMBER}


_PLAIN: Final[Mapping[object, Callable[[str], Schema]]] = {
    str: lambda name: (
        {"type": "string", "maxLength": wire.MAX_RAW}
        if name.endswith("_raw")
        else {"type": "string", "maxLength": wire.MAX_TEXT, "pattern": wire.TEXT}
    ),
    bool: lambda _: {"type": "boolean"},
    int: lambda _: {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
}
