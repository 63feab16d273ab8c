"""Who gets how much of what linear constraints leave: linear programmes, lexicographic by policy.

Each member moves along a share between 0 (gives way entirely) and 1 (as requested). Tiers are filled one
after the other, the most protected first. Inside a tier all members rise together until a constraint
stops them (max-min fairness by progressive filling, Bertsekas and Gallager, Data Networks): pro rata
where a step of the common level is the same share of each, an equal cap where it is the same power.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from grid_engine.lp import Programme, maximise
from grid_engine.model import FloatArray, IntArray

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
    for tier in tiers:
        rising = list(tier)
        while rising:
            solved = _highest_level(effect, room, share, rising, step)
            if solved is None:
                return None
            level, price, least = solved
            tight = np.flatnonzero(price > _TIGHT)
            stopped = [j for j in rising if (effect[tight, j] > 0).any()]
            full = [j for j in rising if step[j] * level >= 1 - _TIGHT]
            total_w = float(sum(abs(power_w[j]) * step[j] for j in rising))
            for j in stopped:
                rows = tight[effect[tight, j] > 0]
                row[j] = rows[np.argmax(price[rows])]
                gain_w[j] = price[row[j]] * total_w
            done = {*stopped, *full} or set(rising)
            for j in done:
                # Where a member is stopped above the level, those below need what it relieves.
                share[j] = min(max(least[j] if j in stopped else step[j] * level, 0.0), 1.0)
            rising = [j for j in rising if j not in done]
    return Allocation(share, row, gain_w)


def _highest_level(
    effect: FloatArray, room: FloatArray, share: FloatArray, rising: Sequence[int], step: FloatArray
) -> tuple[float, FloatArray, dict[int, float]] | None:
    """The highest common level of `rising`, level gained per unit of room, and their shares there.

    Members with a share keep it.

    Columns are the level, then every member without a share. Who rises may be above the level, as far as
    the rows let it: somebody whose power relieves a row is not held back by who loads it.
    """
    given = ~np.isnan(share)
    column = {int(j): 1 + n for n, j in enumerate(np.flatnonzero(~given))}
    n_row, n_column = len(room), 1 + len(column)
    matrix = np.zeros((n_row + len(rising), n_column))
    matrix[:n_row, 1:] = effect[:, ~given]
    for n, j in enumerate(rising):
        matrix[n_row + n, [0, column[j]]] = step[j], -1.0
    upper = np.ones(n_column)
    upper[0] = min(1 / step[j] for j in rising)
    cost = np.zeros(n_column)
    cost[0] = 1.0
    left = np.concatenate([room - effect[:, given] @ share[given], np.zeros(len(rising))])
    unbounded = np.full(len(left), -np.inf)
    found = maximise(Programme(cost, np.zeros(n_column), upper, csr_array(matrix), unbounded, left))
    if not found.optimal:
        return None
    return float(found.x[0]), np.maximum(found.price[:n_row], 0.0), {j: float(found.x[column[j]]) for j in rising}
