"""The contract suite's end for OPC UA: a battery in a folder of a real server."""

import asyncio

from gateway.testbed.device import SimulatedDevice
from gateway.testbed.opcua import SimulatedOpcUaServer
from protocols.opcua.adapter import OpcUaAdapter
from protocols.opcua.settings import DerFolder, OpcUaSettings
from protocols.port import Adapter
from tests.contract.harness import RESOURCE, SPEC, Clock, settle

FOLDER = "ns=2;s=A"
START_S = 60.0


class Harness:
    """One battery in one folder."""

    answers_at_once = True
    keeps_baseline = True
    takes_floor = True
    has_switch = True
    step_w = 1e-3

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        self.server = SimulatedOpcUaServer("127.0.0.1", 0, self.now, devices={FOLDER: self.device}, step_s=0.02)

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.server.run())
        async with asyncio.timeout(START_S):
            await self.server.started.wait()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def reset(self) -> None:
        settle(self.device, self.now)

    def adapter(self) -> Adapter:
        settings = OpcUaSettings(
            self.server.url,
            (DerFolder(RESOURCE, FOLDER),),
            timeout_s=0.4,
            publishing_s=0.05,
            refresh_s=0.1,
            watchdog_s=1e6,
            reconnect_max_s=0.3,
        )
        return OpcUaAdapter(settings, self.now)
