"""OpenDSS as an oracle: compiles a translation and gives its admittances and its solution in the network's order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from dss import DSS, IDSS
from scipy.sparse import csc_array

from grid_engine.exporters.opendss import Translation


@dataclass(frozen=True, slots=True)
class Compiled:
    """One circuit in an engine of its own."""

    engine: IDSS
    order: np.ndarray
    """By node of the network, its position in the equations of OpenDSS."""

    def admittance(self) -> np.ndarray:
        """Siemens between the nodes of the network; those joined by switches share their rows."""
        data, rows, starts = self.engine.YMatrix.GetCompressedYMatrix(factor=False)
        n = len(starts) - 1
        matrix = csc_array((np.asarray(data).view(np.complex128), rows, starts), shape=(n, n)).toarray()
        return matrix[np.ix_(self.order, self.order)]

    def voltage(self) -> np.ndarray:
        """Volts at the nodes of the network."""
        return np.asarray(self.engine.ActiveCircuit.YNodeVarray).view(np.complex128)[self.order]


def compiled(translation: Translation, *more: str) -> Compiled:
    """The circuit, with further commands at its end."""
    engine: Any = DSS.NewContext()
    engine.AllowForms = False
    engine.Text.Commands(translation.text)
    for command in more:
        engine.Text.Command = command
    names = {name.lower(): n for n, name in enumerate(engine.ActiveCircuit.YNodeOrder)}
    return Compiled(engine, np.array([names[place] for place in translation.places]))


def solved(translation: Translation, *more: str) -> Compiled:
    """The circuit solved far below what tests ask of it, controls as they stand."""
    how = ("set tolerance=1e-10", "set maxiterations=500", "set controlmode=off", "solve")
    circuit = compiled(translation, *more, *how)
    assert circuit.engine.ActiveCircuit.Solution.Converged
    return circuit
