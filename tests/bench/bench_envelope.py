"""Operating envelopes beside the exact nonlinear optimum by IPOPT, robust ones with their proof, and a whole zone."""

import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from grid_engine.envelopes.study import answer
from grid_engine.envelopes.words import Direction, EnvelopeAnswer, EnvelopeStudy, Sharing
from grid_engine.model import Network
from grid_engine.results import Study
from grid_engine.studies.problem import pose
from tests.bench.plot_envelope import draw
from tests.bench.rows import Benchmark, Row, duration, rate
from tests.grid_engine.der_feeders import DER_W, european_lv, ieee_8500, oracle_grid, oracle_start
from tests.grid_engine.oracle_nlp import Optimum, most_power

FEEDERS: dict[str, Callable[[], tuple[Network, Study]]] = {"eulv": european_lv, "8500": ieee_8500}
SIGN = {Direction.EXPORT: 1.0, Direction.IMPORT: -1.0}
PEER = "IPOPT, IVR"
LARGE_IN_ZONE, SMALL_IN_ZONE = 4, 10


@contextmanager
def _one_core() -> Iterator[None]:
    """Whatever libraries think: this process has one processor."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def _asked(network: Network, study: Study, **more: object) -> tuple[EnvelopeAnswer, float]:
    """The answer, and how long it took from the network on."""
    began = time.perf_counter()
    found = answer(network, EnvelopeStudy(study, **more), np.random.default_rng(1))
    return found, time.perf_counter() - began


def _exact(network: Network, study: Study, direction: Direction) -> tuple[Optimum, float]:
    problem = pose(network, study)
    grid, start = oracle_grid(problem), oracle_start(problem)
    began = time.perf_counter()
    best = most_power(grid, np.full(len(study.participants), DER_W), SIGN[direction], start)
    return best, time.perf_counter() - began


def _maximum(feeder: str) -> Sequence[Row]:
    network, study = FEEDERS[feeder]()
    _asked(network, study, sharing=Sharing.EQUAL)  # compiled and cached, as in a gateway that runs
    rows: list[Row] = []
    for direction in SIGN:
        name = f"envelope.{feeder}.maximum.{direction}"
        with _one_core():
            found, seconds = _asked(network, study, direction=direction, utilisation=1.0)
            best, their_seconds = _exact(network, study, direction)
        total_w = found.outcomes[0].export_w + found.outcomes[0].import_w
        rows += [
            duration(name, seconds, "s", PEER, their_seconds),
            rate(f"{name}.total", total_w / 1e3, "kW", PEER, best.total_w / 1e3),
        ]
    return rows


def _robust(feeder: str) -> Sequence[Row]:
    network, study = FEEDERS[feeder]()
    _asked(network, study, sharing=Sharing.EQUAL)
    rows: list[Row] = []
    for sharing in (Sharing.EQUAL, Sharing.MAXIMUM, Sharing.PROPORTIONAL):
        with _one_core():
            found, seconds = _asked(network, study, sharing=sharing)
        name, outcome = f"envelope.{feeder}.robust.{sharing}", found.outcomes[0]
        rows += [
            Row(name, seconds, "s"),
            Row(f"{name}.export", outcome.export_w / 1e3, "kW"),
            Row(f"{name}.import", outcome.import_w / 1e3, "kW"),
            Row(f"{name}.random_use", sum(p.violations for p in found.proofs), f"of {found.proofs[0].runs} violated"),
        ]
    return rows


def _zone() -> Sequence[Row]:
    """Fourteen feeders one after the other: robust envelopes in both directions, each with its proof."""
    large = [ieee_8500(seed=seed) for seed in range(LARGE_IN_ZONE)]
    network, study = european_lv()
    small = [(network, replace(study, load_scale=(0.5 + n / 10,))) for n in range(SMALL_IN_ZONE)]
    questions = [*large[::2], *small[::2], *large[1::2], *small[1::2]]  # its second half is like its first
    _asked(*questions[-1], sharing=Sharing.EQUAL)
    taken = []
    answers = []
    with _one_core():
        began = time.perf_counter()
        for question in questions:
            answers.append(_asked(*question)[0])
            taken.append(time.perf_counter() - began)
    seconds, half = taken[-1], len(questions) // 2
    violations = sum(proof.violations + proof.corner_violations for found in answers for proof in found.proofs)
    members = sum(len(study.participants) for _, study in questions)
    nodes = sum(len(network.nodes.bus) for network, _ in questions)
    return (
        Row("envelope.zone.robust", seconds, f"s, {len(questions)} feeders, {nodes} nodes, {members} DERs"),
        Row("envelope.zone.half", taken[half - 1], f"s, the first {half} feeders alone"),
        Row("envelope.zone.random_use", violations, "runs violated"),
        Row("envelope.zone.peak_memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB"),
    )


def _plot() -> Sequence[Row]:
    """`build/envelope_use.png`: what is given to whom, and how near to a limit random use comes."""
    network, study = european_lv()
    kinds = {"robust": 0.0, "deterministic": 1.0}
    answers = {
        kind: _asked(network, study, direction=Direction.EXPORT, utilisation=part)[0] for kind, part in kinds.items()
    }
    broken = draw(network, study, answers)
    return [Row(f"envelope.plot.{kind}.random_use", 100 * part, "% of uses violated") for kind, part in broken.items()]


BENCHMARKS = (
    Benchmark("envelope.eulv.maximum", lambda: _maximum("eulv")),
    Benchmark("envelope.eulv.robust", lambda: _robust("eulv")),
    Benchmark("envelope.8500.maximum", lambda: _maximum("8500")),
    Benchmark("envelope.8500.robust", lambda: _robust("8500")),
    Benchmark("envelope.zone", _zone),
    Benchmark("envelope.plot", _plot),
)
