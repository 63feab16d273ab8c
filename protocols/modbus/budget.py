"""Wear of a device's memory without I/O: how many more times each register may be written."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

DAY_S: Final = 86_400.0


@dataclass(slots=True)
class WriteBudget:
    """Each register may be written `per_day` times in a row, and regains that many in the course of a day.

    It is kept in memory: a gateway that starts anew begins with a full one.
    """

    per_day: float
    _left: dict[int, tuple[float, float]] = field(default_factory=dict)
    """What was left, and when, by register."""

    def left(self, register: int, now_s: float) -> float:
        """Writes that `register` has left; a clock that goes back gives none."""
        left, at_s = self._left.get(register, (self.per_day, now_s))
        return min(left + max(now_s - at_s, 0.0) / DAY_S * self.per_day, self.per_day)

    def wait_s(self, registers: Iterable[int], now_s: float) -> float:
        """How long until all of `registers` may be written; 0 where they may be now."""
        least = min((self.left(register, now_s) for register in registers), default=1.0)
        return max(1.0 - least, 0.0) / self.per_day * DAY_S

    def spend(self, registers: Iterable[int], now_s: float) -> None:
        """Count one write of each; what has to be written even so leaves less than nothing."""
        for register in registers:
            self._left[register] = self.left(register, now_s) - 1.0, now_s
