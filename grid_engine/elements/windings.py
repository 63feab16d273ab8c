"""Transformers and regulators coil by coil: leakage between any number of windings, core, and taps on any of them.

The leakages between pairs of windings give the impedances seen from the first winding, their inverse the
admittances between all of them on one volt per turn; ratings and taps then turn these into siemens:
R. C. Dugan, "A perspective on transformer modeling for distribution system analysis", IEEE PES General
Meeting 2003, which OpenDSS follows.
"""

import numpy as np

from grid_engine.elements.primitive import Primitives, present
from grid_engine.model import ComplexArray, FloatArray, IntArray, Transformers

_CORE_WINDING = 1


def winding_primitives(transformers: Transformers, tap: IntArray) -> Primitives:
    """Ends are ordered by winding, then phase, then end of the coil: 6·w of them.

    Args:
        transformers: The table.
        tap: Shape (n,): positions, in place of the table's own; of no effect where there is no tap changer.

    Raises:
        numpy.linalg.LinAlgError: Leakages are zero; `grid_engine.modelling.checks` names the transformer.
    """
    n, w = transformers.rated_v.shape
    rated_v = np.where(transformers.rated_v > 0, transformers.rated_v, 1.0)
    volts = rated_v * tap_ratios(transformers, tap)
    coil = _coil_admittance(transformers) / (volts[:, :, None] * volts[:, None, :])
    float_s = -1j * transformers.float_va / rated_v[:, :, None] ** 2
    there = np.all(present(transformers.node), axis=3)
    built = np.zeros((n, w, 3, 2, w, 3, 2), dtype=np.complex128)
    ends = np.array([[1, -1], [-1, 1]])
    for phase in range(3):
        both = there[:, :, None, phase] & there[:, None, :, phase]
        between = coil * both
        built[:, :, phase, :, :, phase, :] = np.einsum("nij,ab->niajb", between, ends)
        for winding in range(w):
            own = built[:, winding, phase, :, winding, phase, :]
            own[:, [0, 1], [0, 1]] += float_s[:, winding] * there[:, winding, phase, None]
    return Primitives(transformers.node.reshape(n, 6 * w), built.reshape(n, 6 * w, 6 * w))


def tap_ratios(transformers: Transformers, tap: IntArray) -> FloatArray:
    """Shape (n, w): what each winding has of its rated turns with the tap changers at `tap`."""
    ratio = transformers.fixed_tap_pu.copy()
    tapped = np.flatnonzero(transformers.tap_winding >= 0)
    steps = (tap - transformers.tap_neutral) * transformers.tap_step_pct / 100
    ratio[tapped, transformers.tap_winding[tapped]] += steps[tapped]
    return ratio


def _coil_admittance(transformers: Transformers) -> ComplexArray:
    """Shape (n, w, w): between the coils of one phase if each were rated for one volt."""
    there = np.all(present(transformers.node), axis=3)
    phases = np.maximum(there[:, 0].sum(axis=1), 1)
    admittance = np.zeros_like(transformers.reactance_pu, dtype=np.complex128)
    windings = there.any(axis=2).sum(axis=1)
    for count in np.unique(windings[windings > 1]):
        which = np.flatnonzero(windings == count)
        block = np.ix_(which, np.arange(count), np.arange(count))
        admittance[block] = _from_leakage(transformers.resistance_pu[which, :count], transformers.reactance_pu[block])
    if admittance.shape[1] > _CORE_WINDING:
        admittance[:, _CORE_WINDING, _CORE_WINDING] += transformers.magnetising_pu
    return np.asarray(admittance * (transformers.rated_va / phases)[:, None, None])


def _from_leakage(resistance: FloatArray, reactance: FloatArray) -> ComplexArray:
    """Admittances between windings (n, w, w) from resistances (n, w) and leakages (n, w, w), per unit."""
    pairs = resistance[:, :, None] + resistance[:, None, :] + 1j * reactance
    seen = pairs[:, 0, 1:]
    from_first = (seen[:, :, None] + seen[:, None, :] - pairs[:, 1:, 1:]) / 2
    diagonal = np.arange(seen.shape[1])
    from_first[:, diagonal, diagonal] = seen
    count = resistance.shape[1]
    incidence = np.concatenate([np.ones((1, count - 1)), -np.eye(count - 1)])
    return np.asarray(incidence @ np.linalg.inv(from_first) @ incidence.T)
