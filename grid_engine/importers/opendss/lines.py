"""Lines of OpenDSS, and reactors and capacitors that join two buses."""

import numpy as np
from numpy.typing import ArrayLike

from grid_engine.importers.opendss import columns
from grid_engine.importers.opendss.ids import Ids
from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Circuit, Record
from grid_engine.model import ComplexArray, Lines

_FARADS = 1e-9


def lines(circuit: Circuit, layout: Layout, ids: Ids) -> tuple[Lines, tuple[Record, ...]]:
    """Lines, then what else is in series, and the record that each comes from."""
    own = [record for record in circuit.of("line") if layout.knows(record)]
    others = [record for record in circuit.of("reactor", "capacitor") if is_series(record)]
    constants = [*(_line(record, circuit.frequency_hz) for record in own), *(_plain(record) for record in others)]
    records = (*own, *others)
    k = max((len(impedance) for impedance, _ in constants), default=3)
    table = Lines(
        ids=tuple(ids[record.kind, record.name] for record in records),
        from_node=columns.nodes([layout.of(record.places[0]) for record in records], k),
        to_node=columns.nodes([layout.of(record.places[1]) for record in records], k),
        impedance_ohm=columns.squares([impedance for impedance, _ in constants], k),
        shunt_s=columns.squares([shunt for _, shunt in constants], k),
        in_service=columns.flags([record.enabled for record in records]),
        ratings=columns.ratings(records, "normamps", "emergamps"),
    )
    return table, records


def line_faults(circuit: Circuit) -> list[str]:
    """What is in series but cannot be said by an impedance matrix."""
    found = []
    for record in circuit.of("line"):
        impedance = record.matrix("rmatrix") + 1j * record.matrix("xmatrix")
        if np.linalg.matrix_rank(impedance * record.number("length")) < len(impedance):
            found.append(f"{record.title}: its impedance matrix is singular")
    for record in circuit.of("reactor", "capacitor"):
        k = len(record.places[0])
        if is_series(record) and np.linalg.matrix_rank(record.admittance[:k, k:]) < k:
            found.append(f"{record.title}: it is in series and open, off or between single phases in delta")
    return found


def is_series(record: Record) -> bool:
    """Whether a reactor or capacitor in service joins two buses."""
    if record.kind == "transformer" or not record.enabled or len(record.places) < 2:
        return False
    first, second = record.places
    return any(number for _, number in second) and first[0][0] != second[0][0]


def _line(record: Record, frequency_hz: float) -> tuple[ComplexArray, ComplexArray]:
    """Impedance and shunt admittance of the whole length.

    OpenDSS corrects reactance and earth return when a line was described for another frequency; then
    the impedance is taken from its own matrix.
    """
    length = record.number("length")
    if record.enabled and record.number("basefreq") != frequency_hz:
        impedance, _ = _plain(record)
    else:
        impedance = _complex(record.matrix("rmatrix") + 1j * record.matrix("xmatrix")) * length
    return impedance, _complex(2j * np.pi * frequency_hz * record.matrix("cmatrix")) * _FARADS * length


def _plain(record: Record) -> tuple[ComplexArray, ComplexArray]:
    k = len(record.places[0])
    impedance = _complex(np.linalg.inv(-record.admittance[:k, k:]))
    return impedance, np.zeros_like(impedance)


def _complex(matrix: ArrayLike) -> ComplexArray:
    return np.asarray(matrix, dtype=np.complex128)
