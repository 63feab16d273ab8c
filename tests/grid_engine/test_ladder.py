"""A power flow near collapse is found from further away; beyond it nothing is."""

import numpy as np
import pytest

from grid_engine.elements.primitive import BASE_VA
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


def test_case_close_to_collapse_is_found_step_by_step() -> None:
    scene = posed(1.0, 0.999 * NOSE)
    power = scene.given_va[:, [1]]
    assert not scene.solver.solve(power).converged[0]
    flow = solve_or_climb(scene.solver, power)
    assert flow.converged[0]
    system, pairs = scene.system, scene.solver.pairs
    voltage = flow.voltage[:, 0]
    injected = np.zeros(len(voltage), dtype=np.complex128)
    np.add.at(injected, pairs.first, (power[:, 0] / BASE_VA / voltage[pairs.first]).conj())
    kept = np.unique(system.unknown, return_index=True)[1]
    residual = system.matrix @ voltage[kept] - system.source_current - injected[kept]
    assert np.abs(residual / system.matrix.diagonal()).max() < 1e-9


def test_other_cases_of_the_batch_stay_as_they_were() -> None:
    scene = posed(1.0, 0.999 * NOSE, 2.0)
    flow = solve_or_climb(scene.solver, scene.given_va)
    assert flow.converged.all()
    alone = scene.solver.solve(scene.given_va[:, [2]])
    np.testing.assert_allclose(flow.voltage[:, 2], alone.voltage[:, 0], atol=1e-9)


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
