"""Which customers are fed through which metered branch, and how much each may be expected to take.

The residual of a feeder head is shared between its customers without meters in the ratio of what is expected
of them: the estimate does that with one common error per region, whose expected powers may come from here as
rated power of the transformer times a profile.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grid_engine.estimation.prior import Customers
from grid_engine.estimation.words import Expected, Measured, Measurement
from grid_engine.flow.nodal import System, build
from grid_engine.model import BoolArray, FloatArray, IntArray, Network
from grid_engine.results import NetworkState

_MOST_HEADS = 32
"""The outermost metered branches; what lies behind further ones is left to the readings themselves."""
_SAME_LEVEL = 1.2
"""Ratio of nominal voltages up to which a transformer is a regulator, and supplies nobody by itself."""


def regions(system: System, readings: Sequence[Measurement], known: Customers) -> IntArray:
    """Shape (n_customer,): customers behind the same metered branches share a number, from 0."""
    network = system.network
    metered = {reading.element for reading in readings if reading.quantity is Measured.ACTIVE_POWER_W}
    first, second, branch = _edges(system)
    depth = np.minimum(system.depth[first], system.depth[second])
    heads = [n for n, name in enumerate(network.branch_ids) if name in metered]
    nearest = {n: int(depth[branch == n].min(initial=len(system.bus_of))) for n in heads}
    behind = [
        _behind(system, first, second, branch != n) for n in sorted(heads, key=lambda n: nearest[n])[:_MOST_HEADS]
    ]
    bus = system.bus_of[customer_bus(network, known)]
    signature = np.array([part[bus] for part in behind], dtype=np.bool_).reshape(len(behind), len(bus))
    _, number = np.unique(signature, axis=1, return_inverse=True)
    return np.asarray(number.reshape(-1), dtype=np.int64)


def customer_bus(network: Network, known: Customers) -> IntArray:
    """Shape (n_customer,): where each stands; 0 for who has no branch."""
    node = np.where(known.pairs.first >= 0, known.pairs.first, known.pairs.second)
    bus = np.zeros(len(known.ids), dtype=np.int64)
    bus[known.owner] = network.nodes.bus[node]
    return bus


def service_va(network: Network) -> FloatArray:
    """Shape (n_load,): rated power of the transformers that supply a load's voltage level, over the loads there.

    What no transformer supplies has the load's own nominal power.
    """
    system = build(network, NetworkState())
    first, second, branch = _edges(system)
    level = network.buses.phase_v
    ratio = np.maximum(level[first], level[second]) / np.minimum(level[first], level[second])
    n_line = len(network.lines.ids)
    steps_down = (branch >= n_line) & (ratio > _SAME_LEVEL)
    kept = ~steps_down
    n_bus = len(network.buses.ids)
    graph = coo_array((np.ones(kept.sum()), (first[kept], second[kept])), shape=(n_bus, n_bus))
    _, island = connected_components(graph, directed=False)
    rated = np.concatenate([network.transformers.rated_va, network.sequence_transformers.rated_va])
    units, where = np.unique(branch[steps_down], return_index=True)
    ends = np.stack([first[steps_down], second[steps_down]])[:, where]
    deeper = np.where(system.depth[ends[0]] > system.depth[ends[1]], ends[0], ends[1])
    supplied = np.bincount(island[deeper], rated[units - n_line], minlength=n_bus)
    node = network.loads.node.reshape(len(network.loads.ids), -1)
    at = island[system.bus_of[network.nodes.bus[node.max(axis=1)]]]
    share = supplied[at] / np.maximum(np.bincount(at, minlength=n_bus)[at], 1)
    return np.asarray(np.where(share > 0, share, np.abs(network.loads.power_va.sum(axis=1))))


def by_rating(network: Network, profile: FloatArray, sigma: float = 0.5) -> dict[str, Expected]:
    """Expected consumption of every load as `service_va` times its profile (n_load,) in watts per volt-ampere.

    Only the ratios matter where a feeder head is read and `Doubt.common` is large.
    """
    power = service_va(network) * profile
    return {name: Expected(float(p), abs(float(p)) * sigma) for name, p in zip(network.loads.ids, power, strict=True)}


def _edges(system: System) -> tuple[IntArray, IntArray, IntArray]:
    """Buses between which branches carry current, two by two, and which branch each edge belongs to."""
    terminals = system.terminals
    bus = system.bus_of[system.network.nodes.bus]
    entries = terminals.current.tocoo()
    row, column = entries.coords
    first, second = bus[terminals.node[row]], bus[column]
    apart = (first != second) & (entries.data != 0)
    return first[apart], second[apart], terminals.branch[row[apart]]


def _behind(system: System, first: IntArray, second: IntArray, kept: BoolArray) -> BoolArray:
    """Shape (n_bus,): buses that lose every source with the edges that are not `kept`."""
    n_bus = len(system.bus_of)
    graph = coo_array((np.ones(kept.sum()), (first[kept], second[kept])), shape=(n_bus, n_bus))
    _, label = connected_components(graph, directed=False)
    sources = system.network.sources.node
    source_bus = system.bus_of[system.network.nodes.bus[sources[sources >= 0]]]
    return ~np.isin(label, label[source_bus])
