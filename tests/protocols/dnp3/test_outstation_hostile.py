"""An outstation under attack: it answers, ignores or refuses, stays alive and moves nothing."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.dnp3.fragment import Fragment, Function, Iin, encode_fragment
from protocols.dnp3.headers import class_header
from protocols.dnp3.layouts import LAYOUTS
from protocols.dnp3.link import Frame, encode_frame
from protocols.dnp3.transport import segments
from tests.protocols.dnp3.rtu import Rtu

POLL = bytes.fromhex("C1 01 3C 01 06")


def is_alive(rtu):
    return len(rtu.ask(Function.READ, class_header(0))) == 1


@pytest.mark.parametrize("octets", [b"\xc0", b"\xc0\x81", b"\xc0\x81\x00\x00", b"\xf0\x82\x80\x00", b"\xc0\x00"])
def test_scraps_responses_and_stray_confirms_are_ignored(octets):
    rtu = Rtu()
    assert rtu.apdu(octets) == []
    assert is_alive(rtu)


@pytest.mark.parametrize("control", [0x41, 0x81, 0x01, 0xD1])
def test_requests_in_parts_or_marked_unsolicited_are_ignored(control):
    rtu = Rtu()
    assert rtu.apdu(bytes((control,)) + POLL[1:]) == []
    assert is_alive(rtu)


@pytest.mark.parametrize(
    "objects",
    [
        "1E", "1E 01", "1E 01 00", "1E 01 00 05 02", "1E 01 02 00 00 00 00 FF FF FF FF", "1E 01 03 00 00", "1E 01 7F",
        "01 01 02 00 00 00 00 FF FF FF FF", "1E 01 17 FF 00", "1E 01 28 FF FF", "1E 01 39 FF FF FF FF",
        "46 01 5B 01 FF FF", "6E 00 5B FF",
    ],
)  # fmt: skip
def test_malformed_reads_are_parameter_errors(objects):
    rtu = Rtu()
    response = rtu.read(objects)
    assert response.iin & Iin.PARAM_ERROR
    assert response.objects == b""
    assert is_alive(rtu)


@pytest.mark.parametrize("objects", ["6E 00 28 FF FF", "6F 00 00 00 FF", "70 00 08 FF FF", "3C 01 08 FF FF"])
@pytest.mark.parametrize("function", [Function.WRITE, Function.SELECT, Function.DIRECT_OPERATE])
def test_objects_without_a_size_are_refused(function, objects):
    rtu = Rtu()
    response = rtu.one(function, objects)
    assert response.iin & (Iin.PARAM_ERROR | Iin.OBJECT_UNKNOWN)
    assert is_alive(rtu)


def test_a_transport_that_never_ends_is_capped():
    rtu = Rtu()
    parts = segments(bytes(8000), 0)
    for part in parts:
        frame = Frame(is_from_master=True, is_primary=True, function=4, destination=10, source=1, data=part)
        assert rtu.wire(encode_frame(frame)) == []
    assert is_alive(rtu)


def test_garbage_then_a_poll():
    rtu = Rtu()
    rtu.wire(random.Random(4).randbytes(100_000) + b"\x05\x64" * 10_000)
    rtu.now += 10
    rtu.wire(bytes(300))
    assert is_alive(rtu)


def test_a_hundred_polls_in_one_chunk_are_each_answered():
    rtu = Rtu()
    rtu.fresh()
    for number in range(100):
        rtu.master.send(encode_fragment(Fragment(Function.READ, number % 16, class_header(0))))
    assert len(rtu.wire(rtu.master.data_to_send())) == 100


def test_a_poll_one_octet_at_a_time():
    rtu = Rtu()
    rtu.master.send(POLL)
    assert len([r for octet in rtu.master.data_to_send() for r in rtu.wire(bytes((octet,)))]) == 1


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=80))
def test_any_application_octets_are_survived(control, function, objects):
    rtu = Rtu(unsolicited=True)
    rtu.apdu(bytes((control, function)) + objects)
    rtu.poll(rtu.now + 100)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([1, 2, 3, 5, 7, 9, 20, 22]),
    st.lists(
        st.tuples(
            st.sampled_from([*sorted(LAYOUTS), (60, 1), (60, 2), (110, 0), (110, 3), (70, 1), (120, 1), (0, 254)]),
            st.sampled_from([0, 1, 2, 6, 7, 8, 9, 0x17, 0x28, 0x39, 0x5B]),
            st.binary(max_size=30),
        ),
        max_size=4,
    ),
)
def test_any_plausible_request_is_survived_and_bounded(function, parts):
    rtu = Rtu(unsolicited=True)
    rtu.confirm(rtu.said()[0])
    objects = b"".join(bytes((*key, qualifier)) + rest for key, qualifier, rest in parts)
    for response in rtu.ask(function, objects):
        assert len(response.objects) + 4 <= 2048
    assert is_alive(rtu) or rtu.poll(rtu.now + 6)
