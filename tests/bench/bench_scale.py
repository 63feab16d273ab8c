"""A zone at full size: limits for the next hour that hold after any of 21 losses too, 501 DERs on 2,721 buses."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from grid_engine import cycle, joint
from grid_engine.model import Network
from grid_engine.results import Answer, Participant, Purpose, Status, Study
from tests.bench.rows import Benchmark, Row, duration
from tests.grid_engine.der_feeders import european_lv

FEEDERS, DERS, INTERVALS, LOSSES = 3, 167, 12, 7
"""How many feeders, and of each how many DERs and lines that may be lost."""
GOAL_S = 300.0
"""The market's interval."""
ASKED_W = (3e3, 6e3)
"""What each DER wants at the beginning and at the end of the hour."""


def _feeders(purpose: Purpose) -> Iterator[tuple[Network, Study]]:
    network, study = european_lv()
    asked_w = tuple(np.linspace(*ASKED_W, INTERVALS).tolist())
    for feeder in range(FEEDERS):
        lost = np.random.default_rng(feeder).choice(network.lines.ids, LOSSES, replace=False)
        yield (
            network,
            replace(
                study,
                purpose=purpose,
                intervals=INTERVALS,
                participants=tuple(_members(study.participants, asked_w)),
                load_scale=(0.4 + 0.1 * feeder,) * INTERVALS,
                contingencies=tuple(str(line) for line in lost),
            ),
        )


def _members(customers: Sequence[Participant], asked_w: tuple[float, ...]) -> Iterator[Participant]:
    """Three or four DERs at every customer."""
    for n in range(DERS):
        customer = customers[n % len(customers)]
        yield replace(customer, resource=f"der{n}", held_w=(0.0,) * len(asked_w), requested_w=asked_w)


def _answer(network: Network, study: Study) -> Answer:
    return joint.answer(network, study) if study.purpose is Purpose.JOINT else cycle.answer(network, study)


def _scale() -> Sequence[Row]:
    rows: list[Row] = []
    for purpose in Purpose:
        questions = list(_feeders(purpose))
        _answer(*questions[0])  # compiled and cached, as in a gateway that runs
        began = time.perf_counter()
        answers = [_answer(*question) for question in questions]
        seconds = time.perf_counter() - began
        wrong = [f"{one.status}: {one.detail}" for one in answers if one.status is not Status.SOLVED]
        if wrong:
            raise RuntimeError(f"{purpose}: {wrong[0]}")
        rows += [
            duration(f"scale.{purpose.value}", seconds, "s", "goal", GOAL_S),
            Row(f"scale.{purpose.value}.power_flows", sum(one.power_flows for one in answers), "power flows"),
        ]
    return rows


BENCHMARKS = (Benchmark("scale", _scale),)
