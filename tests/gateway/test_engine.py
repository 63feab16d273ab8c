"""The engine in its worker process: whatever becomes of the worker, the answer is a value."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.engine import ExecutorEngine, ZoneEngine, timed
from gateway.workers import LocalWorkers
from grid_engine.results import Answer, Participant, Purpose, Status, Study

R1 = Path(__file__).parents[2] / "config" / "zones" / "networks" / "r1.json"
STUDY = Study("s1", Purpose.IMPACT, 1, (Participant("A", "B3", (0.0,), (1e6,), -2.5e6, 2.5e6),))


@pytest.fixture
def worker():
    made = []

    def make(source: Path = R1, deadline_s: float = 60.0) -> ZoneEngine:
        made.append(ZoneEngine(LocalWorkers({"": source}, "r1-1"), ("",), "r1-1", deadline_s))
        return made[-1]

    yield make
    for one in made:
        one.close()


def processes(one: ZoneEngine) -> list[int]:
    return [pid for pool in one._workers._pools for pid in pool._processes or {}]


async def test_a_worker_answers_and_is_replaced_when_it_dies(worker):
    one = worker()
    answer = await one.answer(STUDY)
    assert (answer.status, answer.study_id, answer.model_version) == (Status.SOLVED, "s1", "r1-1")
    assert answer.duration_s > 0
    (pid,) = processes(one)
    os.kill(pid, signal.SIGKILL)
    dead = await one.answer(STUDY)
    assert dead.status is Status.NOT_CONVERGED
    assert "died" in dead.detail
    assert (await one.answer(STUDY)).status is Status.SOLVED
    assert processes(one) != [pid]


async def test_a_worker_that_cannot_load_its_network_fails_every_study_and_nothing_else(worker, tmp_path):
    one = worker(tmp_path / "missing.json")
    for _ in range(2):
        answer = await one.answer(STUDY)
        assert (answer.status, answer.study_id) == (Status.NOT_CONVERGED, "s1")
        assert "missing.json: cannot be read" in answer.detail


async def test_a_study_that_takes_too_long_is_given_up_with_its_worker(worker):
    one = worker(deadline_s=0.0)
    answer = await one.answer(STUDY)
    assert answer.status is Status.NOT_CONVERGED
    assert "no answer within 0 s" in answer.detail
    begun = time.monotonic()
    one.close()
    assert time.monotonic() - begun < 60, "closing hangs"


def test_a_defect_of_the_engine_is_a_failed_study_that_says_where():
    class Broken:
        version = "v1"

    answer = timed(Broken(), STUDY)
    assert (answer.status, answer.study_id, answer.model_version) == (Status.NOT_CONVERGED, "s1", "v1")
    assert "defect in the engine: AttributeError" in answer.detail
    assert ".py:" in answer.detail


async def test_an_executor_engine_solves_where_it_is_told():
    asked = []

    def solve(network, study):
        asked.append(study)
        return Answer(study.study_id, Status.SOLVED, "v")

    with ThreadPoolExecutor(1) as executor:
        assert (await ExecutorEngine(None, executor, solve).answer(STUDY)).status is Status.SOLVED
    assert asked == [STUDY]
