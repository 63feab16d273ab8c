"""What the network needs: for every violation, how much more of each resource alone would cure it.

For all resources at once: the AC slope says how far to go first, the crossing is bracketed by doubling and
found by regula falsi (Illinois variant); the amount is rounded up and proven by an AC solution of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.model import BoolArray, FloatArray, IntArray, Network
from grid_engine.results import Equivalent, Need, Study
from grid_engine.studies import screen
from grid_engine.studies.problem import Problem, Solved, pose

_DOUBLINGS = 4
_ROUNDS = 40
_SETTLED_W = 1.0
_CLOSE = 1e-4
"""Excess, in tolerances, that counts as cured."""
_HELPS = 1e-12
"""Tolerances per watt: less than this is no help."""


def need(network: Network, study: Study) -> tuple[Need, ...]:
    """What cures each violation at the held powers of a faultless `study`; empty where there is none.

    Raises:
        ArithmeticError: the power flow at the held powers has no solution; `cycle.answer` says where.
    """
    problem = pose(network, study)
    solved = problem.solve(problem.held_w, slice(None))
    if not solved.converged.all():
        raise ArithmeticError(f"study {study.study_id}: no power flow solution at the held powers")
    values = problem.monitor.values(solved.voltages)
    return tuple(needs(problem, solved, values))


def needs(problem: Problem, solved: Solved, values: FloatArray) -> Sequence[Need]:
    """The same for a posed study, solved at its held powers with row values (n_row, n_interval)."""
    result = []
    for row, violation in screen.worst_rows(problem.monitor, values):
        search = _Search(problem, violation.interval, problem.monitor.group == problem.monitor.group[row])
        result.append(Need(violation, search.equivalents(row, solved)))
    return result


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """One violated group of rows in one interval."""

    problem: Problem
    interval: int
    rows: BoolArray

    def equivalents(self, row: int, solved: Solved) -> tuple[Equivalent, ...]:
        """Increases of every resource that helps, the smallest first."""
        problem, monitor = self.problem, self.problem.monitor
        per_watt = problem.sensitivities([row], solved.only(self.interval))[0] * monitor.sign[row]
        per_watt = per_watt / monitor.tolerance[row]
        who = np.flatnonzero(problem.adjustable & (per_watt < -_HELPS))
        start = self._excess(who[:1], np.zeros(min(1, len(who))))
        if not len(who):
            return ()
        good_w = np.maximum(start[0] / -per_watt[who], problem.study.limit_step_w)
        good_w, at_good = self._bracketed(who, good_w)
        cured = at_good <= 0
        who, good_w, at_good = who[cured], good_w[cured], at_good[cured]
        amount_w = self._rounded_up(who, self._crossings(who, good_w, at_good, float(start[0])))
        room_w = problem.ceiling_w - problem.held_w[:, self.interval]
        found = [
            Equivalent(problem.study.participants[j].resource, w, bool(w <= room_w[j] + _SETTLED_W))
            for j, w in zip(who.tolist(), amount_w.tolist(), strict=True)
        ]
        return tuple(sorted(found, key=lambda one: one.increase_w))

    def _excess(self, who: IntArray, increase_w: FloatArray) -> FloatArray:
        """Per column the group's largest excess, with one resource each moved; infinite without a solution."""
        problem, monitor = self.problem, self.problem.monitor
        case = int(monitor.case[self.rows][0])
        scene, power_w = problem.scenes[case], np.repeat(problem.held_w[:, [self.interval]], len(who), axis=1)
        power_w[who, np.arange(len(who))] += increase_w
        flow = scene.solver.solve(scene.given_va[:, [self.interval]] + scene.shares @ power_w)
        reading, row = np.unique(monitor.reading[self.rows], return_inverse=True)
        values = monitor.meters[case].only(reading).values(flow.voltage)[row]
        sign, bound, tolerance = (part[self.rows, None] for part in (monitor.sign, monitor.bound, monitor.tolerance))
        beyond = sign * (values - bound) / tolerance
        return np.asarray(np.where(np.isnan(beyond), np.inf, beyond).max(axis=0))

    def _bracketed(self, who: IntArray, good_w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Increases that cure the group where doubling finds one, and the excess there."""
        good_w, excess = good_w.copy(), self._excess(who, good_w)
        for _ in range(_DOUBLINGS):
            short = np.flatnonzero(excess > 0)
            if not len(short):
                break
            good_w[short] *= 2
            excess[short] = self._excess(who[short], good_w[short])
        return good_w, excess

    def _crossings(self, who: IntArray, good_w: FloatArray, at_good: FloatArray, start: float) -> FloatArray:
        """The smallest increases that cure the group, to a watt."""
        good_w, at_good = good_w.copy(), at_good.copy()
        bad_w, at_bad = np.zeros(len(who)), np.full(len(who), start)
        for _ in range(_ROUNDS):
            open_ = np.flatnonzero((good_w - bad_w > _SETTLED_W) & (at_good < 0))
            if not len(open_):
                break
            part = at_bad[open_] / (at_bad[open_] - at_good[open_])
            tried_w = bad_w[open_] + part * (good_w - bad_w)[open_]
            excess = self._excess(who[open_], tried_w)
            cured, rest = open_[excess <= 0], open_[excess > 0]
            at_bad[cured] /= 2
            at_good[rest] /= 2
            good_w[cured], at_good[cured] = tried_w[excess <= 0], excess[excess <= 0]
            bad_w[rest], at_bad[rest] = tried_w[excess > 0], excess[excess > 0]
            good_w[rest] = np.where(excess[excess > 0] < _CLOSE, tried_w[excess > 0], good_w[rest])
        return good_w

    def _rounded_up(self, who: IntArray, amount_w: FloatArray) -> FloatArray:
        step_w = self.problem.study.limit_step_w
        amount_w = np.ceil(amount_w / step_w - 1e-3) * step_w
        return np.where(self._excess(who, amount_w) <= 1, amount_w, amount_w + step_w)
