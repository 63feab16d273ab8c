"""Turns row values of a monitor into what people and the gateway read: violations, alarms, bindings and flows."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from grid_engine.model import ComplexArray, FloatArray, IntArray
from grid_engine.results import Binding, Flow, Reason, Violation
from grid_engine.studies.limits import RATING_TOLERANCE, Monitor, study_meter
from grid_engine.studies.meters import Meter, Quantity
from grid_engine.studies.problem import Problem
from grid_engine.studies.ratings import capability

_SAME = 1e-6
"""Phases within this part of each other are told as one."""


def violations(monitor: Monitor, values: FloatArray) -> tuple[Violation, ...]:
    """Rows (n_row, n_interval) beyond their bounds, per asset and quantity the worst one."""
    return tuple(violation for _, violation in worst_rows(monitor, values))


def uncured(monitor: Monitor, values: FloatArray) -> tuple[Violation, ...]:
    """What is still violated with the envelopes obeyed, at row values (n_row, n_interval)."""
    return tuple(replace(one, reason=Reason.PREEXISTING) for one in violations(monitor, values))


def worst_rows(monitor: Monitor, values: FloatArray) -> list[tuple[int, Violation]]:
    """The same with the row of each."""
    excess = monitor.excess(values)
    found: dict[tuple[int, int], int] = {}
    for row, interval in zip(*(axis.tolist() for axis in np.nonzero(excess > 1)), strict=True):
        key = (interval, int(monitor.group[row]))
        if key not in found or excess[found[key], interval] < excess[row, interval] - _SAME:
            found[key] = row
    told = [(row, _violation(monitor, row, interval, values[:, interval])) for (interval, _), row in found.items()]
    return sorted(told, key=lambda one: (one[1].interval, one[1].asset_id, one[1].reason.value, one[1].case))


def _violation(monitor: Monitor, row: int, interval: int, values: FloatArray) -> Violation:
    label = monitor.label(row)
    return Violation(
        asset_id=label.asset_id,
        reason=label.reason,
        interval=interval,
        value=float(values[row]),
        limit=float(monitor.limit[row]),
        unit=label.unit,
        phase=phase(monitor, row, values),
        case=label.case,
    )


def phase(monitor: Monitor, row: int, values: FloatArray) -> str:
    """The row's phase, or nothing where its siblings on the other two phases have the same value."""
    siblings = np.flatnonzero(monitor.group == monitor.group[row])
    equal = siblings[np.abs(values[siblings] - values[row]) <= _SAME * abs(values[row])]
    return "" if len({monitor.label(n).phase for n in equal.tolist()}) >= 3 else monitor.label(row).phase


def binding(monitor: Monitor, row: int, before: FloatArray, after: FloatArray, shadow_price: float = 0.0) -> Binding:
    """Why an envelope is where it is; `before` and `after` are one case's row values (n_row,)."""
    label = monitor.label(row)
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


def unbalance_alarms(problem: Problem, voltage: ComplexArray) -> tuple[Violation, ...]:
    """Buses whose unbalance is above the study's threshold, at node voltages (n_node, n_interval) as things are."""
    meter = study_meter(problem.scenes[0].system, problem.study)
    rows = np.flatnonzero(meter.quantity == Quantity.UNBALANCE)
    values, limit = meter.only(rows).values(voltage), problem.study.unbalance_alarm_pct
    buses = problem.network.buses.ids
    return tuple(
        Violation(buses[meter.asset[rows[n]]], Reason.UNBALANCE, i, float(values[n, i]), limit, "%")
        for i, n in np.argwhere(limit * (1 + RATING_TOLERANCE) < values.T).tolist()
    )


def flows(problem: Problem, voltage: ComplexArray) -> tuple[Flow, ...]:
    """Every branch and supplied bus in every interval, the worst phase of each; node voltages (n_node, n_interval)."""
    meter = study_meter(problem.scenes[0].system, problem.study)
    rows = np.flatnonzero(np.isin(meter.quantity, (Quantity.CURRENT, Quantity.LOADING, Quantity.VOLTAGE)))
    meter = meter.only(rows)
    values = meter.values(voltage)
    return (*_branch_flows(problem, meter, values), *_bus_flows(problem, meter, values))


def _branch_flows(problem: Problem, meter: Meter, values: FloatArray) -> Iterator[Flow]:
    network = problem.network
    n_branch, n_line = len(network.branch_ids), len(network.lines.ids)
    rows = np.flatnonzero(meter.quantity != Quantity.VOLTAGE)
    worst = np.zeros((n_branch, values.shape[1]))
    np.maximum.at(worst, meter.asset[rows], values[rows])
    limit = capability(network, problem.study, emergency=False).thermal[:, None]
    # As of a violation: of nothing no value is a part.
    loading = np.divide(100 * worst, limit, out=np.zeros_like(worst), where=np.broadcast_to(limit > 0, worst.shape))
    for n, name in enumerate(network.branch_ids):
        unit = "A" if n < n_line else "VA"
        for i in range(values.shape[1]):
            yield Flow(name, i, float(worst[n, i]), unit, float(loading[n, i]))


def _bus_flows(problem: Problem, meter: Meter, values: FloatArray) -> Iterator[Flow]:
    able, ids = capability(problem.network, problem.study, emergency=False), problem.network.buses.ids
    rows = np.flatnonzero(meter.quantity == Quantity.VOLTAGE)
    rows = rows[np.argsort(meter.asset[rows], kind="stable")]
    bus, read = meter.asset[rows], values[rows]
    low, high = able.voltage_min_pu[bus, None], able.voltage_max_pu[bus, None]
    position = 100 * (read - low) / (high - low)
    first = np.flatnonzero(np.diff(bus, prepend=-1))
    for start, end in zip(first, np.append(first[1:], len(bus)), strict=True):
        chosen: IntArray = start + np.abs(position[start:end] - 50).argmax(axis=0)
        for i, row in enumerate(chosen.tolist()):
            yield Flow(ids[bus[start]], i, float(read[row, i]), "pu", float(position[row, i]))
