"""Uploaded network models: judged against the zone, in force for their time, and back again, also after a restart."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.coordination.book import Book
from gateway.coordination.market import Approval, Mode
from gateway.coordination.model_records import ModelProposed, ModelRuled, Models, ModelState
from gateway.coordination.zone import ZoneFacts
from gateway.engine import ZoneEngine
from gateway.ground import Ground
from gateway.ledger import Ledger
from gateway.model_desk import FOLDER, ModelDesk, RefusedModel, Upload
from gateway.models import LiveEngine, Model
from gateway.narrate import Narrator
from gateway.snapshot import Image
from gateway.workers import LocalWorkers
from grid_engine.exporters.json import write
from grid_engine.results import Rating
from grid_engine.revisions.boundaries import Boundaries, faults
from tests.gateway.coordination.build import T, zone
from tests.gateway.test_loop import FakeJournal
from tests.gateway.test_models import R1, rated, saved


class Place:
    """A desk whose clock is moved by hand."""

    def __init__(self, directory: Path, facts: ZoneFacts, book: Book | None = None) -> None:
        self.now_s, say = T, Narrator(facts)
        self.journal = FakeJournal()
        ledger = Ledger(self.journal, Book() if book is None else book, say)
        self.ground = Ground(facts, Image({"A": 1.0, "B": 1.0}), ledger, lambda: self.now_s, say)
        (directory / FOLDER).mkdir(exist_ok=True)
        self.directory = directory
        self.engine = LiveEngine(start, Model("v1", {"": directory / "v1.json"}))
        self.desk = ModelDesk(self.ground, self.engine, directory)

    def upload(self, version: str, network=None, **other) -> Upload:
        if network is not None:
            write(network, self.directory / FOLDER / f"{version}.json")
        return Upload(version, f"{version}.json", "ada", **other)

    @property
    def version(self) -> str:
        return self.engine.model.version


def start(model: Model) -> ZoneEngine:
    return ZoneEngine(LocalWorkers(model.sources, model.version), tuple(model.sources), model.version, 60.0)


@pytest.fixture
def place(tmp_path: Path):
    saved(tmp_path, "v1", rated(154.2))
    found = Place(tmp_path, replace(zone(), ratings={"L12": Rating(ampacity_a=154.2)}))
    yield found
    found.engine.close()


async def test_sys_16_v2_takes_over_while_running_and_an_invalid_v3_leaves_it(place: Place) -> None:
    assert await place.desk.propose(place.upload("v2", rated(400.0))) is ModelState.APPROVED
    record = place.ground.book.topology.models.records["v2"]
    assert (place.version, record.proposed.changes) == ("v2", ("line L12: ratings.normal 154.2 -> 400.0",))
    with pytest.raises(RefusedModel, match="rating normal is -1; it must be above 0"):
        await place.desk.propose(place.upload("v3", rated(-1.0)))
    renamed = replace(R1.lines, ids=tuple("L99" if name == "L12" else name for name in R1.lines.ids))
    with pytest.raises(RefusedModel, match="rating of L12: not in the network"):
        await place.desk.propose(place.upload("v4", replace(R1, lines=renamed)))
    with pytest.raises(RefusedModel, match="version v2 is taken"):
        await place.desk.propose(place.upload("v2"))
    assert place.version == "v2"
    assert place.journal.kinds() == ["model", "model"]
    assert await place.desk.roll_back("ada") == "v1"
    assert place.version == "v1"


async def test_sys_16_a_model_holds_from_and_until_its_times_and_after_a_restart(place: Place) -> None:
    await place.desk.propose(place.upload("v2", rated(400.0), from_s=T + 60, until_s=T + 120))
    assert place.version == "v1"
    place.now_s = T + 60
    await place.desk.follow()
    assert place.version == "v2"
    again = Place(place.directory, place.ground.zone, place.ground.book)
    again.now_s = T + 90
    await again.desk.follow()
    assert again.version == "v2"
    again.now_s = T + 120
    await again.desk.follow()
    assert again.version == "v1"
    again.engine.close()


async def test_n4_what_changes_values_holds_at_once_and_what_changes_elements_waits(place: Place) -> None:
    place.ground.zone = replace(place.ground.zone, approval=Approval(Mode.SEMI))
    assert await place.desk.propose(place.upload("v2", rated(400.0))) is ModelState.APPROVED
    place.ground.zone = replace(place.ground.zone, approval=Approval(Mode.MANUAL))
    assert await place.desk.propose(place.upload("v3", rated(300.0))) is ModelState.PROPOSED
    assert place.version == "v2"
    await place.desk.rule("v3", approved=False, by="ada")
    assert place.version == "v2"


async def test_a_file_that_was_altered_since_does_not_take_over(place: Place) -> None:
    place.ground.zone = replace(place.ground.zone, approval=Approval(Mode.MANUAL))
    await place.desk.propose(place.upload("v2", rated(400.0)))
    shutil.copy(place.directory / "v1.json", place.directory / FOLDER / "v2.json")
    await place.desk.rule("v2", approved=True, by="ada")
    assert place.version == "v1"
    assert place.ground.book.topology.models.records["v2"].state is ModelState.WITHDRAWN


def test_the_latest_approved_model_that_holds_is_in_force() -> None:
    models = Models()
    for version, from_s in (("a", None), ("b", T + 10)):
        models.fold(ModelProposed(version, "", f"{version}.json", "", (), T, "ada", from_s))
    assert models.in_force(T) is None
    models.fold(ModelRuled("b", T, approved=True, by="ada"))
    models.fold(ModelRuled("a", T, approved=True, by="ada"))
    assert models.in_force(T + 20) is models.records["a"]
    models.fold(ModelRuled("a", T, approved=False, by="ada"))
    assert (models.in_force(T), models.in_force(T + 20)) == (None, models.records["b"])


def test_boundaries_are_held_against_the_network() -> None:
    good = Boundaries({"TD1": "B0"}, {"HOST": "L31"}, {"A": "B3"})
    assert faults(R1, good) == ()
    bad = Boundaries({"TD1": "B1", "TD2": "B9"}, {"HOST": "L99"}, {"A": "B9"})
    assert faults(R1, bad) == (
        "interface TD1: no source of the network is at bus B1; sources are at B0",
        "interface TD2: the network has no bus B9",
        "bus B0: a source that no interface to the transmission system names",
        "interface HOST: the network has no line or transformer L99",
        "connection of A: the network has no bus B9",
    )
