"""Ids: the names of OpenDSS, with their class in front where two classes of elements use one name."""

from collections import Counter
from collections.abc import Mapping

from grid_engine.importers.opendss.process import ELEMENTS
from grid_engine.importers.opendss.record import Circuit

Ids = Mapping[tuple[str, str], str]
"""By class and name."""


def unique_ids(circuit: Circuit) -> Ids:
    """An id for every element and controller; controllers keep their names, for they have tables of their own."""
    used = Counter(record.name for record in circuit.of(*ELEMENTS))
    return {
        (record.kind, record.name): record.title.replace(" ", ".", 1)
        if record.kind in ELEMENTS and used[record.name] > 1
        else record.name
        for record in circuit.of(*circuit.records)
    }


def repeated(circuit: Circuit) -> list[str]:
    """Faults: elements that share class and name, as OpenDSS allows on request."""
    used = Counter(record.title for record in circuit.of(*circuit.records))
    return [f"{title}: {n} of that name" for title, n in used.items() if n > 1]
