"""Register map of a simulated station without I/O: measured values at given holding registers."""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from typing import Final

from protocols.modbus.sunspec import IllegalAddressError
from protocols.points import Point

_FORMATS: Final[Mapping[str, str]] = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "float32": ">f",
}


@dataclass(frozen=True, slots=True)
class ServedRegister:
    """A point of a station and the registers that hold it, most significant first."""

    point: Point
    address: int
    encoding: str = "float32"
    scale: float = 1.0
    """The registers hold the point's value divided by it."""

    @property
    def end(self) -> int:
        """Address behind the last register."""
        return self.address + struct.calcsize(_FORMATS[self.encoding]) // 2


class RegisterFace:
    """Serves the points that `measure` tells; registers between them read 0, nothing can be written."""

    def __init__(self, registers: Sequence[ServedRegister], measure: Callable[[Point], float]) -> None:
        """`measure` gives a point's value in its unit, NaN where there is none.

        Raises:
            ValueError: there is no register, or two of them overlap.
        """
        ordered = sorted(registers, key=lambda register: register.address)
        if not ordered:
            raise ValueError("a register map needs at least one point")
        for lower, upper in pairwise(ordered):
            if lower.end > upper.address:
                raise ValueError(f"{lower.point} and {upper.point} overlap at register {upper.address}")
        self._registers = ordered
        self._measure = measure
        self.base = ordered[0].address
        self.size = ordered[-1].end - self.base

    def read(self, address: int, count: int) -> list[int]:
        """What a client gets now.

        Raises:
            IllegalAddressError: part of it is outside of the map.
        """
        if address < self.base or count < 1 or address + count > self.base + self.size:
            raise IllegalAddressError(f"{count} registers at {address} are not all in the map")
        values = [0] * self.size
        for register in self._registers:
            if register.address < address + count and address < register.end:
                start = register.address - self.base
                values[start : start + register.end - register.address] = self._encode(register)
        start = address - self.base
        return values[start : start + count]

    def write(self, address: int, values: Sequence[int]) -> None:
        """Refuse.

        Raises:
            IllegalAddressError: always.
        """
        raise IllegalAddressError(f"{len(values)} registers at {address} are read-only")

    def _encode(self, register: ServedRegister) -> tuple[int, ...]:
        form = _FORMATS[register.encoding]
        raw = self._measure(register.point) / register.scale
        data = struct.pack(form, raw) if form == ">f" else _whole(form, raw)
        return struct.unpack(f">{len(data) // 2}H", data)


def _whole(form: str, raw: float) -> bytes:
    """The number held at the ends of its range; the pattern for "not a number" is the lowest or the highest one."""
    bits = 8 * struct.calcsize(form)
    signed = form in (">h", ">i")
    lowest, highest = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not isfinite(raw):
        return struct.pack(form, lowest if signed else highest)
    return struct.pack(form, min(max(round(raw), lowest), highest))
