"""From a system, its pairs and its variants to the arrays of compiled code."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array, csr_array, vstack

from grid_engine.elements.primitive import BASE_VA
from grid_engine.kernel import blocks
from grid_engine.kernel.elimination import pattern, rows_of
from grid_engine.kernel.lanes import CONSTANT_POWER, GENERAL, PARTS
from grid_engine.kernel.network import Branches, Choices, Chord, IndexArray, Reduced, Triangles
from grid_engine.kernel.newton import jacobian, pair_slopes
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray
from grid_engine.nodal import System
from grid_engine.pairs import Pairs, law_table
from grid_engine.variants import Variants


@dataclass(frozen=True, slots=True, eq=False)
class Assembly:
    """A reduced network and how it is part of the whole."""

    net: Reduced
    kept: IntArray
    """Shape (n_kept,): unknowns of the system."""
    nodes: csr_array
    """Shape (n_node, n_kept), complex: voltages of all nodes; empty rows where there is no supply."""
    incidence: csr_array
    """Shape (n_pair, n_kept): voltages across the pairs over nominal."""
    live: BoolArray
    """Shape (n_pair,): both ends have supply; the others are left out."""


def assembled(system: System, pairs: Pairs, variants: Variants) -> Assembly:
    """Reduce the system to the buses where pairs, sources and variants are."""
    n = system.matrix.shape[0]
    ends = np.append(system.unknown, [n, n])[np.stack([pairs.first, pairs.second])]  # the last two for no node
    live = np.all(ends >= 0, axis=0)
    ends[:, ~live] = n
    keep = np.append(system.source_current != 0, True)
    keep[ends] = True
    for rows in variants.unknown:
        keep[rows] = True
    bus_of_node = system.bus_of[system.network.nodes.bus]
    bus = np.zeros(n, dtype=np.int64)
    bus[system.unknown[system.supplied]] = bus_of_node[system.supplied]
    reduction = blocks.reduced(_with_places(system, ends, variants), bus, keep[:n])
    n_kept = len(reduction.kept)
    place = np.full(n + 1, -1)
    place[n], place[reduction.kept] = n_kept, np.arange(n_kept)
    branches = _branches(system, pairs, place[ends], reduction.matrix)
    net = Reduced(
        plan=pattern(rows_of(reduction.matrix), n_kept),
        places=rows_of(reduction.matrix),
        block=blocks.as_blocks(reduction.matrix.data),
        source=parts(system.source_current[reduction.kept]),
        branches=branches,
        choices=_choices(system, variants, place, reduction.matrix),
    )
    empty = csr_array((1, n_kept), dtype=np.complex128)
    nodes = csr_array(vstack([reduction.recovery, empty], format="csr"))[system.unknown]
    return Assembly(net, reduction.kept, csr_array(nodes), _incidence(branches, n_kept), live)


def chord(assembly: Assembly, power: FloatArray, choice: IndexArray, base: FloatArray) -> Chord:
    """The Jacobian at the voltages `base` (n_kept, 2) with powers (n_pair, 2) per unit and variants as chosen."""
    net = assembly.net
    nodes, branches, choices = assembly.nodes, net.branches, net.choices
    change = choices.change.copy()
    for n, at in enumerate(choices.table):
        places = (choices.start[n + 1] - choices.start[n]) ** 2
        ahead = choices.table[n + 1] if n + 1 < len(choices.table) else len(change)
        now = change[at + choice[n] * places : at + (choice[n] + 1) * places].copy()
        change[at:ahead] -= np.tile(now, ((ahead - at) // places, 1))
    return Chord(
        factors=triangles(net, jacobian(net, power, choice, base)),
        source=net.source,
        base=base,
        scale=assembly.live / BASE_VA,
        first=branches.first,
        second=branches.second,
        weight=branches.weight,
        law=branches.law,
        kind=_kind(branches.law),
        slope=np.where(assembly.live[:, None], pair_slopes(net, power, base), 0.0),
        choice_start=choices.start,
        choice_row=choices.row,
        choice_table=choices.table,
        choice_change=change,
        node_start=_short(nodes.indptr),
        node_column=_short(nodes.indices),
        node_value=parts(nodes.data),
    )


def triangles(net: Reduced, block: FloatArray) -> Triangles:
    """The factors of a matrix with these blocks."""
    plan, factors = net.plan, blocks.factorised(net.plan, net.places, block)
    return Triangles(
        _short(plan.lower.start),
        _short(plan.lower.column),
        factors.lower,
        _short(plan.upper.start),
        _short(plan.upper.column),
        factors.upper,
        factors.inverse,
    )


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
    start, table, slot_start = [0], [], []
    for state, unknown, admittance_s in zip(
        variants.state - variants.lowest, variants.unknown, variants.admittance_s, strict=True
    ):
        m, scale = len(unknown), volts[unknown][:, None] * volts[unknown] / BASE_VA
        row = place[unknown]
        table.append(sum(map(len, changes)))
        slot_start.append(sum(map(len, slots)))
        start.append(start[-1] + m)
        rows.append(row)
        slots.append(_entries(matrix, np.repeat(row, m), np.tile(row, m)))
        changes.append(parts(((admittance_s - admittance_s[state]) * scale).ravel()))
    return Choices(
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
