"""Impedance and capacitance of lines from where their conductors hang: Carson's equations and Kron's reduction.

Series: J. R. Carson, "Wave propagation in overhead wires with ground return", Bell System Technical Journal 5
(1926), cut after the first terms of his series as usual at power frequency: the earth return adds a resistance
of omega * mu0 / 8 and lies at an equivalent depth of 658.5 m * sqrt(resistivity / frequency) (W. H. Kersting,
"Distribution System Modeling and Analysis"). Shunt: charges and their images (ibid.). Neutrals that are earthed
everywhere are folded into the phases: G. Kron, "Tensorial analysis of integrated transmission systems",
Transactions of the AIEE 71 (1952).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.model import ComplexArray, FloatArray

MU_0 = 4e-7 * np.pi
"""Of empty space, H/m."""
EPSILON_0 = 8.854e-12
"""Of empty space, F/m."""
EARTH_DEPTH_M = 658.5
"""Equivalent depth of the return path at 1 ohm metre and 1 Hz."""


@dataclass(frozen=True, slots=True)
class Conductor:
    """A wire as catalogues give it."""

    resistance_ohm_per_m: float
    """At operating temperature and frequency."""
    gmr_m: float
    """Geometric mean radius: of the thin tube with the same internal flux."""
    radius_m: float
    """Outside radius of the metal."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A conductor at its place in the cross-section of a line."""

    conductor: Conductor
    x_m: float
    height_m: float
    """Above ground, the sag averaged; above 0."""


@dataclass(frozen=True, slots=True, eq=False)
class Constants:
    """Of a line per metre, earth return and earthed neutrals folded in."""

    impedance_ohm_per_m: ComplexArray
    """Shape (k, k)."""
    shunt_s_per_m: ComplexArray
    """Shape (k, k)."""


def line_constants(
    wires: Sequence[Wire], phases: int, frequency_hz: float = 60.0, earth_ohm_m: float = 100.0
) -> Constants:
    """Of the first `phases` wires, the others being neutrals that are earthed everywhere."""
    omega = 2 * np.pi * frequency_hz
    impedance = reduced(_series(wires, omega, EARTH_DEPTH_M * np.sqrt(earth_ohm_m / frequency_hz)), phases)
    charge = reduced(_potentials(wires), phases)
    return Constants(impedance, np.asarray(1j * omega * np.linalg.inv(charge), dtype=np.complex128))


def reduced(matrix: ComplexArray, keep: int) -> ComplexArray:
    """The matrix of the first `keep` conductors where the others are at 0 V at both ends."""
    kept, mixed, folded = matrix[:keep, :keep], matrix[:keep, keep:], matrix[keep:, keep:]
    if not len(folded):
        return kept
    return np.asarray(kept - mixed @ np.linalg.solve(folded, mixed.T), dtype=np.complex128)


def _series(wires: Sequence[Wire], omega: float, depth_m: float) -> ComplexArray:
    """Shape (n, n), ohm/m: loops of each wire with the earth."""
    inductance = MU_0 / (2 * np.pi) * np.log(depth_m / _distances(wires, [w.conductor.gmr_m for w in wires]))
    resistance = np.diag([w.conductor.resistance_ohm_per_m for w in wires]) + omega * MU_0 / 8
    return np.asarray(resistance + 1j * omega * inductance, dtype=np.complex128)


def _potentials(wires: Sequence[Wire]) -> ComplexArray:
    """Shape (n, n), m/F: Maxwell's potential coefficients over a conducting earth."""
    x, height = _places(wires)
    images = np.hypot(x[:, None] - x, height[:, None] + height)
    result = np.log(images / _distances(wires, [w.conductor.radius_m for w in wires])) / (2 * np.pi * EPSILON_0)
    return np.asarray(result, dtype=np.complex128)


def _distances(wires: Sequence[Wire], own_m: Sequence[float]) -> FloatArray:
    """Shape (n, n): between wires, `own_m` on the diagonal."""
    x, height = _places(wires)
    result = np.hypot(x[:, None] - x, height[:, None] - height)
    np.fill_diagonal(result, own_m)
    return np.asarray(result, dtype=np.float64)


def _places(wires: Sequence[Wire]) -> tuple[FloatArray, FloatArray]:
    return np.array([w.x_m for w in wires]), np.array([w.height_m for w in wires])
