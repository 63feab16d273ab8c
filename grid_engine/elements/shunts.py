"""Capacitors and reactors to earth or between phases."""

from grid_engine.elements.primitive import Primitives
from grid_engine.model import Shunts


def shunt_primitives(shunts: Shunts) -> Primitives:
    """Ends are the bank's nodes, in the order of the table."""
    return Primitives(shunts.node, shunts.admittance_s)
