"""The operator's API of a zone at rest, over loopback in a thread of its own: nothing cycles, all else is real."""

import queue
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.console.endpoints import OPERATOR
from gateway.console.seat import Seat
from gateway.console.serving import URL_FILE, latest
from gateway.coordination.book import Book
from gateway.coordination.events import Proposed, Received
from gateway.coordination.market import Approval, Mode
from gateway.coordination.market_messages import Block, MarketSide, OfferSubmit
from gateway.coordination.messages import Message
from gateway.coordination.zone import Agreement, ZoneFacts
from gateway.desk import Desk
from gateway.exchange import Exchange
from gateway.forecast_desk import ForecastDesk
from gateway.ground import Ground
from gateway.journal.store import Journal
from gateway.ledger import Ledger
from gateway.model_desk import ModelDesk
from gateway.models import LiveEngine, Model
from gateway.narrate import Narrator
from gateway.snapshot import Image
from gateway.works import Works
from grid_engine.dispatch.questions import Question, Reply, failed
from grid_engine.importers.any import load as load_network
from grid_engine.model import Network
from grid_engine.results import Answer, Status, Study
from ieee2030_5.admin import token
from ieee2030_5.admin.server import Service
from ieee2030_5.settings import AdminSettings
from protocols.points import Quantity
from protocols.signals import LinkState, Outcome
from tests.background import elsewhere
from tests.gateway.coordination.build import (
    MW,
    T,
    acked,
    answered,
    control,
    dispatched,
    folded,
    issued,
    limit,
    linked,
    measured,
    message,
    sent,
    zone,
)

NOW = T + 20
R1 = Path(__file__).parents[3] / "config" / "zones" / "networks" / "r1.json"
OFFER = OfferSubmit(
    "o1",
    1,
    "B",
    MarketSide.DISTRIBUTION,
    T + 3_600,
    T + 7_200,
    (Block(1 * MW, 40.0), Block(2 * MW, 65.0)),
    T + 3_600,
)


def facts(mode: Mode = Mode.MANUAL) -> ZoneFacts:
    """A limits, dispatches and offers zone whose operator has to see everything first."""
    agreed = {
        "A": Agreement("B3", 2.5 * MW, 2.5 * MW, "bess", "modbus"),
        "B": Agreement("B4", 6 * MW, 0.0, "pv", "ieee2030_5", frozenset({"3E4F45AB31EDFE5B67E343E5E4562E31984E23E5"})),
    }
    return replace(zone(), approval=Approval(mode), agreements=agreed)


def book() -> Book:
    """A was dispatched to 2 MW and is limited to 1.2; a tighter limit waits, and B offers to be ordered."""
    held, tighter = limit(1.2 * MW), limit(0.8 * MW, version=2, start_s=NOW)
    waits = Proposed("R1-tighter", NOW - 5, (message("DSO", "AGENT_A", tighter, "m2"),), None, NOW + 295, "LIMIT.Issue")
    return folded(
        dispatched(2 * MW, T, T),
        sent(held, T + 1),
        acked(held, T + 2),
        issued(control(1.2 * MW, T + 2), T + 2),
        answered(control(1.2 * MW, T + 2), Outcome.WRITTEN, T + 3),
        answered(control(1.2 * MW, T + 2), Outcome.VERIFIED, T + 4, requested={"x": 48}, read_back={"x": 48}),
        Received(message("AGENT_B", "DSO", OFFER, "offer"), T + 3),
        waits,
    )


class Unmoved:
    """An engine to whom every network is fine, as long as it has no SW99."""

    async def answer(self, study: Study) -> Answer:
        if "SW99" in study.state.switches_closed:
            return Answer(study.study_id, Status.BAD_INPUT, "r1-1", detail="switch SW99: not in the network")
        if "LD99" in study.load_w:
            return Answer(study.study_id, Status.BAD_INPUT, "r1-1", detail="load LD99: not in the network")
        return Answer(study.study_id, Status.SOLVED, "r1-1", unsupplied=("A",) if study.state.in_service else ())

    async def reply(self, question: Question) -> Reply:
        return failed(question, "r1-1", "not asked here")

    async def settle(self) -> str:
        return ""

    async def network(self, feeder: str) -> Network:
        return load_network(R1, "r1-1")

    def close(self) -> None:
        pass


@dataclass
class Office:
    """The zone behind the API."""

    directory: Path
    ground: Ground
    posted: "queue.Queue[Message]" = field(default_factory=queue.Queue)
    """What has left for the parties and was not looked at yet."""
    url: str = ""

    def told(self, count: int) -> list[Message]:
        """The next messages that leave."""
        return [self.posted.get(timeout=30) for _ in range(count)]


@contextmanager
def office(directory: Path, zone_facts: ZoneFacts | None = None, of: Book | None = None) -> Iterator[Office]:
    """Serve while it is entered; the directory is that of the zone's storage."""
    zone_facts = facts() if zone_facts is None else zone_facts
    journal, say = Journal.open(directory / "journal.sqlite"), Narrator(zone_facts)
    image = Image({"A": 1.0, "B": 1.0})
    for name, power_w in (("A", 1.19 * MW), ("B", 4 * MW)):
        image.fold(linked(name, LinkState.ONLINE))
        image.fold(measured(name, power_w, NOW - 1))
    image.fold(measured("A", 0.61, NOW - 90, Quantity.STATE_OF_CHARGE_PU))
    ground = Ground(zone_facts, image, Ledger(journal, book() if of is None else of, say), lambda: NOW, say)
    made = Office(directory, ground)

    async def send(told: Message) -> None:
        made.posted.put(told)

    desk = Desk(zone_facts, ground.ledger, ground.now, say, ground.touched.set)
    works = Works(ground, Unmoved())
    models = ModelDesk(ground, LiveEngine(lambda _: Unmoved(), Model("r1-1", {"": R1})), directory)
    seat = Seat(
        Exchange(ground, send),
        desk,
        works,
        models,
        ForecastDesk(ground, Unmoved()),
        latest(directory / "journal.sqlite"),
        {"A": "modbus", "B": "ieee2030_5"},
    )
    settings = AdminSettings(token.make(directory, {}), announce=directory / URL_FILE)
    try:
        with elsewhere(lambda: _serving(seat, settings), within_s=30) as made.url:
            yield made
    finally:
        journal.close()


@asynccontextmanager
async def _serving(seat: Seat, settings: AdminSettings) -> AsyncIterator[str]:
    service = Service(OPERATOR, lambda: seat, settings)
    async with seat.exchange.ground.tasks:
        await service.start()
        yield f"http://127.0.0.1:{service.port}"
        await service.stop()
