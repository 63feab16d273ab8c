"""Short-circuit impedances as OpenDSS finds them: a measure to hold others against."""

from dataclasses import dataclass
from pathlib import Path

from grid_engine.importers.opendss.layout import laid_out
from grid_engine.importers.opendss.process import read, short_circuits
from grid_engine.model import ComplexArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class ShortCircuit:
    """The impedance of a network behind the nodes of one bus, loads and generation off."""

    node: IntArray
    """Shape (n,)."""
    impedance_ohm: ComplexArray
    """Shape (n, n): volts at the first node per ampere fed into the second."""


def load_short_circuits(path: Path | str, count: int) -> tuple[ShortCircuit, ...]:
    """At `count` buses spread over the circuit of the master file `path`, nodes as `load` numbers them.

    Raises:
        NetworkError: as for `load`.
    """
    layout = laid_out(read(Path(path), solve=True))
    return tuple(ShortCircuit(layout.of(places), matrix) for places, matrix in short_circuits(Path(path), count))
