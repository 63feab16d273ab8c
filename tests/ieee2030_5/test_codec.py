"""Every type of document: written as the schema wants it, read back as it was, and safe against hostile bytes."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from ieee2030_5 import codec, resources
from ieee2030_5.codec import CSIP_AUS, DocumentError, Extension, InvalidValueError, parse, render
from ieee2030_5.scalars import Boolean, Hexadecimal, Integer, Text
from tests.ieee2030_5.conftest import Validate

ROOTS = [
    value
    for value in vars(resources).values()
    if isinstance(value, type)
    and value.__module__ == resources.__name__
    and (issubclass(value, resources.Resource) or value is resources.Error)
]
ABSTRACT = {"FunctionSetAssignmentsBase", "List", "SubscribableList", "Resource"}
"""Elements of these names are in the schema, but nobody sends them."""

LETTERS = st.characters(
    min_codepoint=32, max_codepoint=0x2FF, exclude_characters="\x7f" + "".join(map(chr, range(128, 160)))
)


def of_scalar(scalar: object) -> st.SearchStrategy[Any]:
    match scalar:
        case Integer(low, high):
            return st.integers(low, high)
        case Boolean():
            return st.booleans()
        case Text(length):
            # Readers trim, so text does not begin or end in space; some texts are URIs in the schema.
            return st.text(st.sampled_from("abc/XYZ019-._&<>'"), max_size=min(length, 12))
        case Hexadecimal(octets, full_width):
            digits = st.integers(octets if full_width else 1, octets)
            return digits.flatmap(lambda n: st.text("0123456789ABCDEF", min_size=2 * n, max_size=2 * n))
    raise AssertionError(scalar)


def of_class(cls: type, depth: int = 0) -> st.SearchStrategy[Any]:
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for part in codec.parts_of(cls):
        one = of_scalar(part.scalar) if part.scalar else st.deferred(lambda p=part: of_class(p.children, depth + 1))
        if part.repeats:
            least = int(part.required)
            fields[part.field] = st.lists(one, min_size=least, max_size=2 if depth < 1 else 1).map(tuple)
        elif part.required or (part.is_attribute and part.field in ("href", "all", "results")):
            fields[part.field] = one
        elif part.namespace == CSIP_AUS and cls.__name__ in ("DERCapability", "ConnectionPoint"):
            # Required there, and only there, and but for what 1.3 adds.
            fields[part.field] = one if part.since is Extension.AUS else st.none() | one
        else:
            fields[part.field] = st.none() | one
    return st.fixed_dictionaries(fields).map(lambda values: cls(**values))


def without(document: Any, extension: Extension) -> Any:
    """The same without what only clients beyond an extension see."""
    return parse(render(document, aus=extension), (type(document),))


@pytest.mark.parametrize("cls", [cls for cls in ROOTS if cls.__name__ not in ABSTRACT], ids=lambda cls: cls.__name__)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_document_validates_and_comes_back(cls: type, data: st.DataObject, validate: Validate):
    document = data.draw(of_class(cls))
    for extension in Extension:
        body = render(document, aus=extension)
        validate(body)
        assert parse(body, (cls,)) == (document if extension is Extension.STORAGE else without(document, extension))


def test_a_document_begins_with_its_root_so_that_text_parses_as_well_as_bytes():
    body = render(resources.Time(currentTime=1, dstEndTime=0, dstOffset=0, dstStartTime=0, quality=7, tzOffset=0))
    assert body.startswith(b'<Time xmlns="urn:ieee:std:2030.5:ns">')
    assert etree.fromstring(body.decode()).tag == "{urn:ieee:std:2030.5:ns}Time"


def test_every_scalar_refuses_what_is_outside():
    for scalar, text in (
        (Integer(0, 255), "256"),
        (Integer(0, 255), "-1"),
        (Integer(0, 255), "1e2"),
        (Integer(0, 255), "١"),
        (Integer(0, 255), ""),
        (Boolean(), "yes"),
        (Text(3), "abcd"),
        (Hexadecimal(1), "0A0"),
        (Hexadecimal(1), "0x"),
        (Hexadecimal(1), ""),
    ):
        with pytest.raises(ValueError):  # noqa: PT011  (any message)
            scalar.decode(text)


def test_hexadecimal_is_lenient_in_and_strict_out():
    assert Hexadecimal(4).decode("a") == "0A"
    assert Hexadecimal(4).decode("0000000f") == "0000000F"
    assert Hexadecimal(16, full_width=True).decode("ab") == "AB".rjust(32, "0")


def test_text_is_escaped_and_control_characters_never_leave():
    event = resources.LogEvent(
        createdDateTime=1, details="<&>'\"", functionSet=0, logEventCode=0, logEventID=0, logEventPEN=0, profileID=0
    )
    assert parse(render(event), (resources.LogEvent,)) == event
    with pytest.raises(ValueError, match="control"):
        render(replace(event, details="a\x00b"))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_refused_as_a_document_error(body: bytes):
    with pytest.raises(DocumentError):
        parse(body, (resources.DERStatus,))


@pytest.mark.parametrize("place", [b"<multiplier>", b"<value>", b"</setMaxW>"])
def test_text_between_elements_is_refused(place: bytes):
    body = render(
        resources.DERSettings(setGradW=1, setMaxW=resources.ActivePower(multiplier=0, value=1), updatedTime=1)
    )
    assert parse(body.replace(place, b"\n " + place), (resources.DERSettings,)).setGradW == 1
    with pytest.raises(DocumentError, match="text between"):
        parse(body.replace(place, b"no" + place), (resources.DERSettings,))


GOOD = render(
    resources.DERStatus(
        href="/x",
        alarmStatus="00000001",
        genConnectStatus=resources.StatusBits(dateTime=1, value="07"),
        readingTime=2,
        stateOfChargeStatus=resources.StatusPercent(dateTime=1, value=5_000),
    )
)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=4), st.integers(0, 6))
def test_a_damaged_document_is_read_or_refused_but_never_crashes(at: int, put: bytes, cut: int):
    damaged = GOOD[:at] + put + GOOD[at + cut :]
    with suppress(DocumentError):
        parse(damaged, (resources.DERStatus,))


def test_faults_of_values_are_told_from_faults_of_form():
    with pytest.raises(InvalidValueError, match="value"):
        parse(GOOD.replace(b"5000", b"10001"), (resources.DERStatus,))
    with pytest.raises(DocumentError, match="lacks readingTime") as caught:
        parse(GOOD.replace(b"<readingTime>2</readingTime>", b""), (resources.DERStatus,))
    assert not isinstance(caught.value, InvalidValueError)


def test_prefixes_comments_and_instructions_do_not_matter():
    body = (
        b'<?xml version="1.0"?><?style x?><s:DERStatus xmlns:s="urn:ieee:std:2030.5:ns"><!-- c -->'
        b"<s:readingTime> 7 </s:readingTime></s:DERStatus>"
    )
    assert parse(body, (resources.DERStatus,)).readingTime == 7
