"""Straight lines through the network, drawn again where the last ones led, until what they allow holds in AC.

Sequential linear programming on an outer approximation: a line stays while it does not claim more than
AC shows, so that limits on currents, which are convex in the powers, are cut from all sides (Kelley, The
cutting-plane method for solving convex programs, 1960), and a line that misleads goes. Rows enter when
they are first seen violated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.dispatch.bids import WATTS_PER_MW
from grid_engine.dispatch.clearing import Cleared, Counting, Cut
from grid_engine.dispatch.look import Grid, Look
from grid_engine.model import FloatArray, IntArray
from grid_engine.results import Status

_HELD = 0.01
"""Excess, in tolerances, that the lines are polished to."""
_ROUNDS = 40
_PATIENCE = 20
"""Rounds after which lines only go when they mislead grossly, so that nothing swings for ever."""
_NEW_ROWS = 24
"""That enter at once in one interval: where the worst are held, most of the others are too."""
_BLIND_ROWS = 3
"""That lines are drawn through where none is beyond although there is no solution a little further on."""
_MISLEADS, _MISLEADS_GROSSLY = 0.1, 2.0
"""Tolerances that a line may claim above what AC shows."""
_PER_ROW = 8
_PRICED = 1e-7
_SAME_MW = 1e-5
_SAME_COST = 1e-7
_HALVINGS = 12

Clear = Callable[[Sequence[Cut], Counting], Cleared | None]
"""The cheapest powers under the given lines."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The cheapest powers, and AC there; where lines had to give way, `breach` tells."""

    cleared: Cleared
    cuts: tuple[Cut, ...]
    """The lines that `cleared` is under."""
    look: Look

    @property
    def breach(self) -> FloatArray:
        """Tolerances (n_row, n_interval) that lines gave way; the most of those through one row."""
        return _breach(self.look.excess.shape, self.cuts, self.cleared)


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """Where relinearising ended."""

    status: Status
    found: Found | None = None
    """Where `SOLVED`."""
    detail: str = ""


def settle(net: Grid, clear: Clear, start: Look, cuts: Sequence[Cut] = ()) -> Settled:
    """The cheapest powers that hold all limits in AC; `start` is a look at powers that have a solution."""
    known, safe, counting = list(cuts), start, net.count(start)
    best: Found | None = None
    for turn in range(_ROUNDS):
        cleared = clear(known, counting)
        if cleared is None:
            return Settled(Status.INFEASIBLE, detail="ramps, energy and capability contradict each other")
        look = net.look(net.power_w(cleared.power_mw))
        near = look if look.solved.converged.all() else _pulled_back(net, safe, look)
        if near is None:
            return Settled(Status.NOT_CONVERGED, detail=net.where(look))
        now = net.count(near)
        beyond = near.excess - _breach(near.excess.shape, known, cleared)
        done = best is not None and _no_cheaper(cleared, best.cleared)
        if near is look and bool((beyond <= _HELD).all()) and _counts(net, now, counting, cleared):
            best = Found(cleared, tuple(known), look)
            done = done or (now is counting and not (cleared.cut_price > _PRICED).any())
        if done:
            break
        priced = [cut for cut, cost in zip(known, cleared.cut_price, strict=True) if cost > _PRICED]
        known = _kept(known, near, _MISLEADS if turn < _PATIENCE else _MISLEADS_GROSSLY, net.who)
        known += _drawn(net, near, beyond, priced, blind=near is not look)
        safe, counting = near, now
    if best is None:
        return Settled(Status.NOT_CONVERGED, detail=f"no powers that hold all limits in {_ROUNDS} rounds")
    return Settled(Status.SOLVED, best)


def _breach(shape: tuple[int, ...], cuts: Sequence[Cut], cleared: Cleared) -> FloatArray:
    result = np.zeros(shape)
    row, interval = (np.array([getattr(cut, axis) for cut in cuts], dtype=np.int64) for axis in ("row", "interval"))
    np.maximum.at(result, (row, interval), cleared.breach)
    return result


def _counts(net: Grid, now: Counting, before: Counting, cleared: Cleared) -> bool:
    """Whether delivery is what the straight line said."""
    told, shown = (part.offset_mw + (part.weight[net.who] * cleared.power_mw).sum(axis=0) for part in (before, now))
    return bool((np.abs(told - shown) <= _SAME_MW).all())


def _no_cheaper(cleared: Cleared, best: Cleared) -> bool:
    return cleared.objective >= best.objective - _SAME_COST * max(1.0, abs(best.objective))


def _pulled_back(net: Grid, safe: Look, look: Look) -> Look | None:
    """Halfway back to where there is a solution, as often as it takes, in the intervals that have none."""
    for _ in range(_HALVINGS):
        failed = ~look.solved.converged
        if not failed.any():
            return look
        look = net.look(np.where(failed, (look.power_w + safe.power_w) / 2, look.power_w))
    return None


def _kept(cuts: Sequence[Cut], at: Look, misleads: float, who: IntArray) -> list[Cut]:
    """Lines that do not claim much more than AC shows, the last few of every row."""
    kept: list[Cut] = []
    count: dict[tuple[int, int], int] = {}
    for cut in reversed(cuts):
        power_mw = at.power_w[who, cut.interval] / WATTS_PER_MW
        claim = float(cut.slope[who] @ power_mw) - cut.room
        place = cut.row, cut.interval
        if claim <= at.excess[place] + misleads and count.get(place, 0) < _PER_ROW:
            kept.append(cut)
            count[place] = count.get(place, 0) + 1
    return kept[::-1]


def _drawn(net: Grid, at: Look, beyond: FloatArray, priced: Sequence[Cut], *, blind: bool) -> list[Cut]:
    """New lines: through rows that are beyond, and through those of lines that cost something."""
    result: list[Cut] = []
    for i in range(beyond.shape[1]):
        rows = net.worst_rows(beyond[:, i], _HELD)[:_NEW_ROWS]
        if blind and not len(rows):
            rows = net.worst_rows(beyond[:, i], -np.inf)[:_BLIND_ROWS]
        again = np.array([cut.row for cut in priced if cut.interval == i], dtype=np.int64)
        result += net.lines(at, i, np.union1d(rows, again))
    return result
