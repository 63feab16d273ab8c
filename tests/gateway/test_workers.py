"""Feeders on processes and on a Dask cluster: what one of them suffers costs the others nothing."""

import asyncio
import os
import signal
import time
from concurrent.futures import BrokenExecutor, CancelledError
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import LocalCluster

from gateway.engine import ZoneEngine
from gateway.workers import ClusterWorkers, LocalWorkers, WorkersError
from grid_engine.partition import split
from grid_engine.results import Participant, Purpose, Status, Study

R1 = Path(__file__).parents[2] / "config" / "zones" / "networks" / "r1.json"
SOURCES = {"F1": R1, "F2": R1}


def member(feeder: str, name: str, bus: str, held_mw: float, wanted_mw: float) -> Participant:
    return Participant(f"{feeder}{name}", f"{feeder}:{bus}", (held_mw * 1e6,), (wanted_mw * 1e6,), -2.5e6, 6e6)


STUDY = Study(
    "zone",
    Purpose.IMPACT,
    1,
    tuple(p for f in SOURCES for p in (member(f, "A", "B3", 0, 2), member(f, "B", "B4", 4, 4))),
    margin_pct=0.0,
)


def process_of(network, _):
    return os.getpid(), network.version


def hang(_, seconds):
    time.sleep(seconds)


@pytest.fixture(scope="module")
def local():
    workers = LocalWorkers(SOURCES, "zone-1", 2)
    yield workers
    workers.close()


def test_each_feeder_has_its_process_and_keeps_it(local):
    first, second = (local.submit(f, process_of, None).result(60) for f in SOURCES)
    assert first[0] != second[0]
    assert first[1] == second[1] == "zone-1"
    assert local.submit("F1", process_of, None).result(60) == first


async def test_one_answer_comes_from_all_feeders(local):
    answer = await ZoneEngine(local, tuple(SOURCES), "zone-1", 60).answer(STUDY)
    assert (answer.status, answer.model_version) == (Status.SOLVED, "zone-1")
    assert {e.resource: round(e.ceiling_w / 1e6, 2) for e in answer.envelopes} == {"F1A": 1.2, "F2A": 1.2}


async def test_a_feeder_whose_process_dies_fails_alone_and_comes_back_with_equal_shares(local):
    engine = ZoneEngine(local, tuple(SOURCES), "zone-1", 60)
    assert (await engine.answer(STUDY)).unanswered == ()
    os.kill(local.submit("F1", process_of, None).result(60)[0], signal.SIGKILL)
    failed = await engine.answer(STUDY)
    assert (failed.status, failed.unanswered) == (Status.SOLVED, ("F1A", "F1B"))
    assert "F1: the worker died" in failed.detail
    assert {e.resource for e in failed.envelopes} == {"F2A"}
    assert {e.resource for e in engine._spares["F1"].result(60)} == {"F1A", "F1B"}
    assert (await engine.answer(STUDY)).unanswered == ()


async def test_spare_shares_come_with_the_next_answer_that_fails(local):
    engine = ZoneEngine(local, tuple(SOURCES), "zone-1", 60)
    await engine.answer(STUDY)
    engine._deadline_s = 0.0
    assert (await engine.answer(STUDY)).spare == ()
    for feeder in SOURCES:
        engine._spares[feeder].result(60)
    engine._deadline_s = 60.0
    engine._loaded.clear()
    impossible = replace(
        STUDY, participants=tuple(replace(p, requested_w=(4e9,), ceiling_w=5e9) for p in STUDY.participants)
    )
    late = await engine.answer(impossible)
    assert late.status is Status.NOT_CONVERGED
    assert {e.resource for e in late.spare} == {p.resource for p in STUDY.participants}


async def test_feeders_that_share_a_process_with_a_hanging_one_are_asked_again():
    shared = LocalWorkers(SOURCES, "zone-1", 1)
    try:
        engine = ZoneEngine(shared, tuple(SOURCES), "zone-1", 60)
        await engine.answer(STUDY)
        part = split(STUDY, SOURCES)["F1"]

        async def late(feeder: str) -> None:
            shared.submit(feeder, hang, 600)
            await asyncio.sleep(0.2)
            engine._lost(feeder, part, "late")

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(late("F2"))
            waiting = tasks.create_task(engine._ask("F1", part))
        assert waiting.result().status is Status.SOLVED
    finally:
        shared.close()


async def test_ids_that_belong_to_no_feeder_are_bad_input(local):
    stray = replace(STUDY, contingencies=("F9:T1",))
    answer = await ZoneEngine(local, tuple(SOURCES), "zone-1", 60).answer(stray)
    assert (answer.status, answer.detail) == (Status.BAD_INPUT, "in no feeder of the zone: F9:T1")


def test_what_is_abandoned_is_gone_and_its_place_is_fresh(local):
    before = local.submit("F2", process_of, None).result(60)
    hanging = local.submit("F2", hang, 600)
    local.abandon("F2")
    with pytest.raises((BrokenExecutor, CancelledError)):
        hanging.result(60)
    assert local.submit("F2", process_of, None).result(60) != before


async def test_a_dask_cluster_gives_the_same_answer():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        workers = ClusterWorkers(cluster.scheduler_address, SOURCES, "zone-1")
        try:
            there = await ZoneEngine(workers, tuple(SOURCES), "zone-1", 60).answer(STUDY)
        finally:
            workers.close()
    local = LocalWorkers(SOURCES, "zone-1")
    try:
        here = await ZoneEngine(local, tuple(SOURCES), "zone-1", 60).answer(STUDY)
    finally:
        local.close()
    assert there.status is Status.SOLVED
    assert replace(there, duration_s=0) == replace(here, duration_s=0)


def test_a_scheduler_that_does_not_answer_is_named():
    with pytest.raises(WorkersError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        ClusterWorkers("tcp://127.0.0.1:9", SOURCES, "zone-1", connect_s=1.0)
