"""Whether the tables of a network fit together at all: shapes, ids, and everything that refers to something else."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grid_engine.model import ABSENT, EARTH, CapacitorControlKind, IntArray, Network, SwitchKind, Terminal
from grid_engine.modelling.checking.fault import WORDS, Fault, FaultKind, Finder, anywhere, finder
from grid_engine.modelling.document import LAYOUTS, Leaf
from grid_engine.modelling.tables import COLUMNS

_KINDS = {"int": "iu", "float": "f", "complex": "c", "bool": "b"}
_SAME_NAMESPACE = ("lines", "transformers", "sequence_transformers", "shunts")
"""Tables whose elements studies name by id alone."""


def shape_faults(network: Network) -> Iterator[Fault]:
    """Columns of another length, width or kind of number than their table's."""
    for name in ("buses", "nodes", *(layout.name for layout in LAYOUTS)):
        table = getattr(network, name)
        n = len(table.ids) if hasattr(table, "ids") else len(table.bus)
        yield from _misshapen(name, table, n)
        if hasattr(table, "ratings"):
            yield from _misshapen(f"{name}.ratings", table.ratings, n)


def _misshapen(name: str, table: object, n: int) -> Iterator[Fault]:
    sizes: dict[str, int] = {}
    for column, spec in COLUMNS[type(table)].items():
        values: NDArray[Any] = getattr(table, column)
        for letter, size in zip(spec.trailing, values.shape[1:], strict=False):
            if isinstance(letter, str):
                sizes.setdefault(letter, size)
        expected = (n, *(sizes.get(d, -1) if isinstance(d, str) else d for d in spec.trailing))
        if values.shape != expected or values.dtype.kind not in _KINDS[spec.kind]:
            what = (
                f"{column} has shape {values.shape} and numbers of kind {values.dtype}, not {expected} of {spec.kind}"
            )
            yield Fault(FaultKind.WRONG_SHAPE, "table", name, what, "make every column of a table as long as its ids")


def id_faults(network: Network) -> Iterator[Fault]:
    """Ids that name more than one element."""
    for name in ("buses", *(layout.name for layout in LAYOUTS if layout.name not in _SAME_NAMESPACE)):
        yield from _repeated(network, (name,), "")
    yield from _repeated(network, _SAME_NAMESPACE, " among lines, transformers, capacitors and reactors")


def _repeated(network: Network, tables: tuple[str, ...], among: str) -> Iterator[Fault]:
    used = Counter(name for table in tables for name in getattr(network, table).ids)
    told: set[str] = set()
    for table in tables if max(used.values(), default=1) > 1 else ():
        for name in getattr(network, table).ids:
            if used[name] > 1 and name not in told:
                told.add(name)
                what = f"{used[name]} of that id{among}"
                yield Fault(FaultKind.DUPLICATE_ID, WORDS[table], name, what, "give every element an id of its own")


def reference_faults(network: Network) -> Iterator[Fault]:
    """Nodes and elements that are not in the network."""
    yield from _node_table(network)
    for layout in LAYOUTS:
        table, find = getattr(network, layout.name), finder(network, layout.name)
        for spec in layout.fields:
            if spec.leaf is Leaf.NODE:
                yield from _unknown_nodes(network, find, spec.name, getattr(table, spec.name))
    yield from _references(network)


def _node_table(network: Network) -> Iterator[Fault]:
    nodes, n_bus = network.nodes, len(network.buses.ids)
    bad = (nodes.bus < 0) | (nodes.bus >= n_bus) | (nodes.terminal < 0) | (nodes.terminal >= len(Terminal))
    rank = nodes.bus * len(Terminal) + nodes.terminal
    bad[1:] |= np.diff(rank) <= 0
    if bad.any():
        n = int(np.argmax(bad))
        what = f"stands at bus {nodes.bus[n]}, terminal {nodes.terminal[n]}, after one of the same or a later place"
        remedy = "let nodes follow the order of buses and, within one, of terminals, each once"
        yield Fault(FaultKind.UNKNOWN_NODE, "node", str(n), what, remedy)


def _unknown_nodes(network: Network, find: Finder, column: str, node: IntArray) -> Iterator[Fault]:
    outside = (node < ABSENT) | (node >= len(network.nodes.bus))
    remedy = f"name one of the {len(network.nodes.bus)} nodes"

    def what(n: int) -> str:
        return f"{column} names node {np.ravel(node[n][outside[n]])[0]}, which is not in the model"

    yield from find.where(outside, FaultKind.UNKNOWN_NODE, what, remedy)
    nowhere = ~anywhere(node != ABSENT)
    missing = f"{column} names no node of the model"
    yield from find.where(nowhere, FaultKind.UNKNOWN_NODE, missing, "connect it, or remove it")


def _references(network: Network) -> Iterator[Fault]:
    sizes = {name: len(getattr(network, name).ids) for name in ("lines", "transformers", "shunts", "buses")}
    windings = network.transformers.rated_v.shape[1]
    regulators, controls, units = network.regulators, network.capacitor_controls, network.units
    bounds = (
        ("regulators", "transformer", regulators.transformer, 0, sizes["transformers"]),
        ("regulators", "winding", regulators.winding, 0, windings),
        ("capacitor_controls", "shunt", controls.shunt, 0, sizes["shunts"]),
        ("capacitor_controls", "line", controls.line, -1, sizes["lines"]),
        ("capacitor_controls", "kind", controls.kind, 0, len(CapacitorControlKind)),
        ("units", "volt_var", units.volt_var, -1, len(network.curves)),
        ("units", "volt_watt", units.volt_watt, -1, len(network.curves)),
        ("transformers", "tap_winding", network.transformers.tap_winding, -1, windings),
        ("switches", "bus", network.switches.bus, 0, sizes["buses"]),
        ("switches", "kind", network.switches.kind, 0, len(SwitchKind)),
        ("switches", "element", network.switches.element, 0, _switched(network)),
    )
    for table, column, values, low, high in bounds:

        def what(n: int, column: str = column, values: IntArray = values) -> str:
            return f"{column} {values[n]} is not in the model"

        outside = (values < low) | (values >= high)
        remedy = "name something that the model has"
        yield from finder(network, table).where(outside, FaultKind.UNKNOWN_ELEMENT, what, remedy)


def _switched(network: Network) -> IntArray:
    """Number of elements in the table that each switch opens something of; none for a kind that does not exist."""
    tables = (network.lines, network.transformers, network.buses, network.sequence_transformers)
    sizes = np.array([*(len(table.ids) for table in tables), 0])
    kind = network.switches.kind
    return sizes[np.where((kind < 0) | (kind >= len(SwitchKind)), len(tables), kind)]


def half_absent_faults(network: Network) -> Iterator[Fault]:
    """Conductors, coils and branches of which one end is missing."""
    lines = network.lines
    half = (lines.from_node == ABSENT) != (lines.to_node == ABSENT)
    gap = lines.from_node == ABSENT
    half[:, 1:] |= gap[:, :-1] & ~gap[:, 1:]
    remedy = "let conductors stand left, each with both ends"
    what = "a conductor has one end only, or stands behind an absent one"
    yield from finder(network, "lines").where(half, FaultKind.MISSING_PHASE, what, remedy)
    for table in ("transformers", "loads", "units"):
        node = getattr(network, table).node
        half = (node == ABSENT).any(axis=-1) & ~(node == ABSENT).all(axis=-1)
        yield from finder(network, table).where(
            half, FaultKind.MISSING_PHASE, "a coil or branch has one end only", "give both ends; the earth is one too"
        )
        shorted = (node[..., 0] == node[..., 1]) & (node[..., 0] != ABSENT)
        yield from finder(network, table).where(
            shorted, FaultKind.MISSING_PHASE, "a coil or branch has both ends at one place", "give it another end"
        )
    for table in ("regulators", "capacitor_controls"):
        node = getattr(network, table).node
        idle = (node == EARTH).all(axis=1) | (node == ABSENT).any(axis=1)
        yield from finder(network, table).where(
            idle, FaultKind.CONTROL, "measures no voltage", "name two nodes, or a node and earth"
        )


def curve_faults(network: Network) -> Iterator[Fault]:
    """Curves that are no function."""
    for n, curve in enumerate(network.curves):
        arrays = [field.name for field in dataclasses.fields(curve)]
        numbers = all(np.isfinite(getattr(curve, name)).all() for name in arrays)
        if not numbers or len(curve.x) != len(curve.y) or not len(curve.x) or (np.diff(curve.x) <= 0).any():
            what = f"{len(curve.x)} and {len(curve.y)} values, or values that do not rise, or are no numbers"
            yield Fault(FaultKind.CURVE, "curve", str(n), what, "give as many y as x, x rising")
