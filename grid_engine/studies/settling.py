"""Lets the network's controllers act before its limits are looked at, and says what state that leaves.

Intervals whose controllers come to the same state are studied together; after a contingency the
controllers that are left act again. A case whose controllers hunt is studied where they stood last, and
one that has no solution with them moving is tried again with everything held.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from grid_engine.flow.regulation import Outcome, Regulated, Regulation, prepare_regulation
from grid_engine.model import FloatArray, Network
from grid_engine.results import (
    Answer,
    Contingency,
    Envelope,
    Flow,
    NetworkState,
    Purpose,
    Status,
    Study,
    Violation,
)
from grid_engine.studies.contingency import merged, named
from grid_engine.studies.problem import Problem, Scene, pose

_Told = TypeVar("_Told", Violation, Envelope, Flow)


@dataclass(frozen=True, slots=True)
class Part:
    """Some intervals of a study, in the state that controllers leave."""

    intervals: tuple[int, ...]
    study: Study


def settled(network: Network, study: Study) -> tuple[Part, ...]:
    """A faultless study split by what its controllers come to; none of the parts lets them act again."""
    problem = pose(network, study)
    power_w = problem.held_w if study.purpose is Purpose.ENVELOPE else problem.requested_w
    found = [_regulated(problem, scene, power_w) for scene in problem.scenes]
    groups: dict[bytes, list[int]] = {}
    for i in range(study.intervals):
        key = b"".join(regulated.states[:, i].tobytes() for _, regulated in found)
        groups.setdefault(key, []).append(i)
    fixed = replace(_on_curves(problem, *found[0]), controllers=False)
    return tuple(Part(tuple(group), _held(network, fixed, found, group)) for group in groups.values())


def staged(study: Study) -> tuple[Part, ...]:
    """A faultless study split by the states that planned work brings; none of the parts has more than one."""
    groups: dict[str, list[int]] = {}
    for i, state in enumerate(study.states):
        groups.setdefault(repr(state), []).append(i)
    return tuple(
        Part(tuple(group), replace(at_intervals(study, group), state=study.states[group[0]], states=()))
        for group in groups.values()
    )


def joined(study: Study, parts: Sequence[Part], answers: Sequence[Answer]) -> Answer:
    """One answer to `study` from those to its parts; the first that could not be given stands for all."""
    if len(parts) == 1:
        return answers[0]
    failed = [answer for answer in answers if answer.status is not Status.SOLVED]

    def told(rows: Callable[[Answer], tuple[_Told, ...]]) -> tuple[_Told, ...]:
        found = [
            replace(one, interval=part.intervals[one.interval])
            for part, answer in zip(parts, answers, strict=True)
            for one in rows(answer)
        ]
        return tuple(sorted(found, key=lambda one: one.interval))

    return replace(
        failed[0] if failed else answers[0],
        study_id=study.study_id,
        violations=told(lambda answer: answer.violations),
        alarms=told(lambda answer: answer.alarms),
        envelopes=() if failed else told(lambda answer: answer.envelopes),
        flows=() if failed else told(lambda answer: answer.flows),
        unsupplied=tuple(dict.fromkeys(name for answer in answers for name in answer.unsupplied)),
        power_flows=sum(answer.power_flows for answer in answers),
        proof_runs=sum(answer.proof_runs for answer in answers),
        proof_violations=sum(answer.proof_violations for answer in answers),
    )


def at_intervals(study: Study, intervals: Sequence[int]) -> Study:
    """The study of some of its intervals."""

    def chosen(series: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(series[i] for i in intervals)

    def each(table: Mapping[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        return {name: chosen(series) for name, series in table.items()}

    return replace(
        study,
        intervals=len(intervals),
        participants=tuple(
            replace(p, held_w=chosen(p.held_w), requested_w=chosen(p.requested_w)) for p in study.participants
        ),
        load_scale=chosen(study.load_scale) if study.load_scale else (),
        load_w=each(study.load_w),
        unit_w=each(study.unit_w),
        unit_var=each(study.unit_var),
        states=tuple(study.states[i] for i in intervals) if study.states else (),
    )


def _regulated(problem: Problem, scene: Scene, power_w: FloatArray) -> tuple[Regulation, Regulated]:
    """One scene in every interval; where that has no solution, with all controllers as they were."""
    power_va = scene.given_va + scene.shares @ power_w
    regulation = prepare_regulation(scene.system, scene.solver.pairs, power_va[:, 0], problem.unit_of)
    found = regulation.solve(power_va)
    lost = found.outcome == Outcome.NOT_CONVERGED
    states = np.where(lost, regulation.solver.variants.state[:, None], found.states)
    return regulation, replace(found, states=states, power_va=np.where(lost, power_va, found.power_va))


def _held(network: Network, study: Study, found: Sequence[tuple[Regulation, Regulated]], group: Sequence[int]) -> Study:
    """Some intervals with same states, these held in the network as it is and after every contingency."""
    now, *after = (_state(network, *scene, group[0]) for scene in found)
    before = _before(network, study, now)
    contingencies = tuple(
        Contingency(one.id, merged(merged(before, one.changes), told))
        for one, told in zip(named(network, study), after, strict=True)
    )
    return replace(at_intervals(study, group), state=merged(study.state, now), contingencies=contingencies)


def _before(network: Network, study: Study, moved: NetworkState) -> NetworkState:
    """Where `moved` elements stood, and stand after a contingency in which nobody moves them."""
    windings, sequences, shunts = network.transformers, network.sequence_transformers, network.shunts
    taps = dict(zip((*windings.ids, *sequences.ids), (*windings.tap.tolist(), *sequences.tap.tolist()), strict=True))
    live = dict(zip(shunts.ids, shunts.in_service.tolist(), strict=True))
    return NetworkState(
        taps={name: study.state.taps.get(name, taps[name]) for name in moved.taps},
        in_service={name: study.state.in_service.get(name, live[name]) for name in moved.in_service},
    )


def _state(network: Network, regulation: Regulation, regulated: Regulated, interval: int) -> NetworkState:
    """Taps and capacitors that controllers have moved."""
    variants = regulation.solver.variants
    moved = {name: int(s) for name, s in zip(variants.ids, regulated.states[:, interval], strict=True)}
    shunts = set(network.shunts.ids)
    return NetworkState(
        taps={name: state for name, state in moved.items() if name not in shunts},
        in_service={name: bool(state) for name, state in moved.items() if name in shunts},
    )


def _on_curves(problem: Problem, regulation: Regulation, regulated: Regulated) -> Study:
    """With the powers of units that follow curves, as they are in the network before any contingency."""
    inverters, ids, study = regulation.inverters, problem.network.units.ids, problem.study
    power_va = inverters.summed(regulated.power_va[inverters.pairs])
    told = {ids[n]: row for n, row in zip(inverters.units, power_va, strict=True)}
    return replace(
        study,
        unit_w={**study.unit_w, **{name: tuple(row.real.tolist()) for name, row in told.items()}},
        unit_var={**study.unit_var, **{name: tuple(row.imag.tolist()) for name, row in told.items()}},
    )
