"""What may not be exceeded: the rows of a `Monitor`, their values in a solved case and how far they are beyond.

A row is one number of one asset with one bound: the current of one conductor at one end, the loading of
one transformer phase, the voltage of one node, the power back towards the source. Excess is counted in
tolerances, so that rows of different units compare: a value above 1 is a violation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array, diags_array

from grid_engine.elements import base_voltage
from grid_engine.model import PHASES, BoolArray, ComplexArray, FloatArray, IntArray, Network
from grid_engine.nodal import System, current_rows
from grid_engine.results import Rating, Reason, Study

VOLTAGE_TOLERANCE_PU = 1e-4
RATING_TOLERANCE = 1e-3

_NO_CURRENT = 1e-12
"""Below this a current has no direction, and its magnitude no slope."""
_HAIR = 0.1
"""Of the tolerance: so that where a violation already stands is inside the bound that keeps it there."""
_UNRATED = Rating()


@dataclass(frozen=True, slots=True)
class Label:
    """What one row is about."""

    asset_id: str
    reason: Reason
    unit: str
    phase: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Monitor:
    """All rows of one system under one study's limits.

    Order: currents (branch, end, phase), node voltages as upper rows, the same as lower rows, reverse powers.
    """

    labels: tuple[Label, ...]
    currents: csr_array
    """Shape (n_current, n_node): a row's value is the magnitude of this product, already in its unit."""
    nodes: IntArray
    """Shape (n_voltage,): the nodes whose voltage is limited."""
    reverse: tuple[tuple[IntArray, csr_array], ...]
    """Per reverse-power row: the nodes (3,) at the source side and the currents into the asset there."""
    sign: FloatArray
    """1 for an upper bound, -1 for a lower one."""
    limit: FloatArray
    """After de-rating; infinite where there is none."""
    bound: FloatArray
    """The limit less its margin."""
    tolerance: FloatArray
    """Beyond the bound by more than this is a violation."""

    def values(self, voltage: ComplexArray) -> FloatArray:
        """Row values (n_row, n_case) at node voltages (n_node, n_case)."""
        magnitudes = np.abs(voltage[self.nodes])
        inward = [np.real(voltage[nodes] * np.conj(np.asarray(into @ voltage))) for nodes, into in self.reverse]
        back = [-power_w.sum(axis=0)[None] for power_w in inward]
        return np.concatenate([np.abs(np.asarray(self.currents @ voltage)), magnitudes, magnitudes, *back])

    def excess(self, values: FloatArray) -> FloatArray:
        """How far (n_row, n_case) values are beyond their bounds, in tolerances; infinitely far where not a number."""
        column = np.s_[:, None]
        beyond = self.sign[column] * (values - self.bound[column]) / self.tolerance[column]
        return np.where(np.isnan(beyond), np.inf, beyond)

    def gradients(self, rows: Sequence[int], voltage: ComplexArray) -> ComplexArray:
        """Complex g (n_node, n_asked) with d(value) = Re(g · dv), at one case's node voltages (n_node,)."""
        n_current, n_voltage = self.currents.shape[0], len(self.nodes)
        result = np.zeros((len(voltage), len(rows)), dtype=np.complex128)
        asked = np.asarray(rows, dtype=np.int64)
        of_current = np.flatnonzero(asked < n_current)
        functionals = self.currents[asked[of_current]].toarray()
        currents = functionals @ voltage
        towards = currents.conj() / np.maximum(np.abs(currents), _NO_CURRENT)
        result[:, of_current] = (functionals * towards[:, None]).T
        of_voltage = np.flatnonzero((asked >= n_current) & (asked < n_current + 2 * n_voltage))
        nodes = self.nodes[(asked[of_voltage] - n_current) % max(n_voltage, 1)]
        result[nodes, of_voltage] = voltage[nodes].conj() / np.abs(voltage[nodes])
        for n in np.flatnonzero(asked >= n_current + 2 * n_voltage):
            ends, into = self.reverse[asked[n] - n_current - 2 * n_voltage]
            result[:, n] -= np.asarray(into.T @ voltage[ends].conj())
            result[ends, n] -= np.conj(np.asarray(into @ voltage))
        return result

    def relaxed(self, values: FloatArray) -> "Monitor":
        """The same with every bound moved out to `values` (n_row,), and a hair more, where these are beyond it."""
        beyond = self.sign * (values - self.bound) > 0
        labels = tuple(
            replace(label, reason=Reason.PREEXISTING) if hit else label
            for label, hit in zip(self.labels, beyond, strict=True)
        )
        moved = values + self.sign * _HAIR * self.tolerance
        return replace(self, labels=labels, bound=np.where(beyond, moved, self.bound))

    def tightened(self, tolerances: FloatArray) -> "Monitor":
        """The same with every bound moved in by so many tolerances (n_row,)."""
        return replace(self, bound=self.bound - self.sign * tolerances * self.tolerance)

    def without(self, rows: BoolArray) -> "Monitor":
        """The same with `rows` unlimited."""
        return replace(self, bound=np.where(rows, self.sign * np.inf, self.bound))


def monitor(system: System, study: Study) -> Monitor:
    """The rows that `study` limits."""
    network = system.network
    n_line = len(network.lines.ids)
    branch_limit = branch_limits(network, study)
    current_label = [
        Label(name, Reason.THERMAL, "A" if n < n_line else "VA", phase)
        for n, name in enumerate((*network.lines.ids, *network.transformers.ids))
        for phase in PHASES * 2
    ]
    nodes, voltage_of = _voltage_nodes(system)
    reverse, reverse_label, reverse_limit = _reverse(system, study)
    n_voltage = len(nodes)
    limit = np.concatenate(
        [
            np.repeat(branch_limit, 6),
            np.full(n_voltage, study.voltage_max_pu),
            np.full(n_voltage, study.voltage_min_pu),
            reverse_limit,
        ]
    )
    sign = np.ones(len(limit))
    first_low = len(current_label) + n_voltage
    sign[first_low : first_low + n_voltage] = -1
    is_voltage = np.zeros(len(limit), dtype=np.bool_)
    is_voltage[len(current_label) : first_low + n_voltage] = True
    margin = study.margin_pct / 100
    inset = np.where(is_voltage, (study.voltage_max_pu - study.voltage_min_pu) * margin, limit * margin)
    own_tolerance = np.where(np.isfinite(limit), np.abs(limit) * RATING_TOLERANCE, 1.0)
    return Monitor(
        labels=(
            *current_label,
            *(Label(bus, Reason.VOLT_HI, "pu", phase) for bus, phase in voltage_of),
            *(Label(bus, Reason.VOLT_LO, "pu", phase) for bus, phase in voltage_of),
            *reverse_label,
        ),
        currents=_current_values(system),
        nodes=nodes,
        reverse=reverse,
        sign=sign,
        limit=limit,
        bound=limit - sign * np.where(np.isfinite(limit), inset, 0.0),
        tolerance=np.where(is_voltage, VOLTAGE_TOLERANCE_PU, np.maximum(own_tolerance, 1e-6)),
    )


def branch_limits(network: Network, study: Study) -> FloatArray:
    """De-rated limit of every line (A per conductor), then of every transformer (VA, three-phase)."""
    lines, transformers = network.lines, network.transformers
    result = []
    for name, own in zip(lines.ids, lines.ampacity_a, strict=True):
        rating = study.ratings.get(name, _UNRATED)
        result.append(_derated(rating, own if rating.ampacity_a is None else rating.ampacity_a))
    for name, own in zip(transformers.ids, transformers.rated_va, strict=True):
        rating = study.ratings.get(name, _UNRATED)
        result.append(_derated(rating, own if rating.apparent_power_va is None else rating.apparent_power_va))
    return np.array(result, dtype=np.float64)


def _derated(rating: Rating, limit: float) -> float:
    condition = min(1.0, 0.8 + 0.2 * rating.condition_score / 50)
    return float(limit) * (1 - rating.derate_pct / 100) * condition


def _current_values(system: System) -> csr_array:
    """Currents in A for lines; for transformers the apparent power at rated voltage that the current stands for.

    Heat follows current: so a transformer at low voltage is as loaded as its current says.
    """
    network = system.network
    transformers = network.transformers
    at_rated_v = np.sqrt(3) * np.stack([transformers.rated_hv_v, transformers.rated_lv_v], axis=1)
    scale = np.concatenate([np.ones(6 * len(network.lines.ids)), np.repeat(at_rated_v, 3, axis=1).ravel()])
    return csr_array(diags_array(scale) @ current_rows(system, base_voltage(network.buses)))


def _voltage_nodes(system: System) -> tuple[IntArray, list[tuple[str, str]]]:
    """Supplied nodes, each with the first bus that uses it and its phase; the source's own voltage is given."""
    source = system.bus_of[system.network.source.bus]
    nodes, labels = [], []
    for bus, name in enumerate(system.network.buses.ids):
        if system.bus_of[bus] != bus or bus == source:
            continue
        for node, phase in zip(system.nodes(bus), PHASES, strict=True):
            if system.supplied[node]:
                nodes.append(node)
                labels.append((name, phase))
    return np.array(nodes, dtype=np.int64), labels


def _reverse(system: System, study: Study) -> tuple[tuple[tuple[IntArray, csr_array], ...], list[Label], FloatArray]:
    """Rows for branches with a reverse-power limit, metered at their source side."""
    network, branches = system.network, system.branches
    volts = base_voltage(network.buses)
    amperes = current_rows(system, volts)
    rows, labels, limits = [], [], []
    for branch, name in enumerate((*network.lines.ids, *network.transformers.ids)):
        rating = study.ratings.get(name, _UNRATED)
        if rating.reverse_power_w is None:
            continue
        at_first = bool(branches.first_is_source_side[branch])
        bus = int((branches.first if at_first else branches.second)[branch])
        start = 6 * branch + (0 if at_first else 3)
        rows.append((3 * bus + np.arange(3), csr_array(amperes[start : start + 3] * volts[bus])))
        labels.append(Label(name, Reason.REVERSE_POWER, "W"))
        limits.append(_derated(rating, rating.reverse_power_w))
    return tuple(rows), labels, np.array(limits, dtype=np.float64)
