"""The simulated world as a process: plant, devices, stations and parties of one zone, or some of its parties alone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from aiohttp import web

from config.settings import ZoneFile
from gateway.coordination.messages import Message
from gateway.coordination.routing import by_platform
from gateway.coordination.zone import DsoModel
from gateway.testbed import control, parties, post, world
from gateway.testbed.faces.every import faces
from gateway.testbed.mailbox import Identity
from gateway.testbed.party_control import Cast
from gateway.testbed.post import Carrier, Say, Site
from gateway.testbed.proofs import Proofs
from gateway.testbed.remote import RemoteWorld
from protocols.port import Now

CONTROL_HOST: Final = "127.0.0.1"
DSO: Final = "DSO"
"""Party id of the gateway."""
START_S: Final = 120.0
"""Longest wait until every server listens."""


@dataclass(frozen=True, slots=True)
class Alone:
    """Only some parties are played; the devices are played elsewhere."""

    parties: frozenset[str]
    world: str
    """Base of the control of the testbed that plays the devices."""
    control_port: int
    """Of these parties' own control; 0 takes a free one."""


async def run(
    zone: ZoneFile,
    directory: Path,
    now: Now,
    say: Say,
    ready: asyncio.Event | None = None,
    *,
    without: Collection[str] = (),
    proofs: Proofs = Proofs(),  # noqa: B008 - frozen
) -> None:
    """Play everything that the zone file marks `simulated`, but for some parties; `directory` is the zone file's own.

    The control interface opens last: once it answers, everything else does. `ready` is set then.

    Raises:
        ExceptionGroup: of `OSError`: an address cannot be listened on.
        ValueError: the zone names what its network does not have.
    """
    place = world.of_zone(zone, directory, now())
    played = {name for name in zone.parties if name not in without}
    people = parties.of_zone(zone, place.devices, played)
    stage = control.Stage(_cast(zone, people, now, say, proofs), place)
    async with asyncio.TaskGroup() as tasks:
        for face in faces(zone, place, now):
            tasks.create_task(_serve(face.run))
            async with asyncio.timeout(START_S):
                await face.listening.wait()
            say(f"listening: {face.where}")
        async with _meeting(zone, stage, zone.testbed.control_port, say, proofs):
            if ready is not None:
                ready.set()
            await _live(stage, zone.testbed.step_s)


async def run_parties(
    zone: ZoneFile,
    alone: Alone,
    now: Now,
    say: Say,
    proofs: Proofs = Proofs(),  # noqa: B008 - frozen
) -> None:
    """Play some of the parties that the zone file marks `simulated`, with devices that are played elsewhere.

    Raises:
        ExceptionGroup: of `OSError`: an address cannot be listened on.
    """
    own = [n for n, device in zone.devices.items() if device.simulated and device.owner in alone.parties]
    there = RemoteWorld(alone.world, own, say)
    people = parties.of_zone(zone, there.devices, alone.parties)
    stage = control.Stage(_cast(zone, people, now, say, proofs))
    async with asyncio.TaskGroup() as tasks:
        if own:
            tasks.create_task(there.run())
        async with _meeting(zone, stage, alone.control_port, say, proofs):
            await _live(stage, zone.testbed.step_s)


def _cast(zone: ZoneFile, people: parties.Parties, now: Now, say: Say, proofs: Proofs) -> Cast:
    """The parties, with somebody who carries what they say."""
    model, urls = DsoModel(zone.zone.dso_model.value), _urls(zone)
    platform = zone.platform if zone.platform in urls else None

    def way(message: Message) -> str:
        return message.header.recipient if platform is None or not by_platform(model, message.code) else platform

    carrier = Carrier(urls, Random(zone.zone.id), say, way, proofs)
    owners = {name: device.owner for name, device in zone.devices.items()}
    identity = Identity("", zone.zone.id, model.value, DSO)
    return Cast(people, identity, carrier, owners, zone.clocks.interval_s, now)


async def _serve(serve: Callable[[], Awaitable[None]]) -> None:
    await serve()


async def _live(stage: control.Stage, step_s: float) -> None:
    cast = stage.cast
    while True:
        now_s = cast.now()
        if stage.world is not None:
            stage.world.advance(now_s)
        cast.carrier.send(cast.parties.due(now_s))
        await asyncio.sleep(step_s)


@asynccontextmanager
async def _meeting(
    zone: ZoneFile, stage: control.Stage, control_port: int, say: Say, proofs: Proofs
) -> AsyncIterator[None]:
    """The parties take and send messages, and can be told what to do, while it is entered."""
    cast = stage.cast
    urls = {name: zone.parties[name].url for name in cast.parties.members}
    runners: list[web.AppRunner] = []
    async with asyncio.TaskGroup() as tasks:
        try:
            for (host, port), site in post.servers(urls, cast.parties, cast.carrier, cast.now, proofs).items():
                runners.append(await _listen(site, host, port))
            for name, url in urls.items():
                say(f"listening: party {name} {url}{post.PATH}")
            runners.append(await _listen(Site(control.create_app(stage), None), CONTROL_HOST, control_port))
            say(f"listening: control http://{CONTROL_HOST}:{runners[-1].addresses[0][1]}/v1")
            carrying = tasks.create_task(cast.carrier.run())
            yield
            carrying.cancel()
        finally:
            for runner in runners:
                await runner.cleanup()


async def _listen(site: Site, host: str, port: int) -> web.AppRunner:
    runner = web.AppRunner(site.application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, ssl_context=site.tls).start()
    except OSError as error:
        await runner.cleanup()
        raise OSError(f"cannot listen on {host}:{port}: is another program using it?") from error
    return runner


def _urls(zone: ZoneFile) -> dict[str, str]:
    """Where every party of the zone and the gateway itself take messages."""
    host = zone.listen.host if zone.listen.host not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - compared
    scheme = "https" if zone.listen.certificate_file else "http"
    return {
        **{name: party.url for name, party in zone.parties.items() if party.url},
        DSO: zone.testbed.gateway_url or f"{scheme}://{host}:{zone.listen.parties_port}",
    }
