"""The zone file's JSON schema, and which keys it knows at a place."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from config.extends import KEY
from config.settings import ZoneFile

Step = str | int


@cache
def zone_schema() -> Mapping[str, Any]:
    """JSON schema of a zone file without `extends`, with every default and description."""
    return ZoneFile.model_json_schema()


def published_schema() -> Mapping[str, Any]:
    """The schema for editors: a file may also say what it extends, and is then complete with that file only."""
    schema = dict(zone_schema())
    alone = schema.pop("required")
    extends = {"type": "string", "description": "Zone file below this one, relative to this file."}
    return {
        **schema,
        "properties": {KEY: extends, **schema["properties"]},
        "anyOf": [{"required": alone}, {"required": [KEY]}],
    }


def known_keys(path: Sequence[Step], whole: Mapping[str, Any] | None = None) -> frozenset[str]:
    """Keys that the mapping at `path` may have; empty where any id is allowed.

    `path` is a pydantic location: keys, indices, and the tag of a union where one was taken. `whole` is the schema of
    another kind of file than the zone file.
    """
    whole = zone_schema() if whole is None else whole
    schema = whole
    for step in path:
        schema = _descend(_resolved(schema, whole), step)
    return frozenset(_resolved(schema, whole).get("properties", {}))


def _resolved(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and an optional value to the value."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[-1]
        return _resolved(whole["$defs"][name], whole)
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolved(choice, whole)
    return schema


def _descend(schema: Mapping[str, Any], step: Step) -> Mapping[str, Any]:
    """The schema one step further; empty where the step leads nowhere."""
    tags = schema.get("discriminator", {}).get("mapping", {})
    if step in tags:
        return {"$ref": tags[step]}
    if step in schema.get("properties", {}):
        found: Mapping[str, Any] = schema["properties"][step]
        return found
    if isinstance(step, int):
        inner = schema.get("items")
    else:
        inner = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
    return inner if isinstance(inner, Mapping) else {}
