"""What may not be exceeded: a bound for rows of the meters, and how far values are beyond.

Excess is counted in tolerances, so that rows of different units compare: above 1 is a violation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.flow.kernel.metering import Bounds
from grid_engine.flow.kernel.metering import worst as highest
from grid_engine.flow.nodal import System
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray, Network, Terminal
from grid_engine.results import Reason, Study
from grid_engine.studies.instruments import meter
from grid_engine.studies.meters import BUS_QUANTITIES, PHASE_NAMES, UNITS, Meter, Quantity
from grid_engine.studies.ratings import Capability, capability, margins_pct

VOLTAGE_TOLERANCE_PU = 1e-4
RATING_TOLERANCE = 1e-3
NORMAL = "N-0"
"""The case without any contingency."""

_LEAST_TOLERANCE = 1e-6
_HAIR = 0.1
"""Of the tolerance: so that where a violation already stands is inside the bound that keeps it there."""
_CASES_AT_ONCE = 64
_REASONS = {
    Quantity.CURRENT: Reason.THERMAL,
    Quantity.NEUTRAL: Reason.THERMAL,
    Quantity.LOADING: Reason.THERMAL,
    Quantity.UNBALANCE: Reason.UNBALANCE,
    Quantity.REVERSE: Reason.REVERSE_POWER,
}


@dataclass(frozen=True, slots=True)
class Label:
    """What one row is about."""

    asset_id: str
    reason: Reason
    unit: str
    phase: str = ""
    case: str = NORMAL


@dataclass(frozen=True, slots=True, eq=False)
class Monitor:
    """Bounds on what one or several meters read, one row per bound; what has no limit has no row."""

    network: Network
    cases: tuple[str, ...]
    """Per meter."""
    meters: tuple[Meter, ...]
    """Of limited rows only."""
    case: IntArray
    """Shape (n_row,): which meter reads the row; rows are ordered by it."""
    reading: IntArray
    """Shape (n_row,): which of that meter's rows it is."""
    sign: FloatArray
    """1 for an upper bound, -1 for a lower one."""
    limit: FloatArray
    """After de-rating."""
    bound: FloatArray
    """The limit less its margin; infinite where it is waived."""
    tolerance: FloatArray
    """Beyond the bound by more than this is a violation."""
    group: IntArray
    """Shape (n_row,): rows of one asset, quantity, sign and case have one number."""
    preexisting: BoolArray
    """Shape (n_row,): the bound is where a violation stood that nobody cures."""

    @property
    def size(self) -> int:
        """Number of rows."""
        return len(self.reading)

    def label(self, row: int) -> Label:
        """What `row` is about."""
        case = int(self.case[row])
        own = self.meters[case]
        at = int(self.reading[row])
        quantity, asset = Quantity(int(own.quantity[at])), int(own.asset[at])
        ids = self.network.buses.ids if quantity in BUS_QUANTITIES else self.network.branch_ids
        reason = _REASONS.get(quantity, Reason.VOLT_HI if self.sign[row] > 0 else Reason.VOLT_LO)
        if quantity == Quantity.REVERSE and self.sign[row] < 0:
            reason = Reason.FORWARD_POWER
        if case:
            reason = Reason.N1
        if self.preexisting[row]:
            reason = Reason.PREEXISTING
        return Label(ids[asset], reason, UNITS[quantity], PHASE_NAMES[own.phase[at]], self.cases[case])

    def values(self, voltages: Sequence[ComplexArray]) -> FloatArray:
        """Row values (n_row, n_case) at node voltages (n_node, n_case), one array per meter."""
        read = [
            own.values(voltage)[self.reading[self.case == n]]
            for n, (own, voltage) in enumerate(zip(self.meters, voltages, strict=True))
        ]
        return np.concatenate(read)

    def excess(self, values: FloatArray) -> FloatArray:
        """How far (n_row, n_case) values are beyond their bounds, in tolerances; infinitely far where not a number."""
        column = np.s_[:, None]
        beyond = self.sign[column] * (values - self.bound[column]) / self.tolerance[column]
        return np.where(np.isnan(beyond), np.inf, beyond)

    def worst(self, voltages: Sequence[ComplexArray]) -> tuple[FloatArray, IntArray]:
        """Largest excess (n_case,) of every case, and the row that has it, in little memory."""
        n_case = voltages[0].shape[1]
        largest, row = np.full(n_case, -np.inf), np.zeros(n_case, dtype=np.int64)
        weight = self.sign / self.tolerance
        for n, (own, voltage) in enumerate(zip(self.meters, voltages, strict=True)):
            mine = np.flatnonzero(self.case == n)
            bounds = Bounds(self.reading[mine], weight[mine], self.bound[mine])
            found = np.full(n_case, -1)
            for at in range(0, n_case, _CASES_AT_ONCE):
                part = slice(at, at + _CASES_AT_ONCE)
                highest(own.values(voltage[:, part]), bounds, largest[part], found[part])
            row[found >= 0] = mine[found[found >= 0]]
        return largest, row

    def relaxed(self, values: FloatArray) -> "Monitor":
        """The same with every bound moved out to `values` (n_row,), and a hair more, where these are beyond it."""
        beyond = self.sign * (values - self.bound) > 0
        moved = values + self.sign * _HAIR * self.tolerance
        return replace(self, preexisting=self.preexisting | beyond, bound=np.where(beyond, moved, self.bound))

    def tightened(self, tolerances: FloatArray) -> "Monitor":
        """The same with every bound moved in by so many tolerances (n_row,)."""
        return replace(self, bound=self.bound - self.sign * tolerances * self.tolerance)

    def without(self, rows: BoolArray) -> "Monitor":
        """The same with `rows` unlimited."""
        return replace(self, bound=np.where(rows, self.sign * np.inf, self.bound))


@dataclass(frozen=True, slots=True, eq=False)
class _Bounds:
    """One system's limited readings."""

    meter: Meter
    reading: IntArray
    """Positions in `meter`."""
    sign: FloatArray
    limit: FloatArray
    width: FloatArray
    """What a margin is a percentage of."""
    margin_pct: FloatArray


def study_meter(system: System, study: Study) -> Meter:
    """A meter of `system` that reads whatever `study` limits, and everything else."""
    network = system.network
    able = capability(network, study, emergency=False)
    neutral = np.flatnonzero(~np.isnan(able.neutral_a) & ~_own_neutral(network))
    reverse = np.flatnonzero(np.isfinite(able.reverse_w) | np.isfinite(able.forward_w))
    return meter(system, tuple(neutral.tolist()), tuple(reverse.tolist()))


def monitor(study: Study, cases: Sequence[tuple[str, System]]) -> Monitor:
    """What `study` limits in each named system, the network as it is first."""
    network = cases[0][1].network
    able = [capability(network, study, emergency=emergency) for emergency in (False, True)[: len(cases)]]
    parts = [_bounds(study, system, able[min(n, 1)]) for n, (_, system) in enumerate(cases)]
    sign, limit, width, margin = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("sign", "limit", "width", "margin_pct")
    )
    case = np.repeat(np.arange(len(parts)), [len(part.sign) for part in parts])
    quantity, asset = (
        np.concatenate([getattr(part.meter, name)[part.reading] for part in parts]) for name in ("quantity", "asset")
    )
    kind = (case * len(Quantity) + quantity) * 2 + (sign > 0)
    rated = np.maximum(np.abs(limit) * RATING_TOLERANCE, _LEAST_TOLERANCE)
    return Monitor(
        network=network,
        cases=tuple(name for name, _ in cases),
        meters=tuple(part.meter for part in parts),
        case=case,
        reading=np.concatenate([part.reading for part in parts]),
        sign=sign,
        limit=limit,
        bound=limit - sign * width * margin / 100,
        tolerance=np.where(quantity == Quantity.VOLTAGE, VOLTAGE_TOLERANCE_PU, rated),
        group=kind * (int(asset.max(initial=0)) + 1) + asset,
        preexisting=np.zeros(len(sign), dtype=np.bool_),
    )


def _own_neutral(network: Network) -> BoolArray:
    """Shape (n_branch,): lines with a neutral conductor of their own."""
    terminal = np.append(network.nodes.terminal, [-1, -1])
    own = np.zeros(len(network.branch_ids), dtype=np.bool_)
    ends = np.concatenate([network.lines.from_node, network.lines.to_node], axis=1)
    own[: len(network.lines.ids)] = (terminal[ends] == Terminal.N).any(axis=1)
    return own


def _bounds(study: Study, system: System, able: Capability) -> _Bounds:
    full = study_meter(system, study)
    upper, lower = _limits(study, full, able)
    used = np.flatnonzero(np.isfinite(upper) | np.isfinite(lower))
    own = full.only(used)
    margin = margins_pct(system, study, own)
    high, low = np.flatnonzero(np.isfinite(upper[used])), np.flatnonzero(np.isfinite(lower[used]))
    reading = np.concatenate([high, low])
    limit = np.concatenate([upper[used][high], lower[used][low]])
    band = (able.voltage_max_pu - able.voltage_min_pu)[np.minimum(own.asset[reading], len(able.voltage_max_pu) - 1)]
    width = np.where(own.quantity[reading] == Quantity.VOLTAGE, band, np.abs(limit))
    sign = np.concatenate([np.ones(len(high)), -np.ones(len(low))])
    return _Bounds(own, reading, sign, limit, width, margin[reading])


def _limits(study: Study, own: Meter, able: Capability) -> tuple[FloatArray, FloatArray]:
    """Upper and lower limit (n_row,) of every row of a meter; infinite for none."""
    upper, lower = np.full(own.size, np.inf), np.full(own.size, -np.inf)
    neutral = np.where(np.isnan(able.neutral_a), able.thermal, able.neutral_a)
    tables = (
        (Quantity.CURRENT, able.thermal),
        (Quantity.NEUTRAL, neutral),
        (Quantity.LOADING, able.thermal),
        (Quantity.REVERSE, able.reverse_w),
        (Quantity.VOLTAGE, able.voltage_max_pu),
    )
    for quantity, table in tables:
        rows = np.flatnonzero(own.quantity == quantity)
        upper[rows] = table[own.asset[rows]]
    if study.unbalance_max_pct is not None:
        upper[own.quantity == Quantity.UNBALANCE] = study.unbalance_max_pct
    voltages = np.flatnonzero(own.quantity == Quantity.VOLTAGE)
    lower[voltages] = able.voltage_min_pu[own.asset[voltages]]
    powers = np.flatnonzero(own.quantity == Quantity.REVERSE)
    lower[powers] = -able.forward_w[own.asset[powers]]
    return upper, lower
