"""Operations on the network and the dispatch of offers together: the cheapest way to deliver what is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from grid_engine.dispatch import bids
from grid_engine.dispatch.clearing import Bounds, Counting, clear
from grid_engine.dispatch.explore import explored
from grid_engine.dispatch.moves import IMPASSABLE, Move, control_faults, moves, outcome, passable, worsened
from grid_engine.dispatch.operation_words import Controls, MarketOption, MarketPlan
from grid_engine.dispatch.schedule import dispatched
from grid_engine.dispatch.words import Market, Outcome
from grid_engine.model import Network
from grid_engine.results import Violation
from grid_engine.studies.problem import Problem, pose
from grid_engine.studies.study_faults import faults

_TOLD = 3


def redispatch(network: Network, market: Market, controls: Controls, *, most: int = 200) -> MarketPlan:
    """What to operate, and who delivers, at least cost together; at `most` so many states are looked at.

    Limits of the market belong to the network as it is; in other states the network's own rows hold alone.
    """
    blank = MarketPlan(market.study.study_id, Outcome.BAD_INPUT, network.version)
    found = (*faults(network, market.study), *bids.faults(market), *control_faults(network, controls))
    if found:
        return replace(blank, detail="; ".join(found))
    choices = moves(network, market.study.state, controls)
    problem = pose(network, market.study)
    least = None if market.at_node else _least_cost(market, problem)
    standing = dispatched(market, problem).violations
    options = explored(choices, _Search(network, market, standing).look, most, least)
    best = sorted((option for option in options if option.held), key=lambda option: option.cost)
    first, candidates = best[0] if best else options[0], prod(len(choice) for choice in choices)
    return replace(
        blank,
        outcome=first.schedule.outcome,
        options=tuple(best[:_TOLD]),
        untouched=options[0],
        candidates=candidates,
        looked_at=len(options),
        complete=len(options) < most or len(options) == candidates,
        detail=first.schedule.detail,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What every state is looked at for."""

    network: Network
    market: Market
    standing: tuple[Violation, ...]
    """Violations that nobody cures with nothing operated."""

    def look(self, chosen: Sequence[Move]) -> MarketOption:
        """The market cleared in the network after `chosen` moves."""
        operations = tuple(operation for move in chosen for operation in move.operations)
        study = replace(self.market.study, state=outcome(self.market.study.state, chosen))
        limits = () if operations else self.market.limits
        schedule = dispatched(replace(self.market, study=study, limits=limits), pose(self.network, study))
        cost = sum(move.cost for move in chosen)
        worse = worsened(schedule.violations, self.standing) if operations else ""
        if worse:
            schedule = replace(schedule, outcome=Outcome.INFEASIBLE, detail=worse)
        elif not passable(self.network, self.market.study, chosen):
            schedule = replace(schedule, outcome=Outcome.NOT_CONVERGED, detail=IMPASSABLE)
        return MarketOption(operations, study.state, schedule, cost, cost + schedule.total_cost)


def _least_cost(market: Market, problem: Problem) -> float | None:
    """What the market costs at least, whatever the network: that without its limits."""
    free = replace(market, limits=())
    book = bids.book(free, problem)
    plain = Counting(np.ones(problem.held_w.shape), np.zeros(book.shape[1]))
    cleared = clear(book, (), plain, Bounds(book.floor_mw, book.ceiling_mw))
    return None if cleared is None else cleared.objective
