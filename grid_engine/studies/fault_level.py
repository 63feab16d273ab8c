"""Short circuits at every bus: Thévenin impedances of the network without loads, and currents of every kind of fault.

Faults are bolted. What an inverter or machine adds is current in the angles of its own voltages before the
fault; the additions of several are summed by magnitude, so that the result is an upper bound whatever
their phase. A source that is stiff for power flow is stiff here too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import SuperLU, splu

from grid_engine.elements.primitive import BASE_VA
from grid_engine.flow.kernel.inverse import inverse_entries
from grid_engine.flow.nodal import System
from grid_engine.model import ComplexArray, FloatArray, IntArray, Terminal
from grid_engine.studies.instruments import node_table

_COLUMNS_AT_ONCE = 16
_NO_VOLTAGE = 1e-9
"""Volts."""


class FaultKind(IntEnum):
    """What touches what."""

    THREE_PHASES = 0
    """And earth."""
    TWO_PHASES = 1
    """Or both legs of a split-phase service."""
    TWO_PHASES_EARTH = 2
    ONE_PHASE = 3
    """And earth."""


_ONE = (Terminal.A, Terminal.B, Terminal.C, Terminal.S1, Terminal.S2)
_TWO = (
    (Terminal.A, Terminal.B),
    (Terminal.B, Terminal.C),
    (Terminal.C, Terminal.A),
    (Terminal.S1, Terminal.S2),
)
_THREE = [Terminal.A, Terminal.B, Terminal.C]
_KINDS = np.repeat(
    [FaultKind.THREE_PHASES, FaultKind.TWO_PHASES, FaultKind.TWO_PHASES_EARTH, FaultKind.ONE_PHASE],
    [len(_THREE), len(_TWO), 2 * len(_TWO), len(_ONE)],
)
"""Of every conductor of every fault, as `_currents` lists them."""


@dataclass(frozen=True, slots=True, eq=False)
class Thevenin:
    """Every bus as a voltage behind an impedance, seen from its terminals."""

    impedance_ohm: ComplexArray
    """Shape (n_bus, n_terminal, n_terminal); not a number where there is no such conductor, or no supply."""
    voltage_v: ComplexArray
    """Shape (n_bus, n_terminal): to earth, without loads."""


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """Current sources between nodes, such as inverters during a fault."""

    first: IntArray
    """Shape (n_pair,): node of the network, or `EARTH`."""
    second: IntArray
    current_a: FloatArray
    owner: IntArray
    """Shape (n_pair,): pairs of one resource have one number."""


@lru_cache(maxsize=8)
def thevenin(system: System) -> Thevenin:
    """Of every bus with supply."""
    table = node_table(system.network)
    unknown = np.append(system.unknown, [-1, -1])[table]
    there = unknown >= 0
    bus, one, other = np.nonzero(there[:, :, None] & there[:, None, :])
    base_v = np.append(system.base_v, [0.0, 0.0])[table]
    impedance = np.full((*table.shape, table.shape[1]), np.nan, dtype=np.complex128)
    per_unit = inverse_entries(csr_array(system.matrix), unknown[bus, one], unknown[bus, other])
    impedance[bus, one, other] = per_unit * base_v[bus, one] * base_v[bus, other] / BASE_VA
    unloaded = _factor(system).solve(system.source_current)
    return Thevenin(impedance, np.append(unloaded, np.nan)[unknown] * base_v)


def currents(system: System) -> FloatArray:
    """Shape (n_bus, n_fault): amperes of every conductor of every fault, from the sources alone; 0 where impossible."""
    at = thevenin(system)
    return _currents(at.impedance_ohm, at.voltage_v[:, :, None])[:, :, 0]


def added(system: System, contributions: Contributions, owners: Sequence[int]) -> Iterator[FloatArray]:
    """What each of some resources adds to that at most, (n_bus, n_fault) one after the other."""
    table, known = node_table(system.network), np.append(system.unknown, [-1, -1])
    base_v = np.append(system.base_v, [0.0, 0.0])
    impedance, factor, n = thevenin(system).impedance_ohm, _factor(system), system.matrix.shape[0]
    open_pu = np.append(factor.solve(system.source_current), 0.0)[known]
    across = open_pu[contributions.first] * base_v[contributions.first]
    across = across - open_pu[contributions.second] * base_v[contributions.second]
    current = contributions.current_a * across / np.maximum(np.abs(across), _NO_VOLTAGE)
    for start in range(0, len(owners), _COLUMNS_AT_ONCE):
        part = np.asarray(owners[start : start + _COLUMNS_AT_ONCE])
        pair, column = np.nonzero(contributions.owner[:, None] == part)
        injected = np.zeros((n + 1, len(part)), dtype=np.complex128)
        for ends, sign in ((contributions.first[pair], 1.0), (contributions.second[pair], -1.0)):
            np.add.at(injected, (known[ends], column), sign * current[pair] * base_v[ends] / BASE_VA)
        risen = np.concatenate([factor.solve(injected[:n]), np.zeros((1, len(part)))])
        found = _currents(impedance, risen[known[table]] * base_v[table][:, :, None])
        yield from np.moveaxis(found, 2, 0)


def by_kind(current_a: FloatArray) -> FloatArray:
    """Shape (n_bus, n_kind): the conductor that carries most, of currents (n_bus, n_fault)."""
    return np.stack([current_a[:, kind == _KINDS].max(axis=1) for kind in FaultKind], axis=1)


def _currents(z: ComplexArray, v: ComplexArray) -> FloatArray:
    """Shape (n_bus, n_fault, n_column): through the conductors of faults, at open voltages (n_bus, 6, n_column)."""
    found = [_bolted(z, v)]
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, j in _TWO:
            loop = z[:, i, i] + z[:, j, j] - z[:, i, j] - z[:, j, i]
            found.append(((v[:, i] - v[:, j]) / loop[:, None])[:, None])
        for i, j in _TWO:
            determinant = (z[:, i, i] * z[:, j, j] - z[:, i, j] * z[:, j, i])[:, None]
            first = (z[:, j, j, None] * v[:, i] - z[:, i, j, None] * v[:, j]) / determinant
            second = (z[:, i, i, None] * v[:, j] - z[:, j, i, None] * v[:, i]) / determinant
            found.append(np.stack([first, second], axis=1))
        found += [(v[:, i] / z[:, i, i, None])[:, None] for i in _ONE]
    sizes = np.abs(np.concatenate(found, axis=1))
    return np.where(np.isfinite(sizes), sizes, 0.0)


def _bolted(z: ComplexArray, v: ComplexArray) -> ComplexArray:
    """Shape (n_bus, 3, n_column): all three phases to earth; not a number at other buses."""
    result = np.full((len(z), len(_THREE), v.shape[2]), np.nan, dtype=np.complex128)
    block = z[:, _THREE][:, :, _THREE]
    full = np.isfinite(block).all(axis=(1, 2))
    result[full] = np.linalg.solve(block[full], v[full][:, _THREE])
    return result


@lru_cache(maxsize=8)
def _factor(system: System) -> SuperLU:
    return splu(system.matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=1e-3, options={"SymmetricMode": True})
