"""SunSpec values and the registers that hold them.

`None` stands for "not implemented" everywhere. A scaled value is in the unit of the model definition:
percent is 0 to 100.
"""

import struct
from collections.abc import Sequence
from enum import Enum
from math import ceil, floor, isfinite

from protocols.modbus.models import Placed, SunSpecError

_CODES = {
    "acc16": ">H", "acc32": ">I", "acc64": ">Q", "bitfield16": ">H", "bitfield32": ">I", "bitfield64": ">Q",
    "count": ">H", "enum16": ">H", "enum32": ">I", "float32": ">f", "float64": ">d", "int16": ">h", "int32": ">i",
    "int64": ">q", "ipaddr": ">I", "pad": ">H", "sunssf": ">h", "uint16": ">H", "uint32": ">I", "uint64": ">Q",
    "eui48": ">Q",
}  # fmt: skip
_SIGNED = {"int16": -(1 << 15), "int32": -(1 << 31), "int64": -(1 << 63), "sunssf": -(1 << 15)}
_ZERO = {"acc16", "acc32", "acc64", "ipaddr", "pad"}
_FLOAT = {"float32", "float64"}
_TEXT = {"string", "ipv6addr"}
_EUI48_NONE = 0xFFFF_FFFF_FFFF


class Rounding(Enum):
    """Which way to go when a value lies between two steps of the register."""

    NEAREST = "nearest"
    DOWN = "down"
    UP = "up"


class OutOfRangeError(SunSpecError):
    """The value does not fit the point."""


Registers = Sequence[int]


def is_text(point: Placed) -> bool:
    """True where the point holds text rather than a number."""
    return point.type in _TEXT


def not_implemented(point: Placed) -> tuple[int, ...]:
    """The registers that say that a device does not implement the point."""
    if point.type in _TEXT or point.type in _ZERO:
        return (0,) * point.size
    if point.type == "eui48":
        return _split(_EUI48_NONE.to_bytes(8, "big"))
    if point.type in _FLOAT:
        return _split(struct.pack(_CODES[point.type], float("nan")))
    if point.type in _SIGNED:
        return _split(struct.pack(_CODES[point.type], _SIGNED[point.type]))
    return (0xFFFF,) * point.size


def decode_raw(point: Placed, registers: Registers) -> float | None:
    """The unscaled number in a point's registers, or `None` where it is not implemented or not a number."""
    if point.type in _TEXT or tuple(registers) == not_implemented(point):
        return None
    (raw,) = struct.unpack(_CODES[point.type], _join(registers))
    value = float(raw)
    return value if isfinite(value) else None


def decode_text(registers: Registers) -> str:
    """The text of a string point, without its padding."""
    return _join(registers).split(b"\0", 1)[0].decode("utf-8", errors="replace")


def encode(
    point: Placed, value: float | None, exponent: int = 0, rounding: Rounding = Rounding.NEAREST
) -> tuple[int, ...]:
    """The registers that hold `value`, stepped by ten to the power of `exponent`.

    Raises:
        OutOfRangeError: the value is not finite, does not fit, or would read as "not implemented".
    """
    if value is None:
        return not_implemented(point)
    if point.type in _TEXT or not isfinite(value):
        raise OutOfRangeError(f"{point.name} ({point.type}) cannot hold {value}")
    raw: float = value if point.type in _FLOAT else _step(value, exponent, rounding)
    try:
        registers = _split(struct.pack(_CODES[point.type], raw))
    except (struct.error, OverflowError) as error:
        raise OutOfRangeError(f"{point.name} ({point.type}, scale factor {exponent}) cannot hold {value}") from error
    if registers == not_implemented(point) and point.type not in _ZERO:
        raise OutOfRangeError(f"{point.name}: {value} would read as not implemented")
    return registers


def encode_text(point: Placed, text: str) -> tuple[int, ...]:
    """The registers of a string point, padded with NUL."""
    data = text.encode("utf-8")
    if len(data) > 2 * point.size:
        raise OutOfRangeError(f"{point.name} holds {2 * point.size} bytes, not {len(data)}")
    return _split(data.ljust(2 * point.size, b"\0"))


def scaled(raw: float | None, exponent: float | None) -> float | None:
    """A raw number at its scale factor, or `None` where either is not implemented or the factor is out of -10..10."""
    if raw is None or exponent is None or not -10 <= exponent <= 10:
        return None
    power = int(exponent)
    return raw * 10.0**power if power >= 0 else raw / 10.0**-power


def _step(value: float, exponent: int, rounding: Rounding) -> int:
    """`value` in register steps; a hair of floating-point error does not count as a step."""
    steps = value / 10.0**exponent if exponent >= 0 else value * 10.0**-exponent
    if rounding is Rounding.NEAREST or abs(steps - round(steps)) < 1e-6:
        return round(steps)
    return floor(steps) if rounding is Rounding.DOWN else ceil(steps)


def _join(registers: Registers) -> bytes:
    return struct.pack(f">{len(registers)}H", *registers)


def _split(data: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(data) // 2}H", data)
