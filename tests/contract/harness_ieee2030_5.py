"""The contract suite's end for 2030.5: a battery behind a client that nobody here wrote, and our server."""

import asyncio
import tempfile
from pathlib import Path

from gateway.testbed.device import SimulatedDevice
from gateway.testbed.ieee2030_5 import ClientSettings, SimulatedClient
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.pki import Issued, make_pki
from ieee2030_5.settings import DeviceSettings, Profile, ServerSettings
from protocols.port import Adapter
from tests.contract.harness import RESOURCE, SPEC, Clock, settle

POLL_S = 2
"""What the server asks for, and so how long silence has to last before it counts; the client polls faster."""


class Harness:
    """The server is the adapter under test; a new client finds each new server."""

    answers_at_once = False
    keeps_baseline = False
    takes_floor = True
    has_switch = False
    step_w = 100.0
    """2.5 MW in 16 bits needs the multiplier 2."""

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        self.device.faults.delay_s = 4.0 * POLL_S
        self._client: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._files = tempfile.TemporaryDirectory()
        self._pki = Path(self._files.name)
        made = make_pki(self._pki, [RESOURCE], ["localhost", "127.0.0.1"], self.now())
        self._issued: dict[str, Issued] = {item.name: item for item in made}

    async def stop(self) -> None:
        await self._disconnect()
        self._files.cleanup()

    async def reset(self) -> None:
        await self._disconnect()
        settle(self.device, self.now)

    def adapter(self) -> Adapter:
        device = DeviceSettings(
            RESOURCE, self._issued[RESOURCE].lfdi, SPEC.p_max_w, SPEC.p_min_w, profile=Profile.CSIP_AUS
        )
        server = UtilityServer(
            ServerSettings(
                self._issued["server"].certificate,
                self._issued["server"].key,
                self._issued["root"].certificate,
                (device,),
                port=0,
                poll_rate_s=POLL_S,
                post_rate_s=1,
            ),
            self.now,
        )
        self._client = asyncio.get_running_loop().create_task(self._follow(server))
        return server

    async def _follow(self, server: UtilityServer) -> None:
        await server.listening.wait()
        issued = self._issued[RESOURCE]
        settings = ClientSettings(
            f"https://localhost:{server.port}",
            issued.certificate,
            issued.key,
            self._issued["root"].certificate,
            fastest_poll_s=1,
            poll_s=0.2,
        )
        await SimulatedClient(self.device, settings, self.now).run()

    async def _disconnect(self) -> None:
        if self._client is not None:
            self._client.cancel()
            await asyncio.wait([self._client])
            self._client = None
