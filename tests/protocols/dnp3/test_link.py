"""Frames: known octets, every cut of a stream, and everything a hostile stream can hold."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.dnp3.crc import crc
from protocols.dnp3.link import (
    SYNC,
    USER_DATA_MAX,
    Frame,
    FrameReader,
    PrimaryFunction,
    SecondaryFunction,
    encode_frame,
)

VECTORS = [
    (
        "05 64 05 C0 01 00 00 04 E9 21",
        Frame(
            is_from_master=True, is_primary=True, function=PrimaryFunction.RESET_LINK_STATES, destination=1, source=1024
        ),
    ),
    (
        "05 64 05 00 00 04 01 00 19 A6",
        Frame(is_from_master=False, is_primary=False, function=SecondaryFunction.ACK, destination=1024, source=1),
    ),
    (
        "05 64 14 F3 01 00 00 04 0A 3B C0 C3 01 3C 02 06 3C 03 06 3C 04 06 3C 01 06 9A 12",
        Frame(
            is_from_master=True,
            is_primary=True,
            function=PrimaryFunction.CONFIRMED_USER_DATA,
            destination=1,
            source=1024,
            data=bytes.fromhex("C0 C3 01 3C 02 06 3C 03 06 3C 04 06 3C 01 06"),
            fcb=True,
            fcv=True,
        ),
    ),
]

FRAMES = st.builds(
    Frame,
    is_from_master=st.booleans(),
    is_primary=st.booleans(),
    function=st.integers(0, 15),
    destination=st.integers(0, 0xFFFF),
    source=st.integers(0, 0xFFFF),
    data=st.binary(max_size=USER_DATA_MAX),
    fcb=st.booleans(),
    fcv=st.booleans(),
)


def frame(data=b"\xc0\xc0\x01", destination=1):
    return Frame(is_from_master=True, is_primary=True, function=4, destination=destination, source=1024, data=data)


def header(length, control=0xC4, destination=1, source=1024):
    head = SYNC + bytes((length, control)) + destination.to_bytes(2, "little") + source.to_bytes(2, "little")
    return head + crc(head).to_bytes(2, "little")


@pytest.mark.parametrize(("octets", "expected"), VECTORS)
def test_known_octets_both_ways(octets, expected):
    wire = bytes.fromhex(octets)
    assert FrameReader().feed(wire) == [expected]
    assert encode_frame(expected) == wire


@given(st.lists(FRAMES, max_size=5), st.data())
def test_any_cut_of_a_stream_gives_the_same_frames(frames, data):
    wire = b"".join(map(encode_frame, frames))
    reader = FrameReader()
    got = []
    at = 0
    while at < len(wire):
        step = data.draw(st.integers(1, 300))
        got += reader.feed(wire[at : at + step])
        at += step
    assert got == frames
    assert reader.bad_frames == 0


def test_one_octet_at_a_time():
    wire = encode_frame(frame(bytes(range(250)))) * 2
    reader = FrameReader()
    assert len([f for octet in wire for f in reader.feed(bytes((octet,)))]) == 2


def test_fifty_frames_in_one_segment():
    assert FrameReader().feed(encode_frame(frame()) * 50) == [frame()] * 50


def test_a_bad_header_check_drops_the_frame_and_finds_the_next():
    wire = bytearray(encode_frame(frame()))
    wire[8] ^= 1
    reader = FrameReader()
    assert reader.feed(bytes(wire) + encode_frame(frame())) == [frame()]
    assert reader.bad_frames == 1


def test_a_bad_check_of_the_last_block_drops_the_whole_frame():
    wire = bytearray(encode_frame(frame(bytes(40))))
    wire[-1] ^= 1
    reader = FrameReader()
    assert reader.feed(bytes(wire) + encode_frame(frame())) == [frame()]
    assert reader.bad_frames == 1


@pytest.mark.parametrize("length", range(5))
def test_a_length_below_five_is_dropped_though_its_check_is_good(length):
    assert FrameReader().feed(header(length) + encode_frame(frame())) == [frame()]


def test_a_frame_inside_the_data_of_a_bad_frame_is_not_accepted():
    inner = encode_frame(frame(destination=7))
    assert len(inner) == 15
    wire = bytearray(encode_frame(frame(inner + bytes(20))))
    wire[-1] ^= 0xFF
    assert FrameReader().feed(bytes(wire)) == []


def test_garbage_costs_linear_time_and_no_memory():
    garbage = random.Random(1).randbytes(250_000) + SYNC * 60_000
    reader = FrameReader()
    got = reader.feed(garbage)
    assert got == []
    assert len(reader._buffer) < 300
    assert reader.feed(encode_frame(frame()) * 30)[-1] == frame()


def test_a_promise_of_255_octets_that_never_come_is_forgotten_on_reset():
    reader = FrameReader()
    assert reader.feed(header(255)) == []
    assert reader.is_partial
    reader.reset()
    assert reader.feed(encode_frame(frame())) == [frame()]


@settings(max_examples=300)
@given(st.binary(max_size=600))
def test_any_octets_are_survived_and_memory_stays_bounded(garbage):
    reader = FrameReader()
    reader.feed(garbage)
    assert len(reader._buffer) <= 292
