"""Register map of a simulated station without I/O: measured values at given registers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite

from protocols.modbus.register import FLOATS, Register
from protocols.modbus.sunspec import IllegalAddressError
from protocols.points import Point


@dataclass(frozen=True, slots=True)
class ServedRegister:
    """A point of a station and the registers that hold it."""

    point: Point
    register: Register


class RegisterFace:
    """Serves the points that `measure` tells; registers between them read 0, nothing can be written."""

    def __init__(self, served: Sequence[ServedRegister], measure: Callable[[Point], float]) -> None:
        """`measure` gives a point's value in its unit, NaN where there is none.

        Raises:
            ValueError: there is no register, or two of them overlap.
        """
        ordered = sorted(served, key=lambda one: one.register.address)
        if not ordered:
            raise ValueError("a register map needs at least one point")
        for lower, upper in pairwise(ordered):
            if lower.register.end > upper.register.address:
                overlap = f"{lower.point} and {upper.point} overlap"
                raise ValueError(f"{overlap} at register {upper.register.address}")
        self._served = ordered
        self._measure = measure
        self.base = ordered[0].register.address
        self.size = ordered[-1].register.end - self.base

    def read(self, address: int, count: int) -> list[int]:
        """What a client gets now.

        Raises:
            IllegalAddressError: part of it is outside of the map.
        """
        if address < self.base or count < 1 or address + count > self.base + self.size:
            raise IllegalAddressError(f"{count} registers at {address} are not all in the map")
        values = [0] * self.size
        for one in self._served:
            if one.register.address < address + count and address < one.register.end:
                start = one.register.address - self.base
                values[start : start + one.register.size] = self._encode(one)
        start = address - self.base
        return values[start : start + count]

    def write(self, address: int, values: Sequence[int]) -> None:
        """Refuse.

        Raises:
            IllegalAddressError: always.
        """
        raise IllegalAddressError(f"{len(values)} registers at {address} are read-only")

    def _encode(self, one: ServedRegister) -> tuple[int, ...]:
        value = self._measure(one.point)
        return shown(one.register, value)


def shown(register: Register, value: float) -> tuple[int, ...]:
    """What a device shows: numbers beyond the range at its end, and where there is none what the map has for that.

    A map that has nothing for it is taken to have the pattern that most have: the lowest or, unsigned, the highest.
    """
    if isfinite(value):
        return register.encode(register.nearest(value))
    if register.encoding in FLOATS or register.missing is not None:
        return register.encode(None)
    lowest, highest = register.reach
    return replace(register, missing=int(lowest or highest)).encode(None)
