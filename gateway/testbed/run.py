"""The simulated world as a process: plant, devices, stations and parties of one zone, until it is cancelled."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Final

from aiohttp import web

from config.settings import ZoneFile
from gateway.testbed import control, parties, post, world
from gateway.testbed.faces.every import faces
from gateway.testbed.post import Carrier, Say
from protocols.port import Now

CONTROL_HOST: Final = "127.0.0.1"
DSO: Final = "DSO"
"""Party id of the gateway."""
START_S: Final = 60.0
"""Longest wait until every server listens."""


async def run(zone: ZoneFile, directory: Path, now: Now, say: Say, ready: asyncio.Event | None = None) -> None:
    """Play everything that the zone file marks `simulated`; `directory` is the zone file's own.

    The control interface opens last: once it answers, everything else does. `ready` is set then.

    Raises:
        ExceptionGroup: of `OSError`: an address cannot be listened on.
        ValueError: the zone names what its network does not have.
    """
    place = world.of_zone(zone, directory, now())
    people = parties.of_zone(zone, place.devices)
    carrier = Carrier(_urls(zone), Random(zone.zone.id), say)
    owners = {name: device.owner for name, device in zone.devices.items()}
    stage = control.Stage(place, people, carrier.send, owners, zone.clocks.interval_s, now)
    async with asyncio.TaskGroup() as tasks:
        for face in faces(zone, place, now):
            tasks.create_task(_serve(face.run))
            async with asyncio.timeout(START_S):
                await face.listening.wait()
            say(f"listening: {face.where}")
        async with _party_servers(zone, people, carrier, now, say), _control(stage, zone.testbed.control_port, say):
            tasks.create_task(carrier.run())
            if ready is not None:
                ready.set()
            await _live(place, people, carrier, now, zone.testbed.step_s)


async def _serve(serve: Callable[[], Awaitable[None]]) -> None:
    await serve()


async def _live(place: world.World, people: parties.Parties, carrier: Carrier, now: Now, step_s: float) -> None:
    while True:
        now_s = now()
        place.advance(now_s)
        carrier.send(people.due(now_s))
        await asyncio.sleep(step_s)


@asynccontextmanager
async def _party_servers(
    zone: ZoneFile, people: parties.Parties, carrier: Carrier, now: Now, say: Say
) -> AsyncIterator[None]:
    urls = {name: zone.parties[name].url for name in people.members}
    applications = post.servers(urls, people, carrier, now)
    runners: list[web.AppRunner] = []
    try:
        for (host, port), application in applications.items():
            runners.append(await _listen(application, host, port))
        for name, url in urls.items():
            say(f"listening: party {name} {url}{post.PATH}")
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


@asynccontextmanager
async def _control(stage: control.Stage, port: int, say: Say) -> AsyncIterator[None]:
    runner = await _listen(control.create_app(stage), CONTROL_HOST, port)
    try:
        say(f"listening: control http://{CONTROL_HOST}:{port}/v1/truth")
        yield
    finally:
        await runner.cleanup()


async def _listen(application: web.Application, host: str, port: int) -> web.AppRunner:
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        raise OSError(f"cannot listen on {host}:{port}: is another program using it?") from error
    return runner


def _urls(zone: ZoneFile) -> dict[str, str]:
    """Where every party of the zone and the gateway itself take messages."""
    host = zone.listen.host if zone.listen.host not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104 - compared
    return {
        **{name: party.url for name, party in zone.parties.items()},
        DSO: f"http://{host}:{zone.listen.parties_port}",
    }
