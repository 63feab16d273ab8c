"""How one number lies in the registers of a device that has no SunSpec map, and which registers to read together."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from math import ceil, floor, inf, isfinite
from typing import Final

from protocols.modbus.codec import OutOfRangeError, Rounding
from protocols.modbus.sunspec import READ_MAX

STEP_SLACK: Final = 1e-6
"""Steps of a register that are floating-point error and no step."""


class Encoding(StrEnum):
    """What a number is, once its octets are in order."""

    INT16 = "int16"
    UINT16 = "uint16"
    INT32 = "int32"
    UINT32 = "uint32"
    INT64 = "int64"
    UINT64 = "uint64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"


class Order(Enum):
    """How the octets of a number follow each other, in the letters of manuals; A is the most significant."""

    ABCD = (False, False)
    """Most significant register and octet first: the rule of the Modbus application protocol."""
    CDAB = (True, False)
    """Least significant register first."""
    BADC = (False, True)
    """Most significant register first, its octets swapped."""
    DCBA = (True, True)
    """Least significant octet first: little-endian."""

    def __init__(self, low_first: bool, swapped: bool) -> None:  # noqa: FBT001 - the pairs above
        self.low_first, self.swapped = low_first, swapped


_CODES: Final = {
    Encoding.INT16: ">h",
    Encoding.UINT16: ">H",
    Encoding.INT32: ">i",
    Encoding.UINT32: ">I",
    Encoding.INT64: ">q",
    Encoding.UINT64: ">Q",
    Encoding.FLOAT32: ">f",
    Encoding.FLOAT64: ">d",
}
FLOATS: Final = frozenset((Encoding.FLOAT32, Encoding.FLOAT64))


@dataclass(frozen=True, slots=True)
class Register:
    """Where one number lies, and what it is worth."""

    address: int
    encoding: Encoding = Encoding.FLOAT32
    scale: float = 1.0
    """Multiplies the raw value to give ours; never 0."""
    order: Order = Order.ABCD
    inputs: bool = False
    """It is an input register, read by function code 4; else a holding register, read by 3."""
    missing: int | None = None
    """Raw value by which the device says that it has none."""

    @property
    def size(self) -> int:
        """Registers that it takes."""
        return struct.calcsize(_CODES[self.encoding]) // 2

    @property
    def end(self) -> int:
        """Address behind the last one."""
        return self.address + self.size

    @property
    def reach(self) -> tuple[float, float]:
        """The raw values at the ends of its range."""
        if self.encoding in FLOATS:
            return -inf, inf
        bits = 16 * self.size
        return (0, (1 << bits) - 1) if self.encoding.value.startswith("u") else (-(1 << bits - 1), (1 << bits - 1) - 1)

    def nearest(self, value: float) -> float:
        """The value itself, or the end of the range beyond which it lies."""
        first, last = sorted(raw * self.scale for raw in self.reach)
        return min(max(value, first), last)

    def decode(self, words: Sequence[int]) -> float | None:
        """The number in our unit; `None` where the device sent none."""
        (raw,) = struct.unpack(_CODES[self.encoding], self._octets(words))
        value = float(raw) * self.scale
        return None if raw == self.missing or not isfinite(value) else value

    def encode(self, value: float | None, rounding: Rounding = Rounding.NEAREST) -> tuple[int, ...]:
        """The registers that hold `value`; `None` is "not a number", or the raw value for a missing one.

        Raises:
            OutOfRangeError: they cannot hold it.
        """
        raw: float | None
        if value is None:
            raw = float("nan") if self.encoding in FLOATS else self.missing
        elif not isfinite(value):
            raw = None
        else:
            steps = value / self.scale
            raw = (
                steps if self.encoding in FLOATS else _whole(steps, rounding if self.scale > 0 else _OPPOSITE[rounding])
            )
        try:
            words = self._words(struct.pack(_CODES[self.encoding], raw))
        except (struct.error, OverflowError) as error:
            raise OutOfRangeError(f"register {self.address} ({self.encoding.value}) cannot hold {value}") from error
        if value is not None and raw == self.missing:
            raise OutOfRangeError(f"register {self.address}: {value} would read as missing")
        return words

    def _octets(self, words: Sequence[int]) -> bytes:
        ordered = reversed(words) if self.order.low_first else words
        return struct.pack(f"{'<' if self.order.swapped else '>'}{len(words)}H", *ordered)

    def _words(self, octets: bytes) -> tuple[int, ...]:
        words = struct.unpack(f"{'<' if self.order.swapped else '>'}{len(octets) // 2}H", octets)
        return words[::-1] if self.order.low_first else words


_OPPOSITE: Final = {Rounding.NEAREST: Rounding.NEAREST, Rounding.DOWN: Rounding.UP, Rounding.UP: Rounding.DOWN}


def _whole(steps: float, rounding: Rounding) -> int:
    if rounding is Rounding.NEAREST or abs(steps - round(steps)) < STEP_SLACK:
        return round(steps)
    return floor(steps) if rounding is Rounding.DOWN else ceil(steps)


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that lie side by side and are read in one transaction."""

    address: int
    count: int
    registers: tuple[Register, ...]

    @property
    def inputs(self) -> bool:
        """Whether they are input registers."""
        return self.registers[0].inputs

    def words(self, register: Register, answer: Sequence[int]) -> Sequence[int]:
        """The part of the answer that is one register's."""
        return answer[register.address - self.address : register.end - self.address]


def blocks(registers: Sequence[Register], most: int = READ_MAX) -> tuple[Block, ...]:
    """Gather registers into reads of at most `most`; those that nobody asked for are not read.

    A device may refuse to tell registers that it does not have, and one that lies between two would spoil both.
    """
    gathered: list[Block] = []
    for register in sorted(set(registers), key=lambda register: (register.inputs, register.address)):
        last = gathered[-1] if gathered else None
        if (
            last is not None
            and register.inputs == last.inputs
            and register.address <= last.address + last.count
            and register.end - last.address <= most
        ):
            count = max(last.count, register.end - last.address)
            gathered[-1] = Block(last.address, count, (*last.registers, register))
        else:
            gathered.append(Block(register.address, register.size, (register,)))
    return tuple(gathered)
