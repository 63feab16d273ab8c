"""From a system, its pairs and its variants to the arrays of compiled code."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csr_array, vstack

from grid_engine.elements.primitive import BASE_VA
from grid_engine.flow.kernel import blocks
from grid_engine.flow.kernel.elimination import Pattern, Rows, pattern, rows_of
from grid_engine.flow.kernel.lanes import CONSTANT_POWER, GENERAL, PARTS
from grid_engine.flow.kernel.network import Branches, Choices, Chord, IndexArray, Reduced, Tail, Triangles
from grid_engine.flow.kernel.newton import jacobian, pair_slopes
from grid_engine.flow.nodal import System
from grid_engine.flow.pairs import Pairs, law_table
from grid_engine.flow.variants import Variants
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """A reduced network and how it is part of the whole."""

    net: Reduced
    ahead: Pattern
    """Elimination of all rows but the tail."""
    tail: Tail
    """Its blocks are zero here."""
    kept: IntArray
    """Shape (n_kept,): unknowns of the system."""
    nodes: csr_array
    """Shape (n_node, n_kept), complex: voltages of all nodes; empty rows where there is no supply."""
    incidence: csr_array
    """Shape (n_pair, n_kept): voltages across the pairs over nominal."""
    live: BoolArray
    """Shape (n_pair,): both ends have supply; the others are left out."""
    broken: int
    """The unknown whose voltage nothing pins, -1 for none."""


def assembled(system: System, pairs: Pairs, variants: Variants) -> Assembly:
    """Reduce the system to the buses where pairs, sources and variants are."""
    n = system.matrix.shape[0]
    ends = np.append(system.unknown, [n, n])[np.stack([pairs.first, pairs.second])]  # the last two for no node
    live = np.all(ends >= 0, axis=0)
    ends[:, ~live] = n
    keep, last = np.append(system.source_current != 0, True), np.zeros(n, dtype=np.bool_)
    keep[ends] = True
    for rows in variants.unknown:
        keep[rows] = last[rows] = True
    bus_of_node = system.bus_of[system.network.nodes.bus]
    bus = np.zeros(n, dtype=np.int64)
    bus[system.unknown[system.supplied]] = bus_of_node[system.supplied]
    reduction = blocks.reduced(_with_places(system, ends, variants), bus, keep[:n], last)
    n_kept = len(reduction.kept)
    place = np.full(n + 1, -1)
    place[n], place[reduction.kept] = n_kept, np.arange(n_kept)
    places = rows_of(reduction.matrix)
    net = Reduced(
        plan=pattern(places, n_kept),
        places=places,
        block=blocks.as_blocks(reduction.matrix.data),
        source=parts(system.source_current[reduction.kept]),
        branches=_branches(system, pairs, place[ends], reduction.matrix),
        choices=_choices(system, variants, place, reduction.matrix),
    )
    ahead = pattern(places, n_kept - int(last.sum()))
    empty = csr_array((1, n_kept), dtype=np.complex128)
    nodes = csr_array(csr_array(vstack([reduction.recovery, empty], format="csr"))[system.unknown])
    incidence = _incidence(net.branches, n_kept)
    return Assembly(net, ahead, _tail(net.choices, ahead), reduction.kept, nodes, incidence, live, reduction.broken)


def chord(assembly: Assembly, power: FloatArray, base: FloatArray) -> Chord:
    """The Jacobian at the voltages `base` (n_kept, 2) with powers (n_pair, 2) per unit."""
    net, ahead, tail = assembly.net, assembly.ahead, assembly.tail
    nodes, branches = assembly.nodes, net.branches
    factors = blocks.factorised(ahead, net.places, jacobian(net, power, net.choices.built, base))
    left = tail.block.copy()
    left[_tail_entries(tail, ahead)] = factors.rest
    return Chord(
        factors=_triangles(ahead, factors),
        tail=tail._replace(block=left),
        source=net.source,
        base=base,
        scale=assembly.live / BASE_VA,
        first=branches.first,
        second=branches.second,
        weight=branches.weight,
        law=branches.law,
        kind=_kind(branches.law),
        slope=np.where(assembly.live[:, None], pair_slopes(net, power, base), 0.0),
        node_start=_short(nodes.indptr),
        node_column=_short(nodes.indices),
        node_value=parts(nodes.data),
    )


def triangles(net: Reduced, block: FloatArray) -> Triangles:
    """The factors of a matrix with these blocks."""
    return _triangles(net.plan, blocks.factorised(net.plan, net.places, block))


def _triangles(plan: Pattern, factors: blocks.Factors) -> Triangles:
    return Triangles(
        _short(plan.lower.start),
        _short(plan.lower.column),
        factors.lower,
        _short(plan.upper.start),
        _short(plan.upper.column),
        factors.upper,
        factors.inverse,
    )


def _tail(choices: Choices, ahead: Pattern) -> Tail:
    """The places of the tail, filled in, and where the choices change it."""
    first, n = ahead.pivots, len(ahead.rest.start) - 1
    column = ahead.rest.column - first
    full = pattern(Rows(ahead.rest.start, column), n)
    parts_of = (full.lower, Rows(np.arange(n + 1), np.arange(n)), full.upper)
    row = np.concatenate([np.repeat(np.arange(n), np.diff(part.start)) for part in parts_of])
    columns = np.concatenate([part.column for part in parts_of])
    places = csr_array(coo_array((np.ones(len(row)), (row, columns)), shape=(n, n)))
    places.sort_indices()
    at = choices.row - first
    sizes = np.diff(choices.start)
    pairs = [(np.repeat(part, len(part)), np.tile(part, len(part))) for part in np.split(at, choices.start[1:-1])]
    nothing = np.zeros(0, dtype=np.int64)
    slot = _entries(places, *(np.concatenate([nothing, *(pair[k] for pair in pairs)]) for k in range(2)))
    return Tail(
        start=_short(places.indptr),
        column=_short(places.indices),
        diagonal=_short(_entries(places, np.arange(n), np.arange(n))),
        block=np.zeros((places.nnz, 4)),
        table=choices.table,
        change=choices.change,
        slot_start=_short(np.concatenate([[0], np.cumsum(sizes**2)])),
        slot=_short(slot),
    )


def _tail_entries(tail: Tail, ahead: Pattern) -> IntArray:
    """Where what is left after `ahead` stands in the tail."""
    n = len(tail.start) - 1
    places = csr_array((np.ones(len(tail.column)), tail.column, tail.start), shape=(n, n))
    row = np.repeat(np.arange(n), np.diff(ahead.rest.start))
    return _entries(places, row, ahead.rest.column - ahead.pivots)


def parts(values: ComplexArray) -> FloatArray:
    """Complex numbers (n,) as compiled code wants them, (n, 2)."""
    return np.stack([values.real, values.imag], axis=-1)


def _with_places(system: System, ends: IntArray, variants: Variants) -> csr_array:
    """The nodal matrix with an entry wherever the Jacobian may have one, and where the transposed one has."""
    n = system.matrix.shape[0]
    entries = system.matrix.tocoo()
    between = np.all(ends < n, axis=0)
    rows = [entries.coords[0], entries.coords[1], *ends[:, between], np.arange(n)]
    columns = [entries.coords[1], entries.coords[0], *ends[::-1, between], np.arange(n)]
    for unknown in variants.unknown:
        rows.append(np.repeat(unknown, len(unknown)))
        columns.append(np.tile(unknown, len(unknown)))
    row, column = np.concatenate(rows), np.concatenate(columns)
    value = np.zeros(len(row), dtype=np.complex128)
    value[: entries.nnz] = entries.data
    result = coo_array((value, (row, column)), shape=(n, n)).tocsr()
    result.sort_indices()
    return csr_array(result)


def _branches(system: System, pairs: Pairs, ends: IntArray, matrix: csr_array) -> Branches:
    n = matrix.shape[0]
    volts = np.append(system.base_v, [0.0, 0.0])[np.stack([pairs.first, pairs.second])]
    weight = np.where(ends < n, volts, 0.0) / pairs.nominal_v
    first, second = ends
    slot = [_entries(matrix, *at) for at in ((first, first), (first, second), (second, first), (second, second))]
    return Branches(
        first=_short(first),
        second=_short(second),
        weight=np.ascontiguousarray(weight.T),
        law=law_table(pairs),
        slot=np.ascontiguousarray(np.stack(slot, axis=1)),
    )


def _choices(system: System, variants: Variants, place: IntArray, matrix: csr_array) -> Choices:
    bases = np.append(system.base_v, [0.0, 0.0])
    volts = np.zeros(len(place))
    volts[system.unknown[system.supplied]] = bases[:-2][system.supplied]
    nothing = np.zeros(0, dtype=np.int64)
    rows, slots, changes = [nothing], [nothing], [np.zeros((0, 2))]
    start, table, slot_start = [0], [], [0]
    for state, unknown, admittance_s in zip(
        variants.state - variants.lowest, variants.unknown, variants.admittance_s, strict=True
    ):
        m, scale = len(unknown), volts[unknown][:, None] * volts[unknown] / BASE_VA
        row = place[unknown]
        table.append(sum(map(len, changes)))
        start.append(start[-1] + m)
        rows.append(row)
        slots.append(_entries(matrix, np.repeat(row, m), np.tile(row, m)))
        slot_start.append(slot_start[-1] + m * m)
        changes.append(parts(((admittance_s - admittance_s[state]) * scale).ravel()))
    return Choices(
        built=_short(variants.state - variants.lowest),
        start=_short(start),
        row=_short(np.concatenate(rows)),
        table=_short(table),
        change=np.concatenate(changes),
        slot_start=_short(slot_start),
        slot=np.concatenate(slots),
    )


def _entries(matrix: csr_array, row: IntArray, column: IntArray) -> IntArray:
    """Where entries stand in the data of a CSR matrix with sorted columns; -1 for rows or columns beyond it."""
    n = matrix.shape[0]
    key = np.repeat(np.arange(n), np.diff(matrix.indptr)) * n + matrix.indices
    inside = (row < n) & (column < n)
    return np.where(inside, np.searchsorted(key, np.where(inside, row * n + column, 0)), -1)


def _incidence(branches: Branches, n: int) -> csr_array:
    row = np.arange(len(branches.first))
    ends = ((branches.first, branches.weight[:, 0]), (branches.second, -branches.weight[:, 1]))
    there = [at < n for at, _ in ends]
    value = np.concatenate([weight[real] for (_, weight), real in zip(ends, there, strict=True)])
    column = np.concatenate([at[real] for (at, _), real in zip(ends, there, strict=True)])
    rows = np.concatenate([row[real] for real in there])
    return csr_array(coo_array((value, (rows, column)), shape=(len(row), n)))


def _kind(law: FloatArray) -> IndexArray:
    parts = np.isnan(law[:, 6:8]).all(axis=1)
    power = parts & np.all(law[:, [0, 1, 3, 4]] == 0, axis=1) & np.all(law[:, [2, 5]] == 1, axis=1)
    return _short(np.where(power, CONSTANT_POWER, np.where(parts, PARTS, GENERAL)))


def _short(values: ArrayLike) -> IndexArray:
    return np.ascontiguousarray(values, dtype=np.int32)
