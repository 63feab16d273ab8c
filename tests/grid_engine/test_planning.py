"""A planner's questions on R1, beside pandapower."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.planning import at_interval, every_branch, hosting, losses_of_elements, places, time_series
from grid_engine.results import NetworkState, Purpose, Reason, Study
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import NETWORK, der

HOURS = 4
LOAD = (1.0, 0.6, 1.0, 0.8)
B_MW = (4.0, 5.0, 0.0, 2.0)
STUDY = Study(
    "day",
    Purpose.IMPACT,
    HOURS,
    (der("A", (0.0, 0.0, -1.0, 2.0)), der("B", B_MW)),
    load_scale=LOAD,
    margin_pct=0.0,
)


@pytest.fixture(scope="module")
def oracle():
    return Oracle()


def test_a_day_of_power_flows_is_what_pandapower_finds(oracle):
    told = []
    found = time_series(NETWORK, STUDY, told.append)
    assert told == [HOURS]
    assert all(found.solved)
    line = found.assets.index("L12")
    for i, (a_mw, b_mw) in enumerate(zip((0.0, 0.0, -1.0, 2.0), B_MW, strict=True)):
        net = oracle.solve({"A": a_mw, "B": b_mw}, scale=LOAD[i]).net
        low, high = (f(oracle.voltage(f"B{n}") for n in range(1, 8)) for f in (min, max))
        assert found.voltage_pu[[0, 2], i] == pytest.approx([low, high], abs=1e-6)
        assert found.loading_pct[line, i] == pytest.approx(100 * oracle.amperes("L12") / 154.2, abs=1e-3)
        lost_mw = net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum()
        assert found.losses_w[i] / 1e6 == pytest.approx(lost_mw, abs=1e-5)
        assert found.source_w[i] / 1e6 == pytest.approx(net.res_ext_grid.p_mw.sum(), abs=1e-5)


def test_violations_name_their_interval_and_nobody_is_limited():
    found = time_series(NETWORK, replace(STUDY, participants=(der("A", (0, 2, 2, 0)), der("B", (4, 4, 4, 0)))))
    assert {(v.asset_id, v.interval, v.reason) for v in found.violations} == {
        ("L12", i, Reason.THERMAL) for i in (1, 2)
    }


def test_an_interval_without_a_solution_is_told_with_its_bus_and_spoils_no_other():
    wild = (der("A", (0.0, 0.0, -1.0, 2.0)), replace(der("B", B_MW), requested_w=(4e6, 9e9, 0.0, 2e6), ceiling_w=1e10))
    found = time_series(NETWORK, replace(STUDY, participants=wild))
    assert found.solved == (True, False, True, True)
    assert found.failures[0].startswith("interval 1: no power flow solution, worst at bus B")
    assert np.isnan(found.voltage_pu[:, 1]).all()


def test_every_bus_but_the_source_hosts_what_bisection_finds(oracle):
    candidates = places(NETWORK, 10e6)
    assert [p.bus for p in candidates] == [f"B{n}" for n in range(1, 8)]
    told = []
    found = {h.bus: h for h in hosting(NETWORK, STUDY, candidates, 0, told.append)}
    assert told == [7]

    def holds(p_mw):
        return oracle.solve({"A": p_mw, "B": 4.0}).holds()

    assert found["B3"].export_w / 1e6 == pytest.approx(bisect(holds, 0.0, 10.0), abs=0.011)
    assert found["B3"].import_w / 1e6 == pytest.approx(-bisect(holds, 0.0, -10.0), abs=0.011)
    assert found["B3"].export_binding.asset_id == "L12"


def test_each_loss_is_tried_and_tells_only_what_it_makes_worse():
    study = replace(at_interval(STUDY, 2), state=NetworkState(taps={"T1": -3, "T2": -3}))
    cases = every_branch(NETWORK, study)
    assert {case.id for case in cases} == set(NETWORK.branch_ids)
    found = {loss.contingency: loss for loss in losses_of_elements(NETWORK, study, cases)}
    assert {(v.asset_id, v.case) for v in found["T2"].violations} == {("T1", "T2")}
    assert "B7" in found["L31"].cut_off
    standing = replace(study, participants=(der("A", 2.0), der("B", 4.0)), intervals=1, load_scale=(1.0,))
    overloaded = {loss.contingency: loss for loss in losses_of_elements(NETWORK, standing, cases)}
    assert overloaded["L31"].violations == ()
