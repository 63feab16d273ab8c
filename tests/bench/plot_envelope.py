"""A picture of envelopes in use: who may do what, and how near to a limit that brings the feeder."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from grid_engine.envelopes.words import EnvelopeAnswer
from grid_engine.model import Network
from grid_engine.results import Study
from grid_engine.studies.problem import pose

RUNS = 1000
BUILD = Path("build")


def draw(network: Network, study: Study, answers: Mapping[str, EnvelopeAnswer]) -> dict[str, float]:
    """Write `build/envelope_use.png` of export envelopes; per kind of envelope the part of random uses that violate."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    problem, broken = pose(network, study), {}
    for n, (kind, found) in enumerate(answers.items()):
        ceiling_w = np.array([envelope.ceiling_w for envelope in found.envelopes])
        used_w = ceiling_w[:, None] * np.random.default_rng(1).random((len(ceiling_w), RUNS))
        excess = problem.monitor.worst(problem.solve(used_w, [0] * RUNS).voltages)[0]
        broken[kind] = float((excess > 1).mean())
        order = np.argsort(-ceiling_w, kind="stable")
        place = np.arange(len(ceiling_w)) + 0.4 * n
        label = f"{kind}, {ceiling_w.sum() / 1e3:.1f} kW"
        left.bar(place, ceiling_w[order] / 1e3, 0.4, align="edge", label=label)
        right.plot(
            np.sort(excess) / 1e2, np.linspace(0, 100, RUNS), label=f"{kind}, {100 * broken[kind]:.1f} % violate"
        )
    left.set(xlabel="DER, by size of its envelope", ylabel="export limit, kW", title=study.study_id)
    right.axvline(0, color="black", linewidth=0.8)
    right.set(
        xlabel="nearest limit at random use: hundredths of a pu, or tenths of a rating, beyond it",
        ylabel="random uses, %",
        title=f"{RUNS} AC power flows within the envelopes",
    )
    left.legend()
    right.legend()
    BUILD.mkdir(exist_ok=True)
    figure.savefig(BUILD / "envelope_use.png", dpi=120)
    return broken
