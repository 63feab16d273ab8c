"""Rows of different width made into the columns of one table."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from grid_engine.importers.opendss.record import Record
from grid_engine.model import ABSENT, BoolArray, ComplexArray, IntArray, Ratings
from grid_engine.modelling.tables import rated


def nodes(rows: Sequence[IntArray], width: int) -> IntArray:
    """Shape (n, width): rows of nodes, `ABSENT` behind each."""
    table = np.full((len(rows), width), ABSENT, dtype=np.int64)
    for n, row in enumerate(rows):
        table[n, : len(row)] = row
    return table


def squares(rows: Sequence[ComplexArray], width: int) -> ComplexArray:
    """Shape (n, width, width): square matrices, zeros beside each."""
    table = np.zeros((len(rows), width, width), dtype=np.complex128)
    for n, row in enumerate(rows):
        table[n, : len(row), : len(row)] = row
    return table


def flags(values: Sequence[bool]) -> BoolArray:
    """Shape (n,)."""
    return np.array(values, dtype=np.bool_)


def ratings(records: Sequence[Record], normal: str, emergency: str, unit: float = 1.0) -> Ratings:
    """Ratings from two properties; what is not positive limits nothing."""
    limits = [[record.number(key) * unit for key in (normal, emergency)] for record in records]
    table = np.array(limits, dtype=np.float64).reshape(-1, 2)
    table[~(table > 0)] = np.inf
    return replace(rated(table[:, 0]), emergency=table[:, 1])
