"""Application header, both ways."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.dnp3.fragment import Fragment, Function, Iin, decode_fragment, encode_fragment, next_sequence


@given(
    st.builds(
        Fragment,
        function=st.integers(0, 255),
        sequence=st.integers(0, 15),
        objects=st.binary(max_size=20),
        iin=st.none() | st.integers(0, (1 << 14) - 1).map(Iin),
        first=st.booleans(),
        final=st.booleans(),
        confirm=st.booleans(),
        unsolicited=st.booleans(),
    )
)
def test_round_trip(fragment):
    assert decode_fragment(encode_fragment(fragment), is_response=fragment.iin is not None) == fragment


def test_known_octets_of_an_integrity_poll():
    fragment = decode_fragment(bytes.fromhex("C3 01 3C 02 06 3C 03 06 3C 04 06 3C 01 06"), is_response=False)
    assert (fragment.function, fragment.sequence, fragment.is_whole) == (Function.READ, 3, True)


def test_known_octets_of_a_null_unsolicited_response_after_a_restart():
    fragment = decode_fragment(bytes.fromhex("F0 82 80 00"), is_response=True)
    assert fragment.unsolicited
    assert fragment.confirm
    assert fragment.iin == Iin.DEVICE_RESTART


def test_too_short_is_nothing():
    assert decode_fragment(b"\xc0", is_response=False) is None
    assert decode_fragment(b"\xc0\x81\x00", is_response=True) is None


def test_sequence_wraps():
    assert next_sequence(15) == 0
