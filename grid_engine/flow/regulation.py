"""Power flows with their controllers: tap changers, switched capacitors, and inverters that follow the voltage.

As OpenDSS does in its static control mode: solve, let all controllers look, let those with the shortest
delay act, and solve again until nobody wants to act. Inverters have no delay. Every case has its own taps,
capacitors and powers.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from grid_engine.flow.controls import CapacitorSwitching, TapControls, capacitor_switching, tap_controls
from grid_engine.flow.inverters import Inverters, inverters
from grid_engine.flow.nodal import System
from grid_engine.flow.pairs import Pairs
from grid_engine.flow.powerflow import Flow, Solver, prepare
from grid_engine.flow.variants import joined_variants, shunt_variants, tap_variants
from grid_engine.model import ComplexArray, FloatArray, IntArray

_ROUNDS = 100
_POWER_TOLERANCE = 1e-4
"""Of the rating: inverters this close to their curves are content."""
_FIRST_STEP, _SHORTEST_STEP = 0.5, 0.02
"""Parts of the way to its curve that an inverter moves at once."""


class Outcome(IntEnum):
    """How the controllers of one case ended."""

    SETTLED = 0
    HUNTING = 1
    """After all rounds somebody still wanted to act; `Regulated.restless` says who."""
    NOT_CONVERGED = 2
    """The power flow has no solution with the states that they had come to."""


@dataclass(frozen=True, slots=True, eq=False)
class Regulated:
    """Voltages of several cases, and where their controllers stand."""

    flow: Flow
    power_va: ComplexArray
    """Shape (n_pair, n_case): as given, but for what inverters changed."""
    states: IntArray
    """Shape (n_variant, n_case): taps and capacitors, in the order of the solver's variants."""
    outcome: IntArray
    """Shape (n_case,): an `Outcome`."""
    restless: IntArray
    """Shape (n_case,): position in `Regulation.ids` of the first one that still wanted to act, or -1."""
    rounds: IntArray
    """Shape (n_case,): power flows that it took."""


@dataclass(frozen=True, slots=True, eq=False)
class Regulation:
    """A system with its controllers, prepared for any number of cases."""

    solver: Solver
    taps: TapControls
    capacitors: CapacitorSwitching
    inverters: Inverters
    tap_of: IntArray
    """Shape (n_regulator,): the variant that each moves."""
    shunt_of: IntArray
    """Shape (n_capacitor_control,)."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Regulators, capacitor controllers, then units."""
        units = self.solver.system.network.units.ids
        return (*self.taps.ids, *self.capacitors.ids, *(units[n] for n in self.inverters.units))

    def solve(self, power_va: ComplexArray, states: IntArray | None = None, rounds: int = _ROUNDS) -> Regulated:
        """Power flow of every case once its controllers have settled.

        Args:
            power_va: Shape (n_pair, n_case): injections of the pairs at nominal voltage; of an inverter, what is
                available to it, and the reactive power that it has without its curve.
            states: Shape (n_variant, n_case): where controllers start; as the system was built where not given.
            rounds: Most power flows per case.
        """
        return _Run(self, np.array(power_va, dtype=np.complex128), states).finish(rounds)


class _Run:
    """One batch on its way."""

    def __init__(self, regulation: Regulation, power_va: ComplexArray, states: IntArray | None) -> None:
        variants, n_case = regulation.solver.variants, power_va.shape[1]
        self._regulation = regulation
        self._available_va = regulation.inverters.summed(power_va[regulation.inverters.pairs])
        self._pace = _Pace(self._available_va, regulation.inverters.rated_va)
        self._power_va = power_va
        self._states = np.repeat(variants.state[:, None], n_case, axis=1) if states is None else states.copy()
        self._opened = np.zeros((len(regulation.capacitors.ids), n_case), dtype=np.bool_)
        self._active = np.arange(n_case)
        self._start: ComplexArray | None = None
        self._result = Regulated(
            flow=Flow(
                voltage=np.full((len(regulation.solver.system.unknown), n_case), np.nan, dtype=np.complex128),
                converged=np.zeros(n_case, dtype=np.bool_),
                worst_node=np.full(n_case, -1),
                iterations=np.zeros(n_case, dtype=np.int64),
            ),
            power_va=power_va.copy(),
            states=self._states.copy(),
            outcome=np.full(n_case, Outcome.HUNTING, dtype=np.int64),
            restless=np.full(n_case, -1),
            rounds=np.zeros(n_case, dtype=np.int64),
        )

    def finish(self, rounds: int) -> Regulated:
        """All rounds, or as many as it takes."""
        for left in range(rounds - 1, -1, -1):
            if len(self._active):
                self._round(last=left == 0)
        return self._result

    def _round(self, *, last: bool) -> None:
        """Solve the cases that have not settled, and let their controllers act."""
        cases, result = self._active, self._result
        solved_va, solved_at = self._power_va[:, cases], self._states[:, cases]
        flow = self._regulation.solver.solve(solved_va, solved_at, self._start)
        result.flow.iterations[cases] += flow.iterations
        result.rounds[cases] += 1
        going = flow.converged.copy()
        result.outcome[cases[~going]] = Outcome.NOT_CONVERGED
        acting = self._act(cases[going], flow.voltage if going.all() else flow.voltage[:, going])
        result.outcome[cases[going][acting < 0]] = Outcome.SETTLED
        going[going] = acting >= 0
        ended = np.ones(len(cases), dtype=np.bool_) if last else ~going
        if last:
            result.restless[cases[going]] = acting[acting >= 0]
        result.flow.voltage[:, cases[ended]] = flow.voltage[:, ended]
        result.flow.converged[cases[ended]] = flow.converged[ended]
        result.flow.worst_node[cases[ended]] = flow.worst_node[ended]
        result.power_va[:, cases[ended]], result.states[:, cases[ended]] = solved_va[:, ended], solved_at[:, ended]
        self._active, self._start = cases[going], flow.voltage[:, going]

    def _act(self, cases: IntArray, voltage: ComplexArray) -> IntArray:
        """Shape (n_case,): the first controller that acts, -1 where all are content."""
        acting = self._follow(cases, voltage)
        still = acting < 0
        acting[still] = self._switch(cases[still], voltage if still.all() else voltage[:, still])
        return acting

    def _follow(self, cases: IntArray, voltage: ComplexArray) -> IntArray:
        """Let inverters move towards their curves; the first that has to, or -1."""
        of = self._regulation.inverters
        if not len(of.units):
            return np.full(len(cases), -1)
        now = of.summed(self._power_va[of.pairs][:, cases])
        away = of.wanted(voltage, self._available_va[:, cases]) - now
        far = np.abs(away) > _POWER_TOLERANCE * of.rated_va[:, None]
        moving = np.asarray(far.any(axis=0))
        going = cases[moving]
        step = self._pace.step(going, away[:, moving])
        self._power_va[np.ix_(of.pairs, going)] = of.shared(now[:, moving] + step)
        first = len(self._regulation.taps.ids) + len(self._regulation.capacitors.ids)
        return np.where(moving, first + np.argmax(far, axis=0), -1)

    def _switch(self, cases: IntArray, voltage: ComplexArray) -> IntArray:
        """Let those act that have the shortest delay of all tap changers and capacitors that want to."""
        regulation, states = self._regulation, self._states[:, cases]
        taps, capacitors = regulation.taps, regulation.capacitors
        steps = taps.wanted(voltage, states[regulation.tap_of])
        switched = capacitors.wanted(voltage, states[regulation.shunt_of])
        change = np.concatenate([steps, switched])
        if not len(change):
            return np.full(len(cases), -1)
        after_s = capacitors.waiting_s(switched, self._opened[:, cases])
        waiting_s = np.concatenate([np.broadcast_to(taps.delay_s[:, None], steps.shape), after_s])
        waiting_s = np.where(change != 0, waiting_s, np.inf)
        acts = (change != 0) & (waiting_s == waiting_s.min(axis=0))
        self._opened[:, cases] |= acts[len(steps) :] & (switched < 0)
        np.add.at(states, np.concatenate([regulation.tap_of, regulation.shunt_of]), np.where(acts, change, 0))
        self._states[:, cases] = states
        return np.where(acts.any(axis=0), np.argmax(acts, axis=0), -1)


class _Pace:
    """How far inverters move at once: by the secant of their last two steps (Barzilai and Borwein, 1988)."""

    def __init__(self, power_va: ComplexArray, rated_va: FloatArray) -> None:
        self._rated_va = rated_va[:, None]
        self._size = np.full(power_va.shape[1], _FIRST_STEP)
        self._away = np.full(power_va.shape, np.nan, dtype=np.complex128)
        self._moved = np.zeros(power_va.shape, dtype=np.complex128)

    def step(self, cases: IntArray, away_va: ComplexArray) -> ComplexArray:
        """Shape (n, n_case): of each unit, when its curve is `away_va` from where it stands."""
        away = away_va / self._rated_va
        change = away - self._away[:, cases]
        by, of = (np.sum((change.conj() * other).real, axis=0) for other in (self._moved[:, cases], change))
        known = np.isfinite(of) & (of > 0)
        secant = np.where(known, -by / np.where(known, of, 1.0), self._size[cases])
        self._size[cases] = np.clip(secant, _SHORTEST_STEP, 1.0)
        self._away[:, cases], self._moved[:, cases] = away, away * self._size[cases]
        return np.asarray(self._moved[:, cases] * self._rated_va)


def prepare_regulation(
    system: System, pairs: Pairs, base_va: ComplexArray, unit_of: IntArray | None = None, *, kernel: str = ""
) -> Regulation:
    """The controllers of a system, and a solver to go with them.

    Args:
        system: State of the network; taps and capacitors start as they are in it.
        pairs: Where powers act.
        base_va: Shape (n_pair,): a typical case.
        unit_of: Shape (n_pair,): the unit that a pair belongs to, -1 for no unit's; none where not given.
        kernel: See `powerflow.prepare`.
    """
    owner = np.full(pairs.size, -1) if unit_of is None else unit_of
    taps, capacitors = tap_controls(system), capacitor_switching(system)
    transformers, shunts = tuple(dict.fromkeys(taps.transformers)), tuple(dict.fromkeys(capacitors.shunts))
    variants = joined_variants(tap_variants(system, transformers), shunt_variants(system, shunts))
    return Regulation(
        solver=prepare(system, pairs, base_va, variants, kernel=kernel),
        taps=taps,
        capacitors=capacitors,
        inverters=inverters(system, pairs, owner),
        tap_of=np.array([transformers.index(name) for name in taps.transformers], dtype=np.int64),
        shunt_of=len(transformers) + np.array([shunts.index(name) for name in capacitors.shunts], dtype=np.int64),
    )
