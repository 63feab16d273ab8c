"""One gateway as a process of its own for cactus-client: certificates, zone file, and the client's configuration."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from gateway.clock import wall
from ieee2030_5.pki import Issued, make_pki

DIRECT, OTHER_DIRECT, AGGREGATOR = "direct", "other", "fleet"
"""The clients that a procedure may ask for, as cactus-client's configuration names them."""
PEN = 28_547
"""Written in decimal at the end of every mRID, which cactus-client checks."""
_MEMBER = "member"
"""Certificate that gives the aggregator's device its LFDI; nobody connects with it."""
_OWN = "SITE"
"""The zone's only device: with it the gateway runs its server."""
_NETWORK = Path("config/zones/networks/r1.json").resolve()
_START_S = 240.0
_STOP_S = 10.0


@dataclass(frozen=True)
class Site:
    """A gateway that runs, and what a run of cactus-client needs to know of it."""

    directory: Path
    configuration: Path
    """For `cactus run -c`."""
    environment: Mapping[str, str]
    """For the plug-in."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@asynccontextmanager
async def site(directory: Path, notifications: str) -> AsyncIterator[Site]:
    """A gateway in a folder of its own, ready for requests; it is ended on leaving.

    Args:
        directory: made by the caller, empty.
        notifications: URL of the service that listens for notifications in cactus-client's name.
    """
    names = [_OWN, DIRECT, OTHER_DIRECT, AGGREGATOR, _MEMBER]
    issued = {item.name: item for item in make_pki(directory / "certs", names, ["localhost", "127.0.0.1"], wall())}
    server, parties = free_ports(2)
    zone = directory / "zone.yaml"
    zone.write_text(yaml.safe_dump(_zone(directory, server, parties)), encoding="utf-8")
    configuration = directory / "cactus.yaml"
    outputs = directory / "outputs"
    outputs.mkdir()
    configuration.write_text(yaml.safe_dump(_client(issued, outputs, server, notifications)), encoding="utf-8")
    log = (directory / "gateway.log").open("wb")
    with log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "run", str(zone), stdout=log, stderr=log
        )
        try:
            await _listening(process, server, directory / "state" / "admin.url")
            yield Site(directory, configuration, _for_plugin(directory / "state"))
        finally:
            if process.returncode is None:
                process.terminate()
            try:
                async with asyncio.timeout(_STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def _listening(process: asyncio.subprocess.Process, server: int, announced: Path) -> None:
    """Return once the server answers and the admin API has said where it is."""
    async with asyncio.timeout(_START_S):
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"the gateway ended with {process.returncode}; see gateway.log")
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", server)
                writer.close()
                if _is_there(announced):
                    return
            await asyncio.sleep(0.1)


def _is_there(announced: Path) -> bool:
    return announced.exists() and announced.read_text(encoding="utf-8").endswith("\n")


def _zone(directory: Path, server: int, parties: int) -> dict[str, object]:
    """The smallest zone with a 2030.5 server; everything that the procedures need is arranged at run time."""
    ratings = {name: {"ampacity_a": 400} for name in ("L11", "L12", "L13", "L21", "L22", "L31", "LT")}
    ratings.update({name: {"rating_mva": 10} for name in ("T1", "T2")})  # type: ignore[dict-item]
    device = {
        "name": "Site of the laboratory",
        "kind": "pv",
        "connection": {"bus": "B4", "export_mw": 0.01, "date": "2020-01-01"},
        "nameplate": {"p_max_mw": 0.01},
        "controllable": "limit",
        "owner": "AGENT",
        "endpoint": {"protocol": "ieee2030_5", "profile": "csip_aus", "poll_s": 60, "post_s": 5},
    }
    return {
        "zone": {"id": "CACTUS", "name": "Conformance laboratory", "dso_model": "DP"},
        "network": {"source": str(_NETWORK), "version": "r1-1"},
        "assets": ratings,
        "devices": {_OWN: device},
        "parties": {
            "AGENT": {"role": "dera", "url": "http://127.0.0.1:9/agent"},
            "IESO": {"role": "system_operator", "url": "http://127.0.0.1:9/ieso"},
        },
        "listen": {"parties_port": parties, "ieee2030_5_port": server},
        "ieee2030_5": {
            "certificates": str(directory / "certs"),
            "timezone": "Australia/Sydney",
            "pen": PEN,
            "pen_encoding": "decimal",
        },
        "storage": {"directory": str(directory / "state")},
    }


def _client(issued: Mapping[str, Issued], outputs: Path, server: int, notifications: str) -> dict[str, object]:
    """cactus-client's own configuration: where the server is, and who the clients are."""

    def client(name: str, kind: str, identity: Issued) -> dict[str, object]:
        return {
            "id": name,
            "type": kind,
            "certificate_file": str(issued[name].certificate),
            "key_file": str(issued[name].key),
            "lfdi": identity.lfdi,
            "sfdi": identity.sfdi,
            "pen": PEN,
            "pin": 111_115,
            "max_watts": 10_000,
        }

    return {
        "output_dir": str(outputs),
        "server": {
            "device_capability_uri": f"https://localhost:{server}/dcap",
            "verify_ssl": True,
            "verify_host_name": True,
            "serca_pem_file": str(issued["root"].certificate),
            "notification_uri": notifications,
            "pen": PEN,
        },
        "clients": [
            client(DIRECT, "device", issued[DIRECT]),
            client(OTHER_DIRECT, "device", issued[OTHER_DIRECT]),
            client(AGGREGATOR, "aggregator", issued[_MEMBER]),
        ],
    }


def _for_plugin(state: Path) -> dict[str, str]:
    given = {"AMPACITY_ADMIN_URL": "admin.url", "AMPACITY_ADMIN_TOKEN": "admin.token"}
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **{variable: (state / name).read_text(encoding="utf-8").strip() for variable, name in given.items()},
    }
