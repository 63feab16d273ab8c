"""Who gets how much of what linear constraints leave: linear programmes, lexicographic by policy.

Each member moves along a share between 0 (gives way entirely) and 1 (as requested). Tiers are filled one
after the other, the most protected first. Inside a tier all members rise together until a constraint
stops them (max-min fairness by progressive filling, Bertsekas and Gallager, Data Networks): pro rata
where a step of the common level is the same share of each, an equal cap where it is the same power.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array, eye_array, hstack, vstack

from grid_engine.lp import Programme, Solution, Warm
from grid_engine.model import FloatArray, IntArray

_SLACK = 1e-9
_TIGHT = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Shares, and what stopped each of them."""

    share: FloatArray
    """Shape (n_member,), from 0 to 1."""
    row: IntArray
    """Shape (n_member,): the constraint that stopped the member, -1 where it has all it asked for."""
    gain_w: FloatArray
    """Shape (n_member,): watts gained, over all that rise with the member, per unit of room more in that row."""


def allocate(
    effect: FloatArray, room: FloatArray, tiers: Sequence[Sequence[int]], step: FloatArray, power_w: FloatArray
) -> Allocation | None:
    """The shares k with `effect` @ k <= `room`, or None where there are none.

    Args:
        effect: (n_row, n_member), change of each row from share 0 to 1.
        room: (n_row,), room of each row at share 0.
        tiers: members, most protected tier first; every member in exactly one.
        step: (n_member,), share that one unit of the common level is worth.
        power_w: (n_member,), watts between share 0 and 1.
    """
    n_member = effect.shape[1]
    share, row, gain_w = np.full(n_member, np.nan), np.full(n_member, -1), np.zeros(n_member)
    levels = _Levels(effect, room, step)
    for tier in tiers:
        rising = np.asarray(tier, dtype=np.int64)
        while len(rising):
            found = levels.highest(rising, share)
            if found is None:
                return None
            level, price, least = found
            tight = np.flatnonzero(price > _TIGHT)
            stopped = (effect[np.ix_(tight, rising)] > 0).any(axis=0)
            full = step[rising] * level >= 1 - _TIGHT
            total_w = float(np.abs(power_w[rising] * step[rising]).sum())
            for j in rising[stopped].tolist():
                rows = tight[effect[tight, j] > 0]
                row[j] = rows[np.argmax(price[rows])]
                gain_w[j] = price[row[j]] * total_w
            done = stopped | full if (stopped | full).any() else np.ones(len(rising), dtype=np.bool_)
            # Where a member is stopped above the level, those below need what it relieves.
            share[rising[done]] = np.clip(np.where(stopped, least, step[rising] * level), 0.0, 1.0)[done]
            rising = rising[~done]
    return Allocation(share, row, gain_w)


class _Levels:
    """One programme for all levels, each solved from the last one: columns are the level, then every member.

    Who rises may be above the level, as far as the rows let it: somebody whose power relieves a row is not
    held back by who loads it. But nobody is higher than that needs.
    """

    def __init__(self, effect: FloatArray, room: FloatArray, step: FloatArray) -> None:
        n_row, n_member = effect.shape
        self._step, self._first = step, n_row
        rows = hstack([csr_array((n_row, 1)), csr_array(effect)], format="csr")
        above = hstack([csr_array(step[:, None]), -eye_array(n_member)], format="csr")
        self._matrix = csr_array(vstack([rows, above], format="csr"))
        self._upper_row = np.concatenate([room, np.full(n_member, np.inf)])
        self._lower, self._upper = np.zeros(1 + n_member), np.ones(1 + n_member)
        endless = np.full(len(self._upper_row), -np.inf)
        cost = np.zeros(1 + n_member)
        programme = Programme(cost, self._lower.copy(), self._upper.copy(), self._matrix, endless, self._upper_row)
        self._warm = Warm(programme)

    def highest(self, rising: IntArray, share: FloatArray) -> tuple[float, FloatArray, FloatArray] | None:
        """The highest common level of `rising`, level gained per unit of room (n_row,), and their shares there.

        Members with a `share` keep it. None where there is no level.
        """
        given = ~np.isnan(share)
        self._lower[1:] = np.where(given, share, 0.0)
        self._upper[1:] = np.where(given, share, 1.0)
        self._lower[0], self._upper[0] = 0.0, (1 / self._step[rising]).min()
        self._upper_row[self._first :] = np.inf
        self._upper_row[self._first + rising] = 0.0
        cost = np.zeros(len(self._lower))
        cost[0] = 1.0
        member_rows = np.arange(self._first, len(self._upper_row))
        self._warm.bound_rows(member_rows, np.full(len(member_rows), -np.inf), self._upper_row[self._first :])
        found = self._solved(cost)
        if found is None:
            return None
        return float(found.x[0]), np.maximum(found.price[: self._first], 0.0), self._no_higher(found.x, rising)

    def _solved(self, cost: FloatArray) -> Solution | None:
        self._warm.bound_columns(self._lower, self._upper)
        self._warm.value_columns(cost)
        found = self._warm.solve()
        return found if found.optimal else None

    def _no_higher(self, x: FloatArray, rising: IntArray) -> FloatArray:
        """Shares of `rising` at the level x[0]: there, or as little above it as the rows allow."""
        even = x.copy()
        even[1 + rising] = self._step[rising] * x[0]
        slack = _SLACK * np.maximum(np.abs(self._upper_row), 1.0)
        if (self._matrix @ even <= self._upper_row + slack).all():
            return np.asarray(even[1 + rising])
        self._lower[0] = max(x[0] * (1 - _SLACK), 0.0)
        cost = np.zeros(len(x))
        cost[1 + rising] = -1.0
        least = self._solved(cost)
        return np.asarray((x if least is None else least.x)[1 + rising])
