"""SunSpec models of the 700 series of a simulated DER: what its registers say, and what is asked through them."""

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

from gateway.testbed import sunspec_curves
from gateway.testbed.device import FOLLOWS_AVAILABILITY, DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_sizes import (
    DC_V,
    NOMINAL_HZ,
    PERCENT_EXPONENT,
    check_percent,
    check_switches,
    current_exponent,
    exponent,
    in_percent,
    in_watts,
    power_exponent,
    terminals,
)
from protocols.modbus.server import RefusedError
from protocols.modbus.sunspec import ModelImage
from protocols.signals import Bounds

HEARTBEATS: Final = 1_000_000
"""The device's heartbeat counts seconds and begins anew here."""
RUNNING, THROTTLED = 3, 4
"""701.InvSt."""
WATTS: Final = 1
"""704.WSetMod: the set point is in watts, else in percent of WMax."""


@dataclass(frozen=True, slots=True)
class Series700:
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

    switch_points = frozenset({"703.ES"})

    @property
    def model_ids(self) -> tuple[int, ...]:
        """The models of the map, in their order."""
        storage = () if self.spec.energy_wh is None else (713,)
        return (1, 701, 702, 703, 704, *sunspec_curves.MODELS, *storage, 714, 715)

    @property
    def takes_orders(self) -> bool:
        """False for a kind that follows availability."""
        return self.spec.kind not in FOLLOWS_AVAILABILITY

    @property
    def factors(self) -> dict[str, float]:
        """Scale factors, wide enough for the rating."""
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
        """What the measurements read at a power, a voltage and a state of charge."""
        volts, amperes = terminals(power_w, voltage_pu)
        values = {"701.W": power_w, "701.VA": abs(power_w), "701.A": amperes}
        values |= {"701.LLV": volts, "701.LNV": volts / sqrt(3)}
        values |= {f"701.WL{phase}": power_w / 3 for phase in (1, 2, 3)}
        values |= {f"701.VL{phase}": volts / sqrt(3) for phase in (1, 2, 3)}
        values |= {"701.InvSt": THROTTLED if throttled else RUNNING}
        values |= {"714.DCW": power_w, "714.DCA": power_w / DC_V, "714.Prt[0].DCW": power_w}
        values |= {"714.Prt[0].DCA": power_w / DC_V, "714.Prt[0].DCV": DC_V}
        if self.spec.energy_wh is not None:
            values |= {"713.SoC": 100 * soc_pu, "713.WHAvail": self.spec.energy_wh * soc_pu}
        return values

    def timers(self, device: SimulatedDevice) -> dict[str, float]:
        """What counts with time."""
        values = {"704.WMaxLimPctRvrtRem": float(ceil(device.reversion_remaining_s))}
        values |= {"715.DERHb": float(int(device.now_s) % HEARTBEATS), "701.ConnSt": float(device.is_connected)}
        if self.takes_orders:
            values |= {"704.WSetRvrtRem": float(ceil(device.order_remaining_s))}
            values |= {"704.WSetEna": 0.0 if device.order_w is None else 1.0}
        return values

    def check(self, image: ModelImage) -> None:
        """Raise `RefusedError` where what has just been written has no meaning."""
        check_switches(image, "703.ES", "704.WMaxLimPctEna", "704.WMaxLimPctEnaRvrt")
        check_percent(image, "704.WMaxLimPct", "704.WMaxLimPctRvrt")
        if self.takes_orders:
            check_switches(image, "704.WSetEna", "704.WSetEnaRvrt", "704.WSetMod")
        elif image.get("704.WSetEna"):
            raise RefusedError("704.WSetEna: this device takes no set point")

    def limit(self, image: ModelImage) -> tuple[Bounds, float | None, Bounds]:
        """The limit that is written, its reversion time and what it reverts to."""
        if image.get("704.WMaxLimPctEna") != 1:
            return Bounds(), None, Bounds()
        reverts = image.get("704.WMaxLimPctEnaRvrt") == 1
        fallback = self._bounds(image.get("704.WMaxLimPctRvrt")) if reverts else Bounds()
        return self._bounds(image.get("704.WMaxLimPct")), image.get("704.WMaxLimPctRvrtTms") or None, fallback

    def switch(self, image: ModelImage) -> tuple[bool, float | None]:
        """Whether it may be in service, and after what time it may again by itself: never."""
        return image.get("703.ES") == 1, None

    def shown_switch(self, *, closed: bool) -> dict[str, float]:
        """How that reads."""
        return {"703.ES": float(closed)}

    def apply_order(self, image: ModelImage, device: SimulatedDevice) -> None:
        """Let the device take the set point that is written."""
        if image.get("704.WSetEna") != 1:
            device.set_order(None, device.now_s)
            return
        in_watts = image.get("704.WSetMod") == WATTS
        power_w, fallback_w = (
            (image.get(f"704.{name}") or 0.0)
            if in_watts
            else (image.get(f"704.{share}") or 0.0) / 100 * self.spec.p_max_w
            for name, share in (("WSet", "WSetPct"), ("WSetRvrt", "WSetPctRvrt"))
        )
        reverts = image.get("704.WSetEnaRvrt") == 1
        reversion_s = image.get("704.WSetRvrtTms") or None
        device.set_order(power_w, device.now_s, reversion_s, fallback_w if reverts else None)

    def shown(self, limit: Bounds) -> dict[str, float]:
        """How a limit in force reads."""
        enabled = limit.ceiling_w is not None
        return {"704.WMaxLimPctEna": float(enabled), "704.WMaxLimPct": in_percent(limit, self.spec)}

    def _bounds(self, share_pct: float | None) -> Bounds:
        return Bounds(ceiling_w=in_watts(share_pct, self.spec))
