"""Loads and injections as branches between two nodes whose power follows a law of voltage.

With v the voltage across a pair over its nominal one, what is injected is the pair's power times f(v), as
`model.Loads` says it; everything here works with f(v) / v², the factor of a constant admittance. Inside the
band f is the law; above it, f / v² stays at `edge_pu` / v² of the upper end, or goes on from the law where
that is not a number; below it likewise with the lower end where `low_pu` is 0, else the current f / v runs
straight from v at `low_pu` to that lower end, and f / v² is 1 below `low_pu`. Active and reactive power
follow this apart. Currents are those injected into the first node, drawn from the second.
"""

from dataclasses import dataclass, fields

import numpy as np

from grid_engine.flow.kernel import law
from grid_engine.model import ABSENT, ComplexArray, FloatArray, IntArray, Network


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Branches between two nodes; all arrays have one entry per branch along their first axis."""

    first: IntArray
    """Shape (n,): node of the network, or `EARTH`."""
    second: IntArray
    nominal_v: FloatArray
    """Across the branch."""
    zip_p: FloatArray
    """Shape (n, 3): parts of constant impedance, current and power."""
    zip_q: FloatArray
    exponent: FloatArray
    """Shape (n, 2): of active and reactive power; not a number where the parts above hold."""
    band_pu: FloatArray
    """Shape (n, 2)."""
    edge_pu: FloatArray
    """Shape (n, 2, 2): active, then reactive power at the lower, then the upper end; not a number: the law's."""
    low_pu: FloatArray

    @property
    def size(self) -> int:
        """Number of branches."""
        return len(self.first)


def load_pairs(network: Network) -> tuple[Pairs, IntArray]:
    """Branches of the loads, one load after the other, and which load (n_pair,) each belongs to."""
    loads = network.loads
    there = np.all(loads.node != ABSENT, axis=2)
    owner = np.repeat(np.arange(len(loads.ids)), 3)[there.ravel()]
    pairs = Pairs(
        first=loads.node[there][:, 0],
        second=loads.node[there][:, 1],
        nominal_v=loads.nominal_v[owner],
        zip_p=loads.zip_p[owner],
        zip_q=loads.zip_q[owner],
        exponent=loads.exponent[owner],
        band_pu=loads.band_pu[owner],
        edge_pu=loads.edge_pu[owner],
        low_pu=loads.low_pu[owner],
    )
    return pairs, owner


def load_power(network: Network) -> ComplexArray:
    """Shape (n_pair,): volt-amperes that the branches of `load_pairs` inject at nominal voltage, so mostly negative."""
    loads = network.loads
    there = np.all(loads.node != ABSENT, axis=2)
    return np.asarray(-np.where(loads.in_service[:, None], loads.power_va, 0)[there])


def unit_pairs(network: Network) -> tuple[Pairs, IntArray]:
    """Branches of the units, one unit after the other, and which unit (n_pair,) each belongs to."""
    units = network.units
    there = np.all(units.node != ABSENT, axis=2)
    owner = np.repeat(np.arange(len(units.ids)), 3)[there.ravel()]
    return constant_power(units.node[there][:, 0], units.node[there][:, 1]), owner


def unit_power(network: Network) -> ComplexArray:
    """Shape (n_pair,): volt-amperes that the branches of `unit_pairs` inject."""
    units = network.units
    there = np.all(units.node != ABSENT, axis=2)
    share = np.where(units.in_service, units.power_va, 0) / np.maximum(there.sum(axis=1), 1)
    return np.asarray(np.repeat(share, 3)[there.ravel()])


def constant_power(first: IntArray, second: IntArray) -> Pairs:
    """Branches whose power does not depend on voltage, such as those of inverters; `EARTH` may be an end."""
    n = len(first)
    return Pairs(
        first=np.asarray(first, dtype=np.int64),
        second=np.asarray(second, dtype=np.int64),
        nominal_v=np.ones(n),
        zip_p=np.tile([0.0, 0.0, 1.0], (n, 1)),
        zip_q=np.tile([0.0, 0.0, 1.0], (n, 1)),
        exponent=np.full((n, 2), np.nan),
        band_pu=np.tile([0.0, np.inf], (n, 1)),
        edge_pu=np.full((n, 2, 2), np.nan),
        low_pu=np.zeros(n),
    )


def joined(*parts: Pairs) -> Pairs:
    """All branches of `parts`, one part after the other."""
    return Pairs(**{f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Pairs)})


def factors(pairs: Pairs, voltage: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Active and reactive f(v) / v² at voltages (n_pair, n_case) over nominal."""
    return law.factors(law_table(pairs), voltage)


def slopes(pairs: Pairs, voltage: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How `factors` change with the voltage over nominal."""
    return law.slopes(law_table(pairs), voltage)


def law_table(pairs: Pairs) -> FloatArray:
    """Shape (n_pair, LAW): the laws in the order of `kernel.law`."""
    above = [_edge(pairs, part, 1) for part in range(2)]
    below = [_ramp(pairs, part) for part in range(2)]
    parts = [pairs.zip_p, pairs.zip_q, pairs.exponent, pairs.band_pu, pairs.low_pu[:, None]]
    return np.concatenate([*parts, *above, *(start for start, _ in below), *(rise for _, rise in below)], axis=1)


def _inside(pairs: Pairs, part: int, voltage: FloatArray) -> FloatArray:
    parts, exponent = _parts(pairs, part), pairs.exponent[:, part, None]
    by_parts = parts[0] + parts[1] / voltage + parts[2] / voltage**2
    return np.where(np.isnan(exponent), by_parts, voltage ** (exponent - 2))


def _edge(pairs: Pairs, part: int, end: int) -> FloatArray:
    """The factor beyond the lower (0) or upper (1) end of the band; of no meaning where there is no such end."""
    at, given = pairs.band_pu[:, end, None], pairs.edge_pu[:, part, end, None]
    real = (at > 0) & np.isfinite(at)
    safe = np.where(real, at, 1.0)
    return np.where(np.isnan(given), _inside(pairs, part, safe), given / safe**2)


def _ramp(pairs: Pairs, part: int) -> tuple[FloatArray, FloatArray]:
    """Current over nominal below the band is start + rise * voltage; below `low_pu` it is just the voltage."""
    lowest, low = pairs.band_pu[:, :1], pairs.low_pu[:, None]
    edge = _edge(pairs, part, 0)
    used = (low > 0) & (lowest > low)
    rise = (lowest * edge - low) / np.where(used, lowest - low, 1.0)
    return np.where(used, low * (1 - rise), 0.0), np.where(used, rise, edge)


def _parts(pairs: Pairs, part: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    table = (pairs.zip_p, pairs.zip_q)[part]
    return table[:, :1], table[:, 1:2], table[:, 2:]
