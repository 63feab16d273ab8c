"""The OpenAPI 3.1 document of the admin API, made from the table of endpoints and their types.

`python -m ieee2030_5.admin.openapi > docs/ieee2030_5_admin.json` writes the one that the documentation shows.
"""

import json
import sys
from importlib.metadata import version as version_of
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from ieee2030_5.admin.endpoints import ENDPOINTS, MOST, NAMES, PAGE, PREFIX, Endpoint
from ieee2030_5.admin.words import Fault, Name

Json = dict[str, Any]

_REF = "#/components/schemas/{model}"
_REFUSALS = {
    "400": "The request is not understood, or asks for what cannot be",
    "401": "The bearer token is missing or wrong",
    "404": "There is no such thing",
    "409": "What is there already stands against it",
    "503": "Nothing can be kept now; the same request may be sent again",
}


def document(version: str) -> Json:
    """The whole document."""
    types: set[type[BaseModel]] = {Fault}
    for row in ENDPOINTS:
        types |= {kind for kind in (row.takes, row.gives) if kind is not None}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    _, schemas = models_json_schema([(kind, "validation") for kind in ordered], ref_template=_REF)
    paths: dict[str, Json] = {}
    for row in ENDPOINTS:
        paths.setdefault(PREFIX + row.path, {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ampacity: operating the IEEE 2030.5 server",
            "version": version,
            "description": "Powers in W and var, shares in percent, times in Unix seconds UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "responses": {
                f"Refused{code}": {"description": text, "content": _content(Fault)} for code, text in _REFUSALS.items()
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(row: Endpoint) -> Json:
    done: Json = {"description": "Done"}
    if row.gives is not None:
        done["content"] = _content(row.gives)
    refused = {code: {"$ref": f"#/components/responses/Refused{code}"} for code in _REFUSALS}
    made: Json = {
        "operationId": _name(row),
        "summary": row.summary,
        "parameters": [*map(_in_path, _variables(row)), *map(_in_query, row.query)],
        "responses": {str(row.status): done, **refused},
    }
    if row.takes is not None:
        made["requestBody"] = {"required": True, "content": _content(row.takes)}
    return made


def _variables(row: Endpoint) -> list[str]:
    return [part[1:-1] for part in row.path.split("/") if part.startswith("{")]


def _name(row: Endpoint) -> str:
    words = [part.strip("{}") for part in row.path.split("/") if part]
    return "_".join([row.method.lower(), *words])


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": TypeAdapter(NAMES[name]).json_schema()}


def _in_query(name: str) -> Json:
    schemas: dict[str, Json] = {
        "start": {"type": "integer", "minimum": 0, "default": 0},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": PAGE},
        "device": TypeAdapter(Name).json_schema(),
    }
    return {"name": name, "in": "query", "required": False, "schema": schemas[name]}


def _content(kind: type[BaseModel]) -> Json:
    return {"application/json": {"schema": {"$ref": _REF.format(model=kind.__name__)}}}


def printed() -> str:
    """The document as the documentation keeps it."""
    return json.dumps(document(version_of("ampacity")), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(printed())
