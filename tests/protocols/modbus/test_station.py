import struct

import pytest

from protocols.modbus.settings import Encoding, MappedRegister
from protocols.modbus.station import Block, blocks, decode
from protocols.modbus.sunspec import READ_MAX
from protocols.points import Point, Quantity

POINT = Point("L12", Quantity.CURRENT_A)


def register(address, encoding=Encoding.FLOAT32, scale=1.0) -> MappedRegister:
    return MappedRegister(POINT, address, encoding, scale)


def test_neighbours_are_read_together_and_gaps_are_not_read():
    found = blocks([register(10), register(0), register(2), register(12), register(14)])
    assert [(block.address, block.count) for block in found] == [(0, 4), (10, 6)]


def test_no_read_is_longer_than_the_protocol_allows():
    found = blocks([register(address) for address in range(0, 400, 2)])
    assert max(block.count for block in found) <= READ_MAX
    assert sum(len(block.registers) for block in found) == 200


@pytest.mark.parametrize(
    ("encoding", "words", "value"),
    [
        (Encoding.INT16, (0xFFFE,), -2),
        (Encoding.UINT16, (0xFFFE,), 65534),
        (Encoding.INT32, (0xFFFF, 0xFFFE), -2),
        (Encoding.UINT32, (0x0001, 0x0000), 65536),
        (Encoding.FLOAT32, struct.unpack(">HH", struct.pack(">f", 154.25)), 154.25),
    ],
)
def test_decodes_each_encoding_with_its_scale(encoding, words, value):
    mapped = register(100, encoding, 0.5)
    assert list(decode(Block(98, len(words) + 3, (mapped,)), (9, 9, *words, 9))) == [(POINT, value / 2)]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_number_is_none(number):
    mapped = register(0)
    assert list(decode(Block(0, 2, (mapped,)), struct.unpack(">HH", struct.pack(">f", number)))) == [(POINT, None)]
