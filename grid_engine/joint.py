"""Joint envelopes as an `Answer`: anything within them, by anybody, at once, breaks no limit."""

import zlib

import numpy as np

from grid_engine.envelopes.budget import UNLIMITED, Budget
from grid_engine.envelopes.study import answer as envelopes
from grid_engine.envelopes.words import EnvelopeStudy, Sharing
from grid_engine.model import Network
from grid_engine.results import Answer, Status, Study
from grid_engine.studies.settling import joined, staged
from grid_engine.studies.study_faults import faults


def answer(network: Network, study: Study, budget: Budget = UNLIMITED) -> Answer:
    """What the engine says to a study of `Purpose.JOINT`: the same question, in the same time, has the same answer."""
    if study.states:
        wrong = faults(network, study)
        if wrong:
            return Answer(study.study_id, Status.BAD_INPUT, network.version, detail="; ".join(wrong))
        stages = staged(study)
        return joined(study, stages, [answer(network, stage.study, budget) for stage in stages])
    question = EnvelopeStudy(
        study,
        Sharing(study.sharing),
        utilisation=study.utilisation,
        proof_runs=study.proof_runs,
    )
    rng = np.random.default_rng(zlib.crc32(study.study_id.encode()))
    found = envelopes(network, question, rng, budget)
    return Answer(
        study_id=study.study_id,
        status=found.status,
        model_version=found.model_version,
        envelopes=found.envelopes,
        unsupplied=found.unsupplied,
        detail=found.detail,
        power_flows=found.power_flows,
        proof_runs=sum(proof.runs + proof.corners for proof in found.proofs),
        proof_violations=sum(proof.violations + proof.corner_violations for proof in found.proofs),
        forecast_id=study.forecast_id,
        forecast_model=study.forecast_model,
        estimate_id=study.estimate_id,
    )
