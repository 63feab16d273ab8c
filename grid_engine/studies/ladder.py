"""What is tried where a power flow does not converge, before that counts as its answer."""

from dataclasses import replace

import numpy as np

from grid_engine.flow.powerflow import Flow, Solver, prepare
from grid_engine.model import ComplexArray

_RUNGS = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Parts of the powers, each solved from where the last one ended."""


def solve_or_climb(solver: Solver, power_va: ComplexArray) -> Flow:
    """Power flows at `power_va` (n_pair, n_case); a case that fails is tried again from further away.

    First from the unloaded network (a flat start), then by raising its powers step by step (homotopy), each
    solution being the next one's start. Taps are held throughout: they belong to the system's state. A case
    that is still without a solution then has none that anybody should rely on.
    """
    flow = solver.solve(power_va)
    for case in np.flatnonzero(~flow.converged):
        found = _climb(solver, power_va[:, case])
        if found is not None:
            flow = _with(flow, int(case), found)
    return flow


def _climb(solver: Solver, power_va: ComplexArray) -> Flow | None:
    flat = prepare(solver.system, solver.pairs, np.zeros_like(power_va)).solve(power_va[:, None])
    if flat.converged[0]:
        return flat
    found = None
    for part, base in zip(_RUNGS, (0.0, *_RUNGS), strict=False):
        found = prepare(solver.system, solver.pairs, base * power_va).solve(part * power_va[:, None])
        if not found.converged[0]:
            return None
    return found


def _with(flow: Flow, case: int, found: Flow) -> Flow:
    parts = {name: getattr(flow, name).copy() for name in ("voltage", "converged", "worst_node", "iterations")}
    for name, values in parts.items():
        values[..., case] = getattr(found, name)[..., 0]
    return replace(flow, **parts)
