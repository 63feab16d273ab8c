"""AC power flow of one system for many cases at once.

The voltages are the fixed point of v = Z·conj(s/v) + v0, which needs the one factorisation that the
system already has and converges for any case that is not close to collapse; what has not converged
after `_SWEEPS` sweeps is tried again by Newton's method on the same equations.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array

from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray
from grid_engine.nodal import System, factorised

_SWEEPS = 40
_STEPS = 15
_TOLERANCE_PU = 1e-10
_CASES_AT_ONCE = 64
"""As many as stay in the processor's cache together with the factors."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Voltages of several cases."""

    voltage: ComplexArray
    """Shape (n_node, n_case), per unit; 0 at nodes without supply, not a number where not converged."""
    converged: BoolArray
    """Shape (n_case,)."""
    worst_node: IntArray
    """Shape (n_case,): the node that moved most in the last step; where not converged, the one to look at."""


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One converged solution."""

    injection: ComplexArray
    """Shape (n_node,), per unit."""
    voltage: ComplexArray
    """Shape (n_node,), per unit."""


def solve(system: System, injection: ComplexArray) -> Flow:
    """Power flow at `injection`, shape (n_node, n_case), per unit of `BASE_VA`; nodes without supply are ignored."""
    live = np.where(system.supplied[:, None], injection, 0)
    n_case = live.shape[1]
    unknowns = np.zeros((len(system.unloaded), n_case), dtype=np.complex128)
    moved = np.zeros(live.shape)
    for at in range(0, n_case, _CASES_AT_ONCE):
        part = np.s_[:, at : at + _CASES_AT_ONCE]
        unknowns[part], moved[part] = _sweep(system, live[part])
    for case in np.flatnonzero(~_settled(moved)):
        unknowns[:, case], moved[:, case] = _newton(system, live[:, case])
    converged = _settled(moved)
    voltage = system.voltages(unknowns)
    voltage[:, ~converged] = np.nan
    return Flow(voltage, converged, np.argmax(np.where(np.isnan(moved), np.inf, moved), axis=0))


def jacobian(system: System, case: Case) -> csc_array:
    """Derivative of the current mismatch by the unknowns, shape (2n, 2n): real parts first, then imaginary.

    What is injected at the source's own bus is left out; it hardly moves the source.
    """
    free = system.free
    slope = case.injection[free].conj() / case.voltage[free].conj() ** 2
    result = system.real.copy()
    for where, part in zip(system.real_diagonals, (slope.real, slope.imag, slope.imag, -slope.real), strict=True):
        result.data[where] += part
    return result


def _settled(moved: FloatArray) -> BoolArray:
    return np.asarray(moved.max(axis=0) < _TOLERANCE_PU)  # false for NaN as well


def _sweep(system: System, injection: ComplexArray) -> tuple[ComplexArray, FloatArray]:
    """Unknowns and how far the node voltages moved last, for every case."""
    start = system.unloaded[:, None]
    unknowns = np.repeat(start, injection.shape[1], axis=1)
    voltage = system.voltages(unknowns)
    moved = np.full(injection.shape, np.inf)
    with np.errstate(all="ignore"):
        for _ in range(_SWEEPS):
            unknowns = start + system.factor.solve(np.asfortranarray(system.adjoint @ _current(injection, voltage)))
            before, voltage = voltage, system.voltages(unknowns)
            moved = np.abs(voltage - before)
            if _settled(moved).all():
                break
    return unknowns, moved


def _newton(system: System, injection: ComplexArray) -> tuple[ComplexArray, FloatArray]:
    """The same for one case near collapse."""
    unknowns = system.unloaded.copy()
    voltage = system.voltages(unknowns)
    moved = np.full(len(injection), np.inf)
    with np.errstate(all="ignore"):
        for _ in range(_STEPS):
            drawn = np.asarray(system.matrix @ (unknowns - system.unloaded))
            residual = drawn - np.asarray(system.adjoint @ _current(injection, voltage))
            if not np.isfinite(residual).all():
                return unknowns, np.full(len(injection), np.nan)
            try:
                step = factorised(jacobian(system, Case(injection, voltage))).solve(
                    np.concatenate([residual.real, residual.imag])
                )
            except RuntimeError:  # SuperLU: exactly singular
                return unknowns, np.full(len(injection), np.nan)
            unknowns = unknowns - (step[: len(unknowns)] + 1j * step[len(unknowns) :])
            before, voltage = voltage, system.voltages(unknowns)
            moved = np.abs(voltage - before)
            if moved.max() < _TOLERANCE_PU:
                break
    return unknowns, moved


def _current(injection: ComplexArray, voltage: ComplexArray) -> ComplexArray:
    """Injected current; 0 where nothing is injected, so that nodes without voltage do no harm."""
    return np.divide(injection, voltage, out=np.zeros_like(voltage), where=injection != 0).conj()
