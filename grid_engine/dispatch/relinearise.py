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

_HELD, _NEARLY = 0.01, 0.5
"""Excess, in tolerances, that the lines are polished to, and what is good enough where that takes long."""
_ROUNDS = 60
_PATIENCE = 10
"""Rounds after which steps get shorter and lines only go when they mislead grossly, so that nothing swings for ever."""
_NEW_ROWS, _PER_OFFER = 24, 0.125
"""Rows that enter at once in one interval, and more where many offers are: with the worst held, most others are too."""
_BLIND_ROWS = 3
"""That lines are drawn through where none is beyond although there is no solution a little further on."""
_MISLEADS, _MISLEADS_GROSSLY = 0.1, 2.0
"""Tolerances that a line may claim above what AC shows."""
_FAR = 50.0
"""Tolerances inside its bound at which a row needs no line."""
_PER_ROW, _PER_ROW_LATE = 6, 2
_PRICED = 1e-7
_SAME_MW = 1e-5
_SHORT, _SHORTEST = 0.1, 1e-3
"""Parts of the longest step: what looks no better within a short one may be so further on, until it is too short."""
_STALE, _STALE_COST = 5, 1e-3
"""After so many late rounds without a gain of that part of the cost, the best is good enough."""
_SAME_COST, _WORTH_IT = 1e-7, 1e-4
"""Parts of the cost: less is no difference, and less is not worth another round where that takes long."""
_HALVINGS = 12

Clear = Callable[["Asked"], Cleared | None]
"""The cheapest powers for what is asked."""


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How far powers may move at once."""

    centre_mw: FloatArray
    """Shape (n_offer, n_interval)."""
    step_mw: float


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What the cheapest powers are asked to keep to."""

    cuts: Sequence[Cut]
    counting: Counting
    reach: Reach | None
    prefer: bool
    """Whether it matters which of equally cheap powers are found; that takes as long again."""


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
    state = _State(list(cuts), start, net.count(start))
    for turn in range(_ROUNDS):
        reach = None if state.centre is None else Reach(state.centre, state.step_mw)
        cleared = clear(Asked(state.cuts, state.counting, reach, state.prefer))
        if cleared is None:
            return Settled(Status.INFEASIBLE, detail="ramps, energy and capability contradict each other")
        look = net.look(net.power_w(cleared.power_mw))
        near = look if look.solved.converged.all() else _pulled_back(net, state.safe, look)
        if near is None:
            return Settled(Status.NOT_CONVERGED, detail=net.where(look))
        seen = _Seen(cleared, near, whole=near is look, late=turn >= _PATIENCE)
        exhausted, holds = _judge(net, state, seen)
        if exhausted and holds and state.prefer:
            break
        if exhausted and not state.prefer:
            state.prefer = True
        else:
            _redraw(net, state, seen, holds=holds)
    if state.best is None:
        return Settled(Status.NOT_CONVERGED, detail=f"no powers that hold all limits in {_ROUNDS} rounds")
    return Settled(Status.SOLVED, state.best)


@dataclass(slots=True, eq=False)
class _State:
    """What is known between two rounds."""

    cuts: list[Cut]
    safe: Look
    """The last look at powers that have a solution."""
    counting: Counting
    best: Found | None = None
    """The cheapest powers that hold so far."""
    prefer: bool = False
    """Nothing is cheaper than the best: among its equals, the preferred one is wanted."""
    centre: FloatArray | None = None
    """Shape (n_offer, n_interval), MW: from where steps are short."""
    step_mw: float = np.inf
    longest_mw: float = np.inf
    stale: int = 0
    """Late rounds in which the best became hardly cheaper."""
    beyond: float = np.inf
    """Tolerances beyond what lines gave way, at the last look."""


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """One round's powers in AC."""

    cleared: Cleared
    look: Look
    whole: bool
    """It is a look at the powers themselves, not on the way there."""
    late: bool
    """The search takes long, and may be less exact."""


def _judge(net: Grid, state: _State, seen: _Seen) -> tuple[bool, bool]:
    """Whether nothing cheaper is left to find, and whether these powers hold; keeps the best that do."""
    cleared, look, late = seen.cleared, seen.look, seen.late
    now, beyond = net.count(look), look.excess - _breach(look.excess.shape, state.cuts, cleared)
    exhausted = state.best is not None and _no_cheaper(cleared, state.best.cleared, _WORTH_IT if late else _SAME_COST)
    if late and state.step_mw < _SHORT * state.longest_mw:
        exhausted = exhausted and state.step_mw < _SHORTEST * state.longest_mw
    exhausted |= state.stale >= _STALE
    holds = seen.whole and bool((beyond <= (_NEARLY if late else _HELD)).all())
    holds = holds and _counts(net, now, state.counting, cleared)
    if holds and (state.prefer or state.best is None or cleared.objective < state.best.cleared.objective or not late):
        stale = state.best is not None and _no_cheaper(cleared, state.best.cleared, _STALE_COST)
        state.stale = state.stale if stale else 0
        state.best = Found(cleared, tuple(state.cuts), look)
        exhausted = exhausted or (now is state.counting and not (cleared.cut_price > _PRICED).any())
    return exhausted, holds


def _redraw(net: Grid, state: _State, seen: _Seen, *, holds: bool) -> None:
    """New lines, and after a while shorter steps, from the best powers where some are known."""
    cleared, look = seen.cleared, seen.look
    beyond = look.excess - _breach(look.excess.shape, state.cuts, cleared)
    priced = [cut for cut, cost in zip(state.cuts, cleared.cut_price, strict=True) if cost > _PRICED]
    limits = (_MISLEADS_GROSSLY, _PER_ROW_LATE) if seen.late else (_MISLEADS, _PER_ROW)
    state.cuts = _kept(state.cuts, look, net.who, *limits)
    state.cuts += _drawn(net, look, beyond, priced, blind=not seen.whole)
    worst = float(beyond.max(initial=0.0))
    if seen.late:
        state.stale += state.best is not None
        _shorten(net, state, look, good=holds or (state.best is None and worst <= state.beyond / 2), holds=holds)
    state.safe, state.counting, state.beyond = look, net.count(look), worst


def _shorten(net: Grid, state: _State, look: Look, *, good: bool, holds: bool) -> None:
    """Steps around the best powers, or the last ones: longer after one that holds, shorter after one that misled."""
    if state.centre is None:
        moved = np.abs(look.power_w - state.safe.power_w).max(initial=0.0) / WATTS_PER_MW
        state.longest_mw = state.step_mw = max(float(moved), _SAME_MW)
    centre = look if state.best is None else state.best.look
    state.centre = centre.power_w[net.who] / WATTS_PER_MW
    if holds:
        state.step_mw = min(2 * state.step_mw, state.longest_mw)
    elif not good:
        state.step_mw = max(state.step_mw / 2, _SAME_MW)


def _breach(shape: tuple[int, ...], cuts: Sequence[Cut], cleared: Cleared) -> FloatArray:
    result = np.zeros(shape)
    row, interval = (np.array([getattr(cut, axis) for cut in cuts], dtype=np.int64) for axis in ("row", "interval"))
    np.maximum.at(result, (row, interval), cleared.breach)
    return result


def _counts(net: Grid, now: Counting, before: Counting, cleared: Cleared) -> bool:
    """Whether delivery is what the straight line said."""
    told, shown = (part.offset_mw + (part.weight[net.who] * cleared.power_mw).sum(axis=0) for part in (before, now))
    return bool((np.abs(told - shown) <= _SAME_MW).all())


def _no_cheaper(cleared: Cleared, best: Cleared, part: float) -> bool:
    return cleared.objective >= best.objective - part * max(1.0, abs(best.objective))


def _pulled_back(net: Grid, safe: Look, look: Look) -> Look | None:
    """Halfway back to where there is a solution, as often as it takes, in the intervals that have none."""
    for _ in range(_HALVINGS):
        failed = ~look.solved.converged
        if not failed.any():
            return look
        look = net.look(np.where(failed, (look.power_w + safe.power_w) / 2, look.power_w))
    return None


def _kept(cuts: Sequence[Cut], at: Look, who: IntArray, misleads: float, most: int) -> list[Cut]:
    """Lines near their bounds that do not claim much more than AC shows, the last few of every row."""
    kept: list[Cut] = []
    count: dict[tuple[int, int], int] = {}
    for cut in reversed(cuts):
        power_mw = at.power_w[who, cut.interval] / WATTS_PER_MW
        claim = float(cut.slope[who] @ power_mw) - cut.room
        place = cut.row, cut.interval
        near = -_FAR <= at.excess[place] >= claim - misleads
        if near and count.get(place, 0) < most:
            kept.append(cut)
            count[place] = count.get(place, 0) + 1
    return kept[::-1]


def _drawn(net: Grid, at: Look, beyond: FloatArray, priced: Sequence[Cut], *, blind: bool) -> list[Cut]:
    """New lines: through rows that are beyond, and through those of lines that cost something."""
    result: list[Cut] = []
    for i in range(beyond.shape[1]):
        rows = net.worst_rows(beyond[:, i], _HELD)[: max(_NEW_ROWS, int(_PER_OFFER * len(net.who)))]
        if blind and not len(rows):
            rows = net.worst_rows(beyond[:, i], -np.inf)[:_BLIND_ROWS]
        again = np.array([cut.row for cut in priced if cut.interval == i], dtype=np.int64)
        result += net.lines(at, i, np.union1d(rows, again))
    return result
