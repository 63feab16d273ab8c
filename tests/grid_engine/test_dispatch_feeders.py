"""Dispatch on unbalanced feeders: the exact optimum by IPOPT, and pandapower's three-phase power flow."""

import numpy as np
import pytest

from grid_engine.dispatch.schedule import dispatched
from grid_engine.dispatch.words import Block, Market, Offer, Outcome
from grid_engine.results import Rating
from grid_engine.studies.problem import pose
from tests.grid_engine.der_feeders import DER_W, european_lv, oracle_grid, oracle_start
from tests.grid_engine.markets import clear, megawatts, offer
from tests.grid_engine.oracle_nlp import most_power
from tests.grid_engine.r1 import Oracle, bisect, row
from tests.grid_engine.studies import der


def test_cheapest_dispatch_of_55_houses_is_the_exact_optimum() -> None:
    network, study = european_lv()
    problem = pose(network, study)
    offers = tuple(Offer(p.resource, (Block(DER_W, -100.0),)) for p in study.participants)
    result = dispatched(Market(study, offers), problem)
    assert (result.outcome, result.violations) == (Outcome.DELIVERED, ())
    best = most_power(oracle_grid(problem), np.full(len(offers), DER_W), 1.0, oracle_start(problem))
    assert best.status == "Solve_Succeeded"
    assert sum(i.power_w for i in result.instructions) == pytest.approx(best.total_w, rel=2e-3)


def test_one_phase_stops_who_is_on_it() -> None:
    members = (der("E", 0.0, phases="a"), der("B", 4.0), der("C", 0.0))
    ratings = {"L11": Rating(ampacity_a=150)}
    result = clear(1.0, (offer("E", (1, 10)), offer("C", (2, 90))), members=members, ratings=ratings, limit_step_w=1.0)
    oracle = Oracle()
    line = row(oracle.net, "line", "L11")

    def holds(p_mw: float) -> bool:
        oracle.solve({"E": p_mw, "B": 4.0, "C": 1.0 - p_mw}, phases={"E": "a"})
        return float(oracle.net.res_line_3ph.at[line, "i_a_ka"]) <= 0.150

    room_mw = bisect(holds, 0.0, 1.0, steps=12)
    assert megawatts(result) == {"E": pytest.approx(room_mw, abs=1e-3), "C": pytest.approx(1.0 - room_mw, abs=1e-3)}
    (tight,) = result.congestions
    assert (tight.asset_id, tight.phase) == ("L11", "a")
