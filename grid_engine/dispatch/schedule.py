"""Who delivers what the system operator and the utility want, at least cost, within the limits of the network."""

from dataclasses import replace

import numpy as np

from grid_engine.dispatch import bids
from grid_engine.dispatch.bids import WATTS_PER_MW, Book
from grid_engine.dispatch.counting import counter
from grid_engine.dispatch.look import Grid, grid
from grid_engine.dispatch.prices import price
from grid_engine.dispatch.relinearise import Found
from grid_engine.dispatch.secure import secure
from grid_engine.dispatch.words import Instruction, Market, Outcome, Schedule
from grid_engine.model import Network
from grid_engine.results import Status
from grid_engine.studies import screen
from grid_engine.studies.problem import Problem, pose
from grid_engine.studies.study_faults import faults

_SHORT_W = 10.0
"""Less than this is not missing."""


def dispatch(network: Network, market: Market) -> Schedule:
    """The least-cost schedule; faults of the market and of its solution are told in the outcome."""
    found = (*faults(network, market.study), *bids.faults(market))
    if found:
        return Schedule(market.study.study_id, Outcome.BAD_INPUT, network.version, detail="; ".join(found))
    return dispatched(market, pose(network, market.study))


def dispatched(market: Market, problem: Problem) -> Schedule:
    """The same on the problem of the market's study; neither has faults."""
    book = bids.book(market, problem)
    net = grid(problem, book.who, problem.held_w, counter(book))
    blank = Schedule(market.study.study_id, Outcome.NOT_CONVERGED, problem.network.version)
    start = net.start()
    if not start.solved.converged.all():
        return replace(blank, detail=net.where(start), power_flows=net.power_flows)
    secured = secure(book, net, start)
    exact, final = secured.exact, secured.rounded
    if exact is None or final is None:
        outcome = Outcome.INFEASIBLE if secured.status is Status.INFEASIBLE else Outcome.NOT_CONVERGED
        return replace(blank, outcome=outcome, detail=secured.detail, power_flows=net.power_flows)
    told = replace(_told(book, net, final), detail=secured.detail)
    if secured.status is Status.INFEASIBLE:
        return replace(told, outcome=Outcome.INFEASIBLE, power_flows=net.power_flows)
    found = price(book, net, exact)
    return replace(told, prices=found.locational, congestions=found.congestions, power_flows=net.power_flows)


def _told(book: Book, net: Grid, final: Found) -> Schedule:
    """The schedule without prices."""
    market, cleared, counting = book.market, final.cleared, net.count(final.look)
    short_w, lack_w = cleared.short_mw * WATTS_PER_MW, cleared.lack_mw * WATTS_PER_MW
    cost_per_h = (book.sign * book.price) @ cleared.take_mw
    penalty = market.shortfall_per_mwh * np.abs(cleared.short_mw)
    for need, lack_mw in zip(market.needs, cleared.lack_mw, strict=True):
        penalty += need.penalty_per_mwh * lack_mw
    missing = bool((np.abs(short_w) > _SHORT_W).any() or (lack_w > _SHORT_W).any())
    delivered_mw = counting.offset_mw + (counting.weight[book.who] * cleared.power_mw).sum(axis=0)
    return Schedule(
        study_id=market.study.study_id,
        outcome=Outcome.SHORTFALL if missing else Outcome.DELIVERED,
        model_version=net.problem.network.version,
        instructions=_instructions(book, final),
        delivered_w=tuple((delivered_mw * WATTS_PER_MW).tolist()),
        shortfall_w=tuple(short_w.tolist()),
        uncovered_w={
            need.need_id: tuple(row.tolist())
            for need, row in zip(market.needs, lack_w, strict=True)
            if (row > _SHORT_W).any()
        },
        cost_per_h=tuple(cost_per_h.tolist()),
        total_cost=float((cost_per_h + penalty).sum()) * book.hours,
        violations=screen.violations(net.problem.monitor, final.look.values),
    )


def _instructions(book: Book, final: Found) -> tuple[Instruction, ...]:
    charge_wh = final.cleared.charge_mwh * WATTS_PER_MW
    return tuple(
        Instruction(
            resource=offer.resource,
            interval=i,
            power_w=float(final.look.power_w[book.who[n], i]),
            charge_wh=None if offer.store is None else float(charge_wh[n, i]),
        )
        for i in range(book.shape[1])
        for n, offer in enumerate(book.market.offers)
    )
