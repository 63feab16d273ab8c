"""Transformers given by their sequence data, as T-equivalents per sequence turned into phases."""

import numpy as np

from grid_engine.elements.primitive import Primitives, from_sequences, two_ended
from grid_engine.model import Buses, ComplexArray, FloatArray, IntArray, Nodes, SequenceTransformers

_DELTA_EARTH_PU = 1e-6
"""Admittance to earth, of the rating, that pins the zero sequence of a delta winding nobody else earths."""


def sequence_primitives(transformers: SequenceTransformers, tap: IntArray, buses: Buses, nodes: Nodes) -> Primitives:
    """Ends are ordered: high-voltage a, b, c, then low-voltage a, b, c.

    The tap changes the rated voltage of its side; leakage is referred to the (tapped) low-voltage
    side, as pandapower does.

    Args:
        transformers: The table.
        tap: Shape (n,): positions, in place of the table's own.
        buses: Of the same network.
        nodes: Of the same network.
    """
    factor = 1 + (tap - transformers.tap_neutral) * transformers.tap_step_pct / 100
    hv_v = transformers.rated_hv_v * np.where(transformers.tap_on_hv, factor, 1.0)
    lv_v = transformers.rated_lv_v * np.where(transformers.tap_on_hv, 1.0, factor)
    turn: ComplexArray = np.exp(1j * np.deg2rad(transformers.shift_deg))
    ratio = hv_v / lv_v * turn
    scale = transformers.rated_va / lv_v**2

    half = transformers.impedance_pu / 2
    pi = _star_to_delta(half, half, transformers.magnetising_pu)
    positive, negative = _two_port(*pi, ratio), _two_port(*pi, ratio.conj())
    hv_nominal_v, lv_nominal_v = (
        buses.phase_v[nodes.bus[node[:, 0]]] for node in (transformers.hv_node, transformers.lv_node)
    )
    zero = _zero_sequence(transformers, ratio, (lv_nominal_v / hv_nominal_v) ** 2)
    ends = [
        from_sequences(zero[i, j] * scale, positive[i, j] * scale, negative[i, j] * scale)
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]
    return Primitives(np.concatenate([transformers.hv_node, transformers.lv_node], axis=1), two_ended(*ends))


def _zero_sequence(transformers: SequenceTransformers, ratio: ComplexArray, to_hv: FloatArray) -> ComplexArray:
    share = transformers.zero_hv_share
    series, at_hv, at_lv = _star_to_delta(
        share * transformers.impedance_zero_pu,
        (1 - share) * transformers.impedance_zero_pu,
        1 / transformers.magnetising_zero_pu,
    )
    both = _two_port(series, at_hv, at_lv, ratio)
    delta = np.zeros_like(both)
    delta[0, 0] = _DELTA_EARTH_PU * to_hv
    delta[1, 1] = series + at_lv
    return np.where(transformers.delta_hv, delta, both)


def _star_to_delta(
    first: ComplexArray, second: ComplexArray, middle: ComplexArray
) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
    """Series admittance and the two shunt admittances of a T with impedances `first`, `second`, admittance `middle`."""
    product = first + second + first * second * middle
    return 1 / product, middle * second / product, middle * first / product


def _two_port(series: ComplexArray, at_hv: ComplexArray, at_lv: ComplexArray, ratio: ComplexArray) -> ComplexArray:
    """Shape (2, 2, n): the pi behind an ideal transformer of complex `ratio` on the high-voltage side."""
    return np.array(
        [
            [(series + at_hv) / np.abs(ratio) ** 2, -series / ratio.conj()],
            [-series / ratio, series + at_lv],
        ]
    )
