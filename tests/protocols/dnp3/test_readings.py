"""Values of response objects: each form, its flags and its times."""

import math
import struct

import pytest

from protocols.dnp3.errors import ObjectsError
from protocols.dnp3.headers import parse_headers
from protocols.dnp3.layouts import Kind
from protocols.dnp3.readings import Attribute, Strings, decode


def one(octets):
    (readings,) = decode(parse_headers(octets, with_data=True, header_max=9))
    return readings


def columns(octets):
    r = one(octets)
    return r.kind, list(r.indices), list(r.values), list(r.flags), r.times_ms


def test_packed_binaries_unpack_from_the_lowest_bit():
    assert columns(bytes.fromhex("01 01 00 05 0E 05 02"))[1:3] == (list(range(5, 15)), [1, 0, 1, 0, 0, 0, 0, 0, 0, 1])


def test_packed_double_bits_unpack_in_pairs():
    assert columns(bytes.fromhex("03 01 00 00 04 E4 02"))[:3] == (
        Kind.DOUBLE_BIT_INPUT,
        [0, 1, 2, 3, 4],
        [0, 1, 2, 3, 2],
    )


def test_state_and_quality_share_an_octet():
    assert columns(bytes.fromhex("01 02 00 00 01 81 04"))[2:4] == ([1, 0], [1, 4])
    assert columns(bytes.fromhex("03 02 00 00 01 81 41"))[2:4] == ([2, 1], [1, 1])


def test_event_with_time():
    octets = bytes.fromhex("02 02 17 01 07 81") + (1_700_000_000_123).to_bytes(6, "little")
    assert columns(octets) == (Kind.BINARY_INPUT, [7], [1], [1], [1_700_000_000_123])
    assert one(octets).is_event


@pytest.mark.parametrize(("variation", "is_good"), [(1, True), (2, False)])
def test_event_with_relative_time_counts_from_the_common_time(variation, is_good):
    octets = bytes((51, variation, 7, 1)) + (1000).to_bytes(6, "little") + bytes.fromhex("02 03 17 01 07 81 05 00")
    r = one(octets)
    assert (r.times_ms, r.is_time_good) == ([1005], is_good)


def test_event_with_relative_time_alone_is_refused():
    with pytest.raises(ObjectsError):
        one(bytes.fromhex("02 03 17 01 07 81 05 00"))


@pytest.mark.parametrize(
    ("group", "variation", "form", "value"),
    [
        (30, 1, "i", -70000), (30, 2, "h", -300), (30, 5, "f", 1.5), (30, 6, "d", 1e300),
        (20, 1, "I", 4_000_000_000), (20, 2, "H", 65535), (21, 1, "I", 7), (40, 1, "i", 50_000), (40, 3, "f", -2.5),
        (31, 1, "i", 5), (31, 7, "f", 0.25),
    ],
)  # fmt: skip
def test_numbers_with_flags(group, variation, form, value):
    octets = bytes((group, variation, 0, 0, 0, 0x21)) + struct.pack("<" + form, value)
    assert columns(octets)[2:4] == ([value], [0x21])


@pytest.mark.parametrize(("group", "variation", "form"), [(30, 3, "i"), (30, 4, "h"), (20, 5, "I"), (20, 6, "H")])
def test_numbers_without_flags_count_as_online(group, variation, form):
    assert columns(bytes((group, variation, 0, 0, 0)) + struct.pack("<" + form, 9))[2:4] == ([9], [1])


def test_not_a_number_and_the_last_time_of_all_pass_as_they_are():
    octets = bytes((32, 7, 0x17, 1, 0, 1)) + struct.pack("<f", math.nan) + b"\xff" * 6
    r = one(octets)
    assert math.isnan(r.values[0])
    assert r.times_ms == [0xFFFFFFFFFFFF]


def test_strings_and_attributes():
    strings = one(bytes.fromhex("6E 03 00 00 01") + b"abcdef")
    assert isinstance(strings, Strings)
    assert list(strings.values) == [b"abc", b"def"]
    attribute = one(bytes.fromhex("00 FC 00 00 00 01 04") + b"Acme")
    assert attribute == Attribute(252, 1, b"Acme")


def test_a_control_among_readings_is_refused():
    with pytest.raises(ObjectsError):
        one(bytes.fromhex("29 02 17 01 00 05 00 00"))


def test_no_events_is_an_empty_column():
    assert columns(bytes.fromhex("20 01 17 00"))[1:3] == ([], [])
