"""Turns row values of a monitor into what people and the gateway read: violations, bindings and flows."""

import numpy as np

from grid_engine.limits import Monitor
from grid_engine.model import FloatArray
from grid_engine.problem import Problem
from grid_engine.results import Binding, Flow, Violation

_SAME = 1e-6
"""Phases within this part of each other are told as one."""


def violations(monitor: Monitor, values: FloatArray) -> tuple[Violation, ...]:
    """Rows (n_row, n_interval) beyond their bounds, per asset and reason the worst one."""
    excess = monitor.excess(values)
    found: dict[tuple[int, str, str, str], tuple[int, float]] = {}
    for row, interval in zip(*(axis.tolist() for axis in np.nonzero(excess > 1)), strict=True):
        label = monitor.labels[row]
        key = (interval, label.asset_id, label.reason.value, label.case)
        if key not in found or found[key][1] < excess[row, interval] - _SAME:
            found[key] = (row, float(excess[row, interval]))
    return tuple(
        Violation(
            asset_id=asset,
            reason=monitor.labels[row].reason,
            interval=interval,
            value=float(values[row, interval]),
            limit=float(monitor.limit[row]),
            unit=monitor.labels[row].unit,
            phase=phase(monitor, row, values[:, interval]),
            case=case,
        )
        for (interval, asset, _, case), (row, _) in sorted(found.items())
    )


def phase(monitor: Monitor, row: int, values: FloatArray) -> str:
    """The row's phase, or nothing where its siblings on the other two phases have the same value."""
    own = monitor.labels[row]
    near = range(max(0, row - 2), min(len(values), row + 3))
    equal = {
        monitor.labels[n].phase
        for n in near
        if monitor.labels[n].asset_id == own.asset_id
        and (monitor.labels[n].reason, monitor.labels[n].case) == (own.reason, own.case)
        and abs(values[n] - values[row]) <= _SAME * abs(values[row])
    }
    return "" if len(equal) == 3 else own.phase


def binding(monitor: Monitor, row: int, before: FloatArray, after: FloatArray, shadow_price: float = 0.0) -> Binding:
    """Why an envelope is where it is; `before` and `after` are one case's row values (n_row,)."""
    label = monitor.labels[row]
    return Binding(
        asset_id=label.asset_id,
        reason=label.reason,
        phase=phase(monitor, row, after),
        case=label.case,
        value_before=float(before[row]),
        value_after=float(after[row]),
        limit=float(monitor.limit[row]),
        unit=label.unit,
        shadow_price=shadow_price,
    )


def flows(problem: Problem, values: FloatArray) -> tuple[Flow, ...]:
    """Every line, transformer and bus in every interval, the worst phase of each; values (n_row, n_interval)."""
    monitor, network = problem.monitor, problem.network
    n_branch = len(network.lines.ids) + len(network.transformers.ids)
    worst = values[: 6 * n_branch].reshape(n_branch, 6, -1).max(axis=1)
    limit = monitor.limit[: 6 * n_branch : 6]
    found = [
        Flow(
            monitor.labels[6 * n].asset_id,
            i,
            float(worst[n, i]),
            monitor.labels[6 * n].unit,
            _pct(worst[n, i], limit[n]),
        )
        for n in range(n_branch)
        for i in range(values.shape[1])
    ]
    first, n_voltage = 6 * n_branch, len(problem.scenes[0].meter.nodes)
    low, high = problem.study.voltage_min_pu, problem.study.voltage_max_pu
    position = 100 * (values[first : first + n_voltage] - low) / (high - low)
    by_bus: dict[str, list[int]] = {}
    for n in range(n_voltage):
        by_bus.setdefault(monitor.labels[first + n].asset_id, []).append(n)
    for bus, rows in by_bus.items():
        for i in range(values.shape[1]):
            row = max(rows, key=lambda n: abs(position[n, i] - 50))
            found.append(Flow(bus, i, float(values[first + row, i]), "pu", float(position[row, i])))
    return tuple(found)


def _pct(value: float, limit: float) -> float:
    return float(100 * value / limit) if limit > 0 else (np.inf if value > 0 else 0.0)
