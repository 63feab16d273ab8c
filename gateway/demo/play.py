"""Plays one scene: starts the processes, makes things happen, watches, and ends them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from config.loader import load
from config.settings import ZoneFile
from gateway import clock
from gateway.demo.eventlog import EventLog, Line
from gateway.demo.processes import Child, DemoError, child, until_answering
from gateway.demo.scene import Record, Sample, Scene
from gateway.testbed.requests import iso
from ieee2030_5.pki import make_pki

SAMPLE_S = 0.5
LINKS_S = 150.0
"""Longest wait until every device of the zone is online and the engine has answered once."""
PATIENCE_S = 200
"""How long the DSO waits for what a DER/A commits to; a tenth of it in a market ten times as fast."""
OFFERED_S = 4.0
"""How long before they begin offers are made."""
READY = {"psa.ready": "the engine", "snapshot.complete": "a measurement of every device"}
"""Events of the log that show that the gateway is ready, and what they show."""

Told = Callable[[float, Line], None]
"""Takes a line of the gateway's log and the seconds since the scene began (negative before)."""
Progress = Callable[[float, Sample], None]
"""Takes the seconds since the scene began, and what is true now."""


async def play(scene: Scene, directory: Path, told: Told, progress: Progress) -> Record:
    """Play a scene and return what was seen; `directory` exists and takes logs and journal.

    Raises:
        DemoError: a process failed or never became ready.
    """
    path = await asyncio.to_thread(_own_zone, scene.zone, directory)
    zone = load(path)
    control = f"http://127.0.0.1:{zone.testbed.control_port}/v1"
    arguments = ("run", str(path), "--storage", str(directory))
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        child("testbed", ("testbed", str(path)), directory / "testbed.log") as testbed,
        child("gateway", arguments, directory / "gateway.log") as gateway,
    ):
        # Both start at once: the gateway keeps trying until its field is there.
        await until_answering(session, f"{control}/truth", testbed)
        return await _Performance(scene, zone, session, control, gateway, told, progress).run()


def _own_zone(zone: Path, directory: Path) -> Path:
    """The zone with a test PKI of its own in `directory`, for its IEEE 2030.5 clients, and with patience.

    A machine that stalls for seconds must not look like a DER/A that does not answer.
    """
    path, certificates = directory / "zone.yaml", directory / "certs"
    path.write_text(
        f"extends: {zone}\nieee2030_5: {{certificates: {certificates}}}\nclocks: {{commit_s: {PATIENCE_S}}}\n"
    )
    clients = [name for name, d in load(path).devices.items() if d.endpoint.protocol == "ieee2030_5"]
    if clients:
        make_pki(certificates, clients, ("localhost", "127.0.0.1"), clock.wall())
    return path


@dataclass(slots=True)
class _Performance:
    scene: Scene
    zone: ZoneFile
    session: aiohttp.ClientSession
    control: str
    gateway: Child
    told: Told
    progress: Progress

    async def run(self) -> Record:
        record = Record([], [], EventLog(self.gateway.log))
        await self._until_online(record.log)
        begun, record.begun = time.monotonic(), len(record.log.lines)
        await self._begin()
        while (at_s := time.monotonic() - begun) < self.scene.lasts_s:
            self.gateway.must_run()
            for line in record.log.read():
                self.told(at_s, line)
            sample = _sample(at_s, await self._get("truth"))
            record.samples.append(sample)
            self.progress(at_s, sample)
            await asyncio.sleep(SAMPLE_S)
        record.messages = (await self._get("messages"))["messages"]
        return record

    async def _until_online(self, log: EventLog) -> None:
        deadline = time.monotonic() + LINKS_S
        waiting = {*self.zone.devices, *READY.values()}
        while waiting:
            self.gateway.must_run()
            if time.monotonic() > deadline:
                names = ", ".join(sorted(waiting))
                raise DemoError(f"not ready after {LINKS_S:g} s: {names}; see {self.gateway.log}")
            for line in log.read():
                if line["event"] == "device.link" and line["state"] == "online" and line["resource"] in waiting:
                    waiting.discard(line["resource"])
                    self.told(-1.0, line)
                elif line["event"] in READY:
                    waiting.discard(READY[line["event"]])
                    self.told(-1.0, line)
            await asyncio.sleep(0.1)

    async def _begin(self) -> None:
        scene = self.scene
        if scene.tap is not None:
            await self._post("plant", {"taps": dict.fromkeys(("T1", "T2"), scene.tap)})
        for device, power_mw in scene.available_mw.items():
            await self._post("available", {"resource": device, "power_mw": power_mw})
        start_s = clock.wall() + (OFFERED_S if scene.offers else 0.0)
        for device, blocks in scene.offers.items():
            await self._post("offer", {"resource": device, "blocks": blocks, "start": iso(start_s)})
        if scene.dispatch_mw is not None:
            end_s = start_s + max(self.zone.clocks.interval_s, scene.lasts_s)
            asked = {"resource": scene.node or scene.resource, "power_mw": scene.dispatch_mw}
            await self._post("dispatch", {**asked, "start": iso(start_s), "end": iso(end_s)})

    async def _get(self, path: str) -> Mapping[str, Any]:
        url = f"{self.control}/{path}"
        async with self.session.get(url) as response:
            answer: Mapping[str, Any] = await response.json()
            if response.status != HTTPStatus.OK:
                raise DemoError(f"GET {url}: {response.status} {answer}")
            return answer

    async def _post(self, path: str, body: Mapping[str, object]) -> None:
        url = f"{self.control}/{path}"
        async with self.session.post(url, json=body) as response:
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise DemoError(f"POST {url}: {response.status} {await response.text()}")


def _sample(at_s: float, truth: Mapping[str, Any]) -> Sample:
    devices = truth["devices"]
    return Sample(
        at_s,
        {name: device["power_mw"] for name, device in devices.items()},
        {name: device["ceiling_mw"] for name, device in devices.items()},
        truth["points"],
    )
