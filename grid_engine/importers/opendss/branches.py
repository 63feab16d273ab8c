"""Between which nodes the branches of loads and generators stand."""

import numpy as np

from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Circuit, Place, Record
from grid_engine.model import ABSENT, IntArray


def branch_ends(record: Record) -> list[tuple[Place, Place]]:
    """From each phase to the neutral, or of a delta, from each phase to the next."""
    places = record.places[0]
    if record.text("conn") == "delta":
        return [(places[phase], places[(phase + 1) % len(places)]) for phase in range(record.phases)]
    return [(places[phase], places[record.phases]) for phase in range(record.phases)]


def branch_nodes(record: Record, layout: Layout) -> IntArray:
    """Shape (3, 2): those ends as nodes."""
    node = np.full((3, 2), ABSENT, dtype=np.int64)
    for phase, ends in enumerate(branch_ends(record)):
        node[phase] = layout.of(ends)
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


def floating(circuit: Circuit, *kinds: str) -> list[str]:
    """Faults: elements of these classes that stand with one end where only such elements stand, and float there."""
    held = {
        place
        for record in circuit.of("vsource", "line", "transformer", "autotrans", "reactor", "capacitor")
        if record.enabled
        for place in record.conductors
    }
    return [
        f"{record.title}: nothing but loads stands at {'.'.join(map(str, loose))}, so nothing holds its voltage"
        for record in circuit.of(*kinds)
        if record.enabled
        for loose in {end for ends in branch_ends(record) if held & set(ends) for end in ends if end not in held}
        if loose[1]
    ]
