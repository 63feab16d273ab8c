import struct
from math import isnan

import pytest

from gateway.testbed.register_face import RegisterFace, ServedRegister
from gateway.testbed.world import point_of
from protocols.modbus.register import Encoding, Register
from protocols.modbus.sunspec import IllegalAddressError

CURRENT, VOLTAGE, TAP = point_of("L12.current_a"), point_of("B4.voltage_pu"), point_of("T1.tap_position")


def _face(**values: float) -> RegisterFace:
    registers = [
        ServedRegister(CURRENT, Register(100)),
        ServedRegister(VOLTAGE, Register(104, Encoding.UINT16, scale=0.0001)),
        ServedRegister(TAP, Register(105, Encoding.INT16)),
    ]
    return RegisterFace(registers, lambda point: values.get(point.resource, float("nan")))


def test_values_lie_where_the_map_says() -> None:
    values = _face(L12=154.25, B4=1.0086, T1=-3).read(100, 6)
    assert struct.unpack(">f", struct.pack(">2H", *values[:2])) == (154.25,)
    assert values[2:] == [0, 0, 10086, 0xFFFD]


def test_part_of_a_value_can_be_read() -> None:
    whole = _face(L12=154.25).read(100, 2)
    assert _face(L12=154.25).read(101, 1) == whole[1:]


def test_no_value_is_what_the_encoding_has_for_it() -> None:
    values = _face().read(100, 6)
    assert isnan(struct.unpack(">f", struct.pack(">2H", *values[:2]))[0])
    assert values[4:] == [0xFFFF, 0x8000]


@pytest.mark.parametrize(("address", "count"), [(99, 1), (100, 7), (100, 0), (106, 1)])
def test_outside_of_the_map_is_refused(address: int, count: int) -> None:
    with pytest.raises(IllegalAddressError):
        _face().read(address, count)


def test_nothing_can_be_written() -> None:
    with pytest.raises(IllegalAddressError):
        _face().write(100, [1])


def test_overlapping_points_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"L12\.current_a and B4\.voltage_pu overlap at register 101"):
        RegisterFace([ServedRegister(CURRENT, Register(100)), ServedRegister(VOLTAGE, Register(101))], lambda _: 0.0)
