"""Values of a station with a register map: which registers to read together, and what they say."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from protocols.modbus.client import RefusedError, UnitWire
from protocols.modbus.measure import measurement
from protocols.modbus.settings import Encoding, MappedRegister, MappedStation
from protocols.modbus.sunspec import READ_MAX
from protocols.points import Point
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


def decode(block: Block, answer: Sequence[int]) -> Iterator[tuple[Point, float | None]]:
    """Each point's value in its unit; `None` where the station sent no number."""
    data = struct.pack(f">{len(answer)}H", *answer)
    for register in block.registers:
        (raw,) = struct.unpack_from(_CODES[register.encoding], data, 2 * (register.address - block.address))
        value = float(raw) * register.scale
        yield register.point, value if isfinite(value) else None


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
                values = tuple(decode(block, await self._wire.read(block.address, block.count)))
            except RefusedError:
                values = tuple((register.point, None) for register in block.registers)
            at_s = self._now()
            found += [measurement(point, value, at_s) for point, value in values]
        return found
