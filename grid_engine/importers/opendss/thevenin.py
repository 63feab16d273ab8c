"""Short-circuit impedances as OpenDSS finds them: a measure to hold others against."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from grid_engine.importers.opendss.layout import laid_out
from grid_engine.importers.opendss.process import CONSUMERS, place, read, solved
from grid_engine.importers.opendss.record import Place
from grid_engine.model import ComplexArray, IntArray

if TYPE_CHECKING:
    from dss.IDSS import IDSS


@dataclass(frozen=True, slots=True, eq=False)
class ShortCircuit:
    """The impedance of a network behind the nodes of one bus, loads and generation off."""

    node: IntArray
    """Shape (n,)."""
    impedance_ohm: ComplexArray
    """Shape (n, n): volts at the first node per ampere fed into the second."""


def load_short_circuits(path: Path | str, count: int) -> tuple[ShortCircuit, ...]:
    """At `count` buses spread over the circuit of the master file `path`, nodes as `load` numbers them.

    Taps and capacitors stand where the snapshot solution leaves them.

    Raises:
        NetworkError: as for `load`.
    """
    layout = laid_out(read(Path(path), solve=True))
    with solved(Path(path), controllers=True) as engine:
        engine.Text.Commands("".join(f"batchedit {kind}..* enabled=no\n" for kind in CONSUMERS) + "solve")
        active = engine.ActiveCircuit
        order = {place(name): n for n, name in enumerate(active.YNodeOrder)}
        names = active.AllBusNames
        found = [_impedance(engine, name, order) for name in names[:: max(1, len(names) // count)][:count]]
    return tuple(ShortCircuit(layout.of(places), matrix) for places, matrix in found)


def _impedance(engine: "IDSS", name: str, order: Mapping[Place, int]) -> tuple[tuple[Place, ...], ComplexArray]:
    """OpenDSS has its matrix in the order in which it met the nodes, but names them sorted."""
    engine.ActiveCircuit.SetActiveBus(name)
    bus = engine.ActiveCircuit.ActiveBus
    bus.ZscRefresh()
    places = sorted(((name.lower(), int(number)) for number in bus.Nodes), key=order.__getitem__)
    entries: ComplexArray = np.array(bus.ZscMatrix, dtype=np.float64).view(np.complex128)
    return tuple(places), entries.reshape(len(places), len(places), order="F")
