"""Compares every element that was read with what OpenDSS itself says: nothing may differ without a name."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from grid_engine.elements.lines import line_primitives
from grid_engine.elements.primitive import Primitives, open_ends
from grid_engine.elements.shunts import shunt_primitives
from grid_engine.elements.sources import source_currents, source_primitives
from grid_engine.elements.windings import winding_primitives
from grid_engine.flow.pairs import Pairs, factors, load_pairs, load_power, unit_pairs, unit_power
from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Circuit, Record, hangs_free, holds_voltage
from grid_engine.importers.opendss.units import UNITS
from grid_engine.model import EARTH, BoolArray, ComplexArray, FloatArray, IntArray, Network

_CLOSE = 1e-8
"""Of admittances, over the geometric mean of the two nodes' own."""
_AT_OPEN_ENDS_S = 2e-12
"""More than what OpenDSS adds to elements with open ends."""
_CURRENT_CLOSE = 1e-6
"""Of currents, over the largest of the element, of a source over what it feeds into a short circuit."""
_SEARCHED_CLOSE = 1e-3
"""Likewise of generators that hold voltage, whose reactive power OpenDSS searches for phase by phase."""
_UNREAD = "it has a property that is not read"
_WHY = dict.fromkeys(UNITS, "its phases do not share constant power equally")
_LEAST_A = 1e-3
_NO_VOLTAGE = 1e-9
"""Per unit; keeps laws of voltage away from dividing by 0."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Which record every row of a table comes from."""

    lines: tuple[Record, ...]
    transformers: tuple[Record, ...]
    shunts: tuple[Record, ...]
    loads: tuple[Record, ...]
    units: tuple[Record, ...]
    sources: tuple[Record, ...]


def differences(circuit: Circuit, layout: Layout, network: Network, claims: Claims) -> list[str]:
    """Faults: elements whose admittance or current is not that of OpenDSS."""
    found = [
        f"{record.title}: its admittance differs from OpenDSS's by {off:.1e}, so {_UNREAD}"
        for record, off in admittance_differences(layout, network, claims)
        if not off < _CLOSE
    ]
    found += [
        f"{record.title}: its current differs from OpenDSS's by {off:.1e}, so " + _WHY.get(record.kind, _UNREAD)
        for record, off in _current_differences(circuit, layout, network, claims)
        if not off < (_SEARCHED_CLOSE if holds_voltage(record) else _CURRENT_CLOSE)
    ]
    return found


def admittance_differences(layout: Layout, network: Network, claims: Claims) -> Iterator[tuple[Record, float]]:
    """Every record in service that has an admittance, and the largest difference between any two of its nodes."""
    shunts = shunt_primitives(network.shunts)
    closed = np.where(network.shunts.in_service[:, None, None], shunts.admittance_s, 0)
    tables = (
        (claims.lines, _opened(line_primitives(network.lines), claims.lines, layout)),
        (
            claims.transformers,
            _opened(winding_primitives(network.transformers, network.transformers.tap), claims.transformers, layout),
        ),
        (claims.shunts, Primitives(shunts.node, closed)),
        (claims.sources, source_primitives(network.sources)),
    )
    parts: dict[tuple[str, str], list[_Part]] = defaultdict(list)
    for owners, table in tables:
        for owner, node, admittance in zip(owners, table.node, table.admittance_s, strict=True):
            parts[owner.kind, owner.name].append(_Part(owner, node, admittance))
    for made in parts.values():
        if made[0].record.enabled:
            yield made[0].record, _difference(layout, made)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One row of a table."""

    record: Record
    node: IntArray
    admittance_s: ComplexArray


def _opened(made: Primitives, records: Sequence[Record], layout: Layout) -> Primitives:
    """Conductors that are open float; those of one terminal stand at nodes where no other terminal stands."""
    opened = np.zeros(made.node.shape, dtype=np.bool_)
    for n, record in enumerate(records):
        for terminal, closed in zip(record.places, _closed(record), strict=True):
            opened[n] |= np.isin(made.node[n], layout.of(terminal)[~closed])
    return open_ends(made, opened) if opened.any() else made


def _closed(record: Record) -> tuple[BoolArray, ...]:
    """Per terminal, which conductors are not open, as a whole or alone."""
    return tuple(
        np.array([not off and not hangs_free(place) for place in terminal], dtype=np.bool_)
        for terminal, off in zip(record.places, record.opened, strict=True)
    )


def _difference(layout: Layout, parts: Sequence[_Part]) -> float:
    """Between what the parts of one record add up to and its own matrix."""
    record = parts[0].record
    ends = layout.of(record.conductors)
    live = np.concatenate(_closed(record))
    nodes = np.unique(np.concatenate([ends, *(part.node for part in parts)]))
    nodes = nodes[nodes >= 0]
    theirs = _summed(nodes, ends, record.admittance * live[:, None] * live)
    ours = sum(_summed(nodes, part.node, part.admittance_s) for part in parts)
    size = np.sqrt(np.abs(np.diag(theirs)))
    size = np.where(size > 0, size, 1.0)
    off = np.maximum(np.abs(ours - theirs) - (0.0 if live.all() else _AT_OPEN_ENDS_S), 0.0)
    return float((off / size[:, None] / size).max(initial=0.0))


def _summed(nodes: IntArray, ends: IntArray, admittance: ComplexArray) -> ComplexArray:
    """Over `nodes`, of conductor ends that may share one."""
    to_node = (ends[:, None] == nodes).astype(np.float64)
    return np.asarray(to_node.T @ admittance @ to_node)


def _current_differences(
    circuit: Circuit, layout: Layout, network: Network, claims: Claims
) -> Iterator[tuple[Record, float]]:
    """Loads, units and sources, and the largest difference between currents over the nominal one."""
    volts = np.zeros(len(network.nodes.bus) + 1, dtype=np.complex128)  # the last one for EARTH
    for place, node in layout.node.items():
        volts[node] = circuit.voltage.get(place, 0j)
    for records, (pairs, owner), power in (
        (claims.loads, load_pairs(network), load_power(network)),
        (claims.units, unit_pairs(network), unit_power(network)),
    ):
        drawn = _drawn(pairs, power, volts[pairs.first] - volts[pairs.second])
        ends = np.stack([pairs.first, pairs.second], axis=1)
        owners, values = np.repeat(owner, 2), (drawn[:, None] * (1, -1)).ravel()
        least = np.full(len(records), _LEAST_A)
        yield from _beside(records, layout, (owners, ends.ravel(), values), least)
    sources = network.sources
    behind = source_currents(sources, sources.voltage_pu, network.buses, network.nodes)
    built = source_primitives(sources)
    values = np.einsum("nij,nj->ni", built.admittance_s, volts[np.maximum(built.node, EARTH)]) - behind
    owners = np.repeat(np.arange(len(sources.ids)), 3)
    own = (owners, built.node.ravel(), values.ravel())
    yield from _beside(claims.sources, layout, own, np.abs(behind).max(axis=1, initial=_LEAST_A))


def _drawn(pairs: Pairs, power: ComplexArray, across: ComplexArray) -> ComplexArray:
    """Amperes into the first node's end of each pair."""
    size = np.maximum(np.abs(across) / pairs.nominal_v, _NO_VOLTAGE)
    active, reactive = factors(pairs, size[:, None])
    admittance = -(power.real * active[:, 0] - 1j * power.imag * reactive[:, 0]) / pairs.nominal_v**2
    return np.asarray(admittance * across)


_Currents = tuple[IntArray, IntArray, ComplexArray]
"""Record, node and amperes; what one record draws from one node adds up."""


def _beside(
    records: Sequence[Record], layout: Layout, ours: _Currents, least_a: FloatArray
) -> Iterator[tuple[Record, float]]:
    """Largest difference per record between our currents and its own, over the largest of these or `least_a`."""
    live = [n for n, record in enumerate(records) if record.enabled and not record.opened.any()]
    if not live:
        return
    there = [layout.of(records[n].conductors) for n in live]
    owner = np.repeat(live, [len(nodes) for nodes in there])
    theirs = (owner, np.concatenate(there), np.concatenate([records[n].current for n in live]))
    shape = (len(records), len(layout.nodes.bus))
    own, other = (_by_node(currents, shape) for currents in (ours, theirs))
    off, size = abs(own - other).max(axis=1).toarray().ravel(), abs(other).max(axis=1).toarray().ravel()
    for n in live:
        yield records[n], float(off[n] / max(size[n], least_a[n]))


def _by_node(currents: _Currents, shape: tuple[int, int]) -> csr_array:
    owner, node, value = currents
    real = node >= 0
    return coo_array((value[real], (owner[real], node[real])), shape=shape).tocsr()
