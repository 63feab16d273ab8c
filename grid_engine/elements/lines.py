"""Lines, cables and series impedances as pi-equivalents of any number of conductors."""

import numpy as np

from grid_engine.elements.primitive import Primitives, present, two_ended
from grid_engine.model import Lines


def line_primitives(lines: Lines) -> Primitives:
    """Ends are ordered: from conductors, then to conductors.

    Raises:
        numpy.linalg.LinAlgError: An impedance matrix is singular; `grid_engine.modelling.checks` names the line.
    """
    there = present(lines.from_node) & present(lines.to_node)
    series = np.zeros_like(lines.impedance_ohm)
    for pattern in np.unique(there, axis=0):
        which = np.flatnonzero((there == pattern).all(axis=1))
        conductors = np.flatnonzero(pattern)
        block = np.ix_(which, conductors, conductors)
        series[block] = np.linalg.inv(lines.impedance_ohm[block])
    own = series + lines.shunt_s / 2 * (there[:, :, None] & there[:, None, :])
    node = np.concatenate([lines.from_node, lines.to_node], axis=1)
    return Primitives(node, two_ended(own, -series, -series, own))
