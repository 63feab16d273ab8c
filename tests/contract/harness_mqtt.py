"""The contract suite's end for MQTT 5: a battery on the documented topics, behind the embedded broker."""

import asyncio

from gateway.testbed.broker import EmbeddedBroker, free_port
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.mqtt import SimulatedMqttDevice
from protocols.mqtt.adapter import MqttAdapter
from protocols.mqtt.settings import DerTopics, MqttSettings
from protocols.port import Adapter
from tests.contract.harness import RESOURCE, SPEC, Clock, settle

PREFIX = "plant/a"
START_S = 30.0


class Harness:
    """One battery, one broker."""

    answers_at_once = True
    keeps_baseline = True
    takes_floor = True
    has_switch = False
    step_w = 1e-3

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        self.port = free_port()
        self.broker = EmbeddedBroker("127.0.0.1", self.port)

    async def start(self) -> None:
        await self.broker.start()
        self.face = SimulatedMqttDevice("127.0.0.1", self.port, PREFIX, self.device, self.now, step_s=0.02)
        self._task = asyncio.get_running_loop().create_task(self.face.run())
        async with asyncio.timeout(START_S):
            await self.face.started.wait()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])
        await self.broker.stop()

    async def reset(self) -> None:
        settle(self.device, self.now)
        self.face.forget_orders()

    def adapter(self) -> Adapter:
        settings = MqttSettings(
            "127.0.0.1",
            self.port,
            (DerTopics(RESOURCE, PREFIX),),
            timeout_s=0.5,
            telemetry_s=0.1,
            reconnect_max_s=0.3,
        )
        return MqttAdapter(settings, self.now)
