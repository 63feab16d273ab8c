"""A power flow near collapse is found, from further away if need be; beyond it nothing is."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.elements.primitive import BASE_VA
from grid_engine.flow.powerflow import Flow
from grid_engine.model import ComplexArray
from grid_engine.results import Purpose, Status, Study
from grid_engine.studies.ladder import solve_or_climb
from grid_engine.studies.problem import Scene, pose
from tests.grid_engine.studies import NETWORK, ask, der

NOSE = 3.8485
"""Factor on all loads of R1 at which there is no solution any more."""


def posed(*scales: float) -> Scene:
    """Prepared at the first of several load levels."""
    study = Study("s", Purpose.IMPACT, len(scales), (der("A", [0.0] * len(scales)),), load_scale=scales)
    return pose(NETWORK, study).scenes[0]


class Hopeless:
    """A solver that finds no solution of its first case."""

    def __init__(self, scene: Scene) -> None:
        self.system, self.pairs, self._real = scene.system, scene.solver.pairs, scene.solver

    def solve(self, power_va: ComplexArray) -> Flow:
        found = self._real.solve(power_va)
        converged, voltage = found.converged.copy(), found.voltage.copy()
        converged[0], voltage[:, 0] = False, np.nan
        return replace(found, converged=converged, voltage=voltage)


def residual(scene: Scene, power: ComplexArray, voltage: ComplexArray) -> float:
    """Per unit of voltage, how far the nodal equations are from holding."""
    system, pairs = scene.system, scene.solver.pairs
    injected = np.zeros(len(voltage), dtype=np.complex128)
    np.add.at(injected, pairs.first, (power / BASE_VA / voltage[pairs.first]).conj())
    kept = np.unique(system.unknown, return_index=True)[1]
    mismatch = system.matrix @ voltage[kept] - system.source_current - injected[kept]
    return float(np.abs(mismatch / system.matrix.diagonal()).max())


@pytest.mark.parametrize("part", [0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999])
def test_case_close_to_collapse_behind_a_stiff_source_is_solved(part: float) -> None:
    scene = posed(1.0, part * NOSE)
    power = scene.given_va[:, [1]]
    flow = scene.solver.solve(power)
    assert flow.converged[0]
    assert residual(scene, power[:, 0], flow.voltage[:, 0]) < 1e-8


def test_what_a_solver_does_not_find_is_found_step_by_step() -> None:
    scene = posed(1.0, 0.99 * NOSE, 2.0)
    power = scene.given_va[:, 1:]
    flow = solve_or_climb(Hopeless(scene), power)  # type: ignore[arg-type]
    assert flow.converged.all()
    for case in range(2):
        assert residual(scene, power[:, case], flow.voltage[:, case]) < 1e-8


@pytest.mark.parametrize("scale", [1.001 * NOSE, 20.0])
def test_beyond_collapse_nothing_is_found(scale: float) -> None:
    scene = posed(1.0, scale)
    flow = solve_or_climb(scene.solver, scene.given_va[:, [1]])
    assert not flow.converged[0]
    assert np.isnan(flow.voltage).any()


def test_study_near_collapse_is_answered_with_its_violations() -> None:
    result = ask(der("A", [0.0, 0.0]), load_scale=(1.0, 0.999 * NOSE))
    assert result.status is Status.SOLVED
    assert {v.interval for v in result.violations} == {1}
