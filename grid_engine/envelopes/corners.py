"""Uses of the envelopes that are worst for somebody: each a part, per column, of its share."""

import numpy as np

from grid_engine.envelopes.box import Box
from grid_engine.envelopes.facets import Facets
from grid_engine.model import FloatArray, IntArray
from grid_engine.studies.problem import Problem

_NEGLIGIBLE = 1e-4
"""Tolerances, for one column's whole capability."""
_MOST = 96
"""Patterns of single rows that are looked at."""


def by_phase(problem: Problem, box: Box) -> FloatArray:
    """Shape (n_pattern, n_column): everybody, and the groups that stand on one phase against the others.

    A first guess of what is worst where feeders are unbalanced. Who has several phases is a group by itself.
    """
    if box.least == 1:
        return np.ones((1, box.size))
    group = _phases(problem)[box.who]
    up = box.span_w > 0
    groups = [group == n for n in np.unique(group)]
    chosen = [np.ones(box.size, dtype=np.bool_)]
    for own in groups:
        chosen += [own, ~own]
    patterns = []
    for which in chosen:
        # In both directions one group goes up while the others go down, and the other way round.
        patterns += [which & up, which & ~up, (which & up) | (~which & ~up), (which & ~up) | (~which & up)]
    unique = np.unique(np.array(patterns), axis=0)
    return np.where(unique[unique.any(axis=1)], 1.0, box.least)


def by_row(box: Box, found: Facets, near: IntArray) -> tuple[FloatArray, IntArray]:
    """Patterns (n_pattern, n_column) that are worst for the facets `near`, and which (n_near,) is whose; -1 for none.

    `near` are in order of importance: where there are too many patterns, the first ones count.
    """
    if box.least == 1:
        return np.ones((1, box.size)), np.zeros(len(near), dtype=np.int64)
    if not len(near):
        return np.zeros((0, box.size)), np.zeros(0, dtype=np.int64)
    use = box.corner(found.worst[near], _NEGLIGIBLE)
    packed = np.packbits(use == 1, axis=1)
    _, first, label = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    kept = np.argsort(first)[:_MOST]
    place = np.full(len(first), -1)
    place[kept] = np.arange(len(kept))
    return use[first[kept]], place[label.ravel()]


def _phases(problem: Problem) -> IntArray:
    """Shape (n_participant,): which of three phases each stands on, 3 for several of them.

    By the angle of its voltage without any power, so that it holds behind transformers of any connection.
    """
    scene = problem.scenes[0]
    solver, shares = scene.solver, scene.shares
    voltage = solver.solve(np.zeros((solver.pairs.size, 1), dtype=np.complex128)).voltage[:, 0]
    volts = np.append(voltage * scene.system.base_v, [0.0, 0.0])  # the last two for ABSENT and EARTH
    across = volts[solver.pairs.first] - volts[solver.pairs.second]
    turn = np.where(across == 0, 0, across**2 / np.maximum(np.abs(across) ** 2, 1e-12))  # legs are one phase
    entries = shares.tocoo()
    pair, participant = entries.coords
    mean = np.zeros(shares.shape[1], dtype=np.complex128)
    np.add.at(mean, participant, turn[pair])
    mean /= np.maximum(np.bincount(participant, minlength=len(mean)), 1)
    reference = mean[np.argmax(np.abs(mean))] if len(mean) else 1.0
    sector = np.round(np.angle(mean / reference) / (2 * np.pi / 3)).astype(np.int64) % 3
    return np.where(np.abs(mean) > 0.9, sector, 3)
