"""Equal shares: the largest part of everybody's capability that all may use at once, by bisection on AC.

The simplest envelopes that can be proven: no linear programme, a few dozen power flows. Export and import
are searched apart, everybody going the same way.
"""

from dataclasses import dataclass

import numpy as np

from grid_engine.impact import round_inward
from grid_engine.limits import Monitor
from grid_engine.members import nothing_w
from grid_engine.model import FloatArray, Network
from grid_engine.problem import Problem, pose
from grid_engine.results import Binding, Envelope, Study
from grid_engine.screen import binding
from grid_engine.study_faults import faults

_PARTS = 16
"""Tried at once."""
_ROUNDS = 3

_Stop = tuple[int, FloatArray]
"""The row that stops everybody, and the row values there (n_row,)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Share:
    """How far all go one way in one interval."""

    limit_w: FloatArray
    """Shape (n_participant,): rounded inward and proven."""
    why: Binding | None
    """What stops them; `None` where nothing does."""


def equal_shares(network: Network, study: Study) -> tuple[Envelope, ...]:
    """Envelopes of every adjustable participant in every interval; none where the study is faulty.

    A limit that is broken with everybody at nothing must not get worse; an interval without a solution
    there has no envelopes.
    """
    if faults(network, study):
        return ()
    problem = pose(network, study)
    return tuple(envelope for i in range(study.intervals) for envelope in _interval(problem, i))


def _interval(problem: Problem, interval: int) -> tuple[Envelope, ...]:
    members = np.flatnonzero(problem.adjustable)
    start_w = problem.held_w[:, interval].copy()
    start_w[members] = nothing_w(problem)[members]
    base = problem.solve(start_w[:, None], [interval])
    if not base.converged.all():
        return ()
    standing = problem.monitor.values(base.voltages)[:, 0]
    monitor = problem.monitor.relaxed(standing)
    up = _share(problem, interval, monitor, start_w, problem.ceiling_w)
    down = _share(problem, interval, monitor, start_w, problem.floor_w)
    names = problem.study.participants
    return tuple(
        Envelope(names[j].resource, interval, float(down.limit_w[j]), float(up.limit_w[j]), up.why or down.why)
        for j in members.tolist()
    )


def _share(problem: Problem, interval: int, monitor: Monitor, start_w: FloatArray, end_w: FloatArray) -> _Share:
    """The way from `start_w` towards `end_w` (n_participant,) that all adjustable participants may go together."""
    way_w = np.where(problem.adjustable, end_w - start_w, 0.0)
    good, bad = 0.0, 1.0
    stopped: _Stop | None = None
    for round_number in range(_ROUNDS):
        parts = np.linspace(good, bad, _PARTS + 1)[1:]
        if round_number:
            parts = parts[:-1]
        powers_w = start_w[:, None] + way_w[:, None] * parts
        values = problem.monitor.values(problem.solve(powers_w, [interval] * len(parts)).voltages)
        excess = monitor.excess(values)
        holds = (excess <= 1).all(axis=0)
        if holds.all():
            good = parts[-1]
            if not round_number:
                break
            continue
        first = int(np.argmin(holds))
        stopped = (int(np.argmax(excess[:, first])), values[:, first])
        good, bad = (float(parts[first - 1]) if first else good), float(parts[first])
    found_w = start_w + way_w * good
    return (
        _Share(found_w, None) if stopped is None else _rounded(problem, interval, monitor, (start_w, found_w), stopped)
    )


def _rounded(
    problem: Problem, interval: int, monitor: Monitor, ends_w: tuple[FloatArray, FloatArray], stopped: _Stop
) -> _Share:
    """Limits on the study's grid, proven once more; who cannot be given a proof stays at the first of `ends_w`."""
    start_w, found_w = ends_w
    limit_w = round_inward(problem, found_w, np.sign(found_w - start_w))
    values = problem.monitor.values(problem.solve(limit_w[:, None], [interval]).voltages)
    if not (monitor.excess(values) <= 1).all():
        limit_w = start_w
    row, before = stopped
    return _Share(limit_w, binding(monitor, row, before, values[:, 0]))
