"""The composition root: the only module that builds things and joins them."""

import asyncio
import hashlib
import os
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import structlog

from config.settings import ZoneFile
from gateway import clock, grouping, record, served, telemetry
from gateway.accounting import Accounting, Meters, NoMeters, NoTelemetry, Telemetry
from gateway.actuation import Actuation
from gateway.clock import Now
from gateway.console import serving as console
from gateway.coordination.book import Book
from gateway.coordination.situation import Situation
from gateway.coordination.timekeeping import OwnClock
from gateway.coordination.zone import ZoneFacts
from gateway.desk import Desk
from gateway.engine import Engine, ZoneEngine
from gateway.exchange import Exchange
from gateway.field import callers
from gateway.ground import Ground, Send
from gateway.historian import Historian, HistorianError
from gateway.journal.store import Journal
from gateway.ledger import Appends, Ledger
from gateway.loop import Loop
from gateway.metering import MeterStore
from gateway.model_desk import ModelDesk
from gateway.models import LiveEngine, Model
from gateway.narrate import Narrator
from gateway.northbound.opcua import Serving, ZoneServer
from gateway.northbound.opcua_space import Picture as ServedPicture
from gateway.northbound.sunspec import SunSpecFacade
from gateway.parties import settings as parties
from gateway.parties.office import Office
from gateway.renewal import Renewal, renew
from gateway.snapshot import Image
from gateway.supervise import causes, supervised
from gateway.tape.adapters import MakeTape
from gateway.tape.words import TapeError
from gateway.translate import facts as translate
from gateway.translate import ieee2030_5, opcua, opcua_server, sunspec
from gateway.translate import telemetry as telemetry_settings
from gateway.workers import ClusterWorkers, LocalWorkers, Workers, WorkersError
from gateway.works import Works
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.admin.token import TokenError
from protocols.opcua.guard import GuardError
from protocols.port import Adapter, Operator
from protocols.signals import Measurement

Run = Callable[[], Coroutine[None, None, None]]
Failed = Callable[[str, float], None]
"""Hears why something that tells others of the zone ended, and in how many seconds it starts again."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a running gateway stands on; scenarios in virtual time bring their own."""

    adapters: Sequence[Adapter]
    engine: Engine
    journal: Appends
    book: Book
    """As replayed from the journal."""
    send: Send
    now: Now
    history: Callable[[Sequence[Measurement]], None]
    telemetry: Telemetry = field(default_factory=NoTelemetry)
    meters: Meters = field(default_factory=NoMeters)
    recorded_s: float | None = None
    """The latest time in the journal before this start."""


def assemble(zone: ZoneFile, facts: ZoneFacts, parts: Parts) -> Loop:
    """The control loop of a zone on given parts."""
    say = Narrator(facts)
    ledger, own_clock = Ledger(parts.journal, parts.book, say), OwnClock(parts.recorded_s)
    ground = Ground(facts, Image(translate.polls(zone)), ledger, parts.now, say, own_clock=own_clock)
    adapters = {r: a for a in parts.adapters for r in a.resources if r in facts.resources}
    operators = {point: a for a in parts.adapters if isinstance(a, Operator) for point in a.operates}
    exchange = Exchange(ground, parts.send)
    return Loop(
        ground,
        parts.engine,
        exchange,
        Actuation(ground, adapters, operators),
        parts.history,
        Accounting(ground, exchange, parts.telemetry, parts.meters),
    )


async def keep_running(loop: Loop, adapters: Sequence[Adapter], rng: random.Random) -> None:
    """Run the loop and every adapter behind its crash barrier, until cancelled."""
    log = structlog.get_logger()

    def crashed(name: str, error: Exception, restart_s: float) -> None:
        log.error(
            "adapter.crashed", adapter=name, error=f"{type(error).__name__}: {error}", restart_s=round(restart_s, 1)
        )

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(loop.run(), name="loop")
        for adapter in adapters:
            name = f"{type(adapter).__name__}({', '.join(sorted(adapter.resources))})"
            tasks.create_task(supervised(name, partial(adapter.run, loop.emit), crashed, rng), name=name)


async def run(
    zone: ZoneFile,
    now: Now = clock.wall,
    renewal: Renewal | None = None,
    tapes: MakeTape | None = None,
    *,
    trust_clock: bool = False,
) -> None:
    """Control a zone until cancelled; with `tapes`, sessions with the field are recorded.

    A clock that is behind the journal is quarantined until it has caught up, unless `trust_clock` vouches for it.

    Raises:
        JournalError: the journal cannot be opened, or is not the one that was written.
        StartError: a port is taken.
    """
    facts = translate.zone_facts(zone, now())
    say = Narrator(facts)
    directory = Path(zone.storage.directory)
    office = _office(zone, facts, say, now)
    engine = _engine(zone, facts)
    try:
        async with (
            _journal(directory / "journal.sqlite") as (journal, book),
            Historian.open(directory / "telemetry.sqlite") as historian,
            MeterStore.open(directory / "meters.sqlite") as meters,
        ):
            adapters = build_adapters(zone, now, journal, tapes)
            kept = (historian.offer, historian, meters, None if trust_clock else record.latest_s(journal))
            loop = assemble(zone, facts, Parts(adapters, engine, journal, book, office.send, now, *kept))
            desk = Desk(facts, loop.ground.ledger, now, say, loop.ground.touched.set)
            served = await _served(zone, facts, loop, desk, now)
            works = Works(loop.ground, engine)
            books = loop.accounting or Accounting(loop.ground, loop.exchange)
            served.append(("parties", office.run, _undelivering))
            models = ModelDesk(loop.ground, engine, directory)
            served += console.served(zone, books, desk, works, models)
            served.append(("models", partial(models.run, works.review), models.failed))
            served += grouping.served(zone, adapters, engine, lambda: loop.ground.image.freeze(now()))
            await journal.append([record.entry(_started(zone, now(), trust_clock=trust_clock))])
            await models.follow()
            async with _opened(office, loop):
                structlog.get_logger().info("gateway.started", zone=facts.id, model=facts.model.value)
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_prune(historian, zone.storage.telemetry_days, now), name="prune")
                    tasks.create_task(keep_running(loop, adapters, random.Random()), name="control")
                    for name, run_it, failed in served:
                        tasks.create_task(_keep_up(name, run_it, failed), name=name)
                    if renewal is not None:
                        tasks.create_task(renew(models, renewal), name="renew")
    finally:
        engine.close()
        structlog.get_logger().info("gateway.stopped")


async def _served(zone: ZoneFile, facts: ZoneFacts, loop: Loop, desk: Desk, now: Now) -> list[tuple[str, Run, Failed]]:
    """What tells others of the zone: its name, how it runs, and who hears that it ended.

    Raises:
        StartError: a certificate cannot be read, or a password is not there.
    """
    log = structlog.get_logger()
    found: list[tuple[str, Run, Failed]] = []
    if (outstation := _telemetry(zone, facts, loop, now)) is not None:
        found.append(
            ("telemetry", outstation.run, lambda why, s: log.error("telemetry.failed", detail=why, restart_s=s))
        )
    if (facade := _facade(zone, facts, loop, desk, now)) is not None:
        found.append(("SunSpec", facade.run, lambda why, s: log.error("facade.failed", detail=why, restart_s=s)))
    if (server := await _zone_server(zone, facts, loop, desk, now)) is not None:
        found.append(("OPC UA", server.run, lambda why, s: log.error("opcua_server.failed", detail=why, restart_s=s)))
    return found


def _telemetry(zone: ZoneFile, facts: ZoneFacts, loop: Loop, now: Now) -> telemetry.TelemetryOutstation | None:
    """The outstation for the system operator, or None where the zone file asks for none.

    Raises:
        StartError: a certificate cannot be read.
    """
    settings = telemetry_settings.settings(zone)
    if settings is None:
        return None

    def picture() -> telemetry.Picture:
        return telemetry.Picture(loop.ground.image.freeze(now()), loop.book, facts.resources)

    def alarm(detail: str) -> None:
        structlog.get_logger().warning("telemetry.refused", detail=detail)

    try:
        return telemetry.TelemetryOutstation(settings, picture, now, alarm)
    except OSError as error:
        raise StartError(f"the telemetry to the system operator cannot start: {error}") from error


def _facade(zone: ZoneFile, facts: ZoneFacts, loop: Loop, desk: Desk, now: Now) -> SunSpecFacade | None:
    """The zone as SunSpec devices, or None where the zone file asks for none.

    Raises:
        StartError: a certificate cannot be read.
    """
    settings = sunspec.settings(zone, facts)
    if settings is None:
        return None
    try:
        return SunSpecFacade(settings, desk, lambda: Situation(facts, loop.book, loop.ground.image.freeze(now())), now)
    except OSError as error:
        raise StartError(f"the SunSpec façade cannot start: {error}") from error


async def _zone_server(zone: ZoneFile, facts: ZoneFacts, loop: Loop, desk: Desk, now: Now) -> ZoneServer | None:
    """The zone as an OPC UA server, ready to listen, or None where the zone file asks for none.

    Raises:
        StartError: a certificate cannot be read, or a password is not there.
    """

    def picture() -> ServedPicture:
        return ServedPicture(facts, loop.book, loop.ground.image.freeze(now()))

    def alarm(detail: str) -> None:
        structlog.get_logger().warning("opcua_server.refused", detail=detail)

    try:
        settings = opcua_server.settings(zone, os.environ)
        if settings is None or zone.opcua_server is None:
            return None
        serving = Serving(settings, facts, opcua_server.points(zone), zone.opcua_server.step_s)
        server = ZoneServer(serving, picture, desk, now, alarm)
        await server.prepare()
    except (opcua.MissingPasswordError, GuardError) as error:
        raise StartError(str(error)) from error
    return server


async def _keep_up(name: str, run: Run, failed: Failed) -> None:
    """Run what tells others of the zone behind a crash barrier of its own: control goes on without it."""

    def crashed(_name: str, error: Exception, restart_s: float) -> None:
        failed(f"{name}: {'; '.join(str(cause) for cause in causes(error))}", round(restart_s, 1))

    await supervised(name, run, crashed, random.Random())


def model(zone: ZoneFile) -> Model:
    """The networks that a zone file names."""
    network = zone.network
    return Model(network.version, {feeder: Path(path) for feeder, path in network.sources.items()})


def _engine(zone: ZoneFile, facts: ZoneFacts) -> LiveEngine:
    """The zone's feeders on processes of this machine, or on a cluster.

    Raises:
        StartError: the cluster cannot be reached.
    """
    computing = zone.engine

    def build(which: Model) -> ZoneEngine:
        workers: Workers = (
            ClusterWorkers(computing.cluster, which.sources, which.version)
            if computing.cluster
            else LocalWorkers(which.sources, which.version, computing.workers)
        )
        deadline_s = computing.deadline_s or facts.clocks.impact_check_s
        return ZoneEngine(workers, tuple(which.sources), which.version, deadline_s)

    try:
        return LiveEngine(build, model(zone))
    except WorkersError as error:
        raise StartError(str(error)) from error


def _started(zone: ZoneFile, at_s: float, *, trust_clock: bool) -> record.Started:
    digest = hashlib.sha256(zone.model_dump_json().encode()).hexdigest()
    model = zone.zone.dso_model.value
    return record.Started(zone.zone.id, model, zone.network.version, version("ampacity"), digest, at_s, trust_clock)


class StartError(Exception):
    """The gateway cannot start; says what stands in the way and what to do."""


def build_adapters(zone: ZoneFile, now: Now, journal: Journal, tapes: MakeTape | None = None) -> list[Adapter]:
    """One adapter per connection to the field; the 2030.5 server keeps what it acknowledges in the journal.

    Raises:
        StartError: certificates of the 2030.5 server or its clients cannot be read, or a password is not there, or a
            recording cannot be begun.
    """
    try:
        adapters = callers(zone, now, os.environ, tapes)
    except (opcua.MissingPasswordError, TapeError) as error:
        raise StartError(str(error)) from error
    try:
        settings = ieee2030_5.settings(zone)
        if settings is not None:
            settings = replace(settings, admin=ieee2030_5.admin(zone, os.environ))
            server = UtilityServer(settings, now, served.keeper(journal, now), served.acted)
            server.restore(served.kept(journal))
            adapters.append(server)
    except TokenError as error:
        raise StartError(f"the operator's way into the IEEE 2030.5 server cannot be opened: {error}") from error
    except (OSError, ValueError) as error:
        raise StartError(f"the IEEE 2030.5 server cannot start: {error}; `ampacity certs` makes a test PKI") from error
    return adapters


@asynccontextmanager
async def _journal(path: Path) -> AsyncIterator[tuple[Journal, Book]]:
    """The journal, open for writing, and the book as it was left."""
    journal = Journal.open(path)
    try:
        began = time.perf_counter()
        book = record.restore(journal)
        structlog.get_logger().info(
            "journal.replayed",
            duration_ms=round(1e3 * (time.perf_counter() - began), 1),
            count=len(book.controls),
        )
        yield journal, book
    finally:
        journal.close()


async def _prune(historian: Historian, days: float, now: Now) -> None:
    """Take old telemetry out of the historian, now and every hour."""
    while True:
        try:
            await historian.prune(now() - days * 86_400)
        except HistorianError as error:
            structlog.get_logger().warning("historian.failed", detail=str(error))
        await asyncio.sleep(3_600)


def _office(zone: ZoneFile, facts: ZoneFacts, say: Narrator, now: Now) -> Office:
    """Raises `StartError` where what we show to a party is not there."""
    try:
        return Office(parties.settings(zone, os.environ), facts, say, now)
    except parties.PartiesError as error:
        raise StartError(str(error)) from error


def _undelivering(why: str, restart_s: float) -> None:
    structlog.get_logger().error("parties.failed", detail=why, restart_s=restart_s)


@asynccontextmanager
async def _opened(office: Office, loop: Loop) -> AsyncIterator[None]:
    """The office while it takes messages; raises `StartError` where it cannot."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(office.open(loop.exchange))
        except parties.PartiesError as error:
            raise StartError(str(error)) from error
        yield
