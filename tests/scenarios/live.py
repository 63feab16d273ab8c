"""A zone played over real sockets on loopback: testbed and gateway as processes of their own, on free ports."""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
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
FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Below the range that outgoing connections are given."""
_CANDIDATES = itertools.cycle(
    [FIRST_PORT + (os.getpid() * 97 + k) % (LAST_PORT - FIRST_PORT) for k in range(LAST_PORT - FIRST_PORT)]
)
PATIENT = {"commit_s": 200}
"""Clocks whose DSO waits 20 s for what DER/As commit to, in a market ten times as fast."""
PATIENCE = 3.0
"""Wall-clock bounds are multiplied by this: what they bound is a hang, not the machine's speed."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, and that the system hands to no outgoing connection meanwhile."""
    found: list[int] = []
    for port in itertools.islice(_CANDIDATES, LAST_PORT - FIRST_PORT):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"fewer than {count} ports are free between {FIRST_PORT} and {LAST_PORT}")


class Ports:
    """Free ports in place of those of a zone file, the same one for the same."""

    def __init__(self) -> None:
        self._fresh = iter(free_ports(40))
        self._chosen: dict[int, int] = {}

    def port(self, old: int) -> int:
        if old not in self._chosen:
            self._chosen[old] = next(self._fresh)
        return self._chosen[old]

    def url(self, old: str) -> str:
        head, _, tail = old.rpartition(":")
        digits = tail.split("/")[0]
        return f"{head}:{self.port(int(digits))}{tail[len(digits) :]}"

    def endpoint(self, old: Mapping[str, Any]) -> dict[str, Any]:
        if "port" in old:
            return {"endpoint": {"port": self.port(old["port"])}}
        return {"endpoint": {"url": self.url(old["url"])}} if "url" in old else {}


def on_free_ports(base: Path, directory: Path, **over: Any) -> Path:
    """A zone file that extends `base` and `over`, on free ports and with a test PKI for its 2030.5 clients.

    An endpoint with a `protocol` in `over` is taken as it is; `None` takes a device away.
    """
    document, ports = load(base).model_dump(mode="json"), Ports()
    certificates = directory / "certs"
    make_pki(certificates, list(document["devices"]), ("localhost", "127.0.0.1"), clock.wall())
    devices = {name: ports.endpoint(device["endpoint"]) for name, device in document["devices"].items()}
    for name, device in over.pop("devices", {}).items():
        replaced = device is None or "protocol" in device.get("endpoint", {})
        devices[name] = device if replaced else _merged(devices.get(name, {}), device)
    changed = {
        "extends": str(base),
        "devices": devices,
        "stations": {name: ports.endpoint(s["endpoint"]) for name, s in document["stations"].items()},
        **({"telemetry": {"port": ports.port(document["telemetry"]["port"])}} if document["telemetry"] else {}),
        **({"sunspec": {"port": ports.port(document["sunspec"]["port"])}} if document["sunspec"] else {}),
        "parties": {name: {"url": ports.url(p["url"])} for name, p in document["parties"].items()},
        "listen": {key: ports.port(value) for key, value in document["listen"].items() if key.endswith("_port")},
        "testbed": {"control_port": ports.port(document["testbed"]["control_port"])},
        "ieee2030_5": {"certificates": str(certificates)},
    }
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

    async def loading_pct(self, line: str) -> float:
        """True loading of a line by the rating of the zone file."""
        return 100 * await self.point(f"{line}.current_a") / (self.zone.assets[line].ampacity_a or 0.0)

    async def point(self, name: str) -> float:
        """True value of a point of the grid."""
        return float((await self.truth())["points"][name])

    async def tell(self, what: str, **order: Any) -> None:
        """Order something of the simulated world or its parties; `ampacity testbed --help` names the requests."""
        async with self._session.post(f"{self._control}/{what}", json=order) as response:
            assert response.status < 300, await response.text()

    async def everything_said(self) -> list[dict[str, Any]]:
        """All messages that simulated parties sent or received, in order, each once."""
        async with self._session.get(f"{self._control}/messages") as response:
            found: list[dict[str, Any]] = (await response.json())["messages"]
            return found

    async def messages(self, code: str, sender: str, recipient: str) -> list[Mapping[str, Any]]:
        """Bodies of messages that were exchanged."""
        found = await self.everything_said()
        return [m["body"] for m in found if (m["type"], m["sender"], m["recipient"]) == (code, sender, recipient)]


def in_s(seconds: float) -> str:
    """The time in so many seconds, as it is told over HTTP."""
    return datetime.fromtimestamp(clock.wall() + seconds, UTC).isoformat()


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

    def said(self, event: str) -> list[Line]:
        """Every line of an event so far."""
        for _ in self.log.read():
            pass
        return [line for line in self.log.lines if line["event"] == event]

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
