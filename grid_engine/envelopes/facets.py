"""Linearised limits: each facet bounds the shares by one row, linearised at one point, at the row's worst corner.

Where AC power flows have shown how far the linear value is off at that corner, the facet is corrected by it: so
at the shares that were looked at, facets are exact, whatever the slopes.
"""

import numpy as np

from grid_engine.envelopes.box import Box
from grid_engine.model import FloatArray, IntArray
from grid_engine.studies.rows import Effects, Slopes

_SPARE = 256
"""Facets that a growing set has room for."""
_FEWER = 0.8
"""Part of the facets that may be left for leaving out the others to be worth the copying."""


class Facets:
    """worst @ share <= room, one entry per facet, in tolerances; may grow."""

    def __init__(self, rows: IntArray, worst: Effects, start: FloatArray) -> None:
        """Facets of `rows`; `worst` (at least n_row, n_column) is kept, what it has more is room to grow."""
        self.size = len(rows)
        self._row, self._start = np.zeros(len(worst), dtype=np.int64), np.zeros(len(worst))
        self._row[: self.size], self._start[: self.size] = rows, start
        self._worst = worst
        self._correction = np.zeros(len(worst))

    @classmethod
    def none(cls, n_column: int) -> "Facets":
        """No facets yet."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros((_SPARE, n_column), dtype=np.float32), np.zeros(0))

    @property
    def row(self) -> IntArray:
        """Shape (n_facet,): of the monitor."""
        return self._row[: self.size]

    @property
    def worst(self) -> Effects:
        """Shape (n_facet, n_column): of share 1, used as is worst for the row."""
        return self._worst[: self.size]

    @property
    def start(self) -> FloatArray:
        """Shape (n_facet,): linear excess with nobody using anything."""
        return self._start[: self.size]

    @property
    def correction(self) -> FloatArray:
        """Shape (n_facet,): of the linear excess, as last seen; may be written."""
        return self._correction[: self.size]

    @property
    def room(self) -> FloatArray:
        """Shape (n_facet,)."""
        return np.asarray(-self.start - self.correction)

    def excess(self, share: FloatArray) -> FloatArray:
        """Corrected worst excess (n_facet,) at `share` (n_column,)."""
        return np.asarray(self.worst @ share.astype(np.float32) - self.room)

    def add(self, row: IntArray, worst: Effects, start: FloatArray) -> None:
        """Append facets."""
        first, last = self.size, self.size + len(row)
        if last > len(self._row):
            self._grow(last + _SPARE)
        self.size = last
        self._row[first:last], self._worst[first:last] = row, worst
        self._start[first:last], self._correction[first:last] = start, 0.0

    def take(self, other: "Facets") -> None:
        """Append another set, corrections and all."""
        first = self.size
        self.add(other.row, other.worst, other.start)
        self._correction[first : self.size] = other.correction

    def _grow(self, capacity: int) -> None:
        for name in ("_row", "_worst", "_start", "_correction"):
            old = getattr(self, name)
            new = np.zeros((capacity, *old.shape[1:]), dtype=old.dtype)
            new[: self.size] = old[: self.size]
            setattr(self, name, new)


def linearised(box: Box, slopes: Slopes, used: FloatArray, *, reachable: bool) -> Facets:
    """Facets of rows linearised where `used` (n_column,) shares are used.

    Only `reachable` ones if so: those that shares between 0 and 1 can break, or that are broken already.
    """
    effect = box.effect(slopes.per_watt, _SPARE)
    known = effect[: len(slopes.rows)]
    start = slopes.excess - known @ used.astype(np.float32)
    box.worst_of(known)
    if reachable:
        most = start + (known.sum(axis=1) if box.least == 0 else np.maximum(known, 0).sum(axis=1))
        which = np.flatnonzero(most > 0)
        if len(which) < _FEWER * len(most):
            result = Facets.none(box.size)
            result.add(slopes.rows[which], known[which], start[which])
            return result
    return Facets(slopes.rows, effect, start)
