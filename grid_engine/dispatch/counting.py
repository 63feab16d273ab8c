"""How delivery is counted: where it is injected, or at the sources above, network losses and all."""

from collections.abc import Callable

import numpy as np

from grid_engine.dispatch.bids import WATTS_PER_MW, Book
from grid_engine.dispatch.clearing import Counting
from grid_engine.dispatch.look import Look
from grid_engine.dispatch.losses import Row, tally
from grid_engine.studies.sens import sensitivities


def counter(book: Book) -> Callable[[Look], Counting]:
    """The straight line from powers to delivery near a look, as the market says."""
    if not book.market.at_node:
        plain = Counting(np.ones(book.problem.held_w.shape), np.zeros(book.shape[1]))
        return lambda _: plain
    problem, meter = book.problem, tally(book.problem.scenes[0].system)
    nothing_w = problem.held_w.copy()
    nothing_w[book.who] = 0.0
    without_w = meter.values(problem.solve(nothing_w, slice(None)).voltages[0])[Row.DRAW]

    def count(look: Look) -> Counting:
        scene, voltage = problem.scenes[0], look.solved.voltages[0]
        weight = np.empty(look.power_w.shape)
        for i in range(book.shape[1]):
            linear = scene.solver.linearise(look.solved.power_va[0][:, i], voltage[:, i])
            per_watt, _ = sensitivities(linear, meter, [Row.DRAW], voltage[:, i])
            weight[:, i] = -(scene.shares.T @ per_watt[0])
        delivered_mw = (without_w - meter.values(voltage)[Row.DRAW]) / WATTS_PER_MW
        at_mw = (weight * look.power_w)[book.who].sum(axis=0) / WATTS_PER_MW
        return Counting(weight, delivered_mw - at_mw)

    return count
