"""What a power flow costs as a feeder grows: loads at every bus of ever longer chains, microseconds per bus."""

import time
from collections.abc import Sequence

import numpy as np

from grid_engine.flow.nodal import build
from grid_engine.flow.pairs import load_pairs, load_power
from grid_engine.flow.powerflow import prepare
from grid_engine.results import NetworkState
from tests.bench.rows import Benchmark, Row, percentile
from tests.grid_engine.radial import chain

BUSES = (1_000, 2_000, 4_000, 8_000, 16_000)
TOTAL_VA = 8e3 + 2e3j
WHOLE_OHM = 0.2 + 0.1j
CASES = 64
ROUNDS = 7


def _microseconds(buses: int) -> float:
    network = chain(*[WHOLE_OHM / buses] * buses, loads_va=dict.fromkeys(range(1, buses + 1), TOTAL_VA / buses))
    nominal = -load_power(network)
    solver = prepare(build(network, NetworkState()), load_pairs(network)[0], -nominal)
    power_va = -nominal[:, None] * np.linspace(0.6, 1.0, CASES)
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        flow = solver.solve(power_va, tolerance_pu=1e-8)
        taken.append(time.perf_counter() - began)
        if not flow.converged.all():
            raise RuntimeError(f"{buses} buses: a case did not converge")
    return 1e6 * percentile(taken, 50) / CASES / buses


def _growth() -> Sequence[Row]:
    _microseconds(BUSES[0])
    return [Row(f"powerflow.growth.{buses}", _microseconds(buses), "µs per bus and power flow") for buses in BUSES]


BENCHMARKS = (Benchmark("powerflow.growth", _growth),)
