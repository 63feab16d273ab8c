"""Finds every fault of a network before anything is computed from it; nothing here raises."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grid_engine.model import ABSENT, BoolArray, ComplexArray, FloatArray, IntArray, Network, SwitchKind


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


def _any(bad: BoolArray) -> BoolArray:
    """Shape (n,): whether it holds anywhere in each entry."""
    return np.asarray(bad.any(axis=tuple(range(1, bad.ndim))))


def _unknown_buses(network: Network) -> Iterator[Fault]:
    n_bus, n_node = len(network.buses.ids), len(network.nodes.bus)
    switches = network.switches
    for table, ids, node in _ends(network):
        outside = _any((node < ABSENT) | (node >= n_node))
        yield from _fault(FaultKind.UNKNOWN_BUS, table, ids, outside | ~_any(node != ABSENT))
    sizes = np.array(
        [len(network.lines.ids), len(network.transformers.ids), n_bus, len(network.sequence_transformers.ids)]
    )
    wrong = (switches.bus < 0) | (switches.bus >= n_bus) | (switches.element < 0)
    yield from _fault(FaultKind.UNKNOWN_BUS, "switch", switches.ids, wrong | (switches.element >= sizes[switches.kind]))


def _ends(network: Network) -> tuple[tuple[str, tuple[str, ...], IntArray], ...]:
    lines, sequences = network.lines, network.sequence_transformers
    return (
        ("line", lines.ids, lines.from_node),
        ("line", lines.ids, lines.to_node),
        ("transformer", network.transformers.ids, network.transformers.node),
        ("transformer", sequences.ids, sequences.hv_node),
        ("transformer", sequences.ids, sequences.lv_node),
        ("shunt", network.shunts.ids, network.shunts.node),
        ("load", network.loads.ids, network.loads.node),
        ("source", network.sources.ids, network.sources.node),
    )


def _numbers(network: Network) -> Iterator[Fault]:
    lines, sequences, sources = network.lines, network.sequence_transformers, network.sources
    tables: tuple[tuple[str, tuple[str, ...], tuple[FloatArray | ComplexArray, ...]], ...] = (
        ("bus", network.buses.ids, (network.buses.phase_v,)),
        ("line", lines.ids, (lines.impedance_ohm, lines.shunt_s)),
        (
            "transformer",
            sequences.ids,
            (
                *(sequences.rated_va, sequences.rated_hv_v, sequences.rated_lv_v, sequences.shift_deg),
                *(sequences.impedance_pu, sequences.magnetising_pu, sequences.tap_step_pct),
                *(sequences.impedance_zero_pu, sequences.magnetising_zero_pu, sequences.zero_hv_share),
            ),
        ),
        ("shunt", network.shunts.ids, (network.shunts.admittance_s,)),
        ("load", network.loads.ids, (network.loads.power_va, network.loads.nominal_v)),
        ("source", sources.ids, (sources.voltage_pu, sources.angle_deg, sources.admittance_s)),
    )
    for table, ids, columns in tables:
        bad = np.zeros(len(ids), dtype=np.bool_)
        for column in columns:
            bad |= _any(~np.isfinite(column))
        yield from _fault(FaultKind.NOT_A_NUMBER, table, ids, bad)


def _impedances(network: Network) -> Iterator[Fault]:
    lines, sequences = network.lines, network.sequence_transformers
    diagonal = np.abs(np.einsum("nii->ni", lines.impedance_ohm))
    zero = ((diagonal < 1e-9) & (lines.from_node != ABSENT)).any(axis=1)
    yield from _fault(FaultKind.ZERO_IMPEDANCE, "line", lines.ids, zero)
    for impedance in (sequences.impedance_pu, sequences.impedance_zero_pu, sequences.magnetising_zero_pu):
        yield from _fault(FaultKind.ZERO_IMPEDANCE, "transformer", sequences.ids, np.abs(impedance) < 1e-9)


def _ratings(network: Network) -> Iterator[Fault]:
    sequences = network.sequence_transformers
    tables: tuple[tuple[str, tuple[str, ...], FloatArray], ...] = (
        ("bus", network.buses.ids, network.buses.phase_v),
        ("line", network.lines.ids, network.lines.ratings.normal),
        ("transformer", sequences.ids, sequences.rated_va),
        ("transformer", sequences.ids, sequences.rated_hv_v),
        ("transformer", sequences.ids, sequences.rated_lv_v),
        ("source", network.sources.ids, network.sources.voltage_pu),
    )
    for table, ids, column in tables:
        yield from _fault(FaultKind.NEGATIVE_RATING, table, ids, ~(column > 0))


def _taps(network: Network) -> Iterator[Fault]:
    for table in (network.transformers, network.sequence_transformers):
        out = (table.tap < table.tap_min) | (table.tap > table.tap_max)
        yield from _fault(FaultKind.TAP_RANGE, "transformer", table.ids, out)


def _levels(network: Network) -> Iterator[Fault]:
    volts, lines = network.buses.phase_v, network.lines
    node_v = np.append(volts[network.nodes.bus], [np.nan, np.nan])
    first, second = node_v[lines.from_node], node_v[lines.to_node]
    differ = ~np.isclose(first, second, rtol=1e-6) & (lines.from_node >= 0) & (lines.to_node >= 0)
    yield from _fault(FaultKind.VOLTAGE_LEVELS, "line", lines.ids, differ.any(axis=1))
    switches = network.switches
    to_bus = switches.kind == SwitchKind.BUS
    other = np.where(to_bus, switches.element, switches.bus)
    differ = ~np.isclose(volts[switches.bus], volts[other], rtol=1e-6)
    yield from _fault(FaultKind.VOLTAGE_LEVELS, "switch", switches.ids, differ)


def _islands(network: Network) -> Iterator[Fault]:
    switches, node_bus = network.switches, network.nodes.bus
    to_bus = switches.kind == SwitchKind.BUS
    sequences, windings = network.sequence_transformers, network.transformers.node
    tables = (
        np.stack([network.lines.from_node, network.lines.to_node]),
        np.stack([sequences.hv_node, sequences.lv_node]),
        *(np.stack([windings[:, 0, :, 0], windings[:, w, :, 0]]) for w in range(1, windings.shape[1])),
    )
    pairs = [node_bus[table[:, (table >= 0).all(axis=0)]] for table in tables]
    joined = np.stack([switches.bus[to_bus], switches.element[to_bus]])
    first, second = np.concatenate([*pairs, joined], axis=1)
    n_bus = len(network.buses.ids)
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(n_bus, n_bus))
    _, label = connected_components(graph, directed=False)
    nodes = network.sources.node
    yield from _fault(FaultKind.ISLAND, "bus", network.buses.ids, ~np.isin(label, label[node_bus[nodes[nodes >= 0]]]))
