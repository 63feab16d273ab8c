"""What the network loses and draws, against pandapower and against the balance of powers."""

import numpy as np
import pytest

from grid_engine.dispatch.losses import Row, tallied_w, tally
from grid_engine.results import NetworkState
from grid_engine.studies.problem import pose
from grid_engine.studies.sens import sensitivities
from tests.grid_engine.markets import study
from tests.grid_engine.r1 import Oracle
from tests.grid_engine.studies import NETWORK, der


@pytest.mark.parametrize("switched", [False, True])
def test_losses_and_draw_are_those_of_pandapower(*, switched: bool) -> None:
    closed = {"SW12": not switched, "SWT": switched}
    problem = pose(NETWORK, study(der("A", 2.0), der("B", 4.0), state=NetworkState(switches_closed=closed)))
    found = tallied_w(problem.scenes[0].system, problem.solve(problem.held_w, [0]).voltages[0])[:, 0]
    net = Oracle().solve({"A": 2.0, "B": 4.0}, closed=closed).net
    assert found[Row.LOSSES] == pytest.approx((net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()) * 1e6, rel=1e-6)
    assert found[Row.DRAW] == pytest.approx(net.res_ext_grid.p_mw.sum() * 1e6, rel=1e-6)
    assert found[Row.LOSSES] / 1e6 == pytest.approx(0.141 if switched else 0.297, abs=5e-4)


def test_slopes_are_those_of_differences() -> None:
    problem = pose(NETWORK, study(der("A", 1.0), der("B", 4.0), der("E", 0.5, phases="a")))
    scene, step_w = problem.scenes[0], 1000.0
    power_w = problem.held_w + np.concatenate([np.eye(3), -np.eye(3), np.zeros((3, 1))], axis=1) * step_w
    solved = problem.solve(power_w, [0] * 7)
    values = tallied_w(scene.system, solved.voltages[0])
    slopes = (values[:, :3] - values[:, 3:6]) / (2 * step_w)
    voltage = solved.voltages[0][:, 6]
    linear = scene.solver.linearise(solved.power_va[0][:, 6], voltage)
    per_watt, _ = sensitivities(linear, tally(scene.system), list(Row), voltage)
    np.testing.assert_allclose((scene.shares.T @ per_watt.T).T, slopes, atol=1e-5)
