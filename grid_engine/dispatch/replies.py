"""The one door to the questions of `questions`: each to the function that answers it."""

from typing import assert_never

from grid_engine.dispatch.curve import offer_curve
from grid_engine.dispatch.operation_words import Controls
from grid_engine.dispatch.questions import Clear, Cleared, Equivalents, Needed, Question, Reconfigure, Reply, Trace
from grid_engine.dispatch.reconfigure import reconfigure
from grid_engine.dispatch.redispatch import redispatch
from grid_engine.dispatch.schedule import dispatch
from grid_engine.dispatch.words import Schedule
from grid_engine.model import Network
from grid_engine.results import Status
from grid_engine.studies.needs import need
from grid_engine.studies.study_faults import faults


def reply(network: Network, question: Question) -> Reply:
    """The answer; what is wrong with the question is told in it."""
    match question:
        case Clear():
            return _cleared(network, question)
        case Trace(market, most):
            return offer_curve(network, market, most)
        case Reconfigure():
            return reconfigure(
                network,
                question.study,
                question.controls,
                question.weights,
                question.objective,
                interval_s=question.interval_s,
            )
        case Equivalents():
            return _needed(network, question)
        case _ as never:
            assert_never(never)


def _cleared(network: Network, question: Clear) -> Cleared:
    """The cheapest schedule; the network is only looked at where something of it may be operated."""
    if question.controls == Controls():
        return Cleared(dispatch(network, question.market))
    plan = redispatch(network, question.market, question.controls)
    best = plan.options[0] if plan.options else plan.untouched
    if best is None:
        return Cleared(Schedule(plan.study_id, plan.outcome, plan.model_version, detail=plan.detail))
    return Cleared(best.schedule, best.operations)


def _needed(network: Network, question: Equivalents) -> Needed:
    study, version = question.study, network.version
    found = faults(network, study)
    if found:
        return Needed(study.study_id, Status.BAD_INPUT, version, detail="; ".join(found))
    try:
        return Needed(study.study_id, Status.SOLVED, version, need(network, study))
    except ArithmeticError as error:
        return Needed(study.study_id, Status.NOT_CONVERGED, version, detail=str(error))
