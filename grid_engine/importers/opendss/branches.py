"""Between which nodes the branches of loads and generators stand."""

import numpy as np

from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Record
from grid_engine.model import ABSENT, IntArray


def branch_nodes(record: Record, layout: Layout) -> IntArray:
    """Shape (3, 2): from each phase to the neutral, or of a delta, from each phase to the next."""
    places = record.places[0]
    node = np.full((3, 2), ABSENT, dtype=np.int64)
    for phase in range(record.phases):
        after = (phase + 1) % len(places) if record.text("conn") == "delta" else record.phases
        node[phase] = layout.of((places[phase], places[after]))
    return node


def branch_v(record: Record) -> float:
    """Rated volts across one branch."""
    to_neutral = record.text("conn") != "delta" and record.phases > 1
    return record.number("kv") * 1e3 / (np.sqrt(3) if to_neutral else 1)


def branch_faults(record: Record) -> list[str]:
    """What cannot be said by up to three branches between nodes."""
    found = []
    if record.phases > 3:
        found.append(f"{record.title}: {record.phases} phases")
    neutral = record.places[0][-1]
    if record.text("conn") != "delta" and neutral[1] and record.values.get("rneut", -1) >= 0:
        found.append(f"{record.title}: its neutral is earthed through rneut, xneut; use a reactor")
    return found
