"""What every asset can take in one study: the network's ratings under the study's own, de-rated."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order

from grid_engine.flow.nodal import System
from grid_engine.model import BoolArray, FloatArray, IntArray, Network, Ratings
from grid_engine.results import Rating, Season, Study
from grid_engine.studies.meters import Meter, Quantity


@dataclass(frozen=True, slots=True, eq=False)
class Capability:
    """De-rated limits, in one case; infinite where there is none."""

    thermal: FloatArray
    """Shape (n_branch,): amperes per conductor of lines, volt-amperes in all of transformers."""
    neutral_a: FloatArray
    """Shape (n_branch,): of the neutral conductor; not a number where nobody said."""
    reverse_w: FloatArray
    """Shape (n_branch,)."""
    forward_w: FloatArray
    """Shape (n_branch,)."""
    withstand_a: FloatArray
    """Shape (n_branch,)."""
    bus_withstand_a: FloatArray
    """Shape (n_bus,)."""
    voltage_min_pu: FloatArray
    """Shape (n_bus,)."""
    voltage_max_pu: FloatArray


def capability(network: Network, study: Study, *, emergency: bool) -> Capability:
    """What holds in `study`; `emergency` after a contingency."""
    tables = (network.lines, network.transformers, network.sequence_transformers)
    own = _stacked([table.ratings for table in tables], study.season)
    index = {name: n for n, name in enumerate(network.branch_ids)}
    thermal = (own.emergency if emergency else own.normal).copy()
    normal, neutral = own.normal, own.neutral_a.copy()
    reverse, withstand = own.reverse_power_w.copy(), own.withstand_a.copy()
    forward = np.full(len(reverse), np.inf)
    derate, condition = own.derate_pct.copy(), own.condition_score.copy()
    n_line = len(network.lines.ids)
    for name, rating in study.ratings.items():
        n = index.get(name)
        if n is None:
            continue
        thermal[n] = _chosen(rating, float(thermal[n]), float(normal[n]), line=n < n_line, emergency=emergency)
        neutral[n] = neutral[n] if rating.neutral_a is None else rating.neutral_a
        reverse[n] = reverse[n] if rating.reverse_power_w is None else rating.reverse_power_w
        forward[n] = np.inf if rating.forward_power_w is None else rating.forward_power_w
        withstand[n] = withstand[n] if rating.short_circuit_a is None else rating.short_circuit_a
        derate[n], condition[n] = max(derate[n], rating.derate_pct), min(condition[n], rating.condition_score)
    left = (1 - derate / 100) * np.minimum(1.0, 0.8 + 0.2 * condition / 50)
    heat = left * own.seasonal
    low, high = _band(network, study, emergency=emergency)
    bus_withstand = _by_bus(network, study, np.full(len(network.buses.ids), np.inf), "short_circuit_a")
    return Capability(
        thermal * heat, neutral * heat, reverse * left, forward * left, withstand, bus_withstand, low, high
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Stacked:
    """`model.Ratings` of all branches, of one season."""

    normal: FloatArray
    emergency: FloatArray
    seasonal: FloatArray
    derate_pct: FloatArray
    condition_score: FloatArray
    neutral_a: FloatArray
    reverse_power_w: FloatArray
    withstand_a: FloatArray


def _stacked(ratings: list[Ratings], season: Season) -> _Stacked:
    column = list(Season).index(season)
    parts = {
        name: np.concatenate([getattr(part, name) for part in ratings])
        for name in _Stacked.__dataclass_fields__
        if name != "seasonal"
    }
    return _Stacked(seasonal=np.concatenate([part.seasonal[:, column] for part in ratings]), **parts)


def _chosen(rating: Rating, own: float, own_normal: float, *, line: bool, emergency: bool) -> float:
    """The study's rating where it has one. Its normal one holds after a contingency too, unless it says more.

    So a rating that is lowered is not undone by an emergency rating of the network that nobody looked at.
    """
    normal = rating.ampacity_a if line else rating.apparent_power_va
    short = rating.emergency_a if line else rating.emergency_va
    if emergency:
        return next(limit for limit in (short, normal, own) if limit is not None)
    return own_normal if normal is None else normal


def _band(network: Network, study: Study, *, emergency: bool) -> tuple[FloatArray, FloatArray]:
    low, high = study.voltage_min_pu, study.voltage_max_pu
    if emergency:
        low = low if study.emergency_min_pu is None else study.emergency_min_pu
        high = high if study.emergency_max_pu is None else study.emergency_max_pu
    own_low, own_high = network.buses.voltage_min_pu, network.buses.voltage_max_pu
    return (
        _by_bus(network, study, np.where(np.isnan(own_low), low, own_low), "voltage_min_pu"),
        _by_bus(network, study, np.where(np.isnan(own_high), high, own_high), "voltage_max_pu"),
    )


def _by_bus(network: Network, study: Study, values: FloatArray, word: str) -> FloatArray:
    told = {name: getattr(rating, word) for name, rating in study.ratings.items()}
    told = {name: value for name, value in told.items() if value is not None}
    if told:
        for n, name in enumerate(network.buses.ids):
            values[n] = told.get(name, values[n])
    return values


def margins_pct(system: System, study: Study, meter: Meter) -> FloatArray:
    """Shape (n_row,): what is kept free of each limit, percent of it."""
    result = np.full(meter.size, study.margin_pct)
    if study.estimated:
        branches, buses = _influenced(system, np.flatnonzero(np.isin(system.network.buses.ids, study.estimated)))
        estimate = np.where(meter.is_bus, _at(buses, meter.asset), _at(branches, meter.asset))
        result[estimate & (meter.quantity != Quantity.UNBALANCE)] += study.estimated_margin_pct
    return result


def _at(flags: BoolArray, positions: IntArray) -> BoolArray:
    return np.asarray(flags[np.minimum(positions, len(flags) - 1)])


def _influenced(system: System, estimated: IntArray) -> tuple[BoolArray, BoolArray]:
    """Branches that feed one of the `estimated` buses, and buses that are fed through one of these lines."""
    network, terminals = system.network, system.terminals
    bus = system.bus_of[network.nodes.bus[terminals.node]]
    n_branch, n_bus = len(network.branch_ids), len(network.buses.ids)
    first, last = np.full(n_branch, -1), np.full(n_branch, -1)
    live = np.diff(terminals.current.indptr) > 0
    nearer = np.lexsort((system.depth[bus], terminals.branch))
    nearer = nearer[live[nearer]]
    last[terminals.branch[nearer]] = bus[nearer]
    first[terminals.branch[nearer[::-1]]] = bus[nearer[::-1]]
    real = np.flatnonzero((first >= 0) & (first != last))
    graph = coo_array((np.ones(len(real)), (first[real], last[real])), shape=(n_bus, n_bus)).tocsr()
    source = system.bus_of[network.nodes.bus[network.sources.node[0, 0]]]
    order, before = breadth_first_order(graph, source, directed=False)
    feeding = np.zeros(n_bus, dtype=np.bool_)
    feeding[system.bus_of[estimated]] = True
    for at in order[:0:-1]:
        feeding[before[at]] |= feeding[at]
    uplink = (first >= 0) & (before[last] == first)
    branches = uplink & feeding[last]
    shared = np.zeros(n_bus, dtype=np.bool_)
    lines = np.flatnonzero(branches[: len(network.lines.ids)])
    shared[last[lines]] = True
    for at in order[1:]:
        shared[at] |= shared[before[at]]
    shared[system.bus_of[estimated]] = True
    return branches, shared[system.bus_of]
