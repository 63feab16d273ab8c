"""IEEE 2030.5 faces of a zone file: each device is a client of the gateway's own server."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from config.endpoints import Ieee20305Endpoint
from config.settings import ZoneFile
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.faces.served import Served
from gateway.testbed.world import World
from protocols.port import Now

FLOOR_S = 10
"""Fastest polling of the client; asked for less, it polls at this pace."""


def faces(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    """The clients of the simulated devices that speak IEEE 2030.5.

    Raises:
        ValueError: a client's certificate or key is not there.
    """
    for name, simulated in world.devices.items():
        endpoint = zone.devices[name].endpoint
        if isinstance(endpoint, Ieee20305Endpoint):
            yield _client(zone, name, simulated, now)


def _client(zone: ZoneFile, name: str, device: SimulatedDevice, now: Now) -> Served:
    # The client's library takes seconds to import: only zones that need it pay.
    from gateway.testbed.ieee2030_5 import ClientSettings, SimulatedClient  # noqa: PLC0415

    directory = Path(zone.ieee2030_5.certificates)
    needed = (directory / f"{name}.pem", directory / f"{name}.key.pem", directory / "root.pem")
    for path in needed:
        if not path.is_file():
            raise ValueError(
                f"the simulated 2030.5 client {name} needs {path}; make a test PKI with "
                f"`ampacity certs ZONE --out {directory}`"
            )
    url = f"https://localhost:{zone.listen.ieee2030_5_port}"
    client = SimulatedClient(device, ClientSettings(url, *needed, fastest_poll_s=FLOOR_S), now)
    playing = asyncio.Event()
    playing.set()  # it has no address of its own, and keeps trying until the gateway is there
    return Served(f"2030.5 client of {url}: {name}", client.run, playing)
