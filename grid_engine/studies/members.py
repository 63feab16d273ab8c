"""Who can give way, how far, and in which order: the policies as stretches, tiers and steps."""

from dataclasses import dataclass
from typing import assert_never

import numpy as np

from grid_engine.model import BoolArray, FloatArray, IntArray
from grid_engine.results import Participant, Policy
from grid_engine.studies.problem import Problem

SETTLED_W = 1.0
"""Less than this is no change of power."""


@dataclass(frozen=True, slots=True, eq=False)
class Members:
    """What can give way: stretches of participants' powers, each from share 0 to share 1.

    Under `Policy.INCREMENTAL` a participant has two, up to where it stands and from there on; what goes on by itself
    is more protected than what was instructed anew.
    """

    who: IntArray
    span_w: FloatArray
    tiers: list[list[int]]
    """Most protected first."""
    step: FloatArray
    """Share of each member that one unit of its tier's common level is worth."""
    base_w: FloatArray
    """Shape (n_participant,): with every member at share 0."""

    def power_w(self, share: FloatArray) -> FloatArray:
        """Shape (n_participant,)."""
        result = self.base_w.copy()
        np.add.at(result, self.who, share * self.span_w)
        return result


def members(problem: Problem, interval: int, giving: BoolArray) -> Members:
    """The stretches of the participants that are `giving` way, ordered by the study's policy."""
    requested_w, least_w = problem.requested_w[:, interval], nothing_w(problem)
    policy, participants = problem.study.policy, problem.study.participants
    everyone = np.flatnonzero(giving)
    stands_w = least_w
    if policy is Policy.INCREMENTAL:
        # Nobody is made to inject or consume: the stretch that is protected never reaches beyond the request.
        low, high = np.minimum(least_w, requested_w), np.maximum(least_w, requested_w)
        stands_w = np.clip(problem.held_w[:, interval], low, high)
    stretches = np.concatenate([(stands_w - least_w)[everyone], (requested_w - stands_w)[everyone]])
    real = np.abs(stretches) > SETTLED_W
    who, span_w = np.tile(everyone, 2)[real], stretches[real]
    first = int(np.count_nonzero(real[: len(everyone)]))
    ranks = [rank(policy, participants[j], later=bool(n >= first)) for n, j in enumerate(who.tolist())]
    tiers = [[n for n in range(len(who)) if ranks[n] == level] for level in sorted(set(ranks))]
    equal_power = np.abs(span_w).max(initial=0.0) / np.abs(span_w)
    step = equal_power if policy is Policy.MAX_MIN else np.ones(len(who))
    return Members(who, span_w, tiers, step, np.where(giving, least_w, requested_w))


def rank(policy: Policy, participant: Participant, *, later: bool = True) -> tuple[float, str]:
    """The lower, the more protected; `later` is the stretch beyond where the participant stands."""
    match policy:
        case Policy.INCREMENTAL:
            return float(later) * (1.0 + participant.instructed), ""
        case Policy.LIFO:
            return float(not participant.connected_on), participant.connected_on
        case Policy.MERIT:
            return participant.price_per_mwh, ""
        case Policy.ROTATIONAL:
            return -participant.curtailed_wh, ""
        case Policy.PRO_RATA | Policy.MAX_MIN:
            return 0.0, ""
        case _:
            assert_never(policy)


def nothing_w(problem: Problem) -> FloatArray:
    """The least that giving way can come to: no power, or the nearest to it that a participant is capable of."""
    return np.asarray(np.clip(0.0, problem.floor_w, problem.ceiling_w))
