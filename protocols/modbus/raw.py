"""Registers by number, for devices without a SunSpec map: `40070:float32`, `input:30:int32`, `100-109:uint16`."""

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from protocols.modbus.client import UnitWire
from protocols.modbus.sunspec import READ_MAX
from protocols.tool import Item, ToolError

CODES: Final = {
    "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "int64": ">q", "uint64": ">Q",
    "float32": ">f", "float64": ">d",
}  # fmt: skip
"""Encodings, most significant register first."""
_SYNTAX: Final = re.compile(r"(input:)?(\d{1,5})(?:-(\d{1,5}))?:(\w+)")


@dataclass(frozen=True, slots=True)
class RawRange:
    """Values of one type that lie side by side."""

    first: int
    count: int
    """Values, not registers."""
    encoding: str
    inputs: bool
    """Input registers, which are read alone, instead of holding registers."""

    @classmethod
    def parse(cls, address: str) -> "RawRange | None":
        """The range that an address names; `None` where it is not written like one.

        Raises:
            ToolError: it is written like one, and is none.
        """
        found = _SYNTAX.fullmatch(address)
        if found is None:
            return None
        encoding = found[4]
        if encoding not in CODES:
            raise ToolError(f"{address}: {encoding!r} is no encoding of registers; there are {', '.join(CODES)}")
        first, last = int(found[2]), int(found[3] or found[2])
        size = struct.calcsize(CODES[encoding]) // 2
        count = max(last - first, 0) // size + 1
        if last < first or first + count * size > 0x1_0000:
            raise ToolError(f"{address}: registers go from 0 to 65535, upwards")
        return cls(first, count, encoding, found[1] is not None)

    @property
    def size(self) -> int:
        """Registers of one value."""
        return struct.calcsize(CODES[self.encoding]) // 2

    def address_of(self, index: int) -> str:
        """How one value of the range is written."""
        return f"{'input:' if self.inputs else ''}{self.first + index * self.size}:{self.encoding}"

    def encode(self, value: float) -> tuple[int, ...]:
        """Registers that hold a value.

        Raises:
            ToolError: it does not fit.
        """
        code = CODES[self.encoding]
        try:
            data = struct.pack(code, value if code[1] in "fd" else _whole(value))
        except (struct.error, OverflowError, ValueError) as error:
            raise ToolError(f"{self.address_of(0)} cannot hold {value:g}: {error}") from error
        return struct.unpack(f">{len(data) // 2}H", data)

    async def read(self, wire: UnitWire) -> list[Item]:
        """All values, in as few transactions as possible.

        Raises:
            ModbusError: the link failed, or the device refuses.
        """
        registers: list[int] = []
        total = self.count * self.size
        while len(registers) < total:
            part = min(total - len(registers), READ_MAX)
            registers += await wire.read(self.first + len(registers), part, inputs=self.inputs)
        return [self._item(index, registers) for index in range(self.count)]

    def _item(self, index: int, registers: Sequence[int]) -> Item:
        part = registers[index * self.size : (index + 1) * self.size]
        (value,) = struct.unpack(CODES[self.encoding], struct.pack(f">{self.size}H", *part))
        words = " ".join(f"{register:04x}" for register in part)
        return Item(self.address_of(index), value, note=words, writable=not self.inputs)


def _whole(value: float) -> int:
    if value != int(value):
        raise ValueError("not a whole number")
    return int(value)
