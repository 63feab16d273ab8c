"""What may not be exceeded: a bound for every row of the meters, and how far values are beyond.

Excess is counted in tolerances, so that rows of different units compare: above 1 is a violation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.meters import Meter
from grid_engine.model import PHASES, BoolArray, ComplexArray, FloatArray, Network
from grid_engine.results import Rating, Reason, Study

VOLTAGE_TOLERANCE_PU = 1e-4
RATING_TOLERANCE = 1e-3
NORMAL = "N-0"
"""The case without any contingency."""

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
    case: str = NORMAL


@dataclass(frozen=True, slots=True, eq=False)
class Monitor:
    """The rows of one or several meters, one after the other, each row with its bound."""

    meters: tuple[Meter, ...]
    labels: tuple[Label, ...]
    sign: FloatArray
    """1 for an upper bound, -1 for a lower one."""
    limit: FloatArray
    """After de-rating; infinite where there is none."""
    bound: FloatArray
    """The limit less its margin."""
    tolerance: FloatArray
    """Beyond the bound by more than this is a violation."""

    def values(self, voltages: Sequence[ComplexArray]) -> FloatArray:
        """Row values (n_row, n_case) at node voltages (n_node, n_case), one array per meter."""
        return np.concatenate([meter.values(part) for meter, part in zip(self.meters, voltages, strict=True)])

    def excess(self, values: FloatArray) -> FloatArray:
        """How far (n_row, n_case) values are beyond their bounds, in tolerances; infinitely far where not a number."""
        column = np.s_[:, None]
        beyond = self.sign[column] * (values - self.bound[column]) / self.tolerance[column]
        return np.where(np.isnan(beyond), np.inf, beyond)

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


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """One meter's labels and limits."""

    labels: list[Label]
    limit: FloatArray
    sign: FloatArray


def monitor(network: Network, study: Study, meters: Sequence[tuple[str, Meter]]) -> Monitor:
    """What `study` limits in each case, named with its meter."""
    parts = [_rows(network, study, case, own) for case, own in meters]
    labels = tuple(label for part in parts for label in part.labels)
    limit = np.concatenate([part.limit for part in parts])
    sign = np.concatenate([part.sign for part in parts])
    is_voltage = np.array([label.unit == "pu" for label in labels], dtype=np.bool_)
    rated = np.where(np.isfinite(limit), np.abs(limit), 0.0)
    width = np.where(is_voltage, study.voltage_max_pu - study.voltage_min_pu, rated)
    tolerance = np.where(is_voltage, VOLTAGE_TOLERANCE_PU, np.maximum(rated * RATING_TOLERANCE, 1e-6))
    bound = limit - sign * width * study.margin_pct / 100
    return Monitor(tuple(own for _, own in meters), labels, sign, limit, bound, tolerance)


def reverse_limited(network: Network, study: Study) -> list[int]:
    """Branches (lines, then transformers) that have a reverse-power limit."""
    names = (*network.lines.ids, *network.transformers.ids)
    return [n for n, name in enumerate(names) if study.ratings.get(name, _UNRATED).reverse_power_w is not None]


def _rows(network: Network, study: Study, case: str, own: Meter) -> _Rows:
    names, n_line = (*network.lines.ids, *network.transformers.ids), len(network.lines.ids)
    n_voltage, reverse = len(own.nodes), [names[n] for n in reverse_limited(network, study)]
    places = [(network.buses.ids[node // 3], PHASES[node % 3]) for node in own.nodes.tolist()]

    def label(name: str, reason: Reason, unit: str, phase: str = "") -> Label:
        return Label(name, reason if case == NORMAL else Reason.N1, unit, phase, case)

    labels = [
        label(name, Reason.THERMAL, "A" if n < n_line else "VA", phase)
        for n, name in enumerate(names)
        for phase in PHASES * 2
    ]
    labels += [label(bus, Reason.VOLT_HI, "pu", phase) for bus, phase in places]
    labels += [label(bus, Reason.VOLT_LO, "pu", phase) for bus, phase in places]
    labels += [label(name, Reason.REVERSE_POWER, "W") for name in reverse]
    back = [_derated(study.ratings[name], study.ratings[name].reverse_power_w or 0.0) for name in reverse]
    band = [np.full(n_voltage, study.voltage_max_pu), np.full(n_voltage, study.voltage_min_pu)]
    thermal = np.repeat(_branch_limits(network, study, emergency=case != NORMAL), 6)
    sign = np.ones(len(labels))
    sign[len(thermal) + n_voltage : len(thermal) + 2 * n_voltage] = -1
    return _Rows(labels, np.concatenate([thermal, *band, np.array(back, dtype=np.float64)]), sign)


def _branch_limits(network: Network, study: Study, *, emergency: bool) -> FloatArray:
    """De-rated limit of every line (A per conductor), then of every transformer (VA, three-phase)."""
    lines, transformers = network.lines, network.transformers
    result: list[float] = []
    for name, own in zip((*lines.ids, *transformers.ids), (*lines.ampacity_a, *transformers.rated_va), strict=True):
        rating, is_line = study.ratings.get(name, _UNRATED), len(result) < len(lines.ids)
        normal = rating.ampacity_a if is_line else rating.apparent_power_va
        short = rating.emergency_a if is_line else rating.emergency_va
        choice = (short if emergency else None, normal, float(own))
        result.append(_derated(rating, next(limit for limit in choice if limit is not None)))
    return np.array(result, dtype=np.float64)


def _derated(rating: Rating, limit: float) -> float:
    condition = min(1.0, 0.8 + 0.2 * rating.condition_score / 50)
    return float(limit) * (1 - rating.derate_pct / 100) * condition
