"""The JSON schema of the project's own network format, made from the table that reads and writes it."""

from grid_engine.exporters.json import Json
from grid_engine.model import TERMINAL_NAMES
from grid_engine.modelling.document import (
    BUSES,
    FORMAT,
    FORMAT_VERSION,
    LAYOUTS,
    RATINGS,
    SIZE_LIMITS,
    SWITCHED,
    Field,
    Leaf,
)

_ID: Json = {"type": "string", "minLength": 1, "maxLength": 200}
_NUMBER: Json = {"type": "number"}
_LEAVES: dict[Leaf, Json] = {
    Leaf.NUMBER: _NUMBER,
    Leaf.COMPLEX: {"type": "array", "items": _NUMBER, "minItems": 2, "maxItems": 2, "description": "real, imaginary"},
    Leaf.WHOLE: {"type": "integer"},
    Leaf.FLAG: {"type": "boolean"},
    Leaf.NODE: {"type": ["string", "null"], "description": "BUS.TERMINAL, or earth; null where absent"},
    Leaf.CURVE: {"type": ["integer", "null"], "minimum": 0, "description": "position in curves"},
}


def schema() -> dict[str, Json]:
    """A JSON Schema (draft 2020-12) that every document of the format fulfils."""
    tables: dict[str, Json] = {
        layout.name: _entries(layout.fields, {"ratings": _object({}, RATINGS)} if layout.rated else {})
        for layout in LAYOUTS
    }
    axis: Json = {"type": "array", "items": _NUMBER, "minItems": 1}
    terminals: Json = {"type": "array", "items": {"enum": list(TERMINAL_NAMES)}, "uniqueItems": True, "minItems": 1}
    buses = _entries(BUSES, {}, {"terminals": terminals})
    curve: Json = {"type": "object", "properties": {"x": axis, "y": axis}, "required": ["x", "y"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": FORMAT,
        "type": "object",
        "properties": {
            "format": {"const": FORMAT},
            "format_version": {"const": FORMAT_VERSION},
            "version": _ID,
            "frequency_hz": _NUMBER,
            "buses": buses,
            **tables,
            "curves": {"type": "array", "items": curve},
        },
        "required": ["format", "format_version", "frequency_hz"],
        "additionalProperties": False,
    }


def _entries(fields: tuple[Field, ...], more: dict[str, Json], must: dict[str, Json] | None = None) -> Json:
    own = _object({"id": _ID, **(must or {})}, fields, more)
    return {"type": "array", "items": own}


def _object(must: dict[str, Json], fields: tuple[Field, ...], more: dict[str, Json] | None = None) -> Json:
    properties: dict[str, Json] = {**must, **{spec.name: _field(spec) for spec in fields}, **(more or {})}
    required = [*must, *(spec.name for spec in fields if spec.required)]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _field(spec: Field) -> Json:
    """Lists around the value; a matrix may be its lower triangle, so its rows have no fixed length."""
    value = _value(spec)
    for depth, dim in reversed(list(enumerate(spec.dims))):
        low, high = (1, SIZE_LIMITS[dim]) if isinstance(dim, str) else (dim, dim)
        pair = spec.leaf is Leaf.NODE and depth > 0
        value = {"type": ["array", "null"] if pair else "array", "items": value, "minItems": low, "maxItems": high}
    return value


def _value(spec: Field) -> Json:
    if spec.leaf is Leaf.CHOICE:
        return {"enum": list(spec.choices)}
    if spec.leaf is Leaf.ELEMENT:
        of = spec.of if spec.of not in {"kind"} else " or ".join(SWITCHED.values())
        return {"type": ["string", "null"] if not spec.required else "string", "description": f"id of {of}"}
    if spec.leaf is Leaf.NUMBER and spec.null is not None:
        return {"type": ["number", "null"], "description": f"null: {spec.null}"}
    return _LEAVES[spec.leaf]
