"""AC power flow of one system for many cases at once, and its exact linearisation at a solved point.

The voltages are the fixed point of v = Z·i(v) + v0, which needs one factorisation and converges for any
case that is not close to collapse; what has not converged after `_SWEEPS` sweeps is tried again by
Newton's method on the same equations.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.sparse.linalg import SuperLU, splu

from grid_engine.elements.primitive import BASE_VA
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray
from grid_engine.nodal import System
from grid_engine.pairs import Pairs, factors, slopes

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
    iterations: IntArray
    """Shape (n_case,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """How node voltages answer to small changes of the pairs' powers at one solved point."""

    system: System
    pairs: Pairs
    factor: SuperLU
    incidence: csr_array
    """Shape (n_pair, n_unknown)."""
    per_var: ComplexArray
    """Shape (2, n_pair): current over the incidence, per unit, for one watt and one var of each pair."""

    def forward(self, pair_va: ComplexArray) -> ComplexArray:
        """Voltage changes (n_node, k), per unit, for changes (n_pair, k) of the pairs' powers."""
        current = self.per_var[0][:, None] * pair_va.real + self.per_var[1][:, None] * pair_va.imag
        return self.system.voltages(_complex(self.factor.solve(_interleaved(self.incidence.T @ current))))

    def adjoint(self, gradient: ComplexArray) -> tuple[FloatArray, FloatArray]:
        """Slopes (n_pair, k) per watt and per var of rows whose change is Re(gradient · dv), gradient (n_node, k)."""
        system = self.system
        by_unknown = np.zeros((system.matrix.shape[0] + 1, gradient.shape[1]), dtype=np.complex128)
        np.add.at(by_unknown, system.unknown, gradient)
        answer = self.incidence @ _complex(self.factor.solve(_interleaved(by_unknown[:-1].conj()), trans="T"))
        per_watt, per_var = (np.real(answer.conj() * part[:, None]) for part in self.per_var)
        return per_watt, per_var


@dataclass(frozen=True, slots=True, eq=False)
class Solver:
    """One system with its pairs, prepared for any number of power flows."""

    system: System
    pairs: Pairs
    incidence: csr_array
    """Shape (n_pair, n_unknown): voltages across the pairs over nominal, of unknowns in per unit; 0 without supply."""
    live: BoolArray
    """Shape (n_pair,): both ends have supply; the others are left out."""
    factor: SuperLU
    unloaded: ComplexArray
    """Shape (n_unknown,): the solution without any power."""

    def solve(self, power_va: ComplexArray) -> Flow:
        """Power flow at injections (n_pair, n_case) of the pairs at nominal voltage."""
        power = np.where(self.live[:, None], power_va, 0) / BASE_VA
        n_case = power.shape[1]
        unknowns = np.zeros((len(self.unloaded), n_case), dtype=np.complex128)
        moved = np.zeros(unknowns.shape)
        iterations = np.zeros(n_case, dtype=np.int64)
        for at in range(0, n_case, _CASES_AT_ONCE):
            part = np.s_[at : at + _CASES_AT_ONCE]
            unknowns[:, part], moved[:, part], iterations[part] = self._sweep(power[:, part])
        for case in np.flatnonzero(~_settled(moved)):
            unknowns[:, case], moved[:, case], steps = self._newton(power[:, case])
            iterations[case] += steps
        converged = _settled(moved)
        unknowns[:, ~converged] = np.nan
        node = np.zeros(len(self.unloaded), dtype=np.int64)
        supplied = self.system.node_of[self.system.supplied]
        node[self.system.unknown[supplied]] = supplied
        worst = node[np.argmax(np.where(np.isnan(moved), np.inf, moved), axis=0)]
        return Flow(self.system.voltages(unknowns), converged, worst, iterations)

    def linearise(self, power_va: ComplexArray, voltage: ComplexArray) -> Linear:
        """At powers (n_pair,) and the node voltages (n_node,) that solve them."""
        power = np.where(self.live, power_va, 0) / BASE_VA
        unknowns = np.zeros(len(self.unloaded), dtype=np.complex128)
        unknowns[self.system.unknown[self.system.supplied]] = voltage[self.system.supplied]
        across = np.where(self.live, self.incidence @ unknowns, 1.0)
        active, reactive = factors(self.pairs, np.abs(across)[:, None])
        per_watt = self.live * active[:, 0] * across / BASE_VA
        per_var = self.live * reactive[:, 0] * across * -1j / BASE_VA
        factor = _factorised(self._jacobian(power, unknowns))
        return Linear(self.system, self.pairs, factor, self.incidence, np.stack([per_watt, per_var]))

    def _current(self, power: ComplexArray, across: ComplexArray) -> ComplexArray:
        active, reactive = factors(self.pairs, np.abs(across))
        current = (power.real * active - 1j * power.imag * reactive) * across
        return np.where(power == 0, 0, current)

    def _sweep(self, power: ComplexArray) -> tuple[ComplexArray, FloatArray, int]:
        """Unknowns, how far they moved last, and sweeps."""
        start = self.unloaded[:, None]
        unknowns = np.repeat(start, power.shape[1], axis=1)
        moved = np.full(unknowns.shape, np.inf)
        sweep = 0
        with np.errstate(all="ignore"):
            for sweep in range(1, _SWEEPS + 1):  # noqa: B007
                injected = self.incidence.T @ self._current(power, self.incidence @ unknowns)
                before, unknowns = unknowns, start + self.factor.solve(np.asfortranarray(injected))
                moved = np.abs(unknowns - before)
                if _settled(moved).all():
                    break
        return unknowns, moved, sweep

    def _newton(self, power: ComplexArray) -> tuple[ComplexArray, FloatArray, int]:
        """The same for one case near collapse."""
        unknowns = self.unloaded.copy()
        moved = np.full(len(unknowns), np.inf)
        step = 0
        with np.errstate(all="ignore"):
            for step in range(1, _STEPS + 1):
                drawn = self.system.matrix @ (unknowns - self.unloaded)
                across = (self.incidence @ unknowns)[:, None]
                residual = drawn - self.incidence.T @ self._current(power[:, None], across)[:, 0]
                if not np.isfinite(residual).all():
                    return unknowns, np.full(len(unknowns), np.nan), step
                try:
                    change = _complex(_factorised(self._jacobian(power, unknowns)).solve(_interleaved(residual)))
                except RuntimeError:  # SuperLU: exactly singular
                    return unknowns, np.full(len(unknowns), np.nan), step
                unknowns = unknowns - change
                moved = np.abs(change)
                if _settled(moved):
                    break
        return unknowns, moved, step

    def _jacobian(self, power: ComplexArray, unknowns: ComplexArray) -> csc_array:
        """Derivative of the current mismatch, (2n, 2n), real and imaginary part of every unknown in turn."""
        across = np.where(self.live, self.incidence @ unknowns, 1.0)
        size = np.abs(across)[:, None]
        flat, steep = factors(self.pairs, size), slopes(self.pairs, size)
        same = power.real * flat[0][:, 0] - 1j * power.imag * flat[1][:, 0]
        turn = (power.real * steep[0][:, 0] - 1j * power.imag * steep[1][:, 0]) * across / size[:, 0]
        zero = power == 0
        same, by_real, by_imaginary = (
            np.where(zero, 0, part) for part in (same, turn * across.real, turn * across.imag)
        )
        blocks = np.stack([same + by_real, 1j * same + by_imaginary], axis=-1)
        slope = _real_form(np.arange(len(power)), np.arange(len(power)), blocks, len(power))
        matrix = self.system.matrix.tocoo()
        own = _real_form(*matrix.coords, np.stack([matrix.data, 1j * matrix.data], axis=-1), len(unknowns))
        pairs = self.incidence.tocoo()
        spread = coo_array(
            (
                np.repeat(pairs.data, 2),
                tuple((2 * place[:, None] + np.arange(2)).ravel() for place in pairs.coords),
            ),
            shape=(2 * len(power), 2 * len(unknowns)),
        ).tocsr()
        return csc_array(own - spread.T @ slope @ spread)


def prepare(system: System, pairs: Pairs, base_va: ComplexArray) -> Solver:  # noqa: ARG001
    """A solver for powers around `base_va` (n_pair,)."""
    n = system.matrix.shape[0]
    ends = np.stack([pairs.first, pairs.second])
    unknown = np.append(system.unknown, [n, n])[ends]  # the last two for ABSENT and EARTH
    live = np.all(unknown >= 0, axis=0)
    weight = np.append(system.base_v, [0.0, 0.0])[ends] / pairs.nominal_v * np.array([[1.0], [-1.0]])
    there = live & (ends >= 0)
    row = np.broadcast_to(np.arange(pairs.size), ends.shape)
    incidence = coo_array((weight[there], (row[there], unknown[there])), shape=(pairs.size, n)).tocsr()
    factor = splu(system.matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=1e-3, options={"SymmetricMode": True})
    return Solver(system, pairs, incidence, live, factor, factor.solve(system.source_current))


def _factorised(matrix: csc_array) -> SuperLU:
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=1e-3, options={"SymmetricMode": True})


def _settled(moved: FloatArray) -> BoolArray:
    return np.asarray(moved.max(axis=0) < _TOLERANCE_PU)  # false for NaN as well


def _real_form(row: IntArray, column: IntArray, blocks: ComplexArray, n: int) -> csc_array:
    """Shape (2n, 2n): `blocks` (n_entry, 2) are the answers to a real and to an imaginary unit."""
    values = np.stack([blocks.real, blocks.imag], axis=1)
    rows = np.broadcast_to(2 * row[:, None, None] + np.arange(2)[:, None], values.shape)
    columns = np.broadcast_to(2 * column[:, None, None] + np.arange(2), values.shape)
    return csc_array(coo_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=(2 * n, 2 * n)))


def _interleaved(values: ComplexArray) -> FloatArray:
    """Real and imaginary part of every row in turn, for SuperLU."""
    parts = np.stack([values.real, values.imag], axis=1)
    return np.asfortranarray(parts.reshape(2 * len(values), *values.shape[1:]))


def _complex(values: FloatArray) -> ComplexArray:
    return values[::2] + 1j * values[1::2]
