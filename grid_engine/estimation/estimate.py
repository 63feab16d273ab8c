"""State estimation for partial telemetry: the most likely state of a network from what is read and what is expected.

Customers without meters enter with what is expected of them (pseudo-measurements), meters of customers in place
of that; all other readings correct the whole by weighted least squares. Nodes without injection hold exactly,
and the voltage of the sources is part of the state. A reading that the rest contradicts by more than four
standard deviations is left out and named. There is an answer even so: at the least, the state as expected.
"""

from dataclasses import replace

from grid_engine.estimation.report import report
from grid_engine.estimation.search import pose, search
from grid_engine.estimation.solve import Stuck
from grid_engine.estimation.words import Estimate, Outcome, Question
from grid_engine.model import Network


def estimate(network: Network, question: Question) -> Estimate:
    """The most likely state; `Outcome` says how far it is to be believed."""
    case = pose(network, question)
    found = search(case)
    blank = Estimate(
        outcome=Outcome.NOT_CONVERGED,
        at_s=question.at_s,
        model_version=network.version,
        forecast_id=question.forecast_id,
        ignored=case.ignored,
    )
    if isinstance(found, Stuck):
        return replace(blank, detail=f"the power flow as expected does not converge, look at bus {found.bus}")
    return report(case, found, blank, question.samples, question.seed)
