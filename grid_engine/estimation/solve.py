"""Gauss–Newton over the errors of what was expected: the state that explains readings and expectations best."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from grid_engine.estimation.meters import Rows
from grid_engine.estimation.prior import Customers
from grid_engine.estimation.sources import Heads
from grid_engine.estimation.update import Update, update
from grid_engine.flow.nodal import System
from grid_engine.flow.powerflow import Linear, Solver
from grid_engine.model import EARTH, ComplexArray, FloatArray

_LESS = (0.5, 0.2, 0.0)
"""Parts of the expected powers to begin with when they are more than the network can carry."""
_STEPS = 12
_HALVINGS = 4
_SETTLED = 1e-3
"""Standard deviations that an error may still move by."""
_SLACK = 1e-6
"""Part of the sum of squares by which a step may be worse, for the sake of rounding."""


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """One estimation as arrays."""

    system: System
    solver: Solver
    """Over the customers' pairs, then the heads'."""
    known: Customers
    heads: Heads
    spread: csr_array
    """Of the customers' pairs, as `estimate_prior.spread` gives it."""
    regions: int
    """How many common errors there are."""
    common: float
    """Their size, relative."""
    rows: Rows


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A state that solves the power flow."""

    errors: FloatArray
    """Shape (n_error,): of customers, then of sources."""
    power_va: ComplexArray
    """Shape (n_pair + n_head,): injected."""
    voltage: ComplexArray
    """Shape (n_node,)."""
    cost: float
    """Sum of squares of errors and of residuals in their sigmas."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The most likely state, and the update that led to it."""

    point: Point
    update: Update
    linear: Linear
    sources: FloatArray
    """Shape (2 n_head, n_source_error): watts, then vars, for each error of the sources."""
    iterations: int

    @property
    def settled(self) -> bool:
        """Whether a further step would move nothing."""
        return bool(np.abs(self.update.errors - self.point.errors).max(initial=0) < _SETTLED)


@dataclass(frozen=True, slots=True)
class Stuck:
    """A power flow that has no solution."""

    bus: str
    """Where to look."""


def start(posed: Posed) -> Point | Stuck:
    """The state as expected; where that has none, with less and less of what is common to those without meters."""
    errors = np.zeros(posed.spread.shape[1] + posed.heads.spread.shape[1])
    found = _moved(posed, errors)
    for left in _LESS if posed.common > 0 else ():
        if isinstance(found, Point):
            break
        common = slice(2 * len(posed.known.ids), 2 * len(posed.known.ids) + posed.regions)
        errors[common] = (left - 1) / posed.common
        found = _moved(posed, errors)
    return found


def resumed(posed: Posed, point: Point) -> Point | Stuck:
    """The state with the errors of `point`, which was found with other readings."""
    return _moved(posed, point.errors)


def fit(posed: Posed, point: Point) -> Fit | Stuck:
    """From a state to the most likely one, or as near as steps come that lead downhill."""
    found = _linearised(posed, point, 0)
    while not found.settled and found.iterations < _STEPS:
        moved = _downhill(posed, found.point, found.update.errors - found.point.errors)
        if isinstance(moved, Stuck):
            return moved
        if moved is found.point:
            break
        found = _linearised(posed, moved, found.iterations + 1)
    return found


def _linearised(posed: Posed, point: Point, iterations: int) -> Fit:
    linear, sources = posed.solver.linearise(point.power_va, point.voltage), posed.heads.slopes(point.voltage)
    per_watt, per_var = linear.adjoint(posed.rows.gradients(point.voltage))
    n, sigma = len(posed.known.owner), posed.rows.sigma
    of_customers = posed.spread.T @ np.concatenate([per_watt[:n], per_var[:n]])
    of_sources = sources.T @ np.concatenate([per_watt[n:], per_var[n:]])
    by_error = np.concatenate([of_customers, of_sources]).T / sigma[:, None]
    residual = (posed.rows.value - posed.rows.at(point.voltage)) / sigma
    return Fit(point, update(by_error, residual + by_error @ point.errors), linear, sources, iterations)


def powers_moved(posed: Posed, fitted: Fit, errors: FloatArray) -> ComplexArray:
    """Shape (n_pair + n_head, k): what errors (n_error, k) inject, or do as if they injected it."""
    n_error = posed.spread.shape[1]
    customers, sources = posed.spread @ errors[:n_error], fitted.sources @ errors[n_error:]
    halves = zip(np.split(customers, 2), np.split(sources, 2), strict=True)
    watts, vars_ = (np.concatenate(half) for half in halves)
    return np.asarray(watts + 1j * vars_)


def _downhill(posed: Posed, point: Point, step: FloatArray) -> Point | Stuck:
    """The state after the step or a part of it; the same state where no part of it is better."""
    stuck: Stuck | None = None
    for halving in range(_HALVINGS + 1):
        moved = _moved(posed, point.errors + step / 2**halving)
        if isinstance(moved, Stuck):
            stuck = moved
            continue
        if moved.cost <= point.cost * (1 + _SLACK):
            return moved
        stuck = None
    return point if stuck is None else stuck


def _moved(posed: Posed, errors: FloatArray) -> Point | Stuck:
    """The state with other errors."""
    known, (n_pair, n_error) = posed.known, (len(posed.known.owner), posed.spread.shape[1])
    watts, vars_ = known.share * known.power[:, known.owner] + (posed.spread @ errors[:n_error]).reshape(2, n_pair)
    power_va = np.concatenate([watts + 1j * vars_, np.zeros(posed.heads.pairs.size)])
    flow = posed.heads.driven(posed.solver, errors[n_error:]).solve(power_va[:, None])
    if not flow.converged[0]:
        return Stuck(_bus(posed.system, int(flow.worst_node[0])))
    voltage = flow.voltage[:, 0]
    residual = (posed.rows.value - posed.rows.at(voltage)) / posed.rows.sigma
    return Point(errors, power_va, voltage, float(errors @ errors + residual @ residual))


def _bus(system: System, node: int) -> str:
    return system.network.buses.ids[int(system.network.nodes.bus[node])] if node > EARTH else ""
