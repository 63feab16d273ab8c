"""The contract suite's end for Modbus devices without a SunSpec map: odd octets, a scale, and a timer of their own."""

import asyncio

from gateway.testbed.device import SimulatedDevice
from gateway.testbed.mapped_der_face import MappedDerFace, ServedControl
from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.register import Encoding, Order, Register
from protocols.modbus.server import ModbusServer, Unit
from protocols.modbus.settings import ControlRegister, MappedDer, MappedRegister, ModbusSettings, Term
from protocols.points import Quantity
from protocols.port import Adapter
from tests.contract.harness import POWER, RESOURCE, SPEC, Clock, settle

HOST = "127.0.0.1"
STEP_W = 500.0
POWER_REGISTER = Register(100, Encoding.INT32, 1.0, Order.CDAB, inputs=True, missing=-(1 << 31))
CONTROLS = {
    Term.FALLBACK_CEILING: Register(200, Encoding.INT16, STEP_W),
    Term.LEASE: Register(201, Encoding.UINT32, order=Order.DCBA),
    Term.CEILING: Register(203, Encoding.INT16, STEP_W),
    Term.FLOOR: Register(204, Encoding.INT16, STEP_W),
    Term.TARGET: Register(205, Encoding.FLOAT64),
    Term.LIMIT_ENABLED: Register(210, Encoding.UINT16),
    Term.TARGET_ENABLED: Register(211, Encoding.UINT16),
    Term.CONNECTED: Register(212, Encoding.UINT16),
}
ON, OFF = 803, 802


class Harness:
    """One battery at unit 1."""

    answers_at_once = True
    keeps_baseline = True
    takes_floor = True
    has_switch = True
    step_w = STEP_W

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        served = {term.value: ServedControl(register, register, ON, OFF) for term, register in CONTROLS.items()}
        face = MappedDerFace(self.device, {Quantity.ACTIVE_POWER_W: POWER_REGISTER}, served, lambda: 1.0)
        self.server = ModbusServer(HOST, 0, {1: Unit(face, self.device.faults)}, self.device, self.now)

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
        der = MappedDer(
            RESOURCE,
            SPEC.p_max_w,
            (MappedRegister(POWER, POWER_REGISTER),),
            {term: ControlRegister(register, on=ON, off=OFF) for term, register in CONTROLS.items()},
            SPEC.p_min_w,
        )
        timing = {"poll_s": 0.05, "timeout_s": 0.3, "retry_max_s": 0.3, "settle_s": 1.0}
        return ModbusAdapter(ModbusSettings(HOST, (der,), self.server.port, **timing), self.now)
