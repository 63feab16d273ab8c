"""The largest product of shares under dense rows, by an interior-point method on the few rows that can bind.

max sum(log share) with effect @ share <= room and share <= 1. Primal-dual path following with a Schur
complement over the rows (Nocedal and Wright, Numerical Optimization, ch. 19): its size is the number of
rows, which enter when they are broken.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from grid_engine.envelopes.budget import Budget
from grid_engine.envelopes.facets import Facets
from grid_engine.model import BoolArray, FloatArray, IntArray
from grid_engine.studies.rows import Effects

_AT_ONCE = 10
_BROKEN = 1e-5
_PRICED = 1e-6
"""Of the highest price: rows below are not expected to bind the next time."""
_STEPS = 80
_SETTLED = 1e-8
_CENTRING = 0.1
_BACK = 0.995
_NO_ROOM = 1e-9
_NO_EFFECT = 1e-6
"""Of a row's largest effect: whoever has less is not cut off by a row without room."""
_LEAST = 1e-6
"""Share from which the path starts."""


@dataclass(frozen=True, slots=True, eq=False)
class Fair:
    """The optimum, and what holds it."""

    share: FloatArray
    price: FloatArray
    """Shape (n_row,): log gained per unit of room."""
    cut_off: IntArray
    """Shape (n_column,): the row without any room that leaves a column nothing, -1 for the others."""


@dataclass(slots=True)
class _Point:
    share: FloatArray
    slack: FloatArray
    """Of rows."""
    price: FloatArray
    above: FloatArray
    """Of shares, below 1."""
    toll: FloatArray
    """Price of the bound at 1."""


class Product:
    """Fair shares under facets, which may grow and be corrected."""

    def __init__(self, facets: Facets, likely: IntArray) -> None:
        """`likely` are facets that probably bind."""
        self._facets, self._rows = facets, likely
        self._scale = np.zeros(0)

    def solve(self, budget: Budget) -> Fair | None:
        """Fair shares; None where time ran out or numbers failed."""
        self._measure()
        scaled = self._facets.room * self._scale
        cut_off = _cut_off(self._facets.worst, self._scale, scaled)
        free = cut_off < 0
        # A row that leaves somebody nothing holds nobody else.
        holding = scaled > _NO_ROOM
        share, price = np.where(free, 1.0, 0.0), np.zeros(len(scaled))
        while not budget.over:
            beyond = (self._facets.worst @ share.astype(np.float32)) * self._scale - scaled
            beyond[self._rows] = -np.inf
            broken = np.flatnonzero((beyond > _BROKEN) & holding)
            if not len(broken) and price.any():
                self._rows = np.flatnonzero(price > _PRICED * price.max())
                return Fair(share, price * self._scale, cut_off)
            enter = broken[np.argsort(-beyond[broken], kind="stable")[:_AT_ONCE]]
            self._rows = np.concatenate([self._rows, enter])
            held = self._rows[holding[self._rows]]
            if not len(held):
                return Fair(share, price, cut_off)
            effect = self._facets.worst[held][:, free] * self._scale[held, None]
            found = _central(effect, scaled[held])
            if found is None:
                return None
            share[free], price[:] = found.share, 0.0
            price[held] = found.price
        return None

    def _measure(self) -> None:
        """Take in facets that came since: they are likely to bind."""
        known = len(self._scale)
        size = np.abs(self._facets.worst[known:]).max(axis=1, initial=0.0)
        self._scale = np.concatenate([self._scale, 1 / np.where(size > 0, size, 1.0)])
        if known:
            self._rows = np.concatenate([self._rows, np.arange(known, self._facets.size)])


def _cut_off(worst: Effects, scale: FloatArray, room: FloatArray) -> IntArray:
    result = np.full(worst.shape[1], -1)
    for row in np.flatnonzero(room <= _NO_ROOM):
        result[worst[row] * scale[row] > _NO_EFFECT] = row
    return result


def _central(effect: FloatArray, room: FloatArray) -> _Point | None:
    """Follow the central path to its end."""
    n_row, n_column = effect.shape
    loads = np.maximum(effect, 0).sum(axis=1)
    with np.errstate(divide="ignore"):
        level = max(min(0.5, 0.5 * float((room / loads).min(initial=1.0))), _LEAST)
    share = np.full(n_column, level)
    slack = np.maximum(room - effect @ share, 1e-3 * room)
    at = _Point(share, slack, 1 / (slack * n_row), 1 - share, np.full(n_column, 1.0))
    for _ in range(_STEPS):
        pull = effect.T @ at.price + at.toll - 1 / at.share
        lack = effect @ at.share + at.slack - room
        over = at.share + at.above - 1
        gap = float(at.slack @ at.price + at.above @ at.toll) / (n_row + n_column)
        if max(np.abs(pull * at.share).max(), np.abs(lack).max(), np.abs(over).max(), gap) < _SETTLED:
            return at
        if not _step(at, effect, (pull, lack, over), _CENTRING * gap):
            return None
    return at if gap < 1e-5 and np.abs(lack).max() < 1e-6 else None


def _step(at: _Point, effect: FloatArray, off: tuple[FloatArray, FloatArray, FloatArray], aim: float) -> bool:
    """One Newton step towards complementarity `aim`; false where its equations cannot be solved."""
    pull, lack, over = off
    curve = 1 / at.share**2 + at.toll / at.above
    push = -pull - (aim - at.toll * at.above) / at.above - at.toll / at.above * over
    part = effect / curve
    schur = part @ effect.T
    schur[np.diag_indices_from(schur)] += at.slack / at.price
    right = part @ push + lack + (aim - at.slack * at.price) / at.price
    try:
        d_price = cho_solve(cho_factor(schur, lower=True, check_finite=False), right, check_finite=False)
    except LinAlgError:
        return False
    d_share = (push - effect.T @ d_price) / curve
    d_slack = -lack - effect @ d_share
    d_above = -over - d_share
    d_toll = (aim - at.toll * at.above - at.toll * d_above) / at.above
    primal = _reach((at.share, at.slack, at.above), (d_share, d_slack, d_above))
    dual = _reach((at.price, at.toll), (d_price, d_toll))
    at.share, at.slack, at.above = (
        at.share + primal * d_share,
        at.slack + primal * d_slack,
        at.above + primal * d_above,
    )
    at.price, at.toll = at.price + dual * d_price, at.toll + dual * d_toll
    return bool(np.isfinite(at.share).all())


def _reach(values: tuple[FloatArray, ...], changes: tuple[FloatArray, ...]) -> float:
    """How much of the changes leaves all values positive."""
    reach = 1.0
    for value, change in zip(values, changes, strict=True):
        down = change < 0
        if down.any():
            reach = min(reach, _BACK * float((-value[down] / change[down]).min()))
    return reach


def total_gain(effect: Effects, price: FloatArray, share: FloatArray, worth: FloatArray) -> FloatArray:
    """Worth gained per unit of room of each row (n_row,) as fair shares follow it; 0 for rows without a price.

    At the optimum share = 1 / (effect.T @ price): moving one row's room moves the shares that are below 1
    within the space where the other priced rows stay tight.
    """
    result = np.zeros(len(price))
    tight = np.flatnonzero(price > 1e-6 * price.max(initial=0.0))
    free: BoolArray = share < 1 - 1e-6
    if not len(tight) or not free.any():
        return result
    part = effect[tight][:, free]
    weighted = part * share[free] ** 2
    answer = np.linalg.lstsq(weighted @ part.T, weighted @ worth[free], rcond=1e-12)[0]
    result[tight] = np.maximum(answer, 0.0)
    return result
