"""SunSpec faces of a simulated DER without I/O: what its holding registers hold, and what a write does to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, isfinite, sqrt
from typing import Final

from gateway.testbed import sunspec_curves
from gateway.testbed.device import FOLLOWS_AVAILABILITY, DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_curves import CurveFaces
from gateway.testbed.sunspec_sizes import (
    FULL_SCALE,
    current_exponent,
    exponent,
    in_percent,
    in_watts,
    power_exponent,
    terminals,
)
from protocols.modbus.codec import Registers
from protocols.modbus.server import RefusedError
from protocols.modbus.sunspec import BASES, Model, ModelImage
from protocols.signals import Bounds

VoltagePu = Callable[[], float]
"""Voltage at the device's terminals, per unit."""
DC_V: Final = 1_000.0
"""Between inverter and array or battery; losses are left out."""
HEARTBEATS: Final = 1_000_000
"""The device's heartbeat counts seconds and begins anew here."""
NOMINAL_HZ: Final = 60.0
PERCENT_EXPONENT: Final = -2
RUNNING_701, THROTTLED_701 = 3, 4
RUNNING_103, THROTTLED_103 = 4, 5
WATTS: Final = 1
"""704.WSetMod: the set point is in watts, else in percent of WMax."""


class SunSpecFace:
    """Holding registers of one DER, in models of the 700 series or legacy ones.

    A percentage is of WMax, the nameplate's greatest injection. The limit in force is what the
    registers show, also after the reversion timer has run out.
    """

    def __init__(
        self, device: SimulatedDevice, voltage_pu: VoltagePu, *, legacy: bool = False, more: tuple[int, ...] = ()
    ) -> None:
        """Begin with all controls disabled; `more` are models behind those of the series."""
        self._device = device
        self._voltage_pu = voltage_pu
        self._models = _Legacy(device.spec) if legacy else _Series700(device.spec)
        self._image = ModelImage((*self._models.model_ids, *more), BASES[0], sunspec_curves.COUNTS)
        self._shown: Bounds | None = None
        self._reverted = False
        """True once a curve has gone back to the one before."""
        self._curves = None if legacy else CurveFaces(self._image, self._fits)
        self._leave_factory()
        self._refresh()

    @property
    def models(self) -> Mapping[int, Model]:
        """The models in the map, by id."""
        return self._image.models

    @property
    def base(self) -> int:
        """Address of the first register."""
        return self._image.base

    @property
    def size(self) -> int:
        """Registers in the map."""
        return len(self._image.registers)

    def read(self, address: int, count: int) -> list[int]:
        """What a client gets now.

        Raises:
            IllegalAddressError: part of it is outside of the map.
        """
        self._refresh()
        return self._image.read(address, count)

    def write(self, address: int, values: Sequence[int]) -> None:
        """Take a client's write and let the device obey.

        Raises:
            IllegalAddressError: part of it is outside of the map or read-only; then nothing is written.
            RefusedError: a value has no meaning; then nothing is written.
        """
        self._refresh()
        before = list(self._image.registers)
        try:
            touched = frozenset(self._image.write(address, values))
            self._check(touched, before)
        except RefusedError:
            self._image.registers[:] = before
            raise
        self._take(touched)

    def _leave_factory(self) -> None:
        for name, value in _identity(self._device.spec).items():
            self._image.set(name, value)
        for name, number in (self._models.factors | self._models.constants).items():
            self._image.set(name, number)

    def _fits(self, model_id: int, index: int) -> bool:  # noqa: ARG002 - here curves live in the registers alone
        """Whether the device can follow a curve that a client offers, `index` from 0."""
        return True

    def _check(self, touched: frozenset[str], before: Registers) -> None:  # noqa: ARG002 - for others to compare
        """Raise `RefusedError` where what has just been written has no meaning."""
        self._models.check(self._image)

    def _take(self, touched: frozenset[str]) -> None:
        """Let the device obey what has been written."""
        if touched & self._models.limit_points:
            self._apply_limit()
        if touched & self._models.order_points:
            self._models.apply_order(self._image, self._device)
        if self._curves is not None:
            self._curves.written(touched, self._device.now_s)

    def _apply_limit(self) -> None:
        limit, reversion_s, fallback = self._models.limit(self._image)
        self._device.set_limit(limit, self._device.now_s, reversion_s, fallback)
        self._shown = limit

    def _refresh(self) -> None:
        """Bring measurements, timers and what a reversion changed into the registers."""
        reading, limit = self._device.reading, self._device.limit
        if self._curves is not None:
            self._reverted |= self._curves.refresh(self._device.now_s)
        if limit != self._shown:
            self._shown = limit
            for name, value in self._models.shown(limit).items():
                self._image.set(name, value)
        if not isfinite(reading.power_w):
            for name in self._models.measured(0.0, 1.0, 0.0, throttled=False):
                self._image.set(name, None)
            return
        throttled = limit.ceiling_w is not None and self._device.power_w >= limit.ceiling_w
        soc = reading.state_of_charge_pu or 0.0
        live = self._models.measured(reading.power_w, self._voltage_pu(), soc, throttled=throttled)
        for name, value in {**live, **self._models.timers(self._device)}.items():
            self._image.set(name, value)


@dataclass(frozen=True, slots=True)
class _Series700:
    """Models 701 to 712, 714, 715 and, for storage, 713.

    Curves, enter service and heartbeats live in the registers alone: the physics here has neither reactive power
    nor trips.
    """

    spec: DeviceSpec

    limit_points = frozenset(
        f"704.{name}"
        for name in ("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms")
    )
    order_points = frozenset(
        f"704.{name}"
        for name in ("WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetPct", "WSetPctRvrt", "WSetEnaRvrt", "WSetRvrtTms")
    )

    @property
    def model_ids(self) -> tuple[int, ...]:
        storage = () if self.spec.energy_wh is None else (713,)
        return (1, 701, 702, 703, 704, *sunspec_curves.MODELS, *storage, 714, 715)

    @property
    def takes_orders(self) -> bool:
        return self.spec.kind not in FOLLOWS_AVAILABILITY

    @property
    def factors(self) -> dict[str, float]:
        power = power_exponent(self.spec)
        factors = {f"701.{name}": power for name in ("W_SF", "VA_SF", "Var_SF")}
        factors |= {
            "701.A_SF": current_exponent(self.spec),
            "701.V_SF": -1,
            "701.Hz_SF": -2,
            "702.W_SF": power,
            "702.VA_SF": power,
        }
        factors |= {"703.V_SF": -1, "703.Hz_SF": -2, "714.DCW_SF": power, "714.DCV_SF": -1}
        factors |= {"714.DCA_SF": current_exponent(self.spec)}
        factors |= {"704.WMaxLimPct_SF": PERCENT_EXPONENT, "704.WSetPct_SF": PERCENT_EXPONENT, "704.WSet_SF": 0}
        if self.spec.energy_wh is not None:
            factors |= {"713.WH_SF": exponent(self.spec.energy_wh, 65_000), "713.Pct_SF": -1}
        return {name: float(exponent) for name, exponent in factors.items()}

    @property
    def constants(self) -> dict[str, float]:
        """Ratings, and controls as they leave the factory."""
        spec = self.spec
        values = {"701.ACType": 2.0, "701.St": 1.0, "701.ConnSt": 1.0, "701.Hz": NOMINAL_HZ, "701.Var": 0.0}
        values |= {"702.WMaxRtg": spec.p_max_w, "702.WMax": spec.p_max_w}
        values |= {"702.VAMaxRtg": spec.s_max_va or spec.p_max_w, "702.VAMax": spec.s_max_va or spec.p_max_w}
        if spec.p_min_w < 0:
            values |= {"702.WChaRteMaxRtg": -spec.p_min_w, "702.WChaRteMax": -spec.p_min_w}
        values |= {"704.WMaxLimPctRvrt": 100.0, "704.WMaxLimPctEnaRvrt": 0.0, "704.WMaxLimPctRvrtTms": 0.0}
        if self.takes_orders:
            values |= dict.fromkeys(self.order_points, 0.0) | {"704.WSetMod": float(WATTS)}
        values |= {"703.ES": 1.0, "703.ESVHi": 105.0, "703.ESVLo": 91.7, "703.ESHzHi": 60.1, "703.ESHzLo": 59.5}
        values |= {"703.ESDlyTms": 300.0, "703.ESRndTms": 0.0, "703.ESRmpTms": 300.0, "703.ESDlyRemTms": 0.0}
        values |= {"715.LocRemCtl": 0.0, "715.ControllerHb": 0.0, "715.AlarmReset": 0.0}
        if spec.energy_wh is not None:
            values |= {"713.WHRtg": spec.energy_wh, "713.SoH": 100.0, "713.Sta": 0.0}
        return values

    def measured(self, power_w: float, voltage_pu: float, soc_pu: float, *, throttled: bool) -> dict[str, float]:
        volts, amperes = terminals(power_w, voltage_pu)
        values = {"701.W": power_w, "701.VA": abs(power_w), "701.A": amperes}
        values |= {"701.LLV": volts, "701.LNV": volts / sqrt(3)}
        values |= {f"701.WL{phase}": power_w / 3 for phase in (1, 2, 3)}
        values |= {f"701.VL{phase}": volts / sqrt(3) for phase in (1, 2, 3)}
        values |= {"701.InvSt": THROTTLED_701 if throttled else RUNNING_701}
        values |= {"714.DCW": power_w, "714.DCA": power_w / DC_V, "714.Prt[0].DCW": power_w}
        values |= {"714.Prt[0].DCA": power_w / DC_V, "714.Prt[0].DCV": DC_V}
        if self.spec.energy_wh is not None:
            values |= {"713.SoC": 100 * soc_pu, "713.WHAvail": self.spec.energy_wh * soc_pu}
        return values

    def timers(self, device: SimulatedDevice) -> dict[str, float]:
        values = {"704.WMaxLimPctRvrtRem": float(ceil(device.reversion_remaining_s))}
        values |= {"715.DERHb": float(int(device.now_s) % HEARTBEATS)}
        if self.takes_orders:
            values |= {"704.WSetRvrtRem": float(ceil(device.order_remaining_s))}
            values |= {"704.WSetEna": 0.0 if device.order_w is None else 1.0}
        return values

    def check(self, image: ModelImage) -> None:
        _check_switches(image, "704.WMaxLimPctEna", "704.WMaxLimPctEnaRvrt")
        _check_percent(image, "704.WMaxLimPct", "704.WMaxLimPctRvrt")
        if self.takes_orders:
            _check_switches(image, "704.WSetEna", "704.WSetEnaRvrt", "704.WSetMod")
        elif image.get("704.WSetEna"):
            raise RefusedError("704.WSetEna: this device takes no set point")

    def limit(self, image: ModelImage) -> tuple[Bounds, float | None, Bounds]:
        if image.get("704.WMaxLimPctEna") != 1:
            return Bounds(), None, Bounds()
        reverts = image.get("704.WMaxLimPctEnaRvrt") == 1
        fallback = self._bounds(image.get("704.WMaxLimPctRvrt")) if reverts else Bounds()
        return self._bounds(image.get("704.WMaxLimPct")), image.get("704.WMaxLimPctRvrtTms") or None, fallback

    def apply_order(self, image: ModelImage, device: SimulatedDevice) -> None:
        if image.get("704.WSetEna") != 1:
            device.set_order(None, device.now_s)
            return
        watts = image.get("704.WSetMod") == WATTS
        power_w, fallback_w = (
            (image.get(f"704.{name}") or 0.0)
            if watts
            else (image.get(f"704.{percent}") or 0.0) / 100 * self.spec.p_max_w
            for name, percent in (("WSet", "WSetPct"), ("WSetRvrt", "WSetPctRvrt"))
        )
        reverts = image.get("704.WSetEnaRvrt") == 1
        reversion_s = image.get("704.WSetRvrtTms") or None
        device.set_order(power_w, device.now_s, reversion_s, fallback_w if reverts else None)

    def shown(self, limit: Bounds) -> dict[str, float]:
        enabled = limit.ceiling_w is not None
        return {"704.WMaxLimPctEna": float(enabled), "704.WMaxLimPct": in_percent(limit, self.spec)}

    def _bounds(self, percent: float | None) -> Bounds:
        return Bounds(ceiling_w=in_watts(percent, self.spec))


@dataclass(frozen=True, slots=True)
class _Legacy:
    """Models 103, 120 to 123, 160 and, for storage, 124; model 123 can only revert to no limit."""

    spec: DeviceSpec

    limit_points = frozenset(
        {f"123.{name}" for name in ("WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena")}
        | {f"124.{name}" for name in ("StorCtl_Mod", "InWRte", "InOutWRte_RvrtTms")}
    )
    order_points: frozenset[str] = frozenset()

    @property
    def model_ids(self) -> tuple[int, ...]:
        storage = () if self.spec.energy_wh is None else (124,)
        return (1, 103, 120, 121, 122, 123, *storage, 160)

    @property
    def factors(self) -> dict[str, float]:
        power = power_exponent(self.spec)
        factors = {f"103.{name}": power for name in ("W_SF", "VA_SF", "VAr_SF")}
        factors |= {
            "103.A_SF": current_exponent(self.spec),
            "103.V_SF": -1,
            "103.Hz_SF": -2,
            "120.WRtg_SF": power,
            "120.VARtg_SF": power,
        }
        factors |= {"121.WMax_SF": power, "122.WAval_SF": power, "160.DCW_SF": power, "160.DCV_SF": -1}
        factors |= {"160.DCA_SF": current_exponent(self.spec), "123.WMaxLimPct_SF": PERCENT_EXPONENT}
        if self.spec.energy_wh is not None:
            factors |= {"124.ChaState_SF": -1, "124.InOutWRte_SF": PERCENT_EXPONENT}
            factors |= {"124.WChaMax_SF": exponent(-self.spec.p_min_w, FULL_SCALE)}
        return {name: float(exponent) for name, exponent in factors.items()}

    @property
    def constants(self) -> dict[str, float]:
        values = {"103.Hz": NOMINAL_HZ, "103.VAr": 0.0, "103.Evt1": 0.0, "103.Evt2": 0.0}
        values |= {"120.DERTyp": 82.0 if self.spec.energy_wh is not None else 4.0, "120.WRtg": self.spec.p_max_w}
        values |= {"120.VARtg": self.spec.s_max_va or self.spec.p_max_w}
        values |= {"121.WMax": self.spec.p_max_w, "122.PVConn": 7.0, "122.ECPConn": 1.0, "160.N": 1.0}
        if self.spec.energy_wh is not None:
            values |= {"124.WChaMax": -self.spec.p_min_w, "124.StorCtl_Mod": 0.0, "124.InWRte": 100.0}
            values |= {"124.OutWRte": 100.0, "124.InOutWRte_RvrtTms": 0.0}
        return values | {"123.Conn": 1.0, "123.WMaxLimPct_WinTms": 0.0, "123.WMaxLimPct_RvrtTms": 0.0}

    def measured(self, power_w: float, voltage_pu: float, soc_pu: float, *, throttled: bool) -> dict[str, float]:
        volts, amperes = terminals(power_w, voltage_pu)
        values = {"103.W": power_w, "103.VA": abs(power_w), "103.A": amperes}
        values |= {f"103.Aph{phase}": amperes for phase in "ABC"}
        values |= {f"103.PhVph{phase}": volts / sqrt(3) for phase in "ABC"}
        values |= {"103.St": THROTTLED_103 if throttled else RUNNING_103}
        values |= {"160.module[0].DCV": DC_V, "160.module[0].DCA": max(power_w, 0.0) / DC_V}
        values |= {"160.module[0].DCW": max(power_w, 0.0)}
        if self.spec.energy_wh is not None:
            values |= {"124.ChaState": 100 * soc_pu}
        return values

    def timers(self, device: SimulatedDevice) -> dict[str, float]:  # noqa: ARG002 - this series shows none
        return {}

    def check(self, image: ModelImage) -> None:
        _check_switches(image, "123.WMaxLim_Ena")
        _check_percent(image, "123.WMaxLimPct")
        if self.spec.energy_wh is not None:
            _check_percent(image, "124.InWRte")

    def limit(self, image: ModelImage) -> tuple[Bounds, float | None, Bounds]:
        """Both sides end together, with the shorter of the two timers."""
        ceiling_w = floor_w = None
        timers: list[float | None] = []
        if image.get("123.WMaxLim_Ena") == 1:
            ceiling_w = in_watts(image.get("123.WMaxLimPct"), self.spec)
            timers.append(image.get("123.WMaxLimPct_RvrtTms"))
        if self.spec.energy_wh is not None and int(image.get("124.StorCtl_Mod") or 0) & 1:
            floor_w = self.spec.p_min_w * (image.get("124.InWRte") or 0.0) / 100
            timers.append(image.get("124.InOutWRte_RvrtTms"))
        return Bounds(floor_w, ceiling_w), min((t for t in timers if t), default=None), Bounds()

    def apply_order(self, image: ModelImage, device: SimulatedDevice) -> None:
        """There is no set point in these models."""

    def shown(self, limit: Bounds) -> dict[str, float]:
        enabled = limit.ceiling_w is not None
        values = {"123.WMaxLim_Ena": float(enabled), "123.WMaxLimPct": in_percent(limit, self.spec)}
        if self.spec.energy_wh is not None:
            rate = 100.0 if limit.floor_w is None else 100 * limit.floor_w / self.spec.p_min_w
            values |= {"124.StorCtl_Mod": float(limit.floor_w is not None), "124.InWRte": rate}
        return values


def _identity(spec: DeviceSpec) -> Mapping[str, str]:
    return {"1.Mn": "Ampacity testbed", "1.Md": spec.kind, "1.Vr": "1", "1.SN": spec.resource}


def _check_switches(image: ModelImage, *names: str) -> None:
    for name in names:
        if image.get(name) not in (0.0, 1.0):
            raise RefusedError(f"{name}: {image.get(name)} is neither 0 nor 1")


def _check_percent(image: ModelImage, *names: str) -> None:
    for name in names:
        percent = image.get(name)
        if percent is None or percent > 100:
            raise RefusedError(f"{name}: {percent} is not a percentage")
