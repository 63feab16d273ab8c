"""What may be asked beyond a study: who delivers, what a node can offer, what to operate, what is needed."""

from dataclasses import dataclass, field
from typing import assert_never

from grid_engine.dispatch.operation_words import Controls, Objective, Operation, Plan, Verdict, Weights
from grid_engine.dispatch.words import Market, OfferCurve, Outcome, Schedule
from grid_engine.results import Need, Status, Study


@dataclass(frozen=True, slots=True)
class Clear:
    """Who delivers what is wanted at least cost? Answered by `Cleared`."""

    market: Market
    controls: Controls = field(default_factory=Controls)
    """What of the network may be operated for it; nothing where empty."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What can everybody together deliver for which price? Answered by `OfferCurve`."""

    market: Market
    most: int = 20
    """Points of the curve."""


@dataclass(frozen=True, slots=True)
class Reconfigure:
    """What to operate so that what the study requests can be? Answered by `Plan`."""

    study: Study
    controls: Controls
    weights: Weights
    objective: Objective = Objective.CURTAILMENT_MIN
    interval_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Equivalents:
    """How much more of each resource would cure each violation at the held powers? Answered by `Needed`."""

    study: Study


@dataclass(frozen=True, slots=True)
class Cleared:
    """Who delivers, and what has to be operated for it first."""

    schedule: Schedule
    operations: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True)
class Needed:
    """What the network needs."""

    study_id: str
    status: Status
    model_version: str
    needs: tuple[Need, ...] = ()
    detail: str = ""


Question = Clear | Trace | Reconfigure | Equivalents
Reply = Cleared | OfferCurve | Plan | Needed


def failed(question: Question, version: str, detail: str) -> Reply:
    """The reply of an engine that could not answer."""
    match question:
        case Clear(market):
            return Cleared(Schedule(market.study.study_id, Outcome.NOT_CONVERGED, version, detail=detail))
        case Trace(market):
            return OfferCurve(market.study.study_id, Outcome.NOT_CONVERGED, version, detail=detail)
        case Reconfigure(study, objective=objective):
            return Plan(study.study_id, objective, Verdict.NOT_CONVERGED, version, detail=detail)
        case Equivalents(study):
            return Needed(study.study_id, Status.NOT_CONVERGED, version, detail=detail)
        case _ as never:
            assert_never(never)
