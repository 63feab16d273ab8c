"""Adjoint sensitivities against differences of AC solutions, on every kind of row."""

import numpy as np

from grid_engine.results import Purpose, Rating, Study
from grid_engine.studies.problem import pose
from tests.grid_engine.studies import NETWORK, der


def test_sensitivities_are_the_slopes_of_the_power_flow() -> None:
    members = (der("A", 1), der("B", 4), der("E", 0.5, phases="a"), der("C", 1, phases="bc"))
    ratings = {"L12": Rating(reverse_power_w=1e6), "T1": Rating(reverse_power_w=1e6)}
    problem = pose(NETWORK, Study("s", Purpose.IMPACT, 1, members, ratings=ratings, contingencies=("T2",)))
    power_w = problem.held_w[:, 0]
    step_w = 100.0
    around = power_w[:, None] + np.concatenate([np.eye(4) * step_w, -np.eye(4) * step_w, np.zeros((4, 1))], axis=1)
    solved = problem.solve(around, [0] * 9)
    values = problem.monitor.values(solved.voltages)
    slopes = (values[:, :4] - values[:, 4:8]) / (2 * step_w)
    rows = [n for n in range(len(values)) if values[n, -1] > 1e-3]
    found = problem.sensitivities(rows, problem.solve(power_w[:, None], [0]))
    np.testing.assert_allclose(found, slopes[rows], rtol=1e-4, atol=1e-9)
