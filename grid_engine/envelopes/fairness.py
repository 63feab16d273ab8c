"""Rules that fill envelopes from a common level, and how fair a division is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.envelopes.words import Sharing
from grid_engine.model import FloatArray
from grid_engine.results import Participant


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """How shares rise with the common level: not before `start`, then by `rate` per unit of level, up to 1."""

    start: FloatArray
    """Shape (n_column,)."""
    rate: FloatArray


def climb(sharing: Sharing, participants: Sequence[Participant], span_w: FloatArray, interval_s: float) -> Climb | None:
    """How `sharing` lets columns rise that belong to `participants` and are worth `span_w` (n_column,).

    None for rules that are an optimum rather than a level.
    """
    size = np.abs(span_w)
    together = np.zeros(len(size))
    match sharing:
        case Sharing.MAXIMUM | Sharing.PROPORTIONAL:
            return None
        case Sharing.EQUAL | Sharing.PRO_RATA:
            return Climb(together, np.ones(len(size)))
        case Sharing.MAX_MIN:
            return Climb(together, size.max(initial=0.0) / size)
        case Sharing.LIFO:
            return _in_turn([(not p.connected_on, p.connected_on) for p in participants])
        case Sharing.MERIT:
            return _in_turn([p.price_per_mwh for p in participants])
        case Sharing.ROTATIONAL:
            # What has been given up, if this interval gave nothing, falls as the level rises: who is highest is first.
            given_up_w = size + np.array([p.curtailed_wh for p in participants]) * 3600 / interval_s
            return Climb(given_up_w.max(initial=0.0) - given_up_w, 1 / size)


def jain(allowed: FloatArray) -> float:
    """Fairness of allowed parts of what was requested: 1 where all are equal, 1/n where one has all.

    Jain, Chiu and Hawe 1984: (sum x)² / (n sum x²); 1 where nobody has anything.
    """
    squares = float(len(allowed) * (allowed**2).sum())
    return float(allowed.sum() ** 2) / squares if squares else 1.0


def _in_turn(keys: Sequence[object]) -> Climb:
    """One rank of `keys` after the other, the lowest first; equal ones pro rata."""
    order = {key: rank for rank, key in enumerate(sorted(set(keys)))}  # type: ignore[type-var]
    return Climb(np.array([float(order[key]) for key in keys]), np.ones(len(keys)))
