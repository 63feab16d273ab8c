"""Envelopes as one number per participant and direction: the share of its capability.

A *column* is one participant in one direction. Within its envelope it may use any part of its share, but at
least `least` of it. How far that can take a row is linear in the shares: who loads the row uses all, who
relieves it uses the least.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from grid_engine.envelopes.words import Direction
from grid_engine.model import FloatArray, IntArray
from grid_engine.studies.problem import Problem
from grid_engine.studies.rows import Effects


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """The columns of one interval."""

    direction: Direction
    who: IntArray
    """Shape (n_column,): participant."""
    span_w: FloatArray
    """Shape (n_column,): what share 1 adds to the participant's power; negative for import."""
    base_w: FloatArray
    """Shape (n_participant,): where everybody is at share 0."""
    least: float
    """Part of its share that every column is sure to use."""

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.who)

    @property
    def middle(self) -> float:
        """The use between the least and all."""
        return (1 + self.least) / 2

    def power_w(self, share: FloatArray) -> FloatArray:
        """Powers (n_participant, k) of used shares (n_column, k)."""
        result = np.repeat(self.base_w[:, None], share.shape[1], axis=1)
        np.add.at(result, self.who, self.span_w[:, None] * share)
        return result

    def effect(self, per_watt: Effects, spare: int = 0) -> Effects:
        """Of share 1 of every column (n_row + spare, n_column), from that of a watt of every participant."""
        result = np.empty((len(per_watt) + spare, self.size), dtype=np.float32)
        span_w = self.span_w.astype(np.float32)
        cuts = np.flatnonzero(np.diff(self.who) != 1) + 1
        for first, last in pairwise([0, *cuts.tolist(), self.size]):
            who = slice(self.who[first], self.who[first] + last - first) if last > first else slice(0)
            np.multiply(per_watt[:, who], span_w[first:last], out=result[: len(per_watt), first:last])
        return result

    def worst_of(self, effect: Effects) -> None:
        """Turn `effect` (n_row, n_column) into that of share 1 on a row's worst corner."""
        if self.least == 0:
            np.maximum(effect, np.float32(0.0), out=effect)
        elif self.least < 1:
            np.maximum(effect, np.float32(self.least) * effect, out=effect)

    def corner(self, worst: Effects, negligible: float) -> FloatArray:
        """The use (n_row, n_column) of every share that is worst for a row; who loads it negligibly uses the least."""
        return np.where(worst > negligible, 1.0, self.least)

    def cautious(self, share: FloatArray) -> FloatArray:
        """Powers (n_participant,) in the middle of what `share` (n_column,) allows."""
        return np.asarray(self.power_w(self.middle * share[:, None])[:, 0])

    def ends_w(self, share: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The lowest and highest power (n_participant,) of everybody within `share` (n_column,)."""
        all_w, least_w = self.span_w * share, self.least * self.span_w * share
        low_w, high_w = self.base_w.copy(), self.base_w.copy()
        np.add.at(low_w, self.who, np.minimum(all_w, least_w))
        np.add.at(high_w, self.who, np.maximum(all_w, least_w))
        return low_w, high_w

    def use(self, power_w: FloatArray, share: FloatArray) -> FloatArray:
        """The use (n_column,) of `share` that powers (n_participant,) within it are."""
        size_w = self.span_w * share
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (power_w - self.base_w)[self.who] / size_w
        return np.where(size_w != 0, np.clip(part, 0.0, 1.0), self.least)


def boxes(problem: Problem, interval: int, direction: Direction, utilisation: float, *, mixed: bool) -> Sequence[Box]:
    """What is to be found for one interval, box by box, each proven by itself.

    In both directions one box if some may import while others export (`mixed`), otherwise one each.
    """
    nothing_w = np.clip(0.0, problem.floor_w, problem.ceiling_w)
    base_w = np.where(problem.adjustable, nothing_w, problem.held_w[:, interval])
    sides = {Direction.EXPORT: problem.ceiling_w - nothing_w, Direction.IMPORT: problem.floor_w - nothing_w}
    if direction is not Direction.BOTH:
        return [_box(problem, direction, [sides[direction]], base_w, utilisation)]
    if not mixed:
        return [_box(problem, own, [side], base_w, utilisation) for own, side in sides.items()]
    return [_box(problem, direction, list(sides.values()), base_w, utilisation)]


def _box(problem: Problem, direction: Direction, sides: Sequence[FloatArray], base_w: FloatArray, least: float) -> Box:
    movable = [np.flatnonzero(problem.adjustable & (side != 0)) for side in sides]
    span_w = np.concatenate([side[who] for side, who in zip(sides, movable, strict=True)])
    return Box(direction, np.concatenate(movable), span_w, base_w, least)
