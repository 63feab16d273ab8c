"""Octets of numbers as manuals write them, and which registers are read together."""

import struct

import pytest

from protocols.modbus.codec import OutOfRangeError, Rounding
from protocols.modbus.register import Encoding, Order, Register, blocks
from protocols.modbus.sunspec import READ_MAX

FLOAT = struct.unpack(">HH", struct.pack(">f", 154.25))


def test_neighbours_are_read_together_and_gaps_are_not_read():
    found = blocks([Register(address) for address in (10, 0, 2, 12, 14)])
    assert [(block.address, block.count) for block in found] == [(0, 4), (10, 6)]


def test_input_registers_are_read_apart_from_holding_registers():
    found = blocks([Register(0), Register(2, inputs=True), Register(2), Register(0, inputs=True)])
    assert [(block.address, block.count, block.inputs) for block in found] == [(0, 4, False), (0, 4, True)]


@pytest.mark.parametrize("most", [READ_MAX, 10])
def test_no_read_is_longer_than_protocol_and_device_allow(most):
    found = blocks([Register(address) for address in range(0, 400, 2)], most)
    assert max(block.count for block in found) <= most
    assert sum(len(block.registers) for block in found) == 200


@pytest.mark.parametrize(
    ("encoding", "order", "words", "value"),
    [
        (Encoding.INT16, Order.ABCD, (0xFFFE,), -2),
        (Encoding.INT16, Order.BADC, (0xFEFF,), -2),
        (Encoding.UINT16, Order.ABCD, (0xFFFE,), 65534),
        (Encoding.INT32, Order.ABCD, (0xFFFF, 0xFFFE), -2),
        (Encoding.UINT32, Order.ABCD, (0x1234, 0x5678), 0x12345678),
        (Encoding.UINT32, Order.CDAB, (0x5678, 0x1234), 0x12345678),
        (Encoding.UINT32, Order.BADC, (0x3412, 0x7856), 0x12345678),
        (Encoding.UINT32, Order.DCBA, (0x7856, 0x3412), 0x12345678),
        (Encoding.INT64, Order.ABCD, (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE), -2),
        (Encoding.INT64, Order.CDAB, (0xFFFE, 0xFFFF, 0xFFFF, 0xFFFF), -2),
        (Encoding.UINT64, Order.DCBA, (0x0100, 0, 0, 0), 1),
        (Encoding.FLOAT32, Order.ABCD, FLOAT, 154.25),
        (Encoding.FLOAT32, Order.CDAB, FLOAT[::-1], 154.25),
        (Encoding.FLOAT64, Order.ABCD, struct.unpack(">4H", struct.pack(">d", -1.5)), -1.5),
    ],
)
def test_each_encoding_in_each_order_with_its_scale_both_ways(encoding, order, words, value):
    register = Register(100, encoding, 0.5, order)
    assert register.decode(words) == value / 2
    assert register.encode(value / 2) == words


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_number_is_none(number):
    assert Register(0).decode(struct.unpack(">HH", struct.pack(">f", number))) is None


def test_a_missing_value_is_none_and_is_never_written_for_a_number():
    register = Register(0, Encoding.INT16, missing=-0x8000)
    assert register.decode((0x8000,)) is None
    assert register.encode(None) == (0x8000,)
    with pytest.raises(OutOfRangeError, match="would read as missing"):
        register.encode(-32768)


@pytest.mark.parametrize(
    ("scale", "rounding", "raw"),
    [(10, Rounding.DOWN, 12), (10, Rounding.UP, 13), (10, Rounding.NEAREST, 13), (-10, Rounding.DOWN, -12)],
)
def test_rounding_is_of_the_value_whatever_the_sign_of_its_scale(scale, rounding, raw):
    (word,) = Register(0, Encoding.INT16, scale).encode(127, rounding)
    assert word == raw & 0xFFFF


@pytest.mark.parametrize("value", [-1, 65536, float("nan"), None])
def test_what_does_not_fit_is_refused(value):
    with pytest.raises(OutOfRangeError):
        Register(0, Encoding.UINT16).encode(value)


def test_the_nearest_value_lies_at_the_ends_of_the_range():
    register = Register(0, Encoding.INT16, -2)
    assert [register.nearest(value) for value in (-1e6, 7, 1e6)] == [-65534, 7, 65536]
