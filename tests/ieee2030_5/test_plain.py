"""The short way to read a reading: wherever it reads a document, it reads what the codec reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ieee2030_5 import resources as r
from ieee2030_5.codec import parse, render
from ieee2030_5.plain import Plain

PLAIN = Plain(r.MirrorMeterReading)
TYPES = (r.MirrorMeterReading,)

optional = st.none
times = st.builds(r.DateTimeInterval, duration=st.integers(0, 2**32 - 1), start=st.integers(0, 2**40))
values = st.builds(
    r.Reading,
    consumptionBlock=optional() | st.integers(0, 255),
    qualityFlags=optional() | st.sampled_from(["0000", "0010", "FFFF"]),
    timePeriod=optional() | times,
    value=optional() | st.integers(-(2**47), 2**47 - 1),
)
kinds = st.builds(
    r.ReadingType,
    commodity=optional() | st.integers(0, 255),
    dataQualifier=optional() | st.integers(0, 255),
    flowDirection=optional() | st.sampled_from([1, 19]),
    powerOfTenMultiplier=optional() | st.integers(-128, 127),
    uom=optional() | st.integers(0, 255),
)
readings = st.builds(
    r.MirrorMeterReading,
    mRID=st.text("0123456789ABCDEFabcdef", min_size=1, max_size=32),
    description=optional() | st.text(max_size=20).filter(lambda text: text == text.strip() and text.isprintable()),
    version=optional() | st.integers(0, 65_535),
    lastUpdateTime=optional() | st.integers(0, 2**40),
    reading=optional() | values,
    reading_type=optional() | kinds,
)


@given(readings)
def test_both_ways_read_the_same(reading: r.MirrorMeterReading) -> None:
    body = render(reading)
    found, whole = PLAIN.read(body), parse(body, TYPES)
    plainly = body.isascii() and b"&" not in body and b"/>" not in body
    assert (found is not None) == plainly
    assert found in (None, whole)


@given(readings, st.data())
def test_whatever_is_changed_is_read_as_the_codec_reads_it_or_left_to_it(
    reading: r.MirrorMeterReading, data: st.DataObject
) -> None:
    body = bytearray(render(reading))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body)))
        octets = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"<", b">", b"&", b"&lt;", b" ", b"\r\n", b"]]>", b"9"])
        )
        body[at : at + data.draw(st.integers(0, 4))] = octets
    found = PLAIN.read(bytes(body))
    if found is not None:
        assert found == parse(bytes(body), TYPES)


HEAD = b'<MirrorMeterReading xmlns="urn:ieee:std:2030.5:ns">'
PLAINLY = HEAD + b"<mRID>AB</mRID><Reading><value>42</value></Reading></MirrorMeterReading>"


@pytest.mark.parametrize(
    "body",
    [
        PLAINLY,
        b'<?xml version="1.0" encoding="UTF-8"?>\n' + PLAINLY,
        b"<?xml version='1.0'?>" + PLAINLY + b"\n",
        PLAINLY.replace(b"><", b">\r\n  <"),
        PLAINLY.replace(b"42", b" 42 "),
        PLAINLY.replace(b"<value>42</value>", b"<value>042</value>"),
    ],
)
def test_plain_documents_are_read(body: bytes) -> None:
    found = PLAIN.read(body)
    assert found is not None
    assert found == parse(body, TYPES)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'<?xml version="1.0" encoding="latin-1"?>' + PLAINLY,
        b"<!DOCTYPE a>" + PLAINLY,
        PLAINLY.replace(b"<mRID>AB</mRID>", b""),
        PLAINLY.replace(b"42", b"4242424242424242"),
        PLAINLY.replace(b"42", b"4<!-- -->2"),
        PLAINLY.replace(b"42", b"&#52;2"),
        PLAINLY.replace(b"<mRID>AB</mRID>", b"<mRID>AB</mRID><mRID>AB</mRID>"),
        PLAINLY.replace(b"urn:ieee:std:2030.5:ns", b"urn:ieee:std:2030x5:ns"),
        PLAINLY.replace(b"<Reading>", b'<Reading href="/x">'),
        PLAINLY + b"<x/>",
    ],
)
def test_everything_else_is_left_to_the_codec(body: bytes) -> None:
    assert PLAIN.read(body) is None


@pytest.mark.parametrize("filler", [b" ", b"\n", b"1", b"<", b"<value>", b"<Reading>"])
def test_a_body_of_the_greatest_size_is_left_to_the_codec(filler: bytes) -> None:
    # The expression has no part that could be tried in more than one way, so this ends at once.
    assert PLAIN.read(HEAD + b"<mRID>" + filler * (64_000 // len(filler)) + b"<</MirrorMeterReading>") is None
