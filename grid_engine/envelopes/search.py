"""The best shares of one box, by successive linearisation that AC power flows correct and confirm.

The rows that can matter are linearised in the middle of what the shares allow; a rule divides what they leave;
AC power flows at the worst corner of every row that is near correct its facet, and the rule divides again, until
the corners hold. What holds is kept; then the rows are linearised anew, within a trust region. A row that an AC
power flow shows broken where its facet does not say so gets a facet of its own, linearised right there: so rows
that were left out at first do no harm, nor does what is not linear about the others.
"""

from dataclasses import dataclass, field

import numpy as np

from grid_engine.envelopes import corners, level
from grid_engine.envelopes.box import Box
from grid_engine.envelopes.budget import Budget
from grid_engine.envelopes.facets import Facets, linearised
from grid_engine.envelopes.level import Level
from grid_engine.envelopes.rules import Division, Rule
from grid_engine.envelopes.words import Ended
from grid_engine.model import BoolArray, FloatArray, IntArray
from grid_engine.studies.rows import Rows

HELD = 0.5
"""Excess, in tolerances, up to which shares are accepted: half of what would be a violation."""
_NEAR = 30.0
"""Tolerances below its bound from which on a row is corrected: 0.003 pu, or 3 % of a rating."""
_FAR = 150.0
"""Tolerances below its bound at every probe for a row to be left out at first."""
_PROBES = 8
_CORRECTIONS = 6
_SETTLED = 0.2
"""Change of a tight facet's correction, in tolerances, that is not worth another division."""
_FIRST_REACH, _LATER_REACH, _LEAST_REACH = 0.5, 1 / 3, 0.02
_STEPS = (0.98, 0.95, 0.9, 0.8, 0.6, 0.4, 0.2)


@dataclass(frozen=True, slots=True)
class Settings:
    """How far to go."""

    step_w: float
    """Shares are rounded down to it."""
    gap: float
    rounds: int


@dataclass(slots=True)
class Found:
    """Where the search stands."""

    share: FloatArray
    """Shape (n_column,): the best that AC power flows confirmed, on the grid of `Settings.step_w`."""
    merit: float
    level: Level
    ended: Ended
    division: Division | None = None
    """That led there; None at the common share."""
    row: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """Of the monitor, of every limit of the division."""
    uses: FloatArray | None = None
    """Shape (n_pattern, n_column): at which it was confirmed; None for those of the search."""
    gap: float = 0.0
    rounds: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """AC power flows at corners of one box."""

    uses: FloatArray
    """Shape (n_pattern, n_column)."""
    excess: FloatArray
    """Shape (n_row, n_pattern)."""
    near: IntArray
    """Facets that have a corner here."""
    corner: IntArray
    """Which of the patterns it is, of each of them."""

    @property
    def holds(self) -> bool:
        return bool(self.excess.max(initial=-np.inf) <= HELD)


@dataclass(frozen=True, slots=True, eq=False)
class _Told:
    """What one linearisation said."""

    share: FloatArray
    """Shape (n_column,): the last division."""
    promised: float
    """Merit of the first division."""
    corrected: float
    """Merit of the last one, after AC power flows had corrected its facets."""


@dataclass(slots=True)
class Search:
    """One box of one interval."""

    rows: Rows
    box: Box
    rule: Rule
    settings: Settings
    budget: Budget
    patterns: FloatArray
    """Shape (n_pattern, n_column): uses that are always looked at."""
    likely: IntArray
    """Rows that mattered in an earlier search."""
    watched: BoolArray = field(init=False)
    cuts: Facets = field(init=False)
    """Facets that stay, linearised where AC showed that others do not suffice."""

    def __post_init__(self) -> None:
        self.watched = np.zeros(self.rows.monitor.size, dtype=np.bool_)
        self.watched[self.likely] = True
        self.cuts = Facets.none(self.box.size)

    def run(self) -> Found:
        """The best confirmed shares."""
        found = self._begin()
        if found.ended is Ended.DEADLINE and not self.budget.over:
            self._watch(found.level.share)
            self._improve(found)
        return found

    def cut(self, found: Found, rows: IntArray, use: FloatArray) -> Found:
        """The best shares that hold `rows` at `use` (n_column,) too, where those of `found` were seen to break them."""
        self._learn(rows, use, found.share)
        self.patterns = np.concatenate([self.patterns, use[None]])
        return self._again(found)

    def widened(self, found: Found, scenes: tuple[int, ...]) -> Found:
        """The best shares that hold all limits of `scenes` too."""
        self.rows = self.rows.only(*sorted({*self.rows.scenes, *scenes}))
        return self._again(found, watch=True)

    def _again(self, found: Found, *, watch: bool = False) -> Found:
        """Search on from what still holds of `found`."""
        again = self._begin()
        if again.ended is Ended.DEADLINE and not self.budget.over:
            share = self._farthest(np.zeros(self.box.size), found.share, self.patterns)
            if self.rule.merit(share) > again.merit:
                again.share, again.merit = share, self.rule.merit(share)
            if watch:
                self._watch(again.level.share)
            self._improve(again)
        return again

    def _begin(self) -> Found:
        """The common share, and whether more is to be found."""
        low = level.common(self.rows, self.box, self.patterns, self.budget)
        share = self.rounded(np.full(self.box.size, low.share))
        ended = Ended.DONE if self.rule.common else Ended.DEADLINE
        return Found(share, self.rule.merit(share), low, ended if low.row >= 0 else Ended.UNLIMITED)

    def _watch(self, common: float) -> None:
        """Find the rows that may matter: by probes at the corners of larger and larger boxes, and at random use."""
        reach = min(max(3 * common, 0.3), 1.0)
        scattered = np.random.default_rng(0).random((_PROBES, self.box.size))
        uses = np.concatenate([self.patterns, np.maximum(scattered, self.box.least)])
        boxes = (common, np.sqrt(common * reach), reach)
        excess = self.rows.excess(self.box.power_w(np.concatenate([size * uses for size in boxes]).T))
        solved = np.isfinite(excess).all(axis=0)
        if solved.any():
            seen = excess[:, solved]
            self.watched |= (seen.max(axis=1) > -_FAR) & ~self.rows.twins(seen)

    def _watch_less(self, linear: Facets, share: FloatArray) -> None:
        """Leave out rows that are far from their bounds at `share`: should they come near, AC power flows show it."""
        far = linear.excess(share) < -2 * _FAR
        self.watched[linear.row[far]] = False
        self.watched[linear.row[~far]] = True

    def _improve(self, found: Found) -> None:
        anchor, reach = found.share, np.inf
        while found.rounds < self.settings.rounds and not self.budget.over:
            linear = self._linearised(anchor)
            if linear is None:
                break
            found.rounds += 1
            before, start = found.merit, found.share
            told = self._corrected(linear, anchor, reach, found)
            if self.rule.optimal:
                found.gap = max(told.corrected / max(found.merit, 1e-12) - 1, 0.0)
            gain = found.merit / max(before, 1e-12) - 1
            hope = told.promised / max(found.merit, 1e-12) - 1
            if found.rounds > 1 and self._settled(np.abs(found.share - start), gain, hope, reach):
                found.ended = Ended.DONE
                return
            self._watch_less(linear, found.share)
            first, better = found.rounds == 1, gain > self.settings.gap
            reach = min(reach, _FIRST_REACH) * (1.0 if better or first else _LATER_REACH)
            anchor = found.share if better or not first else told.share
        found.ended = Ended.DEADLINE if self.budget.over else Ended.ROUNDS

    def _settled(self, moved: FloatArray, gain: float, hope: float, reach: float) -> bool:
        """Whether another round is worth little, by how much shares `moved`, what was gained and what was promised."""
        little = self.settings.gap
        if not self.rule.optimal:
            return bool(moved.max(initial=0.0) < little)
        if not self.rule.bounded:
            return gain < little
        return hope < little or (gain < little and reach * _LATER_REACH < _LEAST_REACH)

    def _linearised(self, share: FloatArray) -> Facets | None:
        slopes = self.rows.slopes(np.flatnonzero(self.watched), self.box.cautious(share))
        if slopes is None:
            return None
        linear = linearised(self.box, slopes, self.box.middle * share, reachable=True)
        linear.take(self.cuts)
        if self.box.least < 1:
            self._correct(linear, share, self._look(linear, share, _FAR))
        return linear

    def _corrected(self, linear: Facets, anchor: FloatArray, reach: float, found: Found) -> _Told:
        """Divide and correct in turn, telling `found` of what holds."""
        lower, upper = np.maximum(anchor - reach, 0.0), np.minimum(anchor + reach, 1.0)
        divider = self.rule.under(linear, np.flatnonzero(np.isin(linear.row, self.likely)))
        told, look = _Told(anchor, found.merit, found.merit), None
        for turn in range(_CORRECTIONS):
            division = divider.divide(lower, upper, self.budget)
            if division is None:
                break
            merit, share = self.rule.merit(division.share), self.rounded(division.share)
            told = _Told(share, told.promised if turn else merit, merit)
            self.likely = np.unique(linear.row[division.tight])
            look = self._look(linear, share)
            moved = self._correct(linear, share, look)
            if look.holds:
                self._keep(found, share, look.uses, division, linear)
            if (look.holds and not moved) or self.budget.over:
                break
            self._cut(linear, share, look)
        if look is not None and not look.holds and division is not None:
            self._keep(found, self._farthest(found.share, told.share, look.uses), look.uses, division, linear)
        return told

    def _keep(self, found: Found, share: FloatArray, uses: FloatArray, division: Division, linear: Facets) -> None:
        """Take `share`, which holds at `uses`, unless what is kept is better."""
        merit = self.rule.merit(share)
        if merit > found.merit or not self.rule.optimal:
            found.share, found.merit, found.uses = share, merit, uses
            found.division, found.row = division, linear.row

    def _look(self, linear: Facets, share: FloatArray, reach: float = _NEAR) -> _Look:
        """At the corners of rows within `reach` tolerances of their bounds, and wherever one always looks."""
        value = linear.excess(share)
        near = np.flatnonzero(value > -reach)
        near = near[np.argsort(-value[near], kind="stable")]
        own, which = corners.by_row(self.box, linear, near)
        uses = np.concatenate([self.patterns, own])
        excess = self.rows.excess(self.box.power_w((uses * share).T))
        seen = which >= 0
        return _Look(uses, excess, near[seen], len(self.patterns) + which[seen])

    def _correct(self, linear: Facets, share: FloatArray, look: _Look) -> bool:
        """Make facets exact at their corners; whether that changes a tight one."""
        at_corner = look.excess[linear.row[look.near], look.corner]
        at_corner = np.where(np.isfinite(at_corner), at_corner, _NEAR)
        now = linear.excess(share)[look.near]
        linear.correction[look.near] += at_corner - now
        tight = np.maximum(at_corner, now) > -1.0
        return bool((np.abs(at_corner - now)[tight] > _SETTLED).any())

    def _cut(self, linear: Facets, share: FloatArray, look: _Look) -> None:
        """Add facets for rows that are broken although no facet of theirs says so."""
        told = np.full(self.rows.monitor.size, -np.inf)
        np.maximum.at(told, linear.row, linear.excess(share))
        beyond = np.where(np.isfinite(look.excess), look.excess, -np.inf)
        unsaid = np.flatnonzero((beyond.max(axis=1) > HELD) & (beyond.max(axis=1) > told + HELD))
        if len(unsaid):
            pattern = int(np.argmax(beyond[unsaid].max(axis=0)))
            linear.take(self._learn(unsaid[beyond[unsaid, pattern] > HELD], look.uses[pattern], share))

    def _learn(self, rows: IntArray, use: FloatArray, share: FloatArray) -> Facets:
        """Facets of `rows` linearised at `use` of `share`; those of rows that are watched already stay."""
        slopes = self.rows.slopes(rows, self.box.power_w((use * share)[:, None])[:, 0])
        if slopes is None:
            return Facets.none(self.box.size)
        new = linearised(self.box, slopes, use * share, reachable=False)
        lasting = np.flatnonzero(self.watched[rows])
        self.cuts.add(new.row[lasting], new.worst[lasting], new.start[lasting])
        self.watched[rows] = True
        return new

    def rounded(self, share: FloatArray) -> FloatArray:
        """Rounded down to the study's steps; whole capability stays."""
        size, step_w = np.abs(self.box.span_w), self.settings.step_w
        steps = np.floor(share * size / step_w + 1e-3) * step_w / size
        return np.where(share >= 1 - 1e-9, 1.0, np.clip(steps, 0.0, 1.0))

    def _farthest(self, inner: FloatArray, outer: FloatArray, uses: FloatArray) -> FloatArray:
        """The farthest point from `inner` towards `outer` that holds at `uses`; `inner` if none does."""
        for part in _STEPS:
            share = self.rounded(inner + part * (outer - inner))
            if float(self.rows.worst(self.box.power_w((uses * share).T))[0].max()) <= HELD:
                return share
        return inner
