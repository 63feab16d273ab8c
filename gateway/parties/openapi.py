"""The OpenAPI 3.1 documents of the parties' interface, one per kind of party, made from the types and the matrix.

`python -m gateway.parties.openapi docs/parties` writes those that the documentation shows.
"""

import sys
from collections.abc import Collection, Iterable
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.coordination.routing import CARRIED, MATRIX
from gateway.coordination.schema import message_schema, record_schema
from gateway.coordination.zone import DsoModel, Role
from gateway.parties.parameters import QUERIES, Query
from gateway.parties.view import LISTS
from gateway.parties.words import Accepted, Fault, MessageState, Place

Json = dict[str, Any]

KINDS: Final = (Role.SYSTEM_OPERATOR, Role.DERA, Role.HOST, Role.PLATFORM)
_REFUSALS: Final = {
    "400": "The request is not understood",
    "401": "Nothing shows who asks, or it is nobody's here",
    "403": "Somebody else may do that, not this party",
    "404": "There is no such thing, or it is somebody else's",
    "408": "The message took too long to arrive; it may be sent again",
    "409": "The message may not travel, is about nothing here, or comes too late; or its key or id was another's",
    "429": "More than a party may say at a time; the same message may be sent again",
    "503": "Nothing can be kept now; the same request may be sent again",
}
_ABOUT: Final = (
    "Powers in MW, positive for injection at the point of interconnection; times in ISO 8601 with offset. "
    "A party proves itself by its client certificate, its bearer token, or both, as the zone file says. "
    "`msg_id` is the idempotency key of a message, for good: the same message again has no further effect, and "
    "another message with that id is refused. The header `Idempotency-Key` is taken as well: the same request "
    "gets the same answer, another one with that key 409."
)
_TITLES: Final = {
    Role.SYSTEM_OPERATOR: "the system operator",
    Role.DERA: "a DER/A or aggregator",
    Role.HOST: "another distribution utility",
    Role.PLATFORM: "a platform",
}


def said(role: Role, models: Collection[DsoModel]) -> list[str]:
    """Codes of the messages that such a party may send to the DSO under some model; a platform, those it carries."""
    if role is Role.PLATFORM:
        return sorted({code for model in models for code in CARRIED[model] if code in _to_dso((model,))})
    return _codes((role, Role.DSO), models)


def _to_dso(models: Collection[DsoModel]) -> set[str]:
    return {code for role in Role if role is not Role.PLATFORM for code in said(role, models)}


def heard(role: Role, models: Collection[DsoModel]) -> list[str]:
    """Codes of those that the DSO may send to it."""
    return _codes((Role.DSO, role), models)


def shown(role: Role, models: Collection[DsoModel]) -> list[str]:
    """Codes of those that it may read again: its own, or what it carries."""
    if role is Role.PLATFORM:
        return sorted({code for model in models for code in CARRIED[model]})
    return sorted({*said(role, models), *heard(role, models)})


def document(role: Role, models: Collection[DsoModel] = tuple(DsoModel)) -> Json:
    """The whole document of one kind of party."""
    says, hears, sees = said(role, models), heard(role, models), shown(role, models)
    schemas = {
        "Fault": _object({name: {"type": "string"} for name in record_schema(Fault)["properties"]}),
        "Item": _joined(record_schema(Place), {"message": _any_of(sees)}),
        "Page": _object({"messages": _array("Item"), "next": {"type": "integer", "minimum": 0}}),
        "Known": _joined(record_schema(Place), {"message": _any_of(sees)}, record_schema(MessageState)),
        **{code: message_schema(code) for code in sees},
    }
    paths: Json = {"/v1/messages": {"get": _get("read_messages", "What was sent, and what came", "Page", "messages")}}
    if says:
        schemas["Accepted"] = record_schema(Accepted)
        paths["/v1/messages"]["post"] = _post(says)
    paths["/v1/messages/{msg_id}"] = {"get": _one_message()}
    for name, (kind, _, roles) in LISTS.items():
        if role in roles:
            schemas[kind.__name__] = record_schema(kind)
            schemas[name] = _object({name: _array(kind.__name__)})
            paths[f"/v1/{name}"] = {"get": _get(f"read_{name}", f"Own {name}", name, "lists")}
    paths["/v1/openapi.json"] = {"get": _self()}
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": f"Ampacity: the interface to {_TITLES[role]}",
            "version": version_of("ampacity"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {"certificate": []}, {"token": [], "certificate": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {f"Refused{code}": _content(text, "Fault") for code, text in _REFUSALS.items()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "certificate": {"type": "mutualTLS"},
            },
        },
    }
    return made | ({"webhooks": {"message": {"post": _pushed(hears)}}} if hears else {})


def written(role: Role) -> bytes:
    """The document as the documentation keeps it: for every model."""
    return orjson.dumps(document(role), option=orjson.OPT_INDENT_2) + b"\n"


def _codes(route: tuple[Role, Role], models: Collection[DsoModel]) -> list[str]:
    return sorted(code for code, routes in MATRIX.items() if not routes.get(route, frozenset()).isdisjoint(models))


def _post(codes: Iterable[str]) -> Json:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
    }
    return {
        "operationId": "send_message",
        "summary": "Tell the DSO something; 202 says that it is on the disk",
        "parameters": [key],
        "requestBody": {"required": True, "content": _json(_any_of(codes))},
        "responses": {
            "202": _content("Taken", "Accepted"),
            **_refused("400", "401", "403", "408", "409", "429", "503"),
        },
    }


def _pushed(codes: Iterable[str]) -> Json:
    return {
        "operationId": "hear_message",
        "summary": "What the DSO posts to the party's own URL, at least once each, in order",
        "requestBody": {"required": True, "content": _json(_any_of(codes))},
        "responses": {
            "2XX": {"description": "It has arrived; another one follows"},
            "4XX": {"description": "It will never be taken (but 429); it is not sent again"},
            "5XX": {"description": "It is sent again"},
        },
    }


def _get(name: str, summary: str, gives: str, queries: str) -> Json:
    return {
        "operationId": name,
        "summary": summary,
        "parameters": [_in_query(query) for query in QUERIES[queries]],
        "responses": {"200": _content("Found", gives), **_refused("400", "401", "403", "503")},
    }


def _one_message() -> Json:
    name = {"name": "msg_id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    return {
        "operationId": "read_message",
        "summary": "One message, with its state and the answers that are owed",
        "parameters": [name],
        "responses": {"200": _content("Found", "Known"), **_refused("400", "401", "403", "404", "503")},
    }


def _self() -> Json:
    found = {"description": "This document, for the zone's model", "content": _json({"type": "object"})}
    responses = {"200": found, **_refused("401", "403", "503")}
    return {"operationId": "read_document", "summary": "This document", "responses": responses}


def _in_query(query: Query) -> Json:
    return {
        "name": query.name,
        "in": "query",
        "required": False,
        "description": query.meaning,
        "schema": query.schema(),
    }


def _refused(*codes: str) -> Json:
    return {code: {"$ref": f"#/components/responses/Refused{code}"} for code in codes}


def _content(text: str, schema: str) -> Json:
    return {"description": text, "content": _json(_ref(schema))}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _any_of(codes: Iterable[str]) -> Json:
    return {
        "oneOf": [_ref(code) for code in codes],
        "discriminator": {"propertyName": "type", "mapping": {code: _ref(code)["$ref"] for code in codes}},
    }


def _array(item: str) -> Json:
    return {"type": "array", "items": _ref(item)}


def _object(properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _joined(first: Json, properties: Json, *rest: Json) -> Json:
    """One object with all properties, each of which is always there in what we write."""
    for one in rest:
        properties = {**properties, **one["properties"]}
    return _object({**first["properties"], **properties})


if __name__ == "__main__":
    for kind in KINDS:
        (Path(sys.argv[1]) / f"{kind.value}.json").write_bytes(written(kind))
