"""Numbers that look like another unit's: a thousand times too large or too small for what they stand for.

The windows are wide, for a fault keeps a network from being used: real networks lie well inside them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from grid_engine.model import ABSENT, CapacitorControlKind, FloatArray, Network, Terminal
from grid_engine.modelling.checking.connections import coil_volts
from grid_engine.modelling.checking.fault import Fault, FaultKind, finder


@dataclass(frozen=True, slots=True)
class Window:
    """What a quantity is between in real networks, and what it looks like outside."""

    low: float
    high: float
    unit: str
    """Of the numbers that are told."""
    too_low: str
    too_high: str


_BUS = Window(50, 1.2e6, "V to earth", "kilovolts", "volts times a thousand")
_AMPACITY = Window(1, 1.1e5, "A", "kiloamperes", "milliamperes")
_WINDING = Window(0.1, 1e5, "A of rated current", "kilovolt-amperes", "volt-amperes times a thousand")
_DROP = Window(0, 2, "of nominal voltage dropped at its rating", "", "milliohms, or amperes given as milliamperes")
_CHARGING = Window(0, 1, "times its rating in charging current", "", "microsiemens")
_LOAD = Window(0, 1e4, "A at nominal voltage", "", "watts times a thousand")
_UNIT = Window(1e-2, 1e4, "A at nominal voltage", "kilovolt-amperes", "volt-amperes times a thousand")
_NOMINAL = Window(0.2, 5, "times what its nodes have", "kilovolts", "volts times a thousand")
_PER_UNIT = Window(0, 2, "pu", "", "per cent")
_STEP = Window(0, 20, "% per step", "", "volts")
_LIMIT = Window(0.2, 3, "pu", "kilovolts", "per cent or volts")
_FREQUENCY = Window(15, 450, "Hz", "kilohertz", "radians per second")
_SETTING = Window(0.3, 3, "times nominal voltage", "per unit", "volts of the other side of its transformer")


def unit_faults(network: Network) -> Iterator[Fault]:
    """Every quantity outside its window."""
    if not _FREQUENCY.low < network.frequency_hz < _FREQUENCY.high:
        what = f"frequency_hz is {network.frequency_hz:g}"
        yield Fault(FaultKind.UNITS, "network", network.version, what, "give cycles per second")
    for look in (_buses, _lines, _transformers, _injections, _controls):
        yield from look(network)


def _outside(network: Network, table: str, column: str, values: FloatArray, window: Window) -> Iterator[Fault]:
    """Finite values outside the window; zero and negative ones are another fault, or none."""
    bad = np.isfinite(values) & (values > 0) & ((values < window.low) | (values > window.high))

    def what(n: int) -> str:
        worst = float(values[n][bad[n]][0]) if values.ndim > 1 else float(values[n])
        looks = window.too_low if worst < window.low else window.too_high
        return f"{column}: {worst:g} {window.unit} looks like {looks}"

    yield from finder(network, table).where(bad, FaultKind.UNITS, what, "give SI units: V, A, VA, ohm, siemens")


def _buses(network: Network) -> Iterator[Fault]:
    yield from _outside(network, "buses", "phase_v", network.buses.phase_v, _BUS)
    for column in ("voltage_min_pu", "voltage_max_pu"):
        yield from _outside(network, "buses", column, getattr(network.buses, column), _LIMIT)


def _lines(network: Network) -> Iterator[Fault]:
    lines = network.lines
    yield from _outside(network, "lines", "rating normal", lines.ratings.normal, _AMPACITY)
    volts = _phase_volts(network)[lines.from_node]
    own, charging = (np.einsum("nii->ni", m) for m in (lines.impedance_ohm, lines.shunt_s))
    limit = np.where(np.isfinite(lines.ratings.normal), lines.ratings.normal, np.nan)[:, None]
    yield from _outside(
        network, "lines", "impedance_ohm", np.where(own.imag >= 0, np.abs(own), np.nan) * limit / volts, _DROP
    )
    yield from _outside(network, "lines", "shunt_s", np.abs(charging) * volts / limit, _CHARGING)


def _phase_volts(network: Network) -> FloatArray:
    """Nominal volts by node, and for `EARTH` and `ABSENT`: not a number where there is no phase or leg."""
    live = network.nodes.terminal != Terminal.N
    return np.append(np.where(live, network.buses.phase_v[network.nodes.bus], np.nan), [np.nan, np.nan])


def _transformers(network: Network) -> Iterator[Fault]:
    table, sequences = network.transformers, network.sequence_transformers
    there = (table.node != ABSENT).all(axis=3)
    coils = np.maximum(there[:, 0].sum(axis=1), 1) if there.shape[1] else np.ones(len(there))
    with np.errstate(divide="ignore", invalid="ignore"):
        current = np.where(there.any(axis=2), (table.rated_va / coils)[:, None] / table.rated_v, np.nan)
        sides = np.stack([sequences.rated_hv_v, sequences.rated_lv_v], axis=1)
        line_current = sequences.rated_va[:, None] / np.sqrt(3) / sides
    for name, values in (("transformers", current), ("sequence_transformers", line_current)):
        yield from _outside(network, name, "rated_va", values, _WINDING)
        yield from _outside(network, name, "tap_step_pct", getattr(network, name).tap_step_pct, _STEP)
    yield from _outside(network, "transformers", "resistance_pu", table.resistance_pu, _PER_UNIT)
    yield from _outside(network, "transformers", "reactance_pu", table.reactance_pu, _PER_UNIT)
    for column in ("impedance_pu", "impedance_zero_pu"):
        yield from _outside(network, "sequence_transformers", column, np.abs(getattr(sequences, column)), _PER_UNIT)
    for name in ("transformers", "sequence_transformers"):
        yield from _outside(network, name, "magnetising_pu", np.abs(getattr(network, name).magnetising_pu), _PER_UNIT)
        yield from _rated_twice(network, name)


def _rated_twice(network: Network, name: str) -> Iterator[Fault]:
    """Ratings of transformers that are far from what they are built for."""
    table = getattr(network, name)
    window = Window(0.02, 50, "times rated_va", "kilovolt-amperes", "volt-amperes times a thousand")
    yield from _outside(network, name, "rating normal", table.ratings.normal / table.rated_va, window)


def _injections(network: Network) -> Iterator[Fault]:
    loads, units, shunts = network.loads, network.units, network.shunts
    nominal = coil_volts(network, loads.node)
    yield from _outside(network, "loads", "nominal_v", loads.nominal_v[:, None] / nominal, _NOMINAL)
    yield from _outside(network, "loads", "power_va", np.abs(loads.power_va) / loads.nominal_v[:, None], _LOAD)
    there = (units.node != ABSENT).all(axis=2)
    share = np.maximum(there.sum(axis=1), 1)[:, None]
    current = np.where(there, units.rated_va[:, None] / share / coil_volts(network, units.node), np.nan)
    yield from _outside(network, "units", "rated_va", current, _UNIT)
    given = np.where(there, np.abs(units.power_va)[:, None] / share / coil_volts(network, units.node), np.nan)
    yield from _outside(network, "units", "power_va", given, _LOAD)
    drawn = np.abs(np.einsum("nii->ni", shunts.admittance_s)) * _phase_volts(network)[shunts.node]
    yield from _outside(network, "shunts", "admittance_s", drawn, _LOAD)


def _controls(network: Network) -> Iterator[Fault]:
    regulators, controls = network.regulators, network.capacitor_controls
    set_v = regulators.set_v * regulators.pt_ratio / coil_volts(network, regulators.node)
    yield from _outside(network, "regulators", "set_v", set_v, _SETTING)
    nominal = coil_volts(network, controls.node) / controls.pt_ratio
    by_voltage = controls.kind == CapacitorControlKind.VOLTAGE
    settings: tuple[tuple[str, FloatArray], ...] = (
        ("on_at", np.where(by_voltage, controls.on_at, np.nan)),
        ("off_at", np.where(by_voltage, controls.off_at, np.nan)),
    )
    for column, values in settings:
        yield from _outside(network, "capacitor_controls", column, values / nominal, _SETTING)
