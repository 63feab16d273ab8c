"""The contract suite's end for Modbus: a SunSpec battery of the 700 series."""

import asyncio

from gateway.testbed.device import SimulatedDevice
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.server import ModbusServer, Unit
from protocols.modbus.settings import ModbusSettings, SunSpecDer
from protocols.port import Adapter
from tests.contract.harness import RESOURCE, SPEC, Clock, settle

HOST = "127.0.0.1"


class Harness:
    """One battery at unit 1."""

    answers_at_once = True
    keeps_baseline = True
    takes_floor = False
    has_switch = True
    step_w = SPEC.p_max_w * 1e-4

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        units = {1: Unit(SunSpecFace(self.device, lambda: 1.0), self.device.faults)}
        self.server = ModbusServer(HOST, 0, units, self.device, self.now)

    async def start(self) -> None:
        listening = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self.server.run(listening))
        await listening.wait()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def reset(self) -> None:
        settle(self.device, self.now)

    def adapter(self) -> Adapter:
        der = SunSpecDer(RESOURCE, SPEC.p_max_w, SPEC.p_min_w)
        timing = {"poll_s": 0.05, "timeout_s": 0.3, "retry_max_s": 0.3, "settle_s": 1.0}
        return ModbusAdapter(ModbusSettings(HOST, (der,), self.server.port, **timing), self.now)
