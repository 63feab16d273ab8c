"""What every builder of elements returns, and the few formulas that they share."""

from dataclasses import dataclass

import numpy as np

from grid_engine.model import ABSENT, BoolArray, ComplexArray, IntArray

BASE_VA = 1e6
"""Base of power per phase wherever voltages are per unit of a node's own base."""

_ROTATION = np.exp(2j * np.pi / 3)
FORTESCUE: ComplexArray = np.array(
    [[1, 1, 1], [1, _ROTATION**2, _ROTATION], [1, _ROTATION, _ROTATION**2]], dtype=np.complex128
) / np.sqrt(3)
"""Columns are the zero, positive and negative sequence in phase coordinates: Fortescue (1918), made unitary."""

_NEGLIGIBLE = 1e-13
"""Singular values below this part of the largest belong to conductors that float together."""


@dataclass(frozen=True, slots=True, eq=False)
class Primitives:
    """Admittance matrices of n elements with m conductor ends each: current into the element = matrix @ voltage."""

    node: IntArray
    """Shape (n, m): where each end stands; `EARTH` and `ABSENT` as in the model."""
    admittance_s: ComplexArray
    """Shape (n, m, m): rows and columns of absent ends are zero."""


def from_sequences(zero: ComplexArray, positive: ComplexArray, negative: ComplexArray) -> ComplexArray:
    """Phase matrices (n, 3, 3) of three decoupled sequence values (n,)."""
    diagonal = np.stack([zero, positive, negative], axis=-1)
    return np.asarray(np.einsum("ik,nk,jk->nij", FORTESCUE, diagonal, FORTESCUE.conj()))


def two_ended(ff: ComplexArray, ft: ComplexArray, tf: ComplexArray, tt: ComplexArray) -> ComplexArray:
    """Shape (n, 2k, 2k) of four blocks (n, k, k): from and to end."""
    return np.concatenate([np.concatenate([ff, ft], axis=2), np.concatenate([tf, tt], axis=2)], axis=1)


def open_ends(primitives: Primitives, opened: BoolArray) -> Primitives:
    """The same elements with some conductor ends opened by a switch: these float and draw nothing.

    Args:
        primitives: As built.
        opened: Shape (n, m), true where an end is open. `EARTH` cannot be opened by a switch.

    Returns:
        Primitives whose open ends are eliminated (Kron, 1939); their rows and columns are zero, their nodes stay.
    """
    opened = opened & (primitives.node >= 0)
    result = primitives.admittance_s.copy()
    for pattern in np.unique(opened[opened.any(axis=1)], axis=0):
        which = np.flatnonzero((opened == pattern).all(axis=1))
        dead, live = np.flatnonzero(pattern), np.flatnonzero(~pattern)
        through = result[np.ix_(which, live, dead)] @ _inverse(result[np.ix_(which, dead, dead)])
        result[np.ix_(which, live, live)] -= through @ result[np.ix_(which, dead, live)]
        result[np.ix_(which, dead)] = 0
        result[np.ix_(which, np.arange(len(pattern)), dead)] = 0
    return Primitives(primitives.node, result)


def present(node: IntArray) -> BoolArray:
    """True where there is a conductor, be it earthed."""
    return np.asarray(node != ABSENT)


def _inverse(matrix: ComplexArray) -> ComplexArray:
    """Generalised inverse; rows are scaled first, for ends of one element may be at very different voltages."""
    size = np.sqrt(np.abs(np.einsum("nii->ni", matrix)))
    scale = 1 / np.where(size > 0, size, 1)
    both = scale[:, :, None] * scale[:, None, :]
    return np.asarray(np.linalg.pinv(matrix * both, rcond=_NEGLIGIBLE) * both)
