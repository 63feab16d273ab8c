"""The link check, against the published check value and the polynomial's own definition."""

from hypothesis import given
from hypothesis import strategies as st

from protocols.dnp3.crc import BLOCK, crc


def bit_by_bit(block):
    """The definition: divide by the reflected polynomial one bit at a time."""
    value = 0
    for octet in block:
        value ^= octet
        for _ in range(8):
            value = (value >> 1) ^ (0xA6BC if value & 1 else 0)
    return value ^ 0xFFFF


def test_the_published_check_value():
    assert crc(b"123456789") == 0xEA82


@given(st.binary(max_size=BLOCK))
def test_tables_agree_with_the_definition(block):
    assert crc(block) == bit_by_bit(block)


@given(st.binary(min_size=1, max_size=BLOCK), st.data())
def test_any_changed_octet_is_noticed(block, data):
    at = data.draw(st.integers(0, len(block) - 1))
    other = bytearray(block)
    other[at] ^= data.draw(st.integers(1, 255))
    assert crc(bytes(other)) != crc(block)
