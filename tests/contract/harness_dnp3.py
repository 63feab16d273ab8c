"""The contract suite's end for DNP3: a battery with the map of IEEE 1815.2 behind our simulated outstation."""

import asyncio
import math
from dataclasses import replace

from dnp3_sim.server import RtuServer
from gateway.testbed.device import SimulatedDevice
from protocols.dnp3.adapter import Dnp3Adapter
from protocols.dnp3.commands import AnalogCommand, CommandStatus, Operation
from protocols.dnp3.database import Database, PointConfig
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master_words import MasterSettings
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.profile import der_inputs, der_points
from protocols.dnp3.settings import Dnp3Settings, Setpoint
from protocols.points import Quantity
from protocols.port import Adapter
from protocols.signals import Bounds
from tests.contract.harness import RESOURCE, SPEC, Clock, settle

FALLBACK = Setpoint(900, 900, 1.0)
PER_MILLE_W = SPEC.p_max_w / 1000
READBACKS = {85: 145, 87: 148, 88: 149, 92: 153, 93: 154, 900: 900}
POWER, LIMIT, LIMIT_STATE, ORDER, ORDER_STATE = 537, 17, 69, 18, 70


class Battery:
    """The simulated device as an outstation's application."""

    def __init__(self, device: SimulatedDevice, now: Clock) -> None:
        self.device, self.now = device, now
        analogs = [PointConfig(Kind.ANALOG_INPUT, i, event_class=2) for i in (POWER, *READBACKS.values())]
        states = [PointConfig(Kind.BINARY_INPUT, i, event_class=1) for i in (LIMIT_STATE, ORDER_STATE)]
        self.database = Database([*analogs, *states])
        self.forget()

    def select(self, command):
        return CommandStatus.BLOCKED if self.device.faults.refuse else CommandStatus.SUCCESS

    def operate(self, command):
        self.is_owners = False
        if isinstance(command, AnalogCommand):
            self.values[command.index] = command.value
        elif command.index == LIMIT:
            is_on = command.operation is Operation.LATCH_ON
            limit = Bounds(self.values[88] * PER_MILLE_W, self.values[87] * PER_MILLE_W) if is_on else Bounds()
            self.device.set_limit(limit, self.now(), self.values[85] or None, Bounds(None, self.values[900]))
        else:
            is_on = command.operation is Operation.LATCH_ON
            self.device.set_order(self.values[93] * PER_MILLE_W if is_on else None, self.now(), self.values[92] or None)
        self.tick(self.now())
        return CommandStatus.SUCCESS

    def restart(self, *, is_cold):
        return None

    def tick(self, now_s):
        device = self.device
        device.advance(now_s)
        limit = device.limit
        if limit.ceiling_w is not None and (self.is_owners or device.reverted):
            self.values[87] = limit.ceiling_w / PER_MILLE_W
        power_w = device.reading.power_w
        is_number = math.isfinite(power_w)
        self._show(Kind.ANALOG_INPUT, POWER, power_w if is_number else 0.0, now_s, flags=1 if is_number else 0)
        for output, readback in READBACKS.items():
            self._show(Kind.ANALOG_INPUT, readback, self.values[output], now_s)
        self._show(Kind.BINARY_INPUT, LIMIT_STATE, int(not limit.is_open), now_s)
        self._show(Kind.BINARY_INPUT, ORDER_STATE, int(device.order_w is not None), now_s)

    def forget(self):
        self.values = dict.fromkeys(READBACKS, 0.0)
        self.is_owners = True

    def _show(self, kind, index, value, now_s, flags=1):
        self.database.update(kind, index, value, flags=flags, time_ms=round(now_s * 1000))


class Harness:
    """One outstation with one battery."""

    answers_at_once = True
    keeps_baseline = True
    takes_floor = True
    step_w = PER_MILLE_W

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        self.battery = Battery(self.device, self.now)
        session = OutstationSession(OutstationSettings(), self.battery.database, self.battery)
        self.server = RtuServer(session, self.now, port=0, tick=self._tick, tick_s=0.02)

    def _tick(self, now_s: float) -> None:
        self.server.is_reachable = not self.device.faults.drop_link
        self.server.is_mute = self.device.faults.delay
        self.battery.tick(now_s)

    async def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.server.run())
        await self.server.listening.wait()

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def reset(self) -> None:
        settle(self.device, self.now)
        self.battery.forget()
        self._tick(self.now())

    def adapter(self) -> Adapter:
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
