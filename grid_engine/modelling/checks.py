"""Finds every fault of a network before anything is computed from it; nothing here raises."""

import numpy as np

from grid_engine.model import Network
from grid_engine.modelling.checking.connections import connection_faults, level_faults
from grid_engine.modelling.checking.fault import Fault, FaultKind
from grid_engine.modelling.checking.plausible import unit_faults
from grid_engine.modelling.checking.shapes import (
    curve_faults,
    half_absent_faults,
    id_faults,
    reference_faults,
    shape_faults,
)
from grid_engine.modelling.checking.values import (
    impedance_faults,
    law_faults,
    number_faults,
    range_faults,
    transformer_faults,
)

__all__ = ["Fault", "FaultKind", "faults"]

_FITTING = (shape_faults, reference_faults)
"""What everything else builds on."""
_REST = (
    id_faults,
    half_absent_faults,
    curve_faults,
    number_faults,
    range_faults,
    impedance_faults,
    transformer_faults,
    law_faults,
    connection_faults,
    level_faults,
    unit_faults,
)


def faults(network: Network) -> tuple[Fault, ...]:
    """Every fault, with the ids of the offending elements; empty where the network can be computed."""
    for look in _FITTING:
        found = tuple(look(network))
        if found:
            return found
    with np.errstate(all="ignore"):
        return tuple(fault for look in _REST for fault in look(network))
