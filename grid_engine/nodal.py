"""The network in one state as a nodal admittance system, factorised once and used for every power flow in that state.

Node 3·bus + phase. Buses joined by a closed switch share the nodes of the first of them. Unknowns are
the voltages of all supplied nodes; at the source only its negative and zero sequence are unknown, so
the unknowns are mapped to node voltages by a matrix (`basis`) instead of being picked from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components
from scipy.sparse.linalg import SuperLU, splu

from grid_engine.elements import (
    BASE_VA,
    FORTESCUE,
    base_voltage,
    line_admittance,
    open_end,
    transformer_admittance,
)
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray, Network, SwitchKind
from grid_engine.results import NetworkState


@dataclass(frozen=True, slots=True, eq=False)
class Branches:
    """Lines, then transformers, as built in this state."""

    first: IntArray
    """Bus of the from or high-voltage end, after joining buses."""
    second: IntArray
    admittance: ComplexArray
    """Shape (n, 6, 6), per unit; zero where out of service."""
    first_is_source_side: BoolArray
    """True where the first end is nearer to the source, counted in branches."""


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """One state of one network, ready to be solved: every sparse matrix that a power flow needs, made once."""

    network: Network
    branches: Branches
    bus_of: IntArray
    """Shape (n_bus,): the bus whose nodes each bus uses."""
    supplied: BoolArray
    """Shape (n_node,): connected to the source."""
    fixed: ComplexArray
    """Shape (n_node,): what the source imposes, per unit."""
    free: IntArray
    """Shape (n_free,): supplied nodes but the source's, in the order of the first unknowns."""
    basis: csr_array
    """Shape (n_node, n_unknown): node voltages per unknown."""
    adjoint: csr_array
    """Its conjugate transpose: what node currents drive."""
    matrix: csc_array
    """Admittances between the unknowns."""
    real: csc_array
    """Shape (2 n_unknown, 2 n_unknown): the same over real, then imaginary parts."""
    real_diagonals: IntArray
    """Shape (4, n_free): where in `real.data` the four real numbers stand that couple a free node with itself."""
    factor: SuperLU
    unloaded: ComplexArray
    """Shape (n_unknown,): the solution without any load."""

    def nodes(self, bus: int) -> IntArray:
        """The three nodes of a bus."""
        return 3 * int(self.bus_of[bus]) + np.arange(3)

    def supplied_buses(self) -> BoolArray:
        """Shape (n_bus,): whether any phase of the bus is connected to the source."""
        return np.asarray(self.supplied.reshape(-1, 3)[self.bus_of].sum(axis=1) > 0)

    def voltages(self, unknowns: ComplexArray) -> ComplexArray:
        """Node voltages (n_node, …) of unknowns (n_unknown, …)."""
        fixed = self.fixed if unknowns.ndim == 1 else self.fixed[:, None]
        return np.asarray(self.basis @ unknowns) + fixed


def build(network: Network, state: NetworkState) -> System:
    """The system in `state`, remembered for the last few states asked for."""
    return _build(
        network,
        state.source_voltage_pu,
        tuple(sorted(state.taps.items())),
        tuple(sorted(state.switches_closed.items())),
        tuple(sorted(state.in_service.items())),
    )


@lru_cache(maxsize=16)
def _build(
    network: Network,
    source_voltage_pu: float | None,
    taps: tuple[tuple[str, int], ...],
    closed: tuple[tuple[str, bool], ...],
    in_service: tuple[tuple[str, bool], ...],
) -> System:
    closed_now = _overlay(network.switches.closed, network.switches.ids, dict(closed))
    bus_of = _joined_buses(network, closed_now)
    branches = _branches(network, bus_of, closed_now, dict(taps), dict(in_service))
    admittance = _assemble(network, branches, bus_of, dict(in_service))
    n_node = 3 * len(bus_of)
    _, label = connected_components(admittance.astype(np.bool_), directed=False)
    source_nodes = 3 * int(bus_of[network.source.bus]) + np.arange(3)
    supplied = np.asarray(np.isin(label, label[source_nodes]))
    fixed = np.zeros(n_node, dtype=np.complex128)
    voltage = network.source.voltage_pu if source_voltage_pu is None else source_voltage_pu
    angle = np.deg2rad(network.source.angle_deg)
    fixed[source_nodes] = voltage * np.exp(1j * angle) * np.sqrt(3) * FORTESCUE[:, 1]
    free = np.flatnonzero(supplied & ~np.isin(np.arange(n_node), source_nodes))
    basis = _basis(network, free, source_nodes, n_node)
    adjoint = csr_array(basis.conj().T)
    matrix = csc_array(adjoint @ admittance @ basis)
    factor = factorised(matrix)
    real, real_diagonals = _real_form(matrix, len(free))
    return System(
        network=network,
        branches=branches,
        bus_of=bus_of,
        supplied=supplied,
        fixed=fixed,
        free=free,
        basis=basis,
        adjoint=adjoint,
        matrix=matrix,
        real=real,
        real_diagonals=real_diagonals,
        factor=factor,
        unloaded=-factor.solve(np.asarray(adjoint @ (admittance @ fixed))),
    )


def factorised(matrix: csc_array) -> SuperLU:
    """LU factors, ordered for the nearly symmetric pattern that networks have."""
    return splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=1e-3, options={"SymmetricMode": True})


def _overlay(as_loaded: BoolArray, ids: tuple[str, ...], changed: Mapping[str, bool]) -> BoolArray:
    return np.array([changed.get(name, bool(was)) for name, was in zip(ids, as_loaded, strict=True)], dtype=np.bool_)


def _joined_buses(network: Network, closed: BoolArray) -> IntArray:
    """For each bus, the lowest bus that it is joined with by closed switches."""
    switches, n_bus = network.switches, len(network.buses.ids)
    joins = closed & (switches.kind == SwitchKind.BUS)
    ends = (switches.bus[joins], switches.element[joins])
    _, label = connected_components(coo_array((np.ones(joins.sum()), ends), shape=(n_bus, n_bus)), directed=False)
    _, lowest = np.unique(label, return_index=True)
    return lowest[label].astype(np.int64)


def _branches(
    network: Network, bus_of: IntArray, closed: BoolArray, taps: Mapping[str, int], in_service: Mapping[str, bool]
) -> Branches:
    lines, transformers, n_line = network.lines, network.transformers, len(network.lines.ids)
    tap = np.array([taps.get(name, int(t)) for name, t in zip(transformers.ids, transformers.tap, strict=True)])
    admittance = np.concatenate(
        [
            line_admittance(lines, network.buses),
            transformer_admittance(transformers, tap.astype(np.int64), network.buses),
        ]
    )
    first_bus = np.concatenate([lines.from_bus, transformers.hv_bus])
    second_bus = np.concatenate([lines.to_bus, transformers.lv_bus])
    open_first, open_second = _open_ends(network, closed, first_bus, n_line)
    live = np.concatenate(
        [
            _overlay(lines.in_service, lines.ids, in_service),
            _overlay(transformers.in_service, transformers.ids, in_service),
        ]
    )
    admittance = open_end(admittance, open_first, open_second)
    admittance[~live] = 0
    first, second = bus_of[first_bus], bus_of[second_bus]
    through = live & ~open_first & ~open_second
    depth = _depth(first[through], second[through], int(bus_of[network.source.bus]), len(bus_of))
    return Branches(first, second, admittance, depth[first] <= depth[second])


def _open_ends(network: Network, closed: BoolArray, first_bus: IntArray, n_line: int) -> tuple[BoolArray, BoolArray]:
    switches = network.switches
    ends = np.zeros((2, len(first_bus)), dtype=np.bool_)
    for n in np.flatnonzero(~closed & (switches.kind != SwitchKind.BUS)):
        branch = switches.element[n] + (n_line if switches.kind[n] == SwitchKind.TRANSFORMER else 0)
        ends[0 if first_bus[branch] == switches.bus[n] else 1, branch] = True
    return ends[0], ends[1]


def _depth(first: IntArray, second: IntArray, source: int, n_bus: int) -> IntArray:
    """Number of branches between each bus and the source."""
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(n_bus, n_bus)).tocsr()
    order, before = breadth_first_order(graph, source, directed=False)
    depth = np.full(n_bus, n_bus, dtype=np.int64)
    depth[source] = 0
    for bus in order[1:]:
        depth[bus] = depth[before[bus]] + 1
    return depth


def _assemble(network: Network, branches: Branches, bus_of: IntArray, in_service: Mapping[str, bool]) -> csc_array:
    n_node = 3 * len(bus_of)
    phases = np.arange(3)
    nodes = np.concatenate([3 * branches.first[:, None] + phases, 3 * branches.second[:, None] + phases], axis=1)
    rows = np.broadcast_to(nodes[:, :, None], branches.admittance.shape)
    columns = np.broadcast_to(nodes[:, None, :], branches.admittance.shape)
    volts_squared = base_voltage(network.buses) ** 2
    shunts, source = network.shunts, network.source
    live = _overlay(shunts.in_service, shunts.ids, in_service)
    shunt_nodes = (3 * bus_of[shunts.bus][:, None] + phases).ravel()
    shunt_pu = np.repeat(shunts.admittance_s * live * volts_squared[shunts.bus] / BASE_VA, 3)
    behind = np.array([source.zero_s or 0, 0, source.negative_s or 0]) * volts_squared[source.bus] / BASE_VA
    source_block = FORTESCUE @ np.diag(behind) @ FORTESCUE.conj().T
    source_nodes = 3 * int(bus_of[source.bus]) + phases
    values = np.concatenate([branches.admittance.ravel(), shunt_pu, source_block.ravel()])
    where = (
        np.concatenate([rows.ravel(), shunt_nodes, np.repeat(source_nodes, 3)]),
        np.concatenate([columns.ravel(), shunt_nodes, np.tile(source_nodes, 3)]),
    )
    matrix = coo_array((values, where), shape=(n_node, n_node)).tocsc()
    matrix.eliminate_zeros()
    return matrix


def _basis(network: Network, free: IntArray, source_nodes: IntArray, n_node: int) -> csr_array:
    """Columns: every free node, then those sequences of the source that are free."""
    source = network.source
    sequences = [n for n, admittance in ((0, source.zero_s), (2, source.negative_s)) if admittance is not None]
    values = np.concatenate([np.ones(len(free)), FORTESCUE[:, sequences].ravel()])
    rows = np.concatenate([free, np.repeat(source_nodes, len(sequences))])
    columns = np.concatenate([np.arange(len(free)), len(free) + np.tile(np.arange(len(sequences)), 3)])
    shape = (n_node, len(free) + len(sequences))
    return csr_array(coo_array((values, (rows, columns)), shape=shape))


def _real_form(matrix: csc_array, n_free: int) -> tuple[csc_array, IntArray]:
    """`System.real` and `System.real_diagonals`; entries that are zero now are kept where they may be needed."""
    n, entries, own = matrix.shape[0], matrix.tocoo(), np.arange(n_free)
    row, column = entries.coords
    nothing = np.zeros(n_free)
    quarters = (
        (0, 0, entries.data.real),
        (0, n, -entries.data.imag),
        (n, 0, entries.data.imag),
        (n, n, entries.data.real),
    )
    values = np.concatenate([np.concatenate([part, nothing]) for _, _, part in quarters])
    rows = np.concatenate([np.concatenate([row + down, own + down]) for down, _, _ in quarters])
    columns = np.concatenate([np.concatenate([column + right, own + right]) for _, right, _ in quarters])
    real = csc_array(coo_array((values, (rows, columns)), shape=(2 * n, 2 * n)))
    real.sort_indices()
    key = np.repeat(np.arange(2 * n), np.diff(real.indptr)) * 2 * n + real.indices
    where = [np.searchsorted(key, (own + right) * 2 * n + own + down) for down, right, _ in quarters]
    return real, np.stack(where)


def current_rows(system: System, volts: FloatArray) -> csr_array:
    """Shape (6·n_branch, n_node): currents in amperes from node voltages in per unit, at (branch, end, phase)."""
    branches = system.branches
    n_branch = len(branches.first)
    ends = np.stack([branches.first, branches.second], axis=1)
    nodes = (3 * ends[:, :, None] + np.arange(3)).reshape(n_branch, 6)
    amperes = np.repeat(BASE_VA / volts[ends], 3, axis=1)
    values = branches.admittance * amperes[:, :, None]
    rows = np.broadcast_to(np.arange(6 * n_branch).reshape(n_branch, 6)[:, :, None], values.shape)
    columns = np.broadcast_to(nodes[:, None, :], values.shape)
    shape = (6 * n_branch, len(system.supplied))
    return coo_array((values.ravel(), (rows.ravel(), columns.ravel())), shape=shape).tocsr()
