"""A zone played over real sockets on loopback: testbed and gateway as processes of their own, on free ports."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from config.loader import load
from config.settings import ZoneFile
from gateway import clock
from gateway.demo.eventlog import EventLog, Line
from gateway.demo.processes import Child, child, until_answering
from ieee2030_5.pki import make_pki

ZONES = Path(__file__).parents[2] / "config" / "zones"
PATIENCE = 3.0
"""Wall-clock bounds are multiplied by this: what they bound is a hang, not the machine's speed."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def on_free_ports(base: Path, directory: Path, **over: Any) -> Path:
    """A zone file that extends `base`, with every port of this machine replaced by a free one."""
    document = load(base).model_dump(mode="json")
    ports: dict[int, int] = {}
    fresh = iter(free_ports(40))

    def port(old: int) -> int:
        if old not in ports:
            ports[old] = next(fresh)
        return ports[old]

    def url(old: str) -> str:
        head, _, number = old.rpartition(":")
        digits = number.split("/")[0]
        return f"{head}:{port(int(digits))}{number[len(digits) :]}"

    changed: dict[str, Any] = {"extends": str(base), "devices": {}, "stations": {}, "parties": {}}
    for section in ("devices", "stations"):
        for name, entry in document[section].items():
            endpoint = entry["endpoint"]
            if "port" in endpoint:
                changed[section][name] = {"endpoint": {"port": port(endpoint["port"])}}
            elif "url" in endpoint:
                changed[section][name] = {"endpoint": {"url": url(endpoint["url"])}}
    for name, party in document["parties"].items():
        changed["parties"][name] = {"url": url(party["url"])}
    changed["listen"] = {key: port(value) for key, value in document["listen"].items() if key.endswith("_port")}
    changed["testbed"] = {"control_port": port(document["testbed"]["control_port"])}
    clients = [name for name, d in document["devices"].items() if d["endpoint"]["protocol"] == "ieee2030_5"]
    if clients:
        make_pki(directory / "certs", clients, ("localhost", "127.0.0.1"), clock.wall())
        changed["ieee2030_5"] = {"certificates": str(directory / "certs")}
    path = directory / "zone.yaml"
    path.write_text(yaml.safe_dump(_merged(changed, over)))
    return path


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, Mapping):
        return {k: _merged(base.get(k), over[k]) if k in over else base[k] for k in {**base, **over}}
    return over


class Live:
    """A running testbed, and a gateway that may come and go."""

    def __init__(self, path: Path, directory: Path, testbed: Child, session: aiohttp.ClientSession) -> None:
        self.path = path
        self.directory = directory
        self.zone: ZoneFile = load(path)
        self.testbed = testbed
        self._session = session
        self._control = f"http://127.0.0.1:{self.zone.testbed.control_port}/v1"
        self._starts = 0

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator["Gateway"]:
        """A gateway on this zone; the journal of the one before is its own."""
        self._starts += 1
        arguments = ("run", str(self.path), "--storage", str(self.directory))
        async with child("gateway", arguments, self.directory / f"gateway-{self._starts}.log") as process:
            yield Gateway(process)

    async def truth(self) -> Mapping[str, Any]:
        """What is true in the simulated world."""
        async with self._session.get(f"{self._control}/truth") as response:
            assert response.status == 200
            answer: Mapping[str, Any] = await response.json()
            return answer

    async def power_mw(self, device: str) -> float:
        """True power of a device."""
        return float((await self.truth())["devices"][device]["power_mw"])

    async def ceiling_mw(self, device: str) -> float | None:
        """Limit in force at a device."""
        ceiling = (await self.truth())["devices"][device]["ceiling_mw"]
        return None if ceiling is None else float(ceiling)

    async def point(self, name: str) -> float:
        """True value of a point of the grid."""
        return float((await self.truth())["points"][name])

    async def tell(self, what: str, **order: Any) -> None:
        """Order something of the simulated world: `dispatch`, `faults`, `available`, `plant`, `outage`."""
        async with self._session.post(f"{self._control}/{what}", json=order) as response:
            assert response.status < 300, await response.text()

    async def messages(self, code: str, sender: str, recipient: str) -> list[Mapping[str, Any]]:
        """Bodies of messages that were exchanged."""
        async with self._session.get(f"{self._control}/messages") as response:
            found = (await response.json())["messages"]
        return [m["body"] for m in found if (m["type"], m["sender"], m["recipient"]) == (code, sender, recipient)]


class Gateway:
    """A gateway process and its log."""

    def __init__(self, process: Child) -> None:
        self._process = process
        self.log = EventLog(process.log)

    async def says(self, event: str, within_s: float = 20.0, **fields: object) -> Line:
        """The first line of an event with these fields, once it is there."""
        begun = time.monotonic()
        while time.monotonic() - begun < PATIENCE * within_s:
            self._process.must_run()
            for _ in self.log.read():
                pass
            line = self.log.first(event, **fields)
            if line is not None:
                return line
            await asyncio.sleep(0.05)
        raise AssertionError(f"{event} {fields} was not logged; see {self._process.log}")

    async def kill(self) -> None:
        """`kill -9`."""
        os.kill(self._process.process.pid, signal.SIGKILL)
        await self._process.process.wait()


@asynccontextmanager
async def live(directory: Path, base: str = "r1_short.yaml", **over: Any) -> AsyncIterator[Live]:
    """The simulated world of a zone, serving on free ports."""
    path = on_free_ports(ZONES / base, directory, **over)
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        child("testbed", ("testbed", str(path)), directory / "testbed.log") as testbed,
    ):
        stage = Live(path, directory, testbed, session)
        await until_answering(session, f"http://127.0.0.1:{stage.zone.testbed.control_port}/v1/truth", testbed)
        yield stage


async def until(holds: Callable[[], Any], within_s: float) -> None:
    """Wait until an awaited condition holds; what bounds it is patience, not the machine."""
    begun = time.monotonic()
    while not await holds():
        assert time.monotonic() - begun < PATIENCE * within_s, "did not come true"
        await asyncio.sleep(0.1)
