"""Object headers: every qualifier both ways, and ranges and counts that lie."""

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.dnp3.errors import ObjectsError
from protocols.dnp3.fragment import Iin
from protocols.dnp3.headers import Header, all_header, class_header, parse_headers, range_header, runs
from protocols.dnp3.layouts import LAYOUTS
from protocols.dnp3.readings import decode


def request(text):
    return list(parse_headers(bytes.fromhex(text), with_data=False, header_max=64))


def response(text):
    return list(parse_headers(bytes.fromhex(text), with_data=True, header_max=64))


@pytest.mark.parametrize(
    ("octets", "selection", "count"),
    [
        ("1E 00 06", None, None),
        ("1E 00 00 02 05", range(2, 6), 4),
        ("1E 00 01 00 01 02 01", range(256, 259), 3),
        ("1E 00 02 01 00 00 00 02 00 00 00", range(1, 3), 2),
        ("20 00 07 0A", None, 10),
        ("20 00 08 0A 01", None, 266),
        ("20 00 09 0A 00 00 00", None, 10),
        ("1E 00 17 02 01 09", (1, 9), 2),
        ("1E 00 28 02 00 01 00 00 09", (1, 0x900), 2),
        ("1E 00 39 01 00 00 00 07 00 00 00", (7,), 1),
    ],
)
def test_each_qualifier_of_a_request(octets, selection, count):
    (header,) = request(octets)
    assert (header.selection, header.count, header.data) == (selection, count, b"")


@pytest.mark.parametrize(
    ("octets", "selection"),
    [
        ("1E 02 00 03 04 01 10 00 01 20 00", range(3, 5)),
        ("1E 02 01 03 00 04 00 01 10 00 01 20 00", range(3, 5)),
        ("1E 02 02 03 00 00 00 04 00 00 00 01 10 00 01 20 00", range(3, 5)),
        ("1E 02 17 02 03 01 10 00 04 01 20 00", (3, 4)),
        ("1E 02 28 02 00 03 00 01 10 00 04 00 01 20 00", (3, 4)),
        ("1E 02 39 02 00 00 00 03 00 00 00 01 10 00 04 00 00 00 01 20 00", (3, 4)),
    ],
)
def test_each_qualifier_of_a_response(octets, selection):
    (values,) = decode(iter(response(octets)))
    assert tuple(values.indices) == tuple(selection)
    assert list(values.values) == [16, 32]
    assert list(values.flags) == [1, 1]


@pytest.mark.parametrize("qualifier", [0x03, 0x04, 0x05, 0x0A, 0x16, 0x18, 0x27, 0x4B, 0x80, 0xFF])
def test_reserved_qualifiers_are_refused(qualifier):
    for with_data in (False, True):
        with pytest.raises(ObjectsError) as caught:
            list(parse_headers(bytes((30, 1, qualifier, 0, 0, 0, 0)), with_data=with_data, header_max=9))
        assert caught.value.iin is Iin.PARAM_ERROR


@pytest.mark.parametrize("octets", ["1E", "1E 01", "1E 01 00", "1E 01 01 00 00", "20 00 08 01", "1E 00 17 03 01 02"])
def test_truncated_headers_are_refused(octets):
    with pytest.raises(ObjectsError):
        request(octets)


@pytest.mark.parametrize(
    "octets",
    [
        "1E 01 00 05 02",  # start above stop
        "1E 01 02 00 00 00 00 FF FF FF FF",
        "01 01 02 00 00 00 00 FF FF FF FF",
        "03 01 02 00 00 00 00 FF FF FF FF",
        "01 01 01 00 00 FF FF",
        "1E 01 01 00 00 FF FF",
        "20 01 28 FF FF",
        "20 01 39 FF FF FF FF",
        "32 01 08 FF FF",
        "33 01 09 FF FF FF FF",
        "00 F2 17 FF",
        "6E 00 01 00 00 FF FF",
        "6F 00 28 FF FF",
        "70 00 09 FF FF FF FF",
        "3C 00 09 FF FF FF FF",
        "1E 00 01 00 00 FF FF",
        "46 05 5B 01 FF FF 00",
        "46 05 5B FF",
        "78 01 5B 01 10 00 00",
    ],
)
def test_ranges_counts_and_sizes_beyond_the_octets_are_refused_without_allocating(octets):
    tracemalloc.start()
    try:
        with pytest.raises(ObjectsError):
            list(decode(iter(response(octets))))
        assert tracemalloc.get_traced_memory()[1] < 200_000
    finally:
        tracemalloc.stop()


def test_a_huge_range_without_data_is_refused_in_a_request_too():
    with pytest.raises(ObjectsError):
        request("1E 00 02 00 00 00 00 FF FF FF FF")


def test_the_number_of_headers_is_capped():
    with pytest.raises(ObjectsError, match="64"):
        list(parse_headers(class_header(0) * 600, with_data=False, header_max=64))


def test_files_and_authentication_are_skipped_by_their_size():
    assert list(decode(iter(response("46 05 5B 01 03 00 AA BB CC 01 02 00 00 00 81")))) != []


def test_an_unknown_group_ends_the_parse_and_what_came_before_stands():
    headers = parse_headers(
        bytes.fromhex("01 02 00 00 00 81 C8 01 00 00 00 01 02 00 00 00 81"), with_data=True, header_max=9
    )
    assert next(headers).group == 1
    with pytest.raises(ObjectsError) as caught:
        next(headers)
    assert caught.value.iin is Iin.OBJECT_UNKNOWN


def test_headers_are_written_in_their_shortest_form():
    assert class_header(0).hex() == "3c0106"
    assert all_header(10).hex() == "0a0006"
    assert range_header(30, 5, 0, 255).hex() == "1e050000ff"
    assert range_header(30, 5, 0, 256).hex() == "1e05010000" + "0001"


def test_runs_are_the_consecutive_stretches():
    assert list(runs([0, 1, 2, 7, 9, 10])) == [(0, 2), (7, 7), (9, 10)]
    assert list(runs([])) == []


@pytest.mark.parametrize(("key", "layout"), LAYOUTS.items())
@pytest.mark.parametrize("prefix", [0, 1, 2, 4])
def test_every_layout_is_cut_by_its_own_size(key, layout, prefix):
    if layout.bits and prefix:
        return
    qualifier = {0: 0x00, 1: 0x17, 2: 0x28, 4: 0x39}[prefix]
    fields = {0: struct.pack("<BB", 0, 2), 1: b"\x03", 2: b"\x03\x00", 4: b"\x03\x00\x00\x00"}[prefix]
    data = b"\x00" * layout.octets(3, prefix)
    octets = bytes((*key, qualifier)) + fields + data
    (header,) = parse_headers(octets, with_data=True, header_max=1)
    assert isinstance(header, Header)
    assert header.data == data
    with pytest.raises(ObjectsError):
        list(parse_headers(octets[:-1], with_data=True, header_max=1))


@settings(max_examples=500)
@given(st.binary(max_size=300), st.booleans())
def test_any_octets_parse_or_are_refused(octets, with_data):
    try:
        headers = list(parse_headers(octets, with_data=with_data, header_max=64))
        if with_data:
            list(decode(iter(headers)))
    except ObjectsError:
        pass


@settings(max_examples=500)
@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.sampled_from([0, 1, 2, 6, 7, 8, 9, 0x17, 0x28, 0x39, 0x5B]),
    st.binary(max_size=120),
)
def test_any_octets_after_a_real_header_parse_or_are_refused(key, qualifier, rest):
    try:
        for decoded in decode(parse_headers(bytes((*key, qualifier)) + rest, with_data=True, header_max=64)):
            assert len(decoded.indices) == len(decoded.values) == len(decoded.flags)
    except ObjectsError:
        pass
