"""Equal shares: the largest part of everybody's capability that all may use at once, by bisection on AC.

The simplest envelopes that can be proven: no linear programme, a few dozen power flows. Export and import
are searched apart, everybody going the same way.
"""

from dataclasses import replace

import numpy as np

from grid_engine.envelopes.study import answer
from grid_engine.envelopes.words import EnvelopeStudy, Sharing
from grid_engine.model import Network
from grid_engine.results import Envelope, Preexisting, Study


def equal_shares(network: Network, study: Study) -> tuple[Envelope, ...]:
    """Envelopes of every adjustable participant in every interval; none where the study is faulty.

    A limit that is broken with everybody at nothing must not get worse; an interval without a solution
    there has no envelopes.
    """
    question = EnvelopeStudy(
        replace(study, preexisting=Preexisting.DO_NOT_WORSEN),
        Sharing.EQUAL,
        utilisation=1.0,
        mixed=False,
        proof_runs=1,
    )
    return answer(network, question, np.random.default_rng(0)).envelopes
