"""AC power flow of one system for many cases at once, and its exact linearisation at a solved point.

Buses where nothing happens are eliminated; the others are solved by Newton's method with the Jacobian of
one base case held fast, which needs one factorisation for all cases (the chord method). What does not
converge so is solved by Newton's method proper. All of it is exact: only the way there differs.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csc_array, issparse

from grid_engine.elements.primitive import BASE_VA
from grid_engine.flow.assembly import Assembly, assembled, chord, parts, triangles
from grid_engine.flow.kernel.blocks import factorised
from grid_engine.flow.kernel.kernels import Kernel, choose, in_threads
from grid_engine.flow.kernel.network import Cases, Chord, IndexArray, Output, Triangles
from grid_engine.flow.kernel.newton import first_guess, jacobian, newton, unpinned
from grid_engine.flow.kernel.vector import LANES
from grid_engine.flow.nodal import System
from grid_engine.flow.pairs import Pairs, factors
from grid_engine.flow.variants import Variants, no_variants
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray

_TOLERANCE_PU = 1e-9
_ITERATIONS = 60
_FAR = 12
"""Iterations from which the base case is too far away for a batch of at least `_MANY` cases."""
_MANY = 64
_COLUMNS_AT_ONCE = 512
_SHARES = (1.0, 0.5, 0.25, 0.0)
"""Of the base powers, until there is a solution."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Voltages of several cases."""

    voltage: ComplexArray
    """Shape (n_node, n_case), per unit; 0 at nodes without supply, not a number where not converged."""
    converged: BoolArray
    """Shape (n_case,)."""
    worst_node: IntArray
    """Shape (n_case,): where not converged, the node that the last step would have moved most; else -1."""
    iterations: IntArray
    """Shape (n_case,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Magnitudes:
    """The same without angles."""

    voltage_pu: FloatArray
    """Shape (n_node, n_case)."""
    converged: BoolArray
    worst_node: IntArray
    iterations: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """How node voltages answer to small changes of the pairs' powers at one solved point."""

    pairs: Pairs
    assembly: Assembly
    kernel: Kernel
    factors: Triangles
    per_unit: ComplexArray
    """Shape (2, n_pair): per-unit current across each pair for one watt, and for one var."""

    def forward(self, pair_va: ComplexArray) -> ComplexArray:
        """Voltage changes (n_node, k), per unit, for changes (n_pair, k) of the pairs' powers."""
        current = self.per_unit[0][:, None] * pair_va.real + self.per_unit[1][:, None] * pair_va.imag
        columns = np.ascontiguousarray(self.assembly.incidence.T @ current)
        self.kernel.solve_columns(self.factors, (0, columns.shape[1]), columns)
        return np.asarray(self.assembly.nodes @ columns)

    def adjoint(self, gradient: ComplexArray | csc_array) -> tuple[FloatArray, FloatArray]:
        """Slopes (n_pair, k) per watt and per var of rows whose change is Re(gradient · dv).

        `gradient` has shape (n_node, k); sparse where most of it is nothing.
        """
        n_row = gradient.shape[1]
        per_watt, per_var = (np.empty((self.per_unit.shape[1], n_row)) for _ in range(2))
        for first in range(0, n_row, _COLUMNS_AT_ONCE):
            part = np.s_[:, first : first + _COLUMNS_AT_ONCE]
            per_watt[part], per_var[part] = self._adjoint(gradient[part])
        return per_watt, per_var

    def _adjoint(self, gradient: ComplexArray | csc_array) -> tuple[FloatArray, FloatArray]:
        drawn = self.assembly.nodes.T @ gradient
        columns = np.conj(drawn.toarray() if issparse(drawn) else np.asarray(drawn), order="C")
        self.kernel.solve_adjoint(self.factors, (0, columns.shape[1]), columns)
        answer = self.assembly.incidence @ columns
        watt, var = self.per_unit[:, :, None]
        return (
            answer.real * watt.real + answer.imag * watt.imag,
            answer.real * var.real + answer.imag * var.imag,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Solver:
    """One system with its pairs, prepared for any number of power flows."""

    system: System
    pairs: Pairs
    variants: Variants
    kernel: Kernel
    threads: int
    assembly: Assembly
    chord: Chord
    """At the base case."""

    def solve(
        self,
        power_va: ComplexArray,
        states: IntArray | None = None,
        start: ComplexArray | None = None,
        tolerance_pu: float = _TOLERANCE_PU,
    ) -> Flow:
        """Power flow of every case.

        Args:
            power_va: Shape (n_pair, n_case): injections of the pairs at nominal voltage.
            states: Shape (n_variant, n_case), such as tap positions; as the system was built where not given.
            start: Shape (n_node, n_case): voltages to start from, where they are known to be near.
            tolerance_pu: Largest error of a voltage.

        Raises:
            ValueError: Shapes do not fit, or a variant has no such state.
        """
        voltage = np.empty((len(self.system.unknown), power_va.shape[1]), dtype=np.complex128)
        cases = self._cases(power_va, states, start, tolerance_pu)
        worst, converged, iterations = self._run(cases, voltage, np.empty((0, 0)))
        return Flow(voltage, converged, worst, iterations)

    def magnitudes(
        self,
        power_va: ComplexArray,
        states: IntArray | None = None,
        start: ComplexArray | None = None,
        tolerance_pu: float = _TOLERANCE_PU,
    ) -> Magnitudes:
        """The same for those who need no angles; quicker on large networks."""
        magnitude = np.empty((len(self.system.unknown), power_va.shape[1]))
        cases = self._cases(power_va, states, start, tolerance_pu)
        worst, converged, iterations = self._run(cases, np.empty((0, 0), dtype=np.complex128), magnitude)
        return Magnitudes(magnitude, converged, worst, iterations)

    def linearise(self, power_va: ComplexArray, voltage: ComplexArray, states: IntArray | None = None) -> Linear:
        """Exact derivatives at powers (n_pair,), the voltages (n_node,) that solve them, and states (n_variant,)."""
        assembly = self.assembly
        at = voltage[self._kept_node]
        choice = self._choice(None if states is None else states[:, None], 1)[:, 0]
        block = jacobian(assembly.net, self._per_unit(power_va), choice, parts(at))
        across = np.where(assembly.live, np.asarray(assembly.incidence @ at), 1.0)
        active, reactive = factors(self.pairs, np.abs(across)[:, None])
        unit = assembly.live * across / BASE_VA
        per_unit = np.stack([unit * active[:, 0], -1j * unit * reactive[:, 0]])
        return Linear(self.pairs, assembly, self.kernel, triangles(assembly.net, block), per_unit)

    def driven(self, current: ComplexArray) -> "Solver":
        """The same under sources that inject `current` (n_unknown,), per unit, where there are sources."""
        source = parts(np.asarray(current[self.assembly.kept]))
        assembly = replace(self.assembly, net=self.assembly.net._replace(source=source))
        return replace(self, assembly=assembly, chord=self.chord._replace(source=source))

    def _run(self, cases: Cases, voltage: ComplexArray, magnitude: FloatArray) -> tuple[IntArray, BoolArray, IntArray]:
        """Fill the outputs; worst nodes, which cases converged, iterations."""
        n_case = cases.power.shape[1]
        output = Output(voltage, magnitude, np.zeros(n_case, dtype=np.int32), np.zeros(n_case, dtype=np.bool_))
        base, done = self.chord, 0
        if n_case >= _MANY:
            self.kernel.batch(base, cases, (0, LANES), output)
            done = LANES
            if output.iterations[:LANES].max() > _FAR:
                base, done = self._rebased(cases), 0
        in_threads(lambda span: self.kernel.batch(base, cases, span, output), (done, n_case), self.threads)
        worst = np.full(n_case, -1)
        for case in np.flatnonzero(~output.converged).tolist():
            worst[case] = self._alone(cases, case, output)
        return worst, output.converged, output.iterations.astype(np.int64)

    def _alone(self, cases: Cases, case: int, output: Output) -> int:
        """One case by Newton's method; the worst node where that does not converge, else -1."""
        power = self._per_unit(cases.power[:, case])
        v, steps, worst = self._newton(power, np.ascontiguousarray(cases.choice[:, case]), cases.tolerance)
        output.converged[case] = worst < 0
        output.iterations[case] += steps
        whole = np.asarray(self.assembly.nodes @ v) if worst < 0 else np.full(len(self.system.unknown), np.nan)
        if len(output.voltage):
            output.voltage[:, case] = whole
        else:
            output.magnitude[:, case] = np.abs(whole)
        return worst

    def _newton(self, power: FloatArray, choice: IndexArray, tolerance_pu: float) -> tuple[ComplexArray, int, int]:
        """Voltages of the kept rows, steps, and the worst node where it did not converge, else -1."""
        v = self.chord.base.copy()
        steps, moved = newton(self.assembly.net, power, choice, v, tolerance_pu)
        voltage = v[:, 0] + 1j * v[:, 1]
        if steps > 0:
            return voltage, steps, -1
        if self.assembly.broken >= 0:
            return voltage, -steps, int(np.flatnonzero(self.system.unknown == self.assembly.broken)[0])
        return voltage, -steps, int(self._kept_node[np.argmax(moved)])

    def _rebased(self, cases: Cases) -> Chord:
        """The chord in the middle of a batch, or as it was if there is no solution there."""
        power = self._per_unit(cases.power.mean(axis=1))
        middle = np.median(cases.choice, axis=1).astype(np.int32)
        v, _, worst = self._newton(power, middle, _TOLERANCE_PU)
        return self.chord if worst >= 0 else chord(self.assembly, power, parts(v))

    def _cases(
        self, power_va: ComplexArray, states: IntArray | None, start: ComplexArray | None, tolerance_pu: float
    ) -> Cases:
        power = np.ascontiguousarray(power_va, dtype=np.complex128)
        if power.ndim != 2 or len(power) != self.pairs.size:
            raise ValueError(f"powers have shape {power.shape}; there are {self.pairs.size} pairs")
        if start is not None and start.shape != (len(self.system.unknown), power.shape[1]):
            raise ValueError(f"starts have shape {start.shape}; there are {len(self.system.unknown)} nodes")
        begin = np.zeros((0, 0), dtype=np.complex128) if start is None else start[self._kept_node]
        return Cases(
            power, self._choice(states, power.shape[1]), np.ascontiguousarray(begin), tolerance_pu, _ITERATIONS
        )

    @property
    def _kept_node(self) -> IntArray:
        """Shape (n_kept,): a node of the network that has the voltage of each row."""
        unknown = self.system.unknown
        node = np.zeros(self.system.matrix.shape[0], dtype=np.int64)
        node[unknown[self.system.supplied]] = self.system.node_of[self.system.supplied]
        return node[self.assembly.kept]

    def _choice(self, states: IntArray | None, n_case: int) -> IndexArray:
        variants = self.variants
        chosen = np.repeat(variants.state[:, None], n_case, axis=1) if states is None else states
        count = np.array([len(states_of) for states_of in variants.admittance_s], dtype=np.int64)
        if chosen.shape != (len(count), n_case):
            raise ValueError(f"states have shape {chosen.shape}; there are {len(count)} variants, {n_case} cases")
        choice = np.ascontiguousarray(chosen - variants.lowest[:, None], dtype=np.int32)
        wrong = np.flatnonzero(((choice < 0) | (choice >= count[:, None])).any(axis=1))
        if len(wrong):
            raise ValueError(f"{variants.ids[wrong[0]]} has no such state as {chosen[wrong[0]].tolist()}")
        return choice

    def _per_unit(self, power_va: ComplexArray) -> FloatArray:
        live = np.where(self.assembly.live, power_va, 0)
        with np.errstate(invalid="ignore"):  # infinite powers become not a number
            return parts(np.asarray(live / BASE_VA, dtype=np.complex128))


def prepare(
    system: System,
    pairs: Pairs,
    base_va: ComplexArray,
    variants: Variants | None = None,
    *,
    kernel: str = "",
    threads: int = 1,
) -> Solver:
    """A solver that is quickest near `base_va`.

    Args:
        system: State of the network.
        pairs: Where powers act.
        base_va: Shape (n_pair,): a typical case; less is taken where that has no solution.
        variants: Elements whose state may differ from case to case.
        kernel: `c` or `numba`; the quicker one of those that there are where not given.
        threads: How many of them share a batch.
    """
    chosen = no_variants() if variants is None else variants
    assembly = assembled(system, pairs, chosen)
    power = parts(np.asarray(np.where(assembly.live, base_va, 0) / BASE_VA, dtype=np.complex128))
    choice = np.asarray(chosen.state - chosen.lowest, dtype=np.int32)
    share, base = 0.0, assembly.net.source
    for share in _SHARES:
        base = first_guess(assembly.net, share * power, choice)
        steps, _ = newton(assembly.net, share * power, choice, base, _TOLERANCE_PU)
        if steps > 0:
            break
    else:
        assembly = replace(assembly, broken=_loose(assembly))
    made = chord(assembly, share * power, base)
    return Solver(system, pairs, chosen, choose(kernel), threads, assembly, made)


def _loose(assembly: Assembly) -> int:
    """The unknown that nothing pins in a network without a solution even where nothing is injected, or -1."""
    if assembly.broken >= 0:
        return assembly.broken
    net = assembly.net
    row = unpinned(net, net.block, factorised(net.plan, net.places, net.block).inverse)
    return int(assembly.kept[row]) if row >= 0 else -1
