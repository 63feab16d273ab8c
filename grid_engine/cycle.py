"""The engine's one question: an `Answer` to a `Study` on a `Network`. Pure: same question, same answer."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from grid_engine.model import FloatArray, Network
from grid_engine.results import Answer, Binding, Envelope, Purpose, Reason, Status, Study
from grid_engine.studies import screen
from grid_engine.studies.envelope import Extents, extents
from grid_engine.studies.impact import Relief, relieve
from grid_engine.studies.problem import Problem, Solved, pose
from grid_engine.studies.settling import joined, settled, staged
from grid_engine.studies.study_faults import faults
from grid_engine.studies.withstand import Barred, barred


def answer(network: Network, study: Study) -> Answer:
    """What the engine says to `study`; faults of the study and of its solution are told in the status."""
    found = faults(network, study)
    if found:
        return Answer(study.study_id, Status.BAD_INPUT, network.version, detail="; ".join(found))
    if study.states:
        stages = staged(study)
        return joined(study, stages, [answer(network, stage.study) for stage in stages])
    if study.controllers:
        parts = settled(network, study)
        return joined(study, parts, [_answer(network, part.study) for part in parts])
    return _answer(network, study)


def _answer(network: Network, study: Study) -> Answer:
    """The same with everything held as the study's state says."""
    problem = pose(network, study)
    requested_w = problem.held_w if study.purpose is Purpose.ENVELOPE else problem.requested_w
    solved = problem.solve(requested_w, slice(None))
    blank = Answer(
        study.study_id,
        Status.SOLVED,
        network.version,
        unsupplied=problem.unsupplied,
        islands=problem.islands,
        power_flows=study.intervals * len(problem.scenes),
        forecast_id=study.forecast_id,
        forecast_model=study.forecast_model,
        estimate_id=study.estimate_id,
    )
    if not solved.converged.all():
        return replace(blank, status=Status.NOT_CONVERGED, detail=_where(problem, solved))
    values = problem.monitor.values(solved.voltages)
    violations = screen.violations(problem.monitor, values)
    posed = replace(problem, requested_w=requested_w)
    shut = barred(posed)
    alarms = screen.unbalance_alarms(problem, solved.voltages[0])
    blank = replace(blank, violations=(*violations, *shut.violations), alarms=alarms)
    posed = replace(posed, requested_w=shut.without(requested_w))
    reliefs = _reliefs(posed, sorted({violation.interval for violation in violations}))
    spent = blank.power_flows + sum(relief.power_flows for relief in {id(r): r for r in reliefs.values()}.values())
    failed = [relief for relief in reliefs.values() if relief.status is not Status.SOLVED]
    if failed:
        return replace(blank, status=failed[0].status, detail=failed[0].detail, power_flows=spent)
    return _complete(posed, replace(blank, power_flows=spent), values, reliefs, shut)


def _complete(problem: Problem, blank: Answer, before: FloatArray, reliefs: dict[int, Relief], shut: Barred) -> Answer:
    """The answer with envelopes and flows."""
    allowed_w = problem.requested_w.copy()
    for i, relief in reliefs.items():
        allowed_w[:, i] = relief.allowed_w
    voltages = problem.solve(allowed_w, slice(None)).voltages
    after = problem.monitor.values(voltages)
    spent = blank.power_flows + problem.study.intervals * len(problem.scenes)
    limited = _limits(problem, reliefs, before, after)
    kept_out = _kept_out(problem, shut)
    if problem.study.purpose is Purpose.ENVELOPE:
        monitors = [reliefs[i].monitor if i in reliefs else problem.monitor for i in range(problem.study.intervals)]
        reach = extents(problem, monitors, allowed_w)
        spent += reach.power_flows
        limited = _reached(problem, reach)
    limited = (*(e for e in limited if (e.resource, e.interval) not in kept_out), *kept_out.values())
    alarms = (*blank.alarms, *screen.uncured(problem.monitor, after))
    flows = screen.flows(problem, voltages[0])
    return replace(blank, alarms=alarms, envelopes=limited, flows=flows, power_flows=spent)


def _kept_out(problem: Problem, shut: Barred) -> dict[tuple[str, int], Envelope]:
    """By resource and interval: no power for those who may not connect."""
    names = [p.resource for p in problem.study.participants]
    return {(names[j], i): Envelope(names[j], i, 0.0, 0.0, why) for (j, i), why in sorted(shut.bindings.items())}


def _where(problem: Problem, solved: Solved) -> str:
    """Which interval, case and bus did not converge."""
    for scene, flow in zip(problem.scenes, solved.flows, strict=True):
        for i in np.flatnonzero(~flow.converged).tolist():
            bus = problem.network.buses.ids[problem.network.nodes.bus[flow.worst_node[i]]]
            return f"interval {i}, case {scene.case}: no power flow solution, worst at bus {bus}"
    return ""


def _reliefs(problem: Problem, intervals: Sequence[int]) -> dict[int, Relief]:
    """Relief of every violated interval; intervals that are alike are computed once."""
    known: dict[bytes, Relief] = {}
    result = {}
    given = (problem.scenes[0].given_va, problem.held_w, problem.requested_w)
    for i in intervals:
        key = b"".join(part[:, i].tobytes() for part in given)
        if key not in known:
            known[key] = relieve(problem, i)
        result[i] = known[key]
    return result


def _limits(
    problem: Problem, reliefs: dict[int, Relief], before: FloatArray, after: FloatArray
) -> tuple[Envelope, ...]:
    """An envelope for everyone who must be limited, and for everyone without supply who wants to move."""
    result = []
    for i in range(problem.study.intervals):
        for j, participant in enumerate(problem.study.participants):
            floor_w, ceiling_w = participant.floor_w, participant.ceiling_w
            if participant.resource in problem.unsupplied:
                if problem.requested_w[j, i]:
                    result.append(Envelope(participant.resource, i, 0.0, 0.0, Binding(participant.bus, Reason.OUTAGE)))
                continue
            relief = reliefs.get(i)
            if relief is None or relief.row[j] < 0:
                continue
            why = screen.binding(
                relief.monitor, relief.row[j], before[:, i], after[:, i], float(relief.shadow_price[j])
            )
            allowed_w = float(relief.allowed_w[j])
            if problem.requested_w[j, i] > allowed_w:
                ceiling_w = allowed_w
            else:
                floor_w = allowed_w
            result.append(Envelope(participant.resource, i, floor_w, ceiling_w, why))
    return tuple(result)


def _reached(problem: Problem, reach: Extents) -> tuple[Envelope, ...]:
    """An envelope for every adjustable participant; without supply it may do nothing."""
    result = []
    for i in range(problem.study.intervals):
        for j, participant in enumerate(problem.study.participants):
            if participant.resource in problem.unsupplied:
                outage = Binding(participant.bus, Reason.OUTAGE)
                result.append(Envelope(participant.resource, i, 0.0, 0.0, outage))
            elif problem.adjustable[j]:
                why = _tightest(problem, reach, j, i)
                limits_w = (float(reach.floor_w[j, i]), float(reach.ceiling_w[j, i]))
                result.append(Envelope(participant.resource, i, *limits_w, why))
    return tuple(result)


def _tightest(problem: Problem, reach: Extents, j: int, i: int) -> Binding | None:
    """The constraint on the side that loses more of the participant's capability."""
    lost_w = {
        1: float(problem.ceiling_w[j] - reach.ceiling_w[j, i]),
        -1: float(reach.floor_w[j, i] - problem.floor_w[j]),
    }
    sides = [side for side in (1, -1) if (j, i, side) in reach.stops and lost_w[side] > 0]
    return reach.stops[j, i, max(sides, key=lambda side: lost_w[side])] if sides else None
