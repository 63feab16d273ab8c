"""Systems above as Norton equivalents: an admittance to earth and the current that it is fed with."""

import numpy as np

from grid_engine.elements.primitive import Primitives, present
from grid_engine.model import Buses, ComplexArray, FloatArray, Nodes, Sources


def source_primitives(sources: Sources) -> Primitives:
    """Ends are the phases of the source; the other side of its impedance is at earth."""
    there = present(sources.node)
    return Primitives(sources.node, sources.admittance_s * (there[:, :, None] & there[:, None, :]))


def source_currents(sources: Sources, voltage_pu: FloatArray, buses: Buses, nodes: Nodes) -> ComplexArray:
    """Amperes that each source injects into its nodes when these are at earth.

    Args:
        sources: The table.
        voltage_pu: Shape (n,): in place of the table's own, behind the impedance.
        buses: Of the same network.
        nodes: Of the same network.

    Returns:
        Shape (n, 3); zero where a source has no such phase.
    """
    base_v = np.where(present(sources.node), buses.phase_v[nodes.bus[np.maximum(sources.node, 0)]], 0.0)
    behind = voltage_pu[:, None] * base_v * np.exp(1j * np.deg2rad(sources.angle_deg))
    return np.asarray(np.einsum("nij,nj->ni", source_primitives(sources).admittance_s, behind))
