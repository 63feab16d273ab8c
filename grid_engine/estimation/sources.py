"""The unknown voltage behind the sources, as errors of variance 1 like those of powers."""

from dataclasses import dataclass, replace

import numpy as np

from grid_engine.elements.primitive import BASE_VA
from grid_engine.elements.sources import source_primitives
from grid_engine.estimation.words import Doubt
from grid_engine.flow.nodal import System
from grid_engine.flow.pairs import Pairs, constant_power
from grid_engine.flow.powerflow import Solver
from grid_engine.model import EARTH, ComplexArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """Phases of all sources. Errors: one of each source, then each phase's own in magnitude, then in angle."""

    pairs: Pairs
    """One at each phase, without power: what currents injected there do is what powers injected there do."""
    unknown: IntArray
    """Shape (n_head,): place of each phase among the system's unknowns."""
    drive: ComplexArray
    """Shape (n_head, n_head): per-unit current injected for a relative error of each phase's voltage."""
    spread: ComplexArray
    """Shape (n_head, n_error): relative deviation of each phase's voltage for each error."""

    def driven(self, solver: Solver, errors: FloatArray) -> Solver:
        """The same network under sources with these errors (n_error,)."""
        current = solver.system.source_current.copy()
        np.add.at(current, self.unknown, self.drive @ (self.spread @ errors))
        return solver.driven(current)

    def slopes(self, voltage: ComplexArray) -> FloatArray:
        """Shape (2 n_head, n_error): watts, then vars, that do what each error does, at node voltages (n_node,)."""
        power = BASE_VA * voltage[self.pairs.first][:, None] * (self.drive @ self.spread).conj()
        return np.concatenate([power.real, power.imag])


def heads(system: System, doubt: Doubt) -> Heads:
    """One entry per phase of every source."""
    network = system.network
    sources, there = network.sources, network.sources.node >= 0
    node = sources.node[there]
    size = sources.voltage_pu if system.state.source_voltage_pu is None else system.state.source_voltage_pu
    behind = np.broadcast_to(size, len(sources.ids))[:, None] * np.exp(1j * np.deg2rad(sources.angle_deg))
    volts = np.where(there, network.buses.phase_v[network.nodes.bus[np.maximum(sources.node, 0)]], 0)
    amperes = source_primitives(sources).admittance_s * (behind * volts)[:, None, :]
    drive = np.zeros((len(node), len(node)), dtype=np.complex128)
    first = 0
    for of_source, phases in zip(amperes, there, strict=True):
        count = int(phases.sum())
        block = slice(first, first + count)
        drive[block, block] = of_source[np.ix_(phases, phases)]
        first += count
    base_v, own = system.base_v[node], np.eye(len(node))
    member = np.eye(len(sources.ids))[np.repeat(np.arange(len(sources.ids)), there.sum(axis=1))]
    return Heads(
        pairs=replace(constant_power(node, np.full(len(node), EARTH)), nominal_v=base_v),
        unknown=system.unknown[node],
        drive=drive * base_v[:, None] / BASE_VA,
        spread=np.concatenate([doubt.source * member, doubt.source_phase * own, 1j * doubt.source_phase * own], axis=1),
    )
