"""What AC shows at given powers of a market's offers, and straight lines through it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grid_engine.dispatch.bids import WATTS_PER_MW
from grid_engine.dispatch.clearing import Counting, Cut
from grid_engine.model import FloatArray, IntArray
from grid_engine.studies.limits import Monitor
from grid_engine.studies.problem import Problem, Solved

_SIGNIFICANT = 0.02
"""Part of what all offers together can do to a row that the smallest effects may make up without being counted on:
nobody is stopped at one end of the network for a trace of an effect at the other, and AC sees what they add up to.
Whoever offers nothing has an effect if it is that part, per watt, of the largest one."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """AC at one set of powers."""

    power_w: FloatArray
    """Shape (n_participant, n_interval)."""
    solved: Solved
    values: FloatArray
    """Shape (n_row, n_interval)."""
    excess: FloatArray
    """Shape (n_row, n_interval): beyond the bounds in force, in tolerances."""


@dataclass(slots=True, eq=False)
class Grid:
    """One problem as a dispatch sees it: the bounds in force per interval, and the power flows spent."""

    problem: Problem
    who: IntArray
    """Shape (n_offer,): participants whose power is decided."""
    given_w: FloatArray
    """Shape (n_participant, n_interval): where everyone else is."""
    count: Callable[[Look], Counting]
    """How delivery follows from power near a look."""
    monitors: list[Monitor]
    """One per interval."""
    trim: bool = True
    """Whether traces of effects are left out of the lines."""
    power_flows: int = 0

    def power_w(self, power_mw: FloatArray) -> FloatArray:
        """Everyone's power (n_participant, n_interval), the offers' (n_offer, n_interval) given."""
        result = self.given_w.copy()
        result[self.who] = np.round(power_mw * WATTS_PER_MW, 3) + 0.0  # no negative zero
        return result

    def start(self) -> Look:
        """AC where everyone stands; where that has no solution, with the powers that are decided at nothing."""
        held = self.look(self.problem.held_w)
        if held.solved.converged.all():
            return held
        return self.look(self.power_w(np.zeros((len(self.who), self.given_w.shape[1]))))

    def look(self, power_w: FloatArray) -> Look:
        """AC in all scenes and intervals."""
        solved = self.problem.solve(power_w, slice(None), patient=False)
        self.power_flows += power_w.shape[1] * len(self.problem.scenes)
        values = self.problem.monitor.values(solved.voltages)
        return Look(power_w, solved, values, self.excess(values))

    def excess(self, values: FloatArray) -> FloatArray:
        """How far row values (n_row, n_interval) are beyond the bounds in force, in tolerances."""
        parts = [monitor.excess(values[:, i : i + 1]) for i, monitor in enumerate(self.monitors)]
        return np.concatenate(parts, axis=1)

    def where(self, look: Look) -> str:
        """The first interval, case and bus without a power flow solution; nothing where all have one."""
        for scene, flow in zip(self.problem.scenes, look.solved.flows, strict=True):
            for i in np.flatnonzero(~flow.converged).tolist():
                network = self.problem.network
                bus = network.buses.ids[network.nodes.bus[flow.worst_node[i]]]
                return f"interval {i}, case {scene.case}: no power flow solution, worst at bus {bus}"
        return ""

    def worst_rows(self, excess: FloatArray, above: float) -> IntArray:
        """Of every group the row furthest beyond in `excess` (n_row,), if that is `above`; the worst of all first."""
        beyond = np.flatnonzero(excess > above)
        beyond = beyond[np.argsort(-excess[beyond], kind="stable")]
        _, first = np.unique(self.problem.monitor.group[beyond], return_index=True)
        return beyond[np.sort(first)]

    def lines(self, at: Look, interval: int, rows: IntArray) -> list[Cut]:
        """Lines through `rows` at the powers of `at`."""
        if not len(rows):
            return []
        power_w = at.power_w[:, interval]
        solved = self.problem.solve(power_w[:, None], [interval])
        self.power_flows += len(self.problem.scenes)
        monitor = self.monitors[interval]
        scale = (monitor.sign[rows] / monitor.tolerance[rows])[:, None] * WATTS_PER_MW
        slopes = self._counted_on(self.problem.sensitivities(rows.tolist(), solved)) * scale
        here = slopes[:, self.who] @ power_w[self.who] / WATTS_PER_MW
        rooms = here - at.excess[rows, interval]
        drawn = zip(rows.tolist(), slopes, rooms.tolist(), strict=True)
        return [Cut(interval, row, slope, room) for row, slope, room in drawn]

    def _counted_on(self, per_watt: FloatArray) -> FloatArray:
        """Effects (n_row, n_participant) without traces."""
        if not self.trim or not len(self.who):
            return per_watt
        size = np.abs(per_watt)
        whole = size[:, self.who] * (self.problem.ceiling_w - self.problem.floor_w)[self.who]
        order = np.argsort(whole, axis=1)
        so_far = np.cumsum(np.take_along_axis(whole, order, axis=1), axis=1)
        small = np.zeros(whole.shape, dtype=np.bool_)
        np.put_along_axis(small, order, so_far <= _SIGNIFICANT * so_far[:, -1:], axis=1)
        trace = size < _SIGNIFICANT * size[:, self.who].max(axis=1, keepdims=True)
        trace[:, self.who] = small
        return np.where(trace, 0.0, per_watt)


def grid(problem: Problem, who: IntArray, given_w: FloatArray, count: Callable[[Look], Counting]) -> Grid:
    """A problem before anybody has looked at it."""
    return Grid(problem, who, given_w, count, [problem.monitor] * problem.study.intervals)
