"""What every sharing rule makes of linear limits: shares, what stopped whom, and what room would be worth."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from grid_engine.envelopes.budget import Budget
from grid_engine.envelopes.facets import Facets
from grid_engine.envelopes.fair import Product, total_gain
from grid_engine.envelopes.fairness import Climb
from grid_engine.envelopes.filling import fill
from grid_engine.envelopes.programme import Total
from grid_engine.envelopes.words import Sharing
from grid_engine.model import FloatArray, IntArray
from grid_engine.studies.rows import Effects

_LEAST_SHARE = 1e-6
_FULL = 1 - 1e-9
_PRICED = 1e-9
_BROKEN = 1e-3
"""Tolerances."""
_AT_ONCE = 50
_SIGNIFICANT = 0.02
"""Of the largest effect that anybody has on a row: who has less goes on where a row stops the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Division:
    """One division of linear limits."""

    share: FloatArray
    """Shape (n_column,)."""
    row: IntArray
    """Shape (n_column,): the limit that stops it, -1 where it has all."""
    gain_w: FloatArray
    """Shape (n_column,): watts gained in all per unit of room in that limit."""
    tight: IntArray
    """Limits that bind."""


class Divider(Protocol):
    """A rule at work on one set of facets, which may grow and be corrected."""

    def divide(self, lower: FloatArray, upper: FloatArray, budget: Budget) -> Division | None:
        """Shares that hold all facets, within the bounds where the rule has a choice; None if it fails."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A sharing rule for the columns of one box."""

    sharing: Sharing
    size_w: FloatArray
    """Shape (n_column,): watts of share 1."""
    climb: Climb | None
    """For rules with a common level."""

    @property
    def common(self) -> bool:
        """Whether one share for all is meant, so that there is nothing to divide."""
        return self.sharing is Sharing.EQUAL

    @property
    def optimal(self) -> bool:
        """Whether one result can be better than another."""
        return self.climb is None

    @property
    def bounded(self) -> bool:
        """Whether it keeps to bounds on shares: optima at corners jump, others move little by themselves."""
        return self.sharing is Sharing.MAXIMUM

    def merit(self, share: FloatArray) -> float:
        """What an optimum has most of: watts in all, or the geometric mean of shares; in watts for the other rules."""
        if self.sharing is Sharing.PROPORTIONAL:
            return float(np.exp(np.log(np.maximum(share, _LEAST_SHARE)).mean())) if len(share) else 0.0
        return float(self.size_w @ share)

    def under(self, facets: Facets, likely: IntArray) -> Divider:
        """The rule at work on `facets`, of which `likely` ones probably bind."""
        if self.climb is not None:
            return _Level(facets, self.climb, self.size_w, likely)
        if self.sharing is Sharing.PROPORTIONAL:
            return _Product(facets, Product(facets, likely), self.size_w)
        return _Total(facets, Total(facets, self.size_w, likely))


@dataclass(slots=True)
class _Total:
    facets: Facets
    total: Total

    def divide(self, lower: FloatArray, upper: FloatArray, budget: Budget) -> Division | None:
        best = self.total.solve(lower, upper, budget)
        return None if best is None else _priced(self.facets.worst, best.share, best.price, best.price)


@dataclass(slots=True)
class _Product:
    facets: Facets
    product: Product
    size_w: FloatArray

    def divide(self, lower: FloatArray, upper: FloatArray, budget: Budget) -> Division | None:  # noqa: ARG002
        fair = self.product.solve(budget)
        if fair is None:
            return None
        gain_w = total_gain(self.facets.worst, fair.price, fair.share, self.size_w)
        found = _priced(self.facets.worst, fair.share, fair.price, gain_w)
        row = np.where(fair.cut_off >= 0, fair.cut_off, found.row)
        return Division(found.share, row, found.gain_w, found.tight)


@dataclass(slots=True)
class _Level:
    facets: Facets
    climb: Climb
    size_w: FloatArray
    rows: IntArray
    """Facets that have stopped somebody so far; others enter when they are broken."""

    def divide(self, lower: FloatArray, upper: FloatArray, budget: Budget) -> Division | None:  # noqa: ARG002
        """Whoever loads a row little is not stopped by it; what that costs shows in the facets' corrections."""
        room = np.maximum(self.facets.room, 0.0)
        while not budget.over:
            filled = fill(self._significant(), room[self.rows], self.climb, self.size_w)
            beyond = self.facets.worst @ filled.share.astype(np.float32) - room
            beyond[self.rows] = 0.0
            broken = np.flatnonzero(beyond > _BROKEN)
            if not len(broken):
                row = np.append(self.rows, -1)[filled.row]
                return Division(filled.share, row, filled.gain, np.unique(row[row >= 0]))
            worst = broken[np.argsort(-beyond[broken], kind="stable")[:_AT_ONCE]]
            self.rows = np.concatenate([self.rows, worst])
        return None

    def _significant(self) -> FloatArray:
        worst = self.facets.worst[self.rows].astype(np.float64)
        worst[np.abs(worst) < _SIGNIFICANT * np.abs(worst).max(axis=1, initial=0.0, keepdims=True)] = 0
        return worst


def _priced(effect: Effects, share: FloatArray, price: FloatArray, gain_w: FloatArray) -> Division:
    """Who is stopped by which priced limit: the one that charges it most."""
    tight = np.flatnonzero(price > _PRICED * price.max(initial=0.0))
    charge = price[tight, None] * effect[tight]
    row = np.full(len(share), -1)
    if len(tight):
        most = np.argmax(charge, axis=0)
        stopped = (share < _FULL) & (charge[most, np.arange(len(share))] > 0)
        row[stopped] = tight[most[stopped]]
    return Division(share, row, np.append(gain_w, 0.0)[row], tight)
