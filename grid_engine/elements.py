"""Admittance matrices of single elements in per unit, shape (n, 6, 6): three phases of one end, then of the other.

Per unit is on `BASE_VA` per phase and each bus's own nominal phase voltage. Symmetrical components
follow Fortescue (1918), here with the unitary matrix, so that powers need no factor.
"""

import numpy as np

from grid_engine.model import BoolArray, Buses, ComplexArray, FloatArray, IntArray, Lines, Transformers

BASE_VA = 1e6
"""Per phase."""

_ROTATION = np.exp(2j * np.pi / 3)
FORTESCUE: ComplexArray = np.array(
    [[1, 1, 1], [1, _ROTATION**2, _ROTATION], [1, _ROTATION, _ROTATION**2]], dtype=np.complex128
) / np.sqrt(3)
"""Columns are the zero, positive and negative sequence in phase coordinates."""

_DELTA_EARTH_PU = 1e-6
"""Admittance to earth, of the rating, that pins the zero sequence of a delta winding nobody else earths."""


def base_voltage(buses: Buses) -> FloatArray:
    """Nominal voltage between phase and earth, volts."""
    return np.asarray(buses.nominal_v / np.sqrt(3))


def from_sequences(zero: ComplexArray, positive: ComplexArray, negative: ComplexArray) -> ComplexArray:
    """Phase matrices (n, 3, 3) of three decoupled sequence values (n,)."""
    diagonal = np.stack([zero, positive, negative], axis=-1)
    return np.asarray(np.einsum("ik,nk,jk->nij", FORTESCUE, diagonal, FORTESCUE.conj()))


def line_admittance(lines: Lines, buses: Buses) -> ComplexArray:
    """Pi-equivalents; rows of conductors that do not exist are zero."""
    series = np.zeros_like(lines.impedance_ohm)
    for present in np.unique(lines.phases, axis=0):
        which = np.flatnonzero((lines.phases == present).all(axis=1))
        conductors = np.flatnonzero(present)
        block = np.ix_(which, conductors, conductors)
        series[block] = np.linalg.inv(lines.impedance_ohm[block])
    own = series + lines.shunt_s / 2
    return _scaled(_block(own, -series, -series, own), buses, lines.from_bus, lines.to_bus)


def transformer_admittance(transformers: Transformers, taps: IntArray, buses: Buses) -> ComplexArray:
    """T-equivalents at the given tap positions.

    The tap changes the rated voltage of its side; leakage is referred to the (tapped) low-voltage
    side, as pandapower does.
    """
    factor = 1 + (taps - transformers.tap_neutral) * transformers.tap_step_pct / 100
    hv_v = transformers.rated_hv_v * np.where(transformers.tap_on_hv, factor, 1.0)
    lv_v = transformers.rated_lv_v * np.where(transformers.tap_on_hv, 1.0, factor)
    lv_nominal_v = buses.nominal_v[transformers.lv_bus]
    ratio = (hv_v / lv_v * lv_nominal_v / buses.nominal_v[transformers.hv_bus]).astype(np.complex128)
    scale = transformers.rated_va / (3 * BASE_VA) * (lv_nominal_v / lv_v) ** 2
    turn: ComplexArray = np.exp(1j * np.deg2rad(transformers.shift_deg))

    half = transformers.impedance_pu / 2
    pi = _star_to_delta(half, half, transformers.magnetising_pu)
    positive, negative = _two_port(*pi, ratio * turn), _two_port(*pi, ratio / turn)
    zero = _zero_sequence(transformers, ratio * turn)
    ends = [
        from_sequences(zero[i, j] * scale, positive[i, j] * scale, negative[i, j] * scale)
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]
    return _block(*ends)


def open_end(admittance: ComplexArray, open_from: BoolArray, open_to: BoolArray) -> ComplexArray:
    """The same branches seen from the ends still connected; a disconnected end floats and draws nothing."""
    result = admittance.copy()
    for flag, dead, live in ((open_from, slice(0, 3), slice(3, 6)), (open_to, slice(3, 6), slice(0, 3))):
        for k in np.flatnonzero(flag):
            inner = result[k, dead, dead]
            result[k, live, live] -= result[k, live, dead] @ np.linalg.pinv(inner) @ result[k, dead, live]
            result[k, dead, :] = 0
            result[k, :, dead] = 0
    return result


def _zero_sequence(transformers: Transformers, ratio: ComplexArray) -> ComplexArray:
    share = transformers.zero_hv_share
    series, at_hv, at_lv = _star_to_delta(
        share * transformers.impedance_zero_pu,
        (1 - share) * transformers.impedance_zero_pu,
        1 / transformers.magnetising_zero_pu,
    )
    both = _two_port(series, at_hv, at_lv, ratio)
    delta = np.zeros_like(both)
    delta[0, 0] = _DELTA_EARTH_PU
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


def _block(ff: ComplexArray, ft: ComplexArray, tf: ComplexArray, tt: ComplexArray) -> ComplexArray:
    return np.concatenate([np.concatenate([ff, ft], axis=2), np.concatenate([tf, tt], axis=2)], axis=1)


def _scaled(admittance_s: ComplexArray, buses: Buses, from_bus: IntArray, to_bus: IntArray) -> ComplexArray:
    """Siemens to per unit."""
    volts = base_voltage(buses)
    ends = np.concatenate([np.repeat(volts[b][:, None], 3, axis=1) for b in (from_bus, to_bus)], axis=1)
    return np.asarray(admittance_s * ends[:, :, None] * ends[:, None, :] / BASE_VA)
