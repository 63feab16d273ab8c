"""The OpenAPI 3.1 document of an operator's API, made from the table of endpoints and their types.

`python -m ieee2030_5.admin.openapi > docs/ieee2030_5_admin.json` writes the one that the documentation shows.
"""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import version as version_of
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from ieee2030_5.admin.api import MOST, PAGE, PREFIX, Api, Endpoint
from ieee2030_5.admin.endpoints import ADMIN
from ieee2030_5.admin.words import Fault, Name

Json = dict[str, Any]
D = TypeVar("D")

_REF = "#/components/schemas/{model}"
_REFUSALS = {
    "400": "The request is not understood, or asks for what cannot be",
    "401": "The bearer token is missing or wrong",
    "404": "There is no such thing",
    "409": "What is there already stands against it",
    "503": "Nothing can be kept now; the same request may be sent again",
}
_REFUSED = {code: {"$ref": f"#/components/responses/Refused{code}"} for code in _REFUSALS}


def document(version: str, api: Api[D]) -> Json:
    """The whole document."""
    types: set[type[BaseModel]] = {Fault}
    for row in api.endpoints:
        types |= {kind for kind in (row.takes, row.gives) if kind is not None}
    ordered = sorted(types, key=lambda kind: kind.__name__)
    _, schemas = models_json_schema([(kind, "validation") for kind in ordered], ref_template=_REF)
    paths: dict[str, Json] = {}
    for row in api.endpoints:
        paths.setdefault(PREFIX + row.path, {})[row.method.lower()] = _operation(row, api.names)
    for page in api.pages:
        answer = {"description": "Done", "content": {"text/plain": {"schema": {"type": "string"}}}}
        said: Json = {"operationId": f"get_{page.path.strip('/')}", "summary": page.summary, "parameters": []}
        paths[page.path] = {"get": {**said, "responses": {"200": answer, **_REFUSED}}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": api.title,
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


def _operation(row: Endpoint[D], names: Mapping[str, Any]) -> Json:
    done: Json = {"description": "Done"}
    if row.gives is not None:
        done["content"] = _content(row.gives)
    made: Json = {
        "operationId": _name(row),
        "summary": row.summary,
        "parameters": [*(_in_path(name, names[name]) for name in _variables(row)), *map(_in_query, row.query)],
        "responses": {str(row.status): done, **_REFUSED},
    }
    if row.takes is not None:
        made["requestBody"] = {"required": True, "content": _content(row.takes)}
    return made


def _variables(row: Endpoint[D]) -> list[str]:
    return [part[1:-1] for part in row.path.split("/") if part.startswith("{")]


def _name(row: Endpoint[D]) -> str:
    words = [part.strip("{}") for part in row.path.split("/") if part]
    return "_".join([row.method.lower(), *words])


def _in_path(name: str, kind: type[str]) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": TypeAdapter(kind).json_schema()}


def _in_query(name: str) -> Json:
    schemas: dict[str, Json] = {
        "start": {"type": "integer", "minimum": 0, "default": 0},
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST, "default": PAGE},
        "device": TypeAdapter(Name).json_schema(),
    }
    return {"name": name, "in": "query", "required": False, "schema": schemas[name]}


def _content(kind: type[BaseModel]) -> Json:
    return {"application/json": {"schema": {"$ref": _REF.format(model=kind.__name__)}}}


def printed(api: Api[D]) -> str:
    """The document as the documentation keeps it."""
    return json.dumps(document(version_of("ampacity"), api), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(printed(ADMIN))
