"""What the network loses, and what it draws from the systems above, as rows of a meter."""

from enum import IntEnum

import numpy as np
from scipy.sparse import csr_array, vstack

from grid_engine.flow.nodal import System
from grid_engine.model import ABSENT, ComplexArray, FloatArray
from grid_engine.studies.meters import ALL_PHASES, Meter, Quantity


class Row(IntEnum):
    """Rows of a `tally`."""

    LOSSES = 0
    """Watts that stay in lines and transformers."""
    DRAW = 1
    """Watts from the sources into the branches at their nodes; negative where power flows back."""


def tally(system: System) -> Meter:
    """A meter of both in one state of a network."""
    terminals, n_node = system.terminals, len(system.base_v)
    n_terminal = len(terminals.node)
    place = (np.arange(n_terminal), terminals.node)
    volts = csr_array((system.base_v[terminals.node], place), shape=(n_terminal, n_node))
    above = system.network.sources.node
    at_source = np.isin(system.node_of[terminals.node], system.node_of[above[above != ABSENT]])
    none = csr_array((0, n_node), dtype=np.complex128)
    return Meter(
        quantity=np.full(len(Row), Quantity.REVERSE),
        asset=np.full(len(Row), -1),
        phase=np.full(len(Row), ALL_PHASES),
        magnitude=none,
        above=none,
        below=none,
        volts=volts,
        amperes=terminals.current,
        outward=csr_array(vstack([csr_array(np.ones((1, n_terminal))), csr_array(at_source[None].astype(np.float64))])),
    )


def tallied_w(system: System, voltage: ComplexArray) -> FloatArray:
    """Shape (n row of `Row`, n_case) at node voltages (n_node, n_case)."""
    return tally(system).values(voltage)
