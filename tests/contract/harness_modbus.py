"""The contract suite's end for Modbus: a SunSpec battery of the 700 series."""

from math import isnan

from gateway.testbed.device import SimulatedDevice
from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.settings import ModbusSettings, SunSpecDer
from protocols.modbus.sunspec import Rounding
from protocols.port import Adapter
from protocols.signals import Bounds
from tests.contract.harness import RESOURCE, SPEC, Clock, settle
from tests.protocols.modbus.server import WRITE_MANY, Line, battery_image

W_MAX_W = SPEC.p_max_w


class DeviceLine(Line):
    """Unit 1 is a simulated battery."""

    def __init__(self, device: SimulatedDevice, now: Clock) -> None:
        super().__init__({1: battery_image(W_MAX_W)})
        self._device, self._now = device, now

    def _answer(self, unit: int, pdu: bytes) -> bytes | None:
        faults = self._device.faults
        if faults.drop_link:
            raise ConnectionAbortedError
        self.refusing = {1: 4} if faults.refuse else {}
        self.deaf = {1} if faults.delay else set()
        self._show()
        answer = super()._answer(unit, pdu)
        if pdu[0] == WRITE_MANY and answer == pdu[:5]:
            self._obey()
        return answer

    def _show(self) -> None:
        device, image = self._device, self.images[1]
        device.advance(self._now())
        power_w = device.reading.power_w
        image.set("701.W", None if isnan(power_w) else power_w)
        ceiling_w = device.limit.ceiling_w
        image.set("704.WMaxLimPctEna", ceiling_w is not None)
        if ceiling_w is not None:
            image.set("704.WMaxLimPct", max(ceiling_w, 0.0) / W_MAX_W * 100, Rounding.DOWN)
        image.set("704.WMaxLimPctRvrtRem", device.reversion_remaining_s)

    def _obey(self) -> None:
        get, now_s = self.images[1].get, self._now()
        limit = Bounds(None, get("704.WMaxLimPct") / 100 * W_MAX_W if get("704.WMaxLimPctEna") else None)
        rvrt_w = get("704.WMaxLimPctRvrt") / 100 * W_MAX_W if get("704.WMaxLimPctEnaRvrt") else None
        self._device.set_limit(limit, now_s, get("704.WMaxLimPctRvrtTms") or None, Bounds(None, rvrt_w))
        if get("704.WSetEna"):
            self._device.set_target(get("704.WSet"), now_s)


class Harness:
    """One battery at unit 1."""

    answers_at_once = True
    keeps_baseline = True
    takes_floor = False
    step_w = W_MAX_W * 1e-4

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(SPEC, self.now())
        self.line = DeviceLine(self.device, self.now)

    async def start(self) -> None:
        await self.line.start()

    async def stop(self) -> None:
        await self.line.stop()

    async def reset(self) -> None:
        settle(self.device, self.now)
        self.line.images = {1: battery_image(W_MAX_W)}
        self.line.images[1].set("701.W_SF", 2)

    def adapter(self) -> Adapter:
        der = SunSpecDer(RESOURCE, SPEC.p_max_w, SPEC.p_min_w)
        settings = ModbusSettings(
            "127.0.0.1", (der,), self.line.port, poll_s=0.05, timeout_s=0.3, retry_max_s=0.3, settle_s=1.0
        )
        return ModbusAdapter(settings, self.now)
