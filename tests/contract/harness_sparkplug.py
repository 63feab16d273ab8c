"""The contract suite's end for Sparkplug B: a battery behind an edge node, at the embedded broker."""

import asyncio

from gateway.testbed.broker import EmbeddedBroker, free_port
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.sparkplug import SimulatedSparkplugNode
from protocols.mqtt.sparkplug.adapter import SparkplugAdapter
from protocols.mqtt.sparkplug.settings import SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import Source
from protocols.port import Adapter
from tests.contract.harness import RESOURCE, SPEC, Clock, settle

START_S = 30.0


class Harness:
    """One battery, one edge node, one broker."""

    answers_at_once = True
    keeps_baseline = True
    takes_floor = True
    has_switch = True
    step_w = 1e-3

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        self.port = free_port()
        self.broker = EmbeddedBroker("127.0.0.1", self.port)

    async def start(self) -> None:
        await self.broker.start()
        devices = {"bess": self.device}
        node = SimulatedSparkplugNode("127.0.0.1", self.port, "site", "gw", self.now, devices=devices, step_s=0.02)
        self._task = asyncio.get_running_loop().create_task(node.run())
        async with asyncio.timeout(START_S):
            await node.started.wait()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.broker.stop()

    async def reset(self) -> None:
        settle(self.device, self.now)

    def adapter(self) -> Adapter:
        settings = SparkplugSettings(
            "127.0.0.1",
            self.port,
            (SparkplugDer(RESOURCE, Source("site", "gw", "bess")),),
            timeout_s=0.5,
            telemetry_s=0.1,
            by_exception=False,
            rebirth_every_s=0.3,
            reconnect_max_s=0.3,
        )
        return SparkplugAdapter(settings, self.now)
