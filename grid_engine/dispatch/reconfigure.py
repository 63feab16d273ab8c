"""Which taps, capacitors and switches to operate so that what was requested can be: enumeration, each state in AC."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import assert_never

from grid_engine.dispatch.explore import explored
from grid_engine.dispatch.moves import IMPASSABLE, Move, control_faults, moves, outcome, passable, worsened
from grid_engine.dispatch.operation_words import Controls, Objective, Option, Plan, Verdict, Verification, Weights
from grid_engine.dispatch.verification import verified
from grid_engine.model import Network
from grid_engine.results import NetworkState, Study
from grid_engine.studies.problem import pose
from grid_engine.studies.study_faults import faults

_TOLD = 3
_SAME = 1e-3
"""Part of what the untouched network loses or draws that is no difference."""


def reconfigure(
    network: Network,
    study: Study,
    controls: Controls,
    weights: Weights,
    objective: Objective = Objective.CURTAILMENT_MIN,
    *,
    interval_s: float = 300.0,
    most: int = 1000,
) -> Plan:
    """What to operate, once and for all intervals of `study`, for what it requests; at `most` so many states in AC."""
    blank = Plan(study.study_id, objective, Verdict.BAD_INPUT, network.version)
    found = (*faults(network, study), *control_faults(network, controls))
    if found:
        return replace(blank, detail="; ".join(found))
    choices = moves(network, study.state, controls)
    search = _Search(network, study, weights, interval_s, verified(pose(network, study), weights, interval_s))
    options = explored(choices, search.look, most, 0.0 if objective is Objective.CURTAILMENT_MIN else None)
    untouched, candidates = options[0], prod(len(choice) for choice in choices)
    best = sorted((option for option in options if option.held), key=lambda one: _rank(one, untouched, objective))
    first = best[0] if best else untouched
    return replace(
        blank,
        verdict=first.verification.verdict,
        options=tuple(best[:_TOLD]),
        untouched=untouched,
        candidates=candidates,
        looked_at=len(options),
        complete=len(options) < most or len(options) == candidates,
        detail=first.verification.detail,
        power_flows=sum(option.verification.power_flows for option in options),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What every state is looked at for."""

    network: Network
    study: Study
    weights: Weights
    interval_s: float
    untouched: Verification
    """With nothing operated."""

    def look(self, chosen: Sequence[Move]) -> Option:
        """The network after `chosen` moves, verified."""
        operations = tuple(operation for move in chosen for operation in move.operations)
        state = outcome(self.study.state, chosen)
        found = self._verified(chosen, state) if operations else self.untouched
        operation_cost = sum(move.cost for move in chosen)
        energy_mwh = sum(found.losses_w) * self.interval_s / 3600 / 1e6
        cost = operation_cost + found.curtailment_cost + energy_mwh * self.weights.loss_per_mwh
        return Option(operations, state, found, operation_cost, cost)

    def _verified(self, chosen: Sequence[Move], state: NetworkState) -> Verification:
        found = verified(pose(self.network, replace(self.study, state=state)), self.weights, self.interval_s)
        if not found.verdict.held:
            return found
        if not passable(self.network, self.study, chosen):
            return replace(found, verdict=Verdict.NOT_CONVERGED, detail=IMPASSABLE)
        worse = worsened(found.standing, self.untouched.standing)
        return replace(found, verdict=Verdict.INFEASIBLE, detail=worse) if worse else found


def _rank(option: Option, untouched: Option, objective: Objective) -> tuple[float, float, float]:
    """The lower, the better."""
    found, before = option.verification, untouched.verification

    def part(now: Sequence[float], then: Sequence[float]) -> float:
        return float(round(sum(now) / max(abs(sum(then)), 1.0) / _SAME))

    match objective:
        case Objective.CURTAILMENT_MIN:
            return option.cost, 0.0, 0.0
        case Objective.CONSTRAINT_MIN:
            return found.severity, option.cost, 0.0
        case Objective.LOSS_MIN:
            return found.curtailed_wh, part(found.losses_w, before.losses_w), option.cost
        case Objective.VOLTAGE_CONSERVATION:
            return found.curtailed_wh, part(found.draw_w, before.draw_w), option.cost
        case _:
            assert_never(objective)
