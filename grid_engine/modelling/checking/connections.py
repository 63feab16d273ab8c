"""Whether everything is connected: to a source, to the phases that it needs, to earth, and at one voltage level."""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from grid_engine.model import (
    ABSENT,
    EARTH,
    TERMINAL_NAMES,
    BoolArray,
    FloatArray,
    IntArray,
    Network,
    SwitchKind,
    Terminal,
)
from grid_engine.modelling.checking.fault import Fault, FaultKind, anywhere, finder

_SAME_LEVEL = 0.02
"""Nominal voltages closer than that are one level."""
_RATIO = 1.33
"""Beyond that a transformer's ratio contradicts the levels that it joins; the square root of 3 is 1.73."""
_MOST_NAMES = 5


def connection_faults(network: Network) -> Iterator[Fault]:
    """Islands, phases that nothing feeds, and sections whose voltage to earth nothing fixes."""
    if not network.sources.ids:
        remedy = "add the system above, with its voltage and short-circuit admittance"
        yield Fault(FaultKind.NO_SOURCE, "network", network.version, "no source", remedy)
        return
    yield from _unfed(network)
    yield from _unearthed(network)


def _unfed(network: Network) -> Iterator[Fault]:
    """Everything closed and in service: what even then no source reaches."""
    n_node, bus = len(network.nodes.bus), network.nodes.bus
    label = _components(n_node, [*_galvanic(network), *_magnetic(network)])
    nodes = network.sources.node
    fed = np.isin(label, label[nodes[nodes >= 0]]) | ((network.nodes.terminal == Terminal.N) & _earthed(network))
    fed_bus = np.zeros(len(network.buses.ids), dtype=np.bool_)
    fed_bus[bus[fed]] = True
    yield from finder(network, "buses").where(
        ~fed_bus,
        FaultKind.ISLAND,
        "not connected to a source even with every switch closed",
        "connect it, or remove it",
    )
    dark = ~fed & fed_bus[bus]
    partly = np.zeros(len(fed_bus), dtype=np.bool_)
    partly[bus[dark]] = True

    def what(n: int) -> str:
        missing = ", ".join(TERMINAL_NAMES[t] for t in network.nodes.terminal[dark & (bus == n)])
        return f"nothing feeds its {missing}"

    remedy = "carry that conductor on from the source, or take it off the bus"
    yield from finder(network, "buses").where(partly, FaultKind.MISSING_PHASE, what, remedy)
    for table in ("loads", "units", "shunts"):
        node = getattr(network, table).node
        hangs = _at(dark, node)

        def where(n: int, node: IntArray = node, hangs: BoolArray = hangs) -> str:
            at = int(node[n][hangs[n]][0])
            return f"stands at {network.buses.ids[bus[at]]}.{TERMINAL_NAMES[network.nodes.terminal[at]]}, unfed"

        yield from finder(network, table).where(
            hangs, FaultKind.MISSING_PHASE, where, "connect it to a phase that is fed"
        )


def _unearthed(network: Network) -> Iterator[Fault]:
    n_node = len(network.nodes.bus)
    label = _sections(network)
    floating = ~_earthed(network)
    # Single nodes hang on loads alone, and are told as unfed phases.
    size = np.bincount(label)
    sections = np.unique(label[:n_node][floating & (size[label[:n_node]] > 1)])
    for section in sections:
        buses = np.unique(network.nodes.bus[label[:n_node] == section])
        names = ", ".join(network.buses.ids[b] for b in buses[:_MOST_NAMES])
        more = f" and {len(buses) - _MOST_NAMES} more" if len(buses) > _MOST_NAMES else ""
        yield Fault(
            FaultKind.UNEARTHED,
            "bus",
            network.buses.ids[buses[0]],
            f"nothing fixes the voltage to earth of {names}{more}",
            "earth a star point there, or give a transformer's coils a float_va",
        )


def _earthed(network: Network) -> BoolArray:
    """Shape (n_node,): whether something holds the node's voltage to earth."""
    label = _sections(network)
    return np.asarray(label[:-1] == label[-1])


def _sections(network: Network) -> IntArray:
    """Shape (n_node + 1,): the section that each node belongs to, and the earth as the last of them."""
    n_node = len(network.nodes.bus)
    return _components(n_node + 1, [*_galvanic(network), *_earthing(network, n_node)])


def _components(n: int, edges: list[tuple[IntArray, IntArray]]) -> IntArray:
    first, second = (np.concatenate(side) for side in zip(*edges, strict=True))
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _galvanic(network: Network) -> Iterator[tuple[IntArray, IntArray]]:
    """Nodes that conductors, coils, shunts and switches between buses join."""
    yield _both(network.lines.from_node, network.lines.to_node)
    yield _both(network.transformers.node[..., 0], network.transformers.node[..., 1])
    node, admittance = network.shunts.node, np.abs(network.shunts.admittance_s) > 0
    yield _both(*(np.where(admittance, side, ABSENT) for side in (node[:, :, None], node[:, None, :])))
    switches = network.switches
    for n in np.flatnonzero(switches.kind == SwitchKind.BUS):
        here, there = (np.flatnonzero(network.nodes.bus == bus) for bus in (switches.bus[n], switches.element[n]))
        _, first, second = np.intersect1d(
            network.nodes.terminal[here], network.nodes.terminal[there], return_indices=True
        )
        yield here[first], there[second]


def _magnetic(network: Network) -> Iterator[tuple[IntArray, IntArray]]:
    """Coils of one phase of a transformer; one end stands for each of them."""
    node = network.transformers.node.max(axis=3, initial=ABSENT)
    for winding in range(1, node.shape[1]):
        yield _both(node[:, 0], node[:, winding])
    yield _both(network.sequence_transformers.hv_node, network.sequence_transformers.lv_node)


def _earthing(network: Network, earth: int) -> Iterator[tuple[IntArray, IntArray]]:
    """Nodes that have a way to earth, which is one node more."""
    lines, coils, shunts = network.lines, network.transformers.node, network.shunts
    from_earth, to_earth = lines.from_node == EARTH, lines.to_node == EARTH
    charged = np.abs(lines.shunt_s).sum(axis=2) > 0
    pinned = (network.transformers.float_va > 0)[:, :, None, :]
    leaks = (
        np.abs(shunts.admittance_s.sum(axis=2))
        > 1e-9 * np.abs(shunts.admittance_s).max(axis=(1, 2), initial=0)[:, None]
    )
    parts = (
        network.sources.node,
        network.sequence_transformers.hv_node,
        network.sequence_transformers.lv_node,
        np.where(to_earth | charged, lines.from_node, ABSENT),
        np.where(from_earth | charged, lines.to_node, ABSENT),
        np.where((coils[..., 1:] == EARTH) | pinned[..., :1], coils[..., :1], ABSENT),
        np.where((coils[..., :1] == EARTH) | pinned[..., 1:], coils[..., 1:], ABSENT),
        np.where(leaks, shunts.node, ABSENT),
    )
    for node in parts:
        standing = node[node >= 0]
        yield standing, np.full(len(standing), earth)


def _both(first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    """Pairs of nodes, where both are some."""
    first, second = np.broadcast_arrays(first, second)
    there = (first >= 0) & (second >= 0)
    return first[there], second[there]


def _at(marked: BoolArray, node: IntArray) -> BoolArray:
    """Where `node` is one of the marked; the earth and what is absent never are."""
    return np.append(marked, [False, False])[node]


def level_faults(network: Network) -> Iterator[Fault]:
    """Lines and switches that join two voltage levels, and transformers that do not fit theirs."""
    phase_v = np.where(network.nodes.terminal == Terminal.N, np.nan, network.buses.phase_v[network.nodes.bus])
    volts = np.append(phase_v, [np.nan, np.nan])
    lines, switches = network.lines, network.switches
    first, second = volts[lines.from_node], volts[lines.to_node]
    differ = np.abs(first - second) > _SAME_LEVEL * np.fmax(first, second)
    yield from finder(network, "lines").where(
        differ,
        FaultKind.VOLTAGE_LEVELS,
        lambda n: f"joins two voltage levels, {first[n][differ[n]][0]:g} V and {second[n][differ[n]][0]:g} V to earth",
        "put a transformer there, or correct a bus",
    )
    to_bus = switches.kind == SwitchKind.BUS
    one = network.buses.phase_v[switches.bus]
    other = np.where(to_bus, network.buses.phase_v[np.where(to_bus, switches.element, switches.bus)], one)
    yield from finder(network, "switches").where(
        np.abs(one - other) > _SAME_LEVEL * np.fmax(one, other),
        FaultKind.VOLTAGE_LEVELS,
        lambda n: f"joins two voltage levels, {one[n]:g} V and {other[n]:g} V to earth",
        "put a transformer there, or correct a bus",
    )
    yield from _ratios(network)
    yield from _switch_places(network)


def _ratios(network: Network) -> Iterator[Fault]:
    table, sequences = network.transformers, network.sequence_transformers
    coils = coil_volts(network, table.node)
    known = np.isfinite(coils)
    nominal = np.where(known, coils, 0.0).sum(axis=2) / known.sum(axis=2)
    off = table.rated_v / nominal
    off /= off[:, :1]
    yield from finder(network, "transformers").where(
        (off > _RATIO) | (off < 1 / _RATIO),
        FaultKind.TRANSFORMER_RATIO,
        lambda n: f"rated {_listed(table.rated_v[n])} V across coils that stand at {_listed(nominal[n])} V",
        "correct rated voltages, or those of the buses",
    )
    phase_v = network.buses.phase_v[network.nodes.bus] if len(network.nodes.bus) else np.zeros(1)
    sides = [phase_v[node[:, 0]] * np.sqrt(3) for node in (sequences.hv_node, sequences.lv_node)]
    off = sequences.rated_hv_v / sides[0] / (sequences.rated_lv_v / sides[1])
    yield from finder(network, "sequence_transformers").where(
        (off > _RATIO) | (off < 1 / _RATIO),
        FaultKind.TRANSFORMER_RATIO,
        lambda n: (
            f"rated {sequences.rated_hv_v[n]:g} to {sequences.rated_lv_v[n]:g} V "
            f"between buses of {sides[0][n]:g} and {sides[1][n]:g} V"
        ),
        "correct rated voltages, or those of the buses",
    )


def coil_volts(network: Network, node: IntArray) -> FloatArray:
    """Nominal volts between two nodes (..., 2): phases are 120° apart, legs opposite; no number across two levels."""
    volts = np.append(network.buses.phase_v[network.nodes.bus], [np.nan, 0.0])[node]
    live = np.append(network.nodes.terminal != Terminal.N, [False, False])[node]
    legs = np.append(network.nodes.terminal > Terminal.N, [False, False])[node].all(axis=-1)
    both = live.all(axis=-1)
    across = np.where(legs, 2.0, np.where(both, np.sqrt(3), 1.0)) * np.where(live, volts, 0.0).max(axis=-1)
    same = ~both | (np.abs(volts[..., 0] - volts[..., 1]) <= _SAME_LEVEL * volts[..., 0])
    return np.where(same & (across > 0), across, np.nan)


def _listed(values: FloatArray) -> str:
    return ", ".join(f"{value:g}" for value in values if np.isfinite(value) and value)


def _switch_places(network: Network) -> Iterator[Fault]:
    """Switches of lines and transformers at buses where these have no end."""
    switches, bus = network.switches, np.append(network.nodes.bus, [-1, -1])
    coils = network.transformers.node
    ends = {
        SwitchKind.LINE: np.concatenate([network.lines.from_node, network.lines.to_node], axis=1),
        SwitchKind.TRANSFORMER: coils.reshape(len(coils), int(np.prod(coils.shape[1:]))),
        SwitchKind.SEQUENCE_TRANSFORMER: np.concatenate(
            [network.sequence_transformers.hv_node, network.sequence_transformers.lv_node], axis=1
        ),
    }
    astray = np.zeros(len(switches.ids), dtype=np.bool_)
    for kind, nodes in ends.items():
        which = np.flatnonzero(switches.kind == kind)
        astray[which] = ~anywhere(bus[nodes[switches.element[which]]] == switches.bus[which, None])
    yield from finder(network, "switches").where(
        astray,
        FaultKind.UNKNOWN_ELEMENT,
        lambda n: f"stands at bus {network.buses.ids[switches.bus[n]]}, where what it opens has no end",
        "name the bus of one of its ends",
    )
