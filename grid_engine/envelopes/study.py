"""The entry: envelopes for every interval of a study, each proven. Pure: who asks brings randomness and time."""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite

import numpy as np

from grid_engine import cycle
from grid_engine.envelopes.budget import UNLIMITED, Budget
from grid_engine.envelopes.fairness import jain
from grid_engine.envelopes.interval import Interval, Work, solve_interval
from grid_engine.envelopes.telling import envelopes, outcome, proof
from grid_engine.envelopes.words import Ended, EnvelopeAnswer, EnvelopeStudy, Mode, Outcome
from grid_engine.model import Network
from grid_engine.results import Purpose, Status, Study
from grid_engine.studies.problem import pose
from grid_engine.studies.study_faults import faults


def answer(
    network: Network, question: EnvelopeStudy, rng: np.random.Generator, budget: Budget = UNLIMITED
) -> EnvelopeAnswer:
    """What the engine says to `question`; faults of the study and of its solution are told in the status."""
    study = question.study
    blank = EnvelopeAnswer(study.study_id, Status.SOLVED, network.version)
    found = (*faults(network, study), *_faults(question))
    if found:
        return replace(blank, status=Status.BAD_INPUT, detail="; ".join(found))
    return (
        _residual(network, study, blank)
        if question.mode is Mode.RESIDUAL
        else _joint(network, question, rng, budget, blank)
    )


def _faults(question: EnvelopeStudy) -> Iterator[str]:
    if not 0 <= question.utilisation <= 1:
        yield f"utilisation {question.utilisation}: not between 0 and 1"
    for what, value in (("interval", question.interval_s), ("gap", question.gap)):
        if not isfinite(value) or value <= 0:
            yield f"{what} {value}: not positive"
    for what, count in (("rounds", question.rounds), ("proof_runs", question.proof_runs)):
        if count < 1:
            yield f"{what} {count}: not positive"
    for p in question.study.participants:
        if not isfinite(p.curtailed_wh) or p.curtailed_wh < 0:
            yield f"{p.resource}: {p.curtailed_wh} Wh curtailed"


def _joint(
    network: Network, question: EnvelopeStudy, rng: np.random.Generator, budget: Budget, blank: EnvelopeAnswer
) -> EnvelopeAnswer:
    problem = pose(network, question.study)
    work = Work(question, problem, rng, budget)
    own = _intervals(work)
    failed = next((one for one in own if one.status is not Status.SOLVED), None)
    solved = [(i, one) for i, one in enumerate(own) if one.status is Status.SOLVED]
    return replace(
        blank,
        status=Status.SOLVED if failed is None else failed.status,
        detail="" if failed is None else failed.detail,
        envelopes=tuple(envelope for i, one in solved for envelope in envelopes(problem, one, i)),
        outcomes=tuple(outcome(one, i) for i, one in enumerate(own)),
        proofs=tuple(proof(one, side, i) for i, one in solved for side in one.sides),
        unsupplied=problem.unsupplied,
        power_flows=work.spent.power_flows,
    )


def _intervals(work: Work) -> list[Interval]:
    """Every interval; those that are alike are computed once."""
    known: dict[bytes, Interval] = {}
    result = []
    for i in range(work.question.study.intervals):
        given = work.problem.scenes[0].given_va[:, i].tobytes()
        held = np.where(work.problem.adjustable, 0.0, work.problem.held_w[:, i]).tobytes()
        if given + held not in known:
            known[given + held] = solve_interval(work, i)
        result.append(known[given + held])
    return result


def _residual(network: Network, study: Study, blank: EnvelopeAnswer) -> EnvelopeAnswer:
    """Each participant alone, the others where they are held; the limits of one by one are exact by themselves."""
    found = cycle.answer(network, replace(study, purpose=Purpose.ENVELOPE))
    outcomes = []
    for i in range(study.intervals):
        own = [envelope for envelope in found.envelopes if envelope.interval == i]
        asked = {p.resource: p for p in study.participants}
        parts = [
            allowed / able
            for e in own
            for allowed, able in (
                (max(e.ceiling_w, 0.0), asked[e.resource].ceiling_w),
                (min(e.floor_w, 0.0), asked[e.resource].floor_w),
            )
            if able
        ]
        outcomes.append(
            Outcome(
                interval=i,
                ended=Ended.DONE,
                export_w=sum(max(e.ceiling_w, 0.0) for e in own),
                import_w=-sum(min(e.floor_w, 0.0) for e in own),
                gap=0.0,
                fairness=jain(np.array(parts)),
                rounds=0,
                preexisting=tuple(violation for violation in found.violations if violation.interval == i),
            )
        )
    return replace(
        blank,
        status=found.status,
        envelopes=found.envelopes,
        outcomes=tuple(outcomes),
        unsupplied=found.unsupplied,
        detail=found.detail,
        power_flows=found.power_flows,
    )
