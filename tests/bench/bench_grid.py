"""The engine on reference zone R1 beside pandapower, which solves one case per call and in the sequence frame."""

import time
from collections.abc import Callable, Sequence

import numpy as np
import pandapower as pp

from grid_engine.results import Participant, Purpose, Study
from grid_engine.studies.problem import pose
from tests.bench.rows import Benchmark, Row, duration, percentile
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import NETWORK, ask, der

REPEATS = 20
CASES = 64


def _median_ms(work: Callable[[], object], repeats: int = REPEATS) -> float:
    work()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(1e3 * (time.perf_counter() - began))
    return percentile(taken, 50)


def _ours_ms(members: Sequence[Participant]) -> float:
    """Per power flow, in a batch of different powers."""
    problem = pose(NETWORK, Study("bench", Purpose.IMPACT, 1, tuple(members)))
    power_w = problem.held_w * np.linspace(0.5, 1.0, CASES)
    return _median_ms(lambda: problem.solve(power_w, [0] * CASES)) / CASES


def _powerflow() -> Sequence[Row]:
    oracle = Oracle()
    net = oracle.solve({"A": 1.0, "B": 4.0}).net
    balanced_ms = _median_ms(lambda: pp.runpp(net, numba=False))
    net = oracle.solve({"B": 4.0, "E": 1.0}, phases={"E": "a"}).net
    uneven_ms = _median_ms(lambda: pp.runpp_3ph(net, numba=False), 3)
    ours_ms = _ours_ms([der("A", 1), der("B", 4)])
    ours_uneven_ms = _ours_ms([der("B", 4), der("E", 1, phases="a")])
    return (
        duration("grid.powerflow.r1.balanced", ours_ms, "ms", "pandapower runpp", balanced_ms),
        duration("grid.powerflow.r1.three_phase", ours_uneven_ms, "ms", "pandapower runpp_3ph", uneven_ms),
    )


def _impact() -> Sequence[Row]:
    """Twelve different violated intervals: sequential linear programming beside bisection."""
    forecast_mw = [4.0 + k / 12 for k in range(12)]
    members = (der("A", [0.0] * 12, 2), der("B", forecast_mw))
    ours_ms = _median_ms(lambda: ask(*members))
    oracle = Oracle()
    began = time.perf_counter()
    for b_mw in forecast_mw:
        bisect(lambda p_mw, b_mw=b_mw: oracle.solve({"A": p_mw, "B": b_mw}).holds(), 0.0, 2.0, steps=8)
    theirs_ms = 1e3 * (time.perf_counter() - began)
    return (duration("grid.impact.r1.twelve_intervals", ours_ms, "ms", "bisection on pandapower", theirs_ms),)


BENCHMARKS = (Benchmark("grid.powerflow", _powerflow), Benchmark("grid.impact", _impact))
