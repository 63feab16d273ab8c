"""The contract suite's end for DNP3: the testbed's DER with the points of IEEE 1815.2 behind the simulated RTU."""

import asyncio
from dataclasses import replace

from dnp3_sim.server import RtuServer
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.dnp3 import DerOutstation
from protocols.dnp3.adapter import Dnp3Adapter
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master_words import MasterSettings
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.profile import der_inputs, der_points
from protocols.dnp3.settings import Dnp3Settings, Setpoint
from protocols.points import Quantity
from protocols.port import Adapter
from tests.contract.harness import RESOURCE, SPEC, Clock, settle

FALLBACK_OUTPUT = 900
PER_MILLE_W = SPEC.p_max_w / 1000
FALLBACK = Setpoint(FALLBACK_OUTPUT, FALLBACK_OUTPUT, PER_MILLE_W, readback_kind=Kind.ANALOG_OUTPUT)


class Harness:
    """One outstation with one battery."""

    answers_at_once = True
    keeps_baseline = True
    takes_floor = True
    has_switch = True
    step_w = PER_MILLE_W

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        self.outstation = DerOutstation(self.device, self.now, fallback_output=FALLBACK_OUTPUT)
        session = OutstationSession(OutstationSettings(), self.outstation.database, self.outstation)
        self.server = RtuServer(session, self.now, port=0, tick=self._tick, tick_s=0.02)

    def _tick(self, now_s: float) -> None:
        faults = self.device.faults
        self.server.is_reachable = not faults.drop_link
        self.server.late_s = faults.delay_s if faults.delay else 0.0
        self.outstation.tick(now_s)

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.server.run())
        await self.server.listening.wait()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def reset(self) -> None:
        settle(self.device, self.now)
        self.outstation.forget()
        self._tick(self.now())

    def adapter(self) -> Adapter:
        self._tick(self.now())  # the outstation has looked at its device before a master comes
        der = replace(der_points(RESOURCE, SPEC.p_max_w, SPEC.p_min_w), fallback_ceiling=FALLBACK)
        settings = Dnp3Settings(
            "127.0.0.1",
            der_inputs(RESOURCE, frozenset({Quantity.ACTIVE_POWER_W})),
            (der,),
            port=self.server.port,
            master=MasterSettings(event_poll_s=0.05, response_timeout_s=0.3, unsolicited=False, integrity_s=None),
            connect_s=1.0,
            retry_first_s=0.05,
            retry_max_s=0.3,
            settle_s=1.0,
        )
        return Dnp3Adapter(settings, self.now)
