"""The published schemas accept what the wire accepts, and refuse what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.coordination import wire
from gateway.coordination.routing import MATRIX
from gateway.coordination.schema import catalogue, message_schema, routes
from tests.gateway.coordination.test_wire import messages

VALIDATORS = {code: Draft202012Validator(message_schema(code)) for code in wire.TYPES}


def test_the_catalogue_is_a_schema_and_every_message_has_its_routes():
    Draft202012Validator.check_schema(catalogue())
    assert set(MATRIX) == set(wire.TYPES)
    assert routes("SHORTFALL.Notice") == [{"from": "dso", "to": "system_operator", "models": ["T"]}]


@given(messages)
def test_whatever_is_sent_is_valid(message):
    VALIDATORS[message.code].validate(wire.to_json(message))


@given(messages, st.data())
def test_a_missing_or_foreign_field_is_refused_by_both(message, data):
    document = wire.to_json(message)
    place = data.draw(st.sampled_from([document, document["body"]]))
    required = VALIDATORS[message.code].schema["required"]
    body = VALIDATORS[message.code].schema["properties"]["body"]["required"]
    names = [name for name in (required if place is document else body) if name != "type"]
    if names and data.draw(st.booleans()):
        del place[data.draw(st.sampled_from(names))]
    else:
        place["surprise"] = 1
    assert not VALIDATORS[message.code].is_valid(document)
    with pytest.raises(wire.WireError):
        wire.from_json(document)
