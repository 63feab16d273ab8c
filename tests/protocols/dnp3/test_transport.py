"""Segments: every length round, and every way they can come wrong."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.dnp3.transport import SEGMENT_MAX, Reassembler, segments

FIN, FIR = 0x80, 0x40


def feed(reassembler, *parts):
    return [fragment for part in parts if (fragment := reassembler.feed(part)) is not None]


@given(st.binary(min_size=1, max_size=2048), st.integers(0, 63))
def test_a_fragment_survives_its_segments(fragment, sequence):
    parts = segments(fragment, sequence)
    assert all(len(part) <= SEGMENT_MAX + 1 for part in parts)
    assert feed(Reassembler(2048), *parts) == [fragment]


def test_orphan_segments_are_discarded():
    reassembler = Reassembler(2048)
    assert feed(reassembler, bytes((0x01, 1)), bytes((FIN | 0x02, 2))) == []
    assert reassembler.discarded == 2


def test_segments_out_of_order_discard_the_fragment_and_the_next_one_works():
    parts = segments(bytes(600), 0)
    assert feed(Reassembler(2048), parts[0], parts[2], parts[1], *segments(b"ab", 9)) == [b"ab"]


def test_a_repeated_first_segment_begins_anew():
    first, last = segments(bytes(300), 5)
    assert feed(Reassembler(2048), first, first, last) == [bytes(300)]


def test_segments_without_an_end_are_capped():
    reassembler = Reassembler(2048)
    feed(reassembler, bytes((FIR, 1)))
    for sequence in range(1, 100):
        assert reassembler.feed(bytes((sequence & 63,)) + bytes(249)) is None
        assert reassembler._octets <= 2048


def test_a_transport_octet_alone_is_ignored():
    assert feed(Reassembler(2048), bytes((FIR | FIN,)), *segments(b"x", 0)) == [b"x"]
