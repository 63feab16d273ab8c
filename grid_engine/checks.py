"""Finds every fault of a network before anything is computed from it; nothing here raises."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray, Network, SwitchKind


class FaultKind(StrEnum):
    """What is wrong."""

    NOT_A_NUMBER = "not a number"
    ZERO_IMPEDANCE = "no impedance"
    NEGATIVE_RATING = "rating not positive"
    UNKNOWN_BUS = "connected to a bus that is not in the model"
    VOLTAGE_LEVELS = "joins two voltage levels"
    TAP_RANGE = "tap position out of its range"
    ISLAND = "not connected to the source even with every switch closed"


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault and everything that has it."""

    kind: FaultKind
    table: str
    ids: tuple[str, ...]

    def __str__(self) -> str:
        """For people."""
        return f"{self.table} {', '.join(self.ids)}: {self.kind.value}"


def faults(network: Network) -> tuple[Fault, ...]:
    """Every fault, with the ids of the offending elements; empty where the network can be computed."""
    unknown = tuple(_unknown_buses(network))
    found = (*unknown, *_numbers(network), *_impedances(network), *_ratings(network), *_taps(network))
    if unknown:
        return found
    return (*found, *_levels(network), *_islands(network))


def _fault(kind: FaultKind, table: str, ids: tuple[str, ...], bad: BoolArray) -> Iterator[Fault]:
    """One fault over the rows where `bad` holds, or none."""
    if bad.any():
        yield Fault(kind, table, tuple(ids[n] for n in np.flatnonzero(bad)))


def _unknown_buses(network: Network) -> Iterator[Fault]:
    n_bus = len(network.buses.ids)
    lines, transformers, switches = network.lines, network.transformers, network.switches
    sizes = {SwitchKind.LINE: len(lines.ids), SwitchKind.TRANSFORMER: len(transformers.ids), SwitchKind.BUS: n_bus}
    switch_size = np.array([sizes[SwitchKind(kind)] for kind in switches.kind], dtype=np.int64)
    tables: tuple[tuple[str, tuple[str, ...], IntArray, IntArray | int], ...] = (
        ("line", lines.ids, lines.from_bus, n_bus),
        ("line", lines.ids, lines.to_bus, n_bus),
        ("transformer", transformers.ids, transformers.hv_bus, n_bus),
        ("transformer", transformers.ids, transformers.lv_bus, n_bus),
        ("shunt", network.shunts.ids, network.shunts.bus, n_bus),
        ("load", network.loads.ids, network.loads.bus, n_bus),
        ("switch", switches.ids, switches.bus, n_bus),
        ("switch", switches.ids, switches.element, switch_size),
    )
    for table, ids, position, size in tables:
        yield from _fault(FaultKind.UNKNOWN_BUS, table, ids, (position < 0) | (position >= size))


def _numbers(network: Network) -> Iterator[Fault]:
    lines, transformers = network.lines, network.transformers
    tables: tuple[tuple[str, tuple[str, ...], tuple[FloatArray | ComplexArray, ...]], ...] = (
        ("bus", network.buses.ids, (network.buses.nominal_v,)),
        ("line", lines.ids, (lines.impedance_ohm, lines.shunt_s)),
        (
            "transformer",
            transformers.ids,
            (
                *(transformers.rated_va, transformers.rated_hv_v, transformers.rated_lv_v, transformers.shift_deg),
                *(transformers.impedance_pu, transformers.magnetising_pu, transformers.tap_step_pct),
                *(transformers.impedance_zero_pu, transformers.magnetising_zero_pu, transformers.zero_hv_share),
            ),
        ),
        ("shunt", network.shunts.ids, (network.shunts.admittance_s,)),
        ("load", network.loads.ids, (network.loads.power_va,)),
        ("source", (network.source.id,), (np.array([network.source.voltage_pu, network.source.angle_deg]),)),
    )
    for table, ids, columns in tables:
        bad = np.zeros(len(ids), dtype=np.bool_)
        for column in columns:
            bad |= ~np.isfinite(column).reshape(len(ids), -1).all(axis=1)
        yield from _fault(FaultKind.NOT_A_NUMBER, table, ids, bad)


def _impedances(network: Network) -> Iterator[Fault]:
    lines, transformers = network.lines, network.transformers
    diagonal = np.abs(np.einsum("nii->ni", lines.impedance_ohm))
    zero = ((diagonal < 1e-9) & lines.phases).any(axis=1) | ~lines.phases.any(axis=1)
    yield from _fault(FaultKind.ZERO_IMPEDANCE, "line", lines.ids, zero)
    for impedance in (transformers.impedance_pu, transformers.impedance_zero_pu, transformers.magnetising_zero_pu):
        yield from _fault(FaultKind.ZERO_IMPEDANCE, "transformer", transformers.ids, np.abs(impedance) < 1e-9)


def _ratings(network: Network) -> Iterator[Fault]:
    transformers = network.transformers
    tables: tuple[tuple[str, tuple[str, ...], FloatArray], ...] = (
        ("bus", network.buses.ids, network.buses.nominal_v),
        ("line", network.lines.ids, network.lines.ampacity_a),
        ("transformer", transformers.ids, transformers.rated_va),
        ("transformer", transformers.ids, transformers.rated_hv_v),
        ("transformer", transformers.ids, transformers.rated_lv_v),
        ("source", (network.source.id,), np.array([network.source.voltage_pu])),
    )
    for table, ids, column in tables:
        yield from _fault(FaultKind.NEGATIVE_RATING, table, ids, ~(column > 0))


def _taps(network: Network) -> Iterator[Fault]:
    transformers = network.transformers
    out = (transformers.tap < transformers.tap_min) | (transformers.tap > transformers.tap_max)
    yield from _fault(FaultKind.TAP_RANGE, "transformer", transformers.ids, out)


def _levels(network: Network) -> Iterator[Fault]:
    volts, lines = network.buses.nominal_v, network.lines
    differ = ~np.isclose(volts[lines.from_bus], volts[lines.to_bus], rtol=1e-6)
    yield from _fault(FaultKind.VOLTAGE_LEVELS, "line", lines.ids, differ)
    switches = network.switches
    to_bus = switches.kind == SwitchKind.BUS
    other = np.where(to_bus, switches.element, switches.bus)
    differ = ~np.isclose(volts[switches.bus], volts[other], rtol=1e-6)
    yield from _fault(FaultKind.VOLTAGE_LEVELS, "switch", switches.ids, differ)


def _islands(network: Network) -> Iterator[Fault]:
    switches = network.switches
    to_bus = switches.kind == SwitchKind.BUS
    first = np.concatenate([network.lines.from_bus, network.transformers.hv_bus, switches.bus[to_bus]])
    second = np.concatenate([network.lines.to_bus, network.transformers.lv_bus, switches.element[to_bus]])
    n_bus = len(network.buses.ids)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(n_bus, n_bus))
    _, label = connected_components(graph, directed=False)
    yield from _fault(FaultKind.ISLAND, "bus", network.buses.ids, label != label[network.source.bus])
