"""Values of a station with a register map: which registers to read together, and what they say."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from protocols.modbus.client import RefusedError, UnitWire
from protocols.modbus.measure import measurement
from protocols.modbus.settings import Encoding, MappedRegister, MappedStation
from protocols.modbus.sunspec import READ_MAX
from protocols.port import Now
from protocols.signals import Measurement, Signal

_CODES: Final = {
    Encoding.INT16: ">h",
    Encoding.UINT16: ">H",
    Encoding.INT32: ">i",
    Encoding.UINT32: ">I",
    Encoding.FLOAT32: ">f",
}


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that lie side by side and are read in one transaction."""

    address: int
    count: int
    registers: tuple[MappedRegister, ...]


def size(register: MappedRegister) -> int:
    """How many registers the value takes."""
    return struct.calcsize(_CODES[register.encoding]) // 2


def blocks(registers: Sequence[MappedRegister]) -> tuple[Block, ...]:
    """Gather values into reads; registers that nobody asked for are not read, as a station may refuse them."""
    gathered: list[Block] = []
    for register in sorted(registers, key=lambda register: register.address):
        end = register.address + size(register)
        last = gathered[-1] if gathered else None
        if last is not None and register.address <= last.address + last.count and end - last.address <= READ_MAX:
            count = max(last.count, end - last.address)
            gathered[-1] = Block(last.address, count, (*last.registers, register))
        else:
            gathered.append(Block(register.address, end - register.address, (register,)))
    return tuple(gathered)


def decode(register: MappedRegister, block: Block, answer: Sequence[int]) -> float | None:
    """The value in the unit of its point; `None` where the station sent no number."""
    start = register.address - block.address
    words = answer[start : start + size(register)]
    (raw,) = struct.unpack(_CODES[register.encoding], struct.pack(f">{len(words)}H", *words))
    value = float(raw) * register.scale
    return value if isfinite(value) else None


class StationSession:
    """Reads one station."""

    def __init__(self, settings: MappedStation, wire: UnitWire, now: Now) -> None:
        self.settings = settings
        self._wire = wire
        self._now = now
        self._blocks = blocks(settings.registers)

    async def open(self) -> Sequence[Signal]:
        """Nothing has to be found first."""
        return ()

    def close(self) -> None:
        """Nothing has to be forgotten."""

    async def poll(self) -> Sequence[Measurement]:
        """Read everything once; values of a block that the station refuses are bad, the others are not touched by it.

        Raises:
            ModbusError: the link failed.
        """
        found: list[Measurement] = []
        for block in self._blocks:
            try:
                answer: Sequence[int] | None = await self._wire.read(block.address, block.count)
            except RefusedError:
                answer = None
            for register in block.registers:
                value = None if answer is None else decode(register, block, answer)
                found.append(measurement(register.point, value, self._now()))
        return found
