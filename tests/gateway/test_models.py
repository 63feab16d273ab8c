"""A new network model takes over between two studies if it is valid; otherwise the one in force stays."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from config.loader import load
from gateway import app
from gateway.engine import ZoneEngine
from gateway.models import LiveEngine, Model, Verdict, judge
from gateway.renewal import Renewal, renew
from gateway.workers import LocalWorkers, WorkersError
from grid_engine.exporters.json import write
from grid_engine.importers.pandapower import convert
from grid_engine.model import Network
from grid_engine.results import Answer, Participant, Purpose, Status, Study
from tests.grid_engine.r1 import build

R1 = convert(build(), "r1")
STUDY = Study("s1", Purpose.IMPACT, 1, (Participant("B", "B4", (0.0,), (6e6,), 0.0, 6e6),), margin_pct=0.0)


def rated(amperes: float) -> Network:
    """R1 with that rating of L12."""
    normal = R1.lines.ratings.normal.copy()
    normal[R1.lines.ids.index("L12")] = amperes
    return replace(R1, lines=replace(R1.lines, ratings=replace(R1.lines.ratings, normal=normal, emergency=normal)))


def saved(directory: Path, version: str, network: Network) -> Model:
    path = directory / f"{version}.json"
    write(network, path)
    return Model(version, {"": path})


@pytest.fixture
async def live(tmp_path):
    def start(model: Model) -> ZoneEngine:
        return ZoneEngine(LocalWorkers(model.sources, model.version), tuple(model.sources), model.version, 60.0)

    engine = LiveEngine(start, saved(tmp_path, "v1", rated(154.2)))
    yield engine
    engine.close()


def limiting(answer: Answer) -> set[str]:
    assert answer.status is Status.SOLVED, answer.detail
    return {violation.asset_id for violation in answer.violations}


async def test_valid_model_takes_over_and_an_invalid_one_does_not(live, tmp_path):
    first = await live.answer(STUDY)
    assert (first.model_version, "L12" in limiting(first)) == ("v1", True)

    verdict = await live.adopt(saved(tmp_path, "v2", rated(400.0)))
    assert verdict == Verdict("v2", (), ("line L12: ratings.normal 154.2 -> 400.0",))
    second = await live.answer(STUDY)
    assert (second.model_version, "L12" in limiting(second)) == ("v2", False)

    refused = await live.adopt(saved(tmp_path, "v3", rated(-1.0)))
    assert refused.faults == ("line L12: rating normal is -1; it must be above 0",)
    assert (await live.adopt(Model("v3", {"": tmp_path / "missing.json"}))).faults
    assert (await live.answer(STUDY)).model_version == live.model.version == "v2"

    same = await live.adopt(live.model)
    assert same == Verdict("v2")
    taken = await live.adopt(saved(tmp_path, "v2", rated(300.0)))
    assert taken.faults == ("version v2 is in force with another network: give the new one its own",)


class Slow:
    """An engine whose studies end when they are told to."""

    def __init__(self, model: Model) -> None:
        self.model, self.go, self.closed = model, asyncio.Event(), False
        self.settled = asyncio.Event()

    async def answer(self, study: Study) -> Answer:
        await self.go.wait()
        assert not self.closed
        return Answer(study.study_id, Status.SOLVED, self.model.version)

    async def settle(self) -> str:
        self.settled.set()
        return "" if self.model.version != "stuck" else "its workers cannot load it"

    async def network(self, feeder: str) -> Network:
        return R1

    def close(self) -> None:
        self.closed = True


async def test_study_that_has_begun_ends_on_the_model_that_it_began_on(tmp_path):
    models = {v: saved(tmp_path, v, rated(a)) for v, a in (("v1", 154.2), ("v2", 400.0), ("stuck", 500.0))}
    engines = {version: Slow(model) for version, model in models.items()}

    def start(model: Model) -> Slow:
        if model.version == "lost":
            raise WorkersError("no scheduler answers")
        return engines[model.version]

    live = LiveEngine(start, models["v1"])
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.answer(STUDY))
        adopting = tasks.create_task(live.adopt(models["v2"]))
        await engines["v2"].settled.wait()
        await asyncio.sleep(0)
        assert (live.model.version, engines["v1"].closed) == ("v2", False)
        engines["v1"].go.set()
        assert (await running).model_version == "v1"
        await adopting
    assert engines["v1"].closed
    assert (await live.adopt(models["stuck"])).faults == ("its workers cannot load it",)
    assert (await live.adopt(Model("lost", models["v1"].sources))).faults == (
        "no workers for it: no scheduler answers",
    )
    assert (live.model.version, engines["stuck"].closed, engines["v2"].closed) == ("v2", True, False)


def test_network_that_cannot_be_read_is_judged_by_its_faults(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    assert "neither" in judge(R1, tmp_path / "a.json", "v2").faults[0]


async def test_what_became_of_a_wanted_model_is_logged():
    verdicts = [
        Verdict("v3", ("line L12: rating normal is -1",)),
        Verdict("v2", (), ("line L12: ratings.normal 154.2 -> 400.0",)),
        Verdict("v2"),
    ]
    told = asyncio.Event()

    class Engine:
        async def adopt(self, candidate: Model) -> Verdict:
            told.set()
            return verdicts.pop(0)

    renewal = Renewal(asyncio.Event(), lambda: Model("v", {}))
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(renew(Engine(), renewal))
            for _ in range(3):
                renewal.wanted.set()
                await told.wait()
                told.clear()
                await asyncio.sleep(0)
            task.cancel()
    assert [(line["event"], line["model_version"]) for line in logs] == [
        ("model.rejected", "v3"),
        ("model.adopted", "v2"),
        ("model.unchanged", "v2"),
    ]


async def test_zone_file_that_cannot_be_read_is_a_rejection():
    reasons = ("zone file: a fault",)
    renewal, read = Renewal(asyncio.Event(), lambda: Verdict("", reasons)), asyncio.Event()

    class Engine:
        async def adopt(self, candidate: Model) -> Verdict:
            raise AssertionError("the verdict of the reader is final")

    def heard(_, __, event):
        read.set()
        return event

    with capture_logs(processors=[heard]) as logs:
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(renew(Engine(), renewal))
            renewal.wanted.set()
            await read.wait()
            task.cancel()
    assert [(line["event"], line["detail"]) for line in logs] == [("model.rejected", "zone file: a fault")]


def test_model_of_a_zone_file_names_its_networks():
    zone = load(Path(__file__).parents[2] / "config" / "zones" / "r1.yaml")
    model = app.model(zone)
    assert model.version == zone.network.version
    assert [path.name for path in model.sources.values()] == ["r1.json"]


async def test_places_are_named_as_studies_name_them(tmp_path):
    source = saved(tmp_path, "v1", R1).sources[""]
    one = await LiveEngine(Slow, Model("v1", {"": source})).places()
    assert {"L12", "SW12", "B3"} <= one
    several = await LiveEngine(Slow, Model("v1", {"N": source, "S": source})).places()
    assert several == {f"{feeder}:{name}" for feeder in ("N", "S") for name in one}
