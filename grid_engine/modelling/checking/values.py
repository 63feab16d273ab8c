"""Numbers that cannot be: not a number, negative, zero, or at odds with another number of the same element."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grid_engine.model import (
    ABSENT,
    CapacitorControlKind,
    ComplexArray,
    FloatArray,
    Network,
    Ratings,
    SequenceTransformers,
    Transformers,
)
from grid_engine.modelling.checking.fault import Fault, FaultKind, Finder, anywhere, finder
from grid_engine.modelling.document import BUSES, LAYOUTS, RATINGS, Field, Leaf

_LEAST_OHM = 1e-9
_LEAST_PU = 1e-9
_ROUNDING = 1e-6
"""Of the largest entry: how much a matrix may miss symmetry or passivity by."""
_RATED = ("lines", "transformers", "sequence_transformers")


def number_faults(network: Network) -> Iterator[Fault]:
    """Values that are not finite where a finite one is needed; what may be otherwise, `modelling.document` says."""
    yield from _numbers(finder(network, "buses"), network.buses, BUSES)
    for layout in LAYOUTS:
        table = getattr(network, layout.name)
        yield from _numbers(finder(network, layout.name), table, layout.fields)
        if layout.rated:
            yield from _numbers(finder(network, layout.name), table.ratings, RATINGS)


def _numbers(find: Finder, table: object, fields: tuple[Field, ...]) -> Iterator[Fault]:
    for spec in fields:
        if spec.leaf not in {Leaf.NUMBER, Leaf.COMPLEX}:
            continue
        values = getattr(table, spec.name)
        bad = ~np.isfinite(values)
        if spec.null is not None:
            bad &= ~((values == spec.null) | (np.isnan(values) & np.isnan(spec.null)))
        yield from find.where(bad, FaultKind.NOT_A_NUMBER, f"{spec.name} is not a number", "give a finite number")


def range_faults(network: Network) -> Iterator[Fault]:
    """Rated quantities and settings outside what they can be at all."""
    there = (network.transformers.node != ABSENT).all(axis=3).any(axis=2)
    positive: tuple[tuple[str, str, NDArray[Any]], ...] = (
        ("buses", "phase_v", network.buses.phase_v),
        ("transformers", "rated_va", network.transformers.rated_va),
        ("transformers", "rated_v", np.where(there, network.transformers.rated_v, 1.0)),
        ("sequence_transformers", "rated_va", network.sequence_transformers.rated_va),
        ("sequence_transformers", "rated_hv_v", network.sequence_transformers.rated_hv_v),
        ("sequence_transformers", "rated_lv_v", network.sequence_transformers.rated_lv_v),
        ("loads", "nominal_v", network.loads.nominal_v),
        ("units", "rated_va", network.units.rated_va),
        ("sources", "voltage_pu", network.sources.voltage_pu),
        ("regulators", "set_v", network.regulators.set_v),
        ("regulators", "band_v", network.regulators.band_v),
        ("regulators", "pt_ratio", network.regulators.pt_ratio),
        ("regulators", "ct_primary_a", network.regulators.ct_primary_a),
        ("capacitor_controls", "pt_ratio", network.capacitor_controls.pt_ratio),
        ("capacitor_controls", "ct_ratio", network.capacitor_controls.ct_ratio),
    )
    for table, column, values in positive:
        yield from _outside(finder(network, table), column, values, 0.0, above=True)
    yield from _outside(finder(network, "units"), "energy_wh", network.units.energy_wh, 0.0)
    yield from _outside(finder(network, "units"), "fault_current_pu", network.units.fault_current_pu, 0.0)
    for table in ("regulators", "capacitor_controls"):
        yield from _outside(finder(network, table), "delay_s", getattr(network, table).delay_s, 0.0)
    for table in _RATED:
        yield from _ratings(finder(network, table), getattr(network, table).ratings)
    low, high = network.buses.voltage_min_pu, network.buses.voltage_max_pu
    crossed = (low >= high) | (low < 0) | (high <= 0)
    yield from finder(network, "buses").where(
        crossed,
        FaultKind.OUT_OF_RANGE,
        lambda n: f"its voltage limits are {low[n]:g} and {high[n]:g} pu",
        "let the lower one be below the upper one, both positive",
    )


def _outside(
    find: Finder, column: str, values: FloatArray, low: float, high: float = np.inf, *, above: bool = False
) -> Iterator[Fault]:
    """Values below `low` (at it too where they must be above) or above `high`; not-a-number is another fault."""
    bad = (values <= low if above else values < low) | (values > high)
    remedy = f"it must be {'above' if above else 'at least'} {low:g}" + (
        f" and at most {high:g}" if high < np.inf else ""
    )
    yield from find.where(bad, FaultKind.OUT_OF_RANGE, lambda n: f"{column} is {_told(values[n], bad[n])}", remedy)


def _told(values: NDArray[Any], bad: NDArray[np.bool_]) -> str:
    return f"{np.ravel(values)[np.argmax(np.ravel(bad))]:g}"


def _ratings(find: Finder, ratings: Ratings) -> Iterator[Fault]:
    emergency = np.where(ratings.emergency == ratings.normal, np.inf, ratings.emergency)
    yield from _outside(find, "rating emergency", emergency, 0.0, above=True)
    for column in ("normal", "neutral_a", "withstand_a", "seasonal"):
        yield from _outside(find, f"rating {column}", getattr(ratings, column), 0.0, above=True)
    yield from _outside(find, "rating reverse_power_w", ratings.reverse_power_w, 0.0)
    yield from _outside(find, "rating derate_pct", ratings.derate_pct, 0.0, 99.999)
    yield from _outside(find, "rating condition_score", ratings.condition_score, 0.0, 100.0)
    yield from find.where(
        ratings.emergency < ratings.normal,
        FaultKind.OUT_OF_RANGE,
        lambda n: f"its emergency rating {ratings.emergency[n]:g} is below its normal rating {ratings.normal[n]:g}",
        "exchange them, or correct one",
    )


def impedance_faults(network: Network) -> Iterator[Fault]:
    """Impedances that are zero, negative, not symmetric, or would feed power in."""
    lines, find = network.lines, finder(network, "lines")
    own = np.einsum("nii->ni", lines.impedance_ohm)
    there = lines.from_node != ABSENT
    yield from find.where(
        (np.abs(own) < _LEAST_OHM) & there,
        FaultKind.ZERO_IMPEDANCE,
        "no impedance on a conductor",
        "give its length and resistance; what has none is a switch between buses",
    )
    # A series capacitor is all reactance; a line is not.
    backwards = (own.imag < 0) & (own.real > 0.01 * np.abs(own.imag)) & there
    yield from find.where(
        backwards,
        FaultKind.NEGATIVE_REACTANCE,
        lambda n: f"reactance {own[n].imag[np.argmax(backwards[n])]:g} ohm",
        "give it positive; a series capacitor has no more than a trace of resistance",
    )
    yield from _matrices(find, "impedance_ohm", lines.impedance_ohm)
    yield from _matrices(find, "shunt_s", lines.shunt_s)
    yield from _matrices(finder(network, "shunts"), "admittance_s", network.shunts.admittance_s)
    sources = network.sources
    idle = ~anywhere(np.abs(sources.admittance_s) > 0)
    yield from finder(network, "sources").where(
        idle, FaultKind.ZERO_IMPEDANCE, "admittance_s is zero", "give the system's short-circuit admittance"
    )
    yield from _active(finder(network, "sources"), "admittance_s", sources.admittance_s)


def _matrices(find: Finder, column: str, matrix: ComplexArray) -> Iterator[Fault]:
    """Matrices (n, k, k) that must be symmetric and passive."""
    size = np.abs(matrix).max(axis=(1, 2), initial=0.0)
    uneven = np.abs(matrix - matrix.transpose(0, 2, 1)).max(axis=(1, 2), initial=0.0) > _ROUNDING * size
    yield from find.where(
        uneven, FaultKind.NOT_SYMMETRIC, f"{column} is not symmetric", "what j does to i, i does to j: mirror it"
    )
    yield from _active(find, column, matrix)


def _active(find: Finder, column: str, matrix: ComplexArray) -> Iterator[Fault]:
    """Matrices whose hermitian part is negative somewhere: these give power instead of taking it."""
    finite = np.where(np.isfinite(matrix), matrix, 0)
    least = np.linalg.eigvalsh((finite + finite.conj().transpose(0, 2, 1)) / 2).min(axis=1, initial=0.0)
    size = np.abs(finite).max(axis=(1, 2), initial=0.0)
    yield from find.where(
        least < -_ROUNDING * size,
        FaultKind.NOT_PASSIVE,
        lambda n: f"{column} has an active part of {least[n]:g}: it would feed power in",
        "correct its resistances, the mutual ones among them",
    )


def transformer_faults(network: Network) -> Iterator[Fault]:
    """Transformers without leakage, with negative parts, or with taps that cannot be."""
    table, find = network.transformers, finder(network, "transformers")
    there = (table.node != ABSENT).all(axis=3).any(axis=2)
    pairs = there[:, :, None] & there[:, None, :] & ~np.eye(there.shape[1], dtype=np.bool_)
    series = table.resistance_pu[:, :, None] + table.resistance_pu[:, None, :] + 1j * table.reactance_pu
    yield from find.where(
        (np.abs(series) < _LEAST_PU) & pairs, FaultKind.ZERO_IMPEDANCE, "no leakage", "give its short-circuit impedance"
    )
    alone = there.sum(axis=1) < 2
    yield from find.where(
        alone, FaultKind.UNKNOWN_NODE, "has one winding only", "connect another, or make it a reactor"
    )
    yield from _negative(find, "resistance_pu", table.resistance_pu)
    yield from _negative(find, "reactance_pu", table.reactance_pu)
    yield from _negative(find, "magnetising_pu's conductance", table.magnetising_pu.real)
    yield from _negative(find, "magnetising_pu's inductive part", -table.magnetising_pu.imag)
    yield from _negative(find, "float_va", table.float_va)
    mirrored = np.abs(table.reactance_pu - table.reactance_pu.transpose(0, 2, 1)) > _ROUNDING
    yield from find.where(
        mirrored, FaultKind.NOT_SYMMETRIC, "reactance_pu is not symmetric", "leakage is between two windings: mirror it"
    )
    yield from _taps(find, table)
    ratio = table.fixed_tap_pu
    yield from find.where(
        (ratio <= 0) & there, FaultKind.TAP_RANGE, "fixed_tap_pu is not positive", "1 is a winding at its rated voltage"
    )
    yield from _sequences(network)


def _negative(find: Finder, what: str, values: FloatArray) -> Iterator[Fault]:
    kind = FaultKind.NEGATIVE_REACTANCE if "reactance" in what else FaultKind.NOT_PASSIVE
    yield from find.where(
        values < 0, kind, lambda n: f"{what} is {_told(values[n], values[n] < 0)}", "it must be at least 0"
    )


def _sequences(network: Network) -> Iterator[Fault]:
    table, find = network.sequence_transformers, finder(network, "sequence_transformers")
    for column in ("impedance_pu", "impedance_zero_pu", "magnetising_zero_pu"):
        values = getattr(table, column)
        yield from find.where(
            np.abs(values) < _LEAST_PU, FaultKind.ZERO_IMPEDANCE, f"no impedance: {column} is 0", "give it"
        )
        yield from _negative(find, f"{column}'s resistance", values.real)
        yield from _negative(find, f"{column}'s reactance", values.imag)
    yield from _negative(find, "magnetising_pu's conductance", table.magnetising_pu.real)
    yield from _negative(find, "magnetising_pu's inductive part", -table.magnetising_pu.imag)
    yield from _outside(find, "zero_hv_share", table.zero_hv_share, 0.0, 1.0)
    yield from _taps(find, table)


def _taps(find: Finder, table: Transformers | SequenceTransformers) -> Iterator[Fault]:
    yield from find.where(
        (table.tap < table.tap_min) | (table.tap > table.tap_max),
        FaultKind.TAP_RANGE,
        lambda n: f"tap position {table.tap[n]} out of its range {table.tap_min[n]} to {table.tap_max[n]}",
        "correct the position or the range",
    )
    step = table.tap_step_pct / 100
    lowest = 1 + step * np.minimum(table.tap_min - table.tap_neutral, 0)
    moves = table.tap_max > table.tap_min
    yield from find.where(
        moves & (step < 0) | (lowest <= 0),
        FaultKind.TAP_RANGE,
        lambda n: f"tap_step_pct {table.tap_step_pct[n]:g} turns its voltage over or the wrong way",
        "give steps in per cent, positive where a higher position raises the voltage of the tapped winding",
    )


def law_faults(network: Network) -> Iterator[Fault]:
    """Loads whose law of voltage contradicts itself, and capacitor controllers that would never rest."""
    loads, find = network.loads, finder(network, "loads")
    total = np.stack([loads.zip_p.sum(axis=1), loads.zip_q.sum(axis=1)], axis=1)
    yield from find.where(
        (np.abs(total - 1) > _ROUNDING) & np.isnan(loads.exponent),
        FaultKind.LOAD_LAW,
        lambda n: f"its parts add up to {total[n, 0]:g} for active and {total[n, 1]:g} for reactive power",
        "parts of constant impedance, current and power add up to 1",
    )
    low, high = loads.band_pu.T
    yield from find.where(
        (low < 0) | (high <= low) | (loads.low_pu < 0) | (loads.low_pu > low),
        FaultKind.LOAD_LAW,
        lambda n: f"its band is {low[n]:g} to {high[n]:g} pu, and low_pu {loads.low_pu[n]:g}",
        "low_pu must be at most the lower end of the band, and that below the upper one",
    )
    controls = network.capacitor_controls
    by_voltage = controls.kind == CapacitorControlKind.VOLTAGE
    rests = np.where(by_voltage, controls.on_at < controls.off_at, controls.on_at > controls.off_at)
    yield from finder(network, "capacitor_controls").where(
        ~rests | (controls.voltage_min_v >= controls.voltage_max_v),
        FaultKind.CONTROL,
        lambda n: f"switches on at {controls.on_at[n]:g} and off at {controls.off_at[n]:g}: it would never rest",
        "leave a gap: on below off for voltage, on above off for current and reactive power",
    )
    tapped = network.transformers.tap_winding[network.regulators.transformer] >= 0
    yield from finder(network, "regulators").where(
        ~tapped, FaultKind.CONTROL, "its transformer has no tap changer", "give tap_winding and a range of positions"
    )
