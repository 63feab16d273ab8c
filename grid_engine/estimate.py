"""State estimation for partial telemetry: the most likely state of a network from what is read and what is expected.

Customers without meters enter with what is expected of them (pseudo-measurements), meters of customers in place
of that; all other readings correct the whole by weighted least squares. Nodes without injection hold exactly,
and the voltage of the sources is part of the state. A reading that the rest contradicts by more than four
standard deviations is left out and named. There is an answer even so: at the least, the state as expected.
"""

from dataclasses import dataclass, replace

from grid_engine.estimate_prior import Customers
from grid_engine.estimate_report import report
from grid_engine.estimate_search import Case, Found, pose, search
from grid_engine.estimate_solve import Stuck
from grid_engine.estimate_words import Estimate, Outcome, Question
from grid_engine.model import ComplexArray, Network
from grid_engine.nodal import System


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """An estimate as arrays, for studies on the same network."""

    system: System
    voltage: ComplexArray
    """Shape (n_node,), per unit; 0 without supply."""
    known: Customers
    power_va: ComplexArray
    """Shape (n_pair,): injection of the customers' pairs."""


def estimate(network: Network, question: Question) -> Estimate:
    """The answer in plain words."""
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
        told = f"the power flow as expected does not converge, look at bus {found.bus}"
        return replace(blank, detail=told)
    return report(case, found, blank, question.samples, question.seed)


def state(case: Case, found: Found) -> State:
    """The same as arrays."""
    return State(case.system, found.point.voltage, case.known, found.point.power_va[: len(case.known.owner)])
