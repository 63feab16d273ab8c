from dataclasses import fields
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.coordination import wire
from gateway.coordination.messages import (
    Dispatch,
    Header,
    LimitIssue,
    Message,
    Supporting,
)
from grid_engine.results import Reason

HEADER = Header("m1", "d1", "IESO", "AGENT_A", 1_767_225_600.25, "R1", "DP")
DISPATCH = Message(HEADER, Dispatch("d1", 1, "A", 2e6, 1_767_225_600, 1_767_225_900))
LIMIT = Message(
    HEADER,
    LimitIssue("l1", 1, "A", 0, 300, 1.2e6, -2.5e6, Reason.THERMAL, "L12", 900, Supporting(120.8, 100.0, "r1-1", "c1")),
)


def test_a_dispatch_travels_in_megawatts_and_iso_time() -> None:
    assert wire.to_json(DISPATCH) == {
        "msg_id": "m1",
        "corr_id": "d1",
        "sender": "IESO",
        "recipient": "AGENT_A",
        "created_at": "2026-01-01T00:00:00.250000Z",
        "zone": "R1",
        "model": "DP",
        "type": "DISPATCH.RT",
        "body": {
            "dispatch_id": "d1",
            "version": 1,
            "resource": "A",
            "power_mw": 2.0,
            "start": "2026-01-01T00:00:00Z",
            "end": "2026-01-01T00:05:00Z",
        },
    }


def test_a_limit_carries_its_support_information() -> None:
    body = wire.to_json(LIMIT)["body"]
    assert body["reason"] == "THERMAL"
    assert (body["ceiling_mw"], body["floor_mw"]) == (1.2, -2.5)
    assert body["supporting"]["loading_before_pct"] == 120.8
    assert wire.decode(wire.encode(LIMIT)) == LIMIT


def test_another_offset_is_the_same_moment() -> None:
    document = wire.to_json(DISPATCH)
    document["body"]["start"] = "2025-12-31T19:00:00-05:00"
    assert wire.from_json(document) == DISPATCH


def _changed(path: str, value: object) -> bytes:
    document = wire.to_json(LIMIT)
    place = document
    *parents, leaf = path.split(".")
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[leaf]
    else:
        place[leaf] = value
    return orjson.dumps(document)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("body.ceiling_mw", "1.2", "is a string"),
        ("body.ceiling_mw", True, "is true or false"),
        ("body.ceiling_mw", 1e9, "out of range"),
        ("body.ceiling_mw", None, "null"),
        ("body.version", 1.5, "is a number"),
        ("body.version", -1, "out of range"),
        ("body.start", "2026-01-01T00:00:00", "no offset"),
        ("body.start", "tomorrow", "not a time"),
        ("body.start", 5, "is a number"),
        ("body.reason", "BOREDOM", "unknown"),
        ("body.supporting", [], "is a list"),
        ("body.supporting.loading_before_pct", ..., "is missing"),
        ("body.surprise", 1, "not a field"),
        ("body.resource", "A\nB", "control characters"),
        ("body.resource", "A" * 300, "too long"),
        ("msg_id", ..., "is missing"),
        ("model", "XX", "unknown"),
        ("type", "LIMIT.Shout", "unknown"),
        ("body", ..., "missing"),
    ],
)
def test_a_fault_is_named_with_its_field(path: str, value: object, problem: str) -> None:
    with pytest.raises(wire.WireError, match=problem) as caught:
        wire.decode(_changed(path, value))
    assert caught.value.field == path
    assert caught.value.remedy.startswith("send")


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"null", b"{", b'{"type": []}', b"NaN", b"\xff", b" " * 70_000])
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(raw)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_document_is_read_or_refused_by_name(document: object) -> None:
    with pytest.raises(wire.WireError):
        wire.from_json(document)


_TEXT = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
_BY_NAME = {"_w": st.integers(-(10**10), 10**10).map(float), "_s": st.integers(0, 4 * 10**9).map(float)}
_BY_TYPE = {str: _TEXT, int: st.integers(0, 2**31 - 1), bool: st.booleans(), float: st.floats(-1e9, 1e9)}


def _of(hint: Any, name: str) -> st.SearchStrategy:
    if get_origin(hint) in (Union, UnionType):
        return st.none() | _of(next(one for one in get_args(hint) if one is not NoneType), name)
    if get_origin(hint) is tuple:
        return st.lists(_of(get_args(hint)[0], name), max_size=4).map(tuple)
    if hint is float and name[-2:] in _BY_NAME:
        return _BY_NAME[name[-2:]]
    if hint in _BY_TYPE:
        return _BY_TYPE[hint]
    return st.sampled_from(hint) if issubclass(hint, StrEnum) else _records(hint)


def _records(kind: type) -> st.SearchStrategy:
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: _of(hints[field.name], field.name) for field in fields(kind)})


messages = st.sampled_from(list(wire.TYPES.values())).flatmap(_records).map(lambda body: Message(HEADER, body))
"""Any message of the catalogue."""


@given(messages)
def test_every_message_comes_back_as_it_was_sent(message: Message) -> None:
    assert wire.decode(wire.encode(message)) == message


def test_every_message_of_the_catalogue_has_a_shape_that_the_wire_can_write() -> None:
    for kind in wire.TYPES.values():
        for name, wire_name, _, _ in wire.shape(kind):
            assert wire_name
            assert not wire_name.endswith(("_w", "_s")), name


def test_a_whole_number_may_be_written_with_a_point() -> None:
    document = wire.to_json(
        Message(Header("m", "c", "IESO", "DSO", 0.0, "R1", "T"), Dispatch("d", 2, "TD1", 1e6, 0, 300))
    )
    body = document["body"]
    assert isinstance(body, dict)
    read = wire.from_json({**document, "body": {**body, "version": 2.0}})
    assert read.body == Dispatch("d", 2, "TD1", 1e6, 0, 300)
    with pytest.raises(wire.WireError, match="send a whole number"):
        wire.from_json({**document, "body": {**body, "version": 2.5}})


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:59Z", "9999-01-01T00:00:00Z"]
)
def test_a_time_that_could_not_be_written_again_is_refused(text: str) -> None:
    with pytest.raises(wire.WireError, match="out of range; send a time of the years 1970 to 9998"):
        wire.decode(_changed("created_at", text))


@pytest.mark.parametrize("twice", [b'"sender":"IESO"', b'"ceiling_mw":1.2'])
def test_a_name_that_stands_twice_is_refused(twice: bytes) -> None:
    raw = wire.encode(LIMIT)
    assert twice in raw
    with pytest.raises(wire.WireError, match="is there twice; send each field once"):
        wire.decode(raw.replace(twice, twice + b"," + twice))


def test_what_is_hidden_deep_behind_a_twin_is_refused() -> None:
    deep = b'"sender":' + b"[" * 1_000 + b"]" * 1_000 + b","
    with pytest.raises(wire.WireError):
        wire.decode(wire.encode(LIMIT).replace(b'"sender":', deep + b'"sender":'))
