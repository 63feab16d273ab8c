"""An estimate in plain words: every number with its standard deviation and where it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.estimation.prior import Customers
from grid_engine.estimation.regions import customer_bus
from grid_engine.estimation.search import Blame, Case, Found
from grid_engine.estimation.solve import Fit, Stuck, powers_moved
from grid_engine.estimation.words import (
    Estimate,
    Measured,
    NodeState,
    Origin,
    Outcome,
    PowerState,
    Suspect,
)
from grid_engine.flow.nodal import System
from grid_engine.model import TERMINAL_NAMES, BoolArray, ComplexArray, FloatArray, IntArray

_MOST = 0.5
"""Others explain most of a quantity when they take away that part of its variance."""


@dataclass(frozen=True, slots=True, eq=False)
class Deviations:
    """Standard deviations, not a number where no samples were drawn."""

    voltage_pu: FloatArray
    """Shape (n_node,): of magnitudes."""
    voltage_explained: FloatArray
    """Shape (n_node,): part of the variance that readings took away."""
    power_w: FloatArray
    """Shape (n_customer,)."""


def report(case: Case, found: Found, blank: Estimate, samples: int, seed: int) -> Estimate:
    """`blank` with everything that was found."""
    power = customer_power(case.known, found.point.power_va)
    spreads = _deviations(case, found, samples, np.random.default_rng(seed))
    of_power = _power_origins(case, found)
    measured_pct, observed_pct = _shares_pct(power[0], of_power, supplied_customers(case.system, case.known))
    told = replace(
        blank,
        outcome=Outcome.ESTIMATED,
        nodes=_node_states(case.system, found.point.voltage, spreads.voltage_pu, _node_origins(case, found, spreads)),
        powers=_power_states(case, power, spreads.power_w, of_power),
        source_pu=tuple((1 + _source_errors(case, found)).tolist()),
        suspects=tuple(_suspect(case, found, power, one) for one in found.blamed.order),
        coverage_pct=measured_pct,
        observed_pct=observed_pct,
        closing_pct=_closing_pct(found),
    )
    match found.fit:
        case Fit():
            detail = "" if found.fit.settled else f"it had not settled after {found.fit.iterations} steps"
            return replace(told, iterations=found.fit.iterations, detail=detail)
        case Stuck(bus=bus):
            detail = f"what is read has no power flow, look at bus {bus}; this is the state as expected"
            return replace(told, outcome=Outcome.EXPECTED_ONLY, detail=detail)


def customer_power(known: Customers, power_va: ComplexArray) -> FloatArray:
    """Shape (2, n_customer): injected watts and vars, from those of all pairs."""
    pair_va, n = power_va[: len(known.owner)], len(known.ids)
    return np.stack([np.bincount(known.owner, part, minlength=n) for part in (pair_va.real, pair_va.imag)])


def supplied_customers(system: System, known: Customers) -> IntArray:
    """Those whose branches all have supply at both ends."""
    alive = np.append(system.supplied, [False, True])  # the last two for ABSENT and EARTH
    dead = ~(alive[known.pairs.first] & alive[known.pairs.second])
    n = len(known.ids)
    return np.flatnonzero(
        (np.bincount(known.owner, dead, minlength=n) == 0) & (np.bincount(known.owner, minlength=n) > 0)
    )


def _deviations(case: Case, found: Found, samples: int, rng: np.random.Generator) -> Deviations:
    voltage, n = found.point.voltage, len(case.known.ids)
    if isinstance(found.fit, Stuck) or not samples:
        nothing = np.full(len(voltage), np.nan)
        return Deviations(nothing, np.zeros(len(voltage)), np.full(n, np.nan))
    before, after = found.fit.update.sampled(samples, rng)
    power_va = powers_moved(found.posed, found.fit, np.concatenate([before, after], axis=1))
    moved = found.fit.linear.forward(power_va)
    size = np.abs(voltage)
    direction = np.where(size > 0, voltage.conj() / np.where(size > 0, size, 1), 0)
    change = np.real(direction[:, None] * moved)
    prior, now = (np.mean(part**2, axis=1) for part in (change[:, :samples], change[:, samples:]))
    watts = power_va[: len(case.known.owner), samples:].real
    total = np.zeros((n, samples))
    np.add.at(total, case.known.owner, watts)
    explained = 1 - np.divide(now, prior, out=np.ones(len(now)), where=prior > 0)
    return Deviations(np.sqrt(now), explained, np.sqrt(np.mean(total**2, axis=1)))


def _origins(measured: BoolArray, wrong: BoolArray, explained: FloatArray) -> list[Origin]:
    chosen = np.select([measured, wrong, explained >= _MOST], [0, 1, 2], 3)
    kinds = (Origin.MEASURED, Origin.SUBSTITUTED, Origin.ESTIMATED, Origin.PSEUDO)
    return [kinds[n] for n in chosen]


def _power_origins(case: Case, found: Found) -> list[Origin]:
    n = len(case.known.ids)
    explained = found.fit.update.explained()[:n] if isinstance(found.fit, Fit) else np.zeros(n)
    wrong = np.zeros(n, dtype=np.bool_)
    part, customer = case.place[:, found.blamed.own]
    wrong[customer[part == 0]] = True
    return _origins(found.posed.known.metered[0], wrong, explained)


def _node_origins(case: Case, found: Found, spreads: Deviations) -> list[Origin]:
    n = len(case.system.base_v)
    seen = []
    for believed in (~found.blamed.rows, found.blamed.rows):
        rows = case.rows.only(believed)
        voltages = [reading.quantity is Measured.VOLTAGE_V for reading in rows.readings[: rows.magnitude.shape[0]]]
        mask = np.zeros(n, dtype=np.bool_)
        mask[case.system.node_of[rows.magnitude[np.flatnonzero(voltages)].indices]] = True
        seen.append(mask[case.system.node_of])
    measured = seen[0] & isinstance(found.fit, Fit)
    return _origins(measured, seen[1], spreads.voltage_explained)


def _node_states(
    system: System, voltage: ComplexArray, sigma_pu: FloatArray, origin: Sequence[Origin]
) -> tuple[NodeState, ...]:
    nodes, buses = system.network.nodes, system.network.buses.ids
    size, angle = np.abs(voltage).tolist(), np.rad2deg(np.angle(voltage)).tolist()
    bus, terminal, sigma = nodes.bus.tolist(), nodes.terminal.tolist(), sigma_pu.tolist()
    return tuple(
        NodeState(buses[bus[n]], TERMINAL_NAMES[terminal[n]], size[n], angle[n], sigma[n], origin[n])
        for n in np.flatnonzero(system.supplied).tolist()
    )


def _power_states(
    case: Case, power: FloatArray, sigma_w: FloatArray, origin: Sequence[Origin]
) -> tuple[PowerState, ...]:
    known, buses = case.known, case.system.network.buses.ids
    watts, vars_ = (known.sign * power).tolist()
    bus, sigma, load = customer_bus(case.system.network, known).tolist(), sigma_w.tolist(), (known.sign < 0).tolist()
    return tuple(
        PowerState(known.ids[n], buses[bus[n]], watts[n], vars_[n], sigma[n], origin[n], load[n])
        for n in supplied_customers(case.system, known).tolist()
    )


def _source_errors(case: Case, found: Found) -> FloatArray:
    """Relative errors of the magnitudes behind the sources, phase by phase."""
    deviation = case.heads.spread @ found.point.errors[len(found.point.errors) - case.heads.spread.shape[1] :]
    return np.asarray(np.abs(1 + deviation) - 1)


def _suspect(case: Case, found: Found, power: FloatArray, blame: Blame) -> Suspect:
    number = blame.number
    if blame.what == "rows":
        reading = case.rows.readings[number]
        estimate = float(case.rows.at(found.point.voltage)[number])
    elif blame.what == "own":
        reading = case.own[number]
        part, customer = case.place[:, number]
        estimate = float(case.known.sign[customer] * power[part, customer])
    else:
        sign, name = case.known.sign[number], case.known.ids[number]
        expected, now = float(sign * case.known.power[0, number]), float(sign * power[0, number])
        return Suspect(name, name, Measured.ACTIVE_POWER_W, expected, now, blame.sigmas, is_meter=False)
    return Suspect(reading.meter, reading.element, reading.quantity, reading.value, estimate, blame.sigmas)


def _closing_pct(found: Found) -> float | None:
    rows = found.posed.rows
    heads = rows.heads(found.posed.system)
    if not heads.any():
        return None
    read = float(rows.value[heads].sum())
    state = float(rows.at(found.point.voltage)[heads].sum())
    return 100 * abs(state - read) / max(abs(read), 1.0)


def _shares_pct(power_w: FloatArray, origin: Sequence[Origin], supplied: IntArray) -> tuple[float, float]:
    """Part of all power that is measured, and that is measured or estimated; by number where there is no power."""
    size = np.abs(power_w[supplied])
    if not size.sum() > 0:
        size = np.ones(len(supplied))
    measured, either = (
        np.array([origin[n] in kinds for n in supplied], dtype=np.bool_)
        for kinds in ((Origin.MEASURED,), (Origin.MEASURED, Origin.ESTIMATED))
    )
    whole = max(float(size.sum()), 1e-300)
    return 100 * float(size[measured].sum()) / whole, 100 * float(size[either].sum()) / whole
