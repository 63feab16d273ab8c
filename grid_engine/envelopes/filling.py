"""Progressive filling (Bertsekas and Gallager, Data Networks): all rise with a common level until a row stops them.

Rows are linear in the shares. A row that has no room left stops whoever loads it; the others go on. Nobody
counts on relief by others who rise later, but once they have, whoever has room again goes on.
"""

from dataclasses import dataclass

import numpy as np

from grid_engine.envelopes.fairness import Climb
from grid_engine.model import BoolArray, FloatArray, IntArray

_TIGHT = 1e-9
_PASSES = 20


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """Shares, and what stopped each of them."""

    share: FloatArray
    """Shape (n_column,), from 0 to 1."""
    row: IntArray
    """Shape (n_column,): the row that stopped it, -1 where it has all."""
    gain: FloatArray
    """Shape (n_column,): worth gained, over all that rose when it was stopped, per unit of room in that row."""


class _Level:
    """The rising level: shares, room and speeds of rows, kept up to date column by column."""

    def __init__(self, effect: FloatArray, room: FloatArray, climb: Climb, worth: FloatArray) -> None:
        self.effect, self.climb, self.worth = np.asfortranarray(effect), climb, worth
        n_row, n_column = effect.shape
        self.share, self.left = np.zeros(n_column), room.copy()
        self.row, self.gain = np.full(n_column, -1), np.zeros(n_column)
        self.stopped = np.zeros(n_column, dtype=np.bool_)
        self.rising = np.zeros(n_column, dtype=np.bool_)
        self.speed = np.zeros(n_row)
        self.level = 0.0
        self.tight = _TIGHT * np.abs(effect).max(axis=1, initial=0.0)
        self.loading = effect > self.tight[:, None]

    def run(self, start: FloatArray) -> None:
        """Let columns rise from `start` (n_column,) on, until all are full or stopped."""
        self.level = float(start.min(initial=0.0))
        while True:
            self._turn(start)
            waiting = (start > self.level + _TIGHT) & ~self.stopped & (self.share < 1)
            if not self.rising.any() and not waiting.any():
                return
            self._advance(start, waiting)

    def _turn(self, start: FloatArray) -> None:
        """Set who rises now."""
        rising = (start <= self.level + _TIGHT) & ~self.stopped & (self.share < 1)
        changed = np.flatnonzero(rising != self.rising)
        sign = np.where(rising[changed], 1.0, -1.0)
        self.speed = self.speed + self.effect[:, changed] @ (sign * self.climb.rate[changed])
        self.rising = rising

    def _advance(self, start: FloatArray, waiting: BoolArray) -> None:
        """Raise the level to the next event."""
        rate = self.climb.rate
        with np.errstate(divide="ignore", invalid="ignore"):
            by_row = np.where(self.speed > self.tight, np.maximum(self.left, 0.0) / self.speed, np.inf)
            by_share = np.where(self.rising, (1 - self.share) / rate, np.inf)
        by_start = np.where(waiting, start - self.level, np.inf)
        step = float(min(by_row.min(initial=np.inf), by_share.min(), by_start.min()))
        self.level += step
        self.share = np.where(self.rising, np.minimum(self.share + step * rate, 1.0), self.share)
        self.share[by_share <= step * (1 + _TIGHT)] = 1.0
        self.left = self.left - step * self.speed
        for row in np.flatnonzero(by_row <= step * (1 + _TIGHT) + _TIGHT):
            self._stop(int(row))

    def _stop(self, row: int) -> None:
        hit = self.loading[row] & ~self.stopped & (self.share < 1)
        rising = self.rising
        self.row[hit] = row
        self.gain[hit] = float((self.worth * self.climb.rate)[rising].sum()) / self.speed[row]
        self.stopped |= hit

    def released(self) -> BoolArray:
        """Who was stopped by rows that have room again."""
        full = self.left <= self.tight
        return np.asarray(self.stopped & ~self.loading[full].any(axis=0))


def fill(effect: FloatArray, room: FloatArray, climb: Climb, worth: FloatArray) -> Filled:
    """Shares (n_column,) with `effect` (n_row, n_column) @ share <= `room` (n_row,), which is not negative.

    `worth` (n_column,) is what share 1 of each counts in `Filled.gain`.
    """
    level = _Level(effect, room, climb, worth)
    level.run(climb.start)
    for _ in range(_PASSES):
        released = level.released()
        if not released.any():
            break
        before = level.share
        level.stopped = level.stopped & ~released
        level.row[released] = -1
        level.run(climb.start + before / climb.rate)
        if float((level.share - before).max(initial=0.0)) < _TIGHT:
            break
    return Filled(level.share, level.row, level.gain)
