"""Legacy SunSpec models of a simulated DER: inverters 101 to 103 in integers or 111 to 113 in floats, and controls 123.

A store shows itself as model 124 beside the integers, and as the battery 802 beside the floats.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Final

from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_sizes import (
    DC_V,
    FULL_SCALE,
    LOWEST_PU,
    MARGIN,
    NOMINAL_HZ,
    PERCENT_EXPONENT,
    check_percent,
    check_switches,
    current_exponent,
    exponent,
    in_percent,
    in_watts,
    power_exponent,
    rating,
    terminals,
)
from protocols.modbus.sunspec import ModelImage
from protocols.signals import Bounds

RUNNING, THROTTLED = 4, 5
"""State of an inverter."""
HEARTBEATS: Final = 10_000
"""802.Hb counts seconds and begins anew here."""
_IN_FLOATS: Final = 10
"""From the model of an inverter in integers to the same in floats."""
_SINGLE, _SPLIT, _THREE = 101, 102, 103
_SPLIT_PHASE: Final = "s1s2"
_CONNECTED: Final = 3
"""802.State."""


@dataclass(frozen=True, slots=True)
class Legacy:
    """An inverter's model by its phases, 120 to 123, 160 and a store's; model 123 can only revert to no limit."""

    spec: DeviceSpec
    phases: str = "abc"
    in_floats: bool = False

    limit_points = frozenset(
        {f"123.{name}" for name in ("WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena")}
        | {f"124.{name}" for name in ("StorCtl_Mod", "InWRte", "InOutWRte_RvrtTms")}
    )
    order_points: frozenset[str] = frozenset()
    switch_points = frozenset({"123.Conn", "123.Conn_RvrtTms"})

    @property
    def inverter(self) -> int:
        """The model of measurements."""
        of_phases = _SPLIT if self.phases == _SPLIT_PHASE else _SINGLE if len(self.phases) == 1 else _THREE
        return of_phases + _IN_FLOATS * self.in_floats

    @property
    def is_store(self) -> bool:
        """True where model 124 is there."""
        return self.spec.energy_wh is not None and not self.in_floats

    @property
    def is_battery(self) -> bool:
        """True where model 802 is there."""
        return self.spec.energy_wh is not None and self.in_floats

    @property
    def model_ids(self) -> tuple[int, ...]:
        """The models of the map, in their order."""
        store = (124,) if self.is_store else (802,) if self.is_battery else ()
        return (1, self.inverter, 120, 121, 122, 123, *store, 160)

    @property
    def factors(self) -> dict[str, float]:
        """Scale factors, wide enough for the rating."""
        power, current, model = power_exponent(self.spec), current_exponent(self.spec), self.inverter
        conductor = exponent(MARGIN * self._amperes(rating(self.spec), LOWEST_PU), FULL_SCALE)
        factors = {"120.WRtg_SF": power, "120.VARtg_SF": power, "121.WMax_SF": power, "122.WAval_SF": power}
        factors |= {"160.DCW_SF": power, "160.DCV_SF": -1, "160.DCA_SF": current}
        factors |= {"123.WMaxLimPct_SF": PERCENT_EXPONENT}
        if not self.in_floats:
            factors |= {f"{model}.{name}": power for name in ("W_SF", "VA_SF", "VAr_SF")}
            factors |= {f"{model}.A_SF": conductor, f"{model}.V_SF": -1, f"{model}.Hz_SF": -2}
        if self.is_battery and self.spec.energy_wh is not None:
            factors |= {"802.WHRtg_SF": exponent(self.spec.energy_wh, 65_000), "802.SoC_SF": -1, "802.SoH_SF": -1}
            factors |= {"802.WChaDisChaMax_SF": power, "802.W_SF": power, "802.V_SF": -1, "802.A_SF": current}
        elif self.is_store:
            factors |= {"124.ChaState_SF": -1, "124.InOutWRte_SF": PERCENT_EXPONENT}
            factors |= {"124.WChaMax_SF": exponent(-self.spec.p_min_w, FULL_SCALE)}
        return {name: float(number) for name, number in factors.items()}

    @property
    def constants(self) -> dict[str, float]:
        """Ratings, and controls as they leave the factory."""
        spec, model = self.spec, self.inverter
        values = {f"{model}.Hz": NOMINAL_HZ, f"{model}.VAr": 0.0, f"{model}.Evt1": 0.0, f"{model}.Evt2": 0.0}
        values |= {"120.DERTyp": 82.0 if spec.energy_wh is not None else 4.0, "120.WRtg": spec.p_max_w}
        values |= {"120.VARtg": spec.s_max_va or spec.p_max_w}
        values |= {"121.WMax": spec.p_max_w, "122.PVConn": 7.0, "122.ECPConn": 1.0, "160.N": 1.0}
        if self.is_store:
            values |= {"124.WChaMax": -spec.p_min_w, "124.StorCtl_Mod": 0.0, "124.InWRte": 100.0}
            values |= {"124.OutWRte": 100.0, "124.InOutWRte_RvrtTms": 0.0}
        elif spec.energy_wh is not None:
            values |= {"802.WHRtg": spec.energy_wh, "802.SoH": 100.0, "802.LocRemCtl": 0.0, "802.CtrlHb": 0.0}
            values |= {"802.WChaRteMax": -spec.p_min_w, "802.WDisChaRteMax": spec.p_max_w, "802.V": DC_V}
            values |= {"802.State": float(_CONNECTED), "802.SoCMax": 100.0, "802.SoCMin": 100 * spec.soc_min_pu}
        return values | {
            "123.Conn": 1.0,
            "123.Conn_RvrtTms": 0.0,
            "123.WMaxLimPct_WinTms": 0.0,
            "123.WMaxLimPct_RvrtTms": 0.0,
        }

    def measured(self, power_w: float, voltage_pu: float, soc_pu: float, *, throttled: bool) -> dict[str, float]:
        """What the measurements read at a power, a voltage and a state of charge."""
        model, letters, amperes = self.inverter, self._letters, self._amperes(power_w, voltage_pu)
        values = {f"{model}.W": power_w, f"{model}.VA": abs(power_w), f"{model}.A": amperes}
        values |= {f"{model}.Aph{letter}": amperes for letter in letters}
        values |= {f"{model}.PhVph{letter}": self._leg_v(voltage_pu) for letter in letters}
        values |= {f"{model}.St": THROTTLED if throttled else RUNNING}
        values |= {"160.module[0].DCV": DC_V, "160.module[0].DCA": max(power_w, 0.0) / DC_V}
        values |= {"160.module[0].DCW": max(power_w, 0.0)}
        if self.is_store:
            values |= {"124.ChaState": 100 * soc_pu}
        elif self.is_battery:
            values |= {"802.SoC": 100 * soc_pu, "802.W": power_w, "802.A": power_w / DC_V}
        return values

    @property
    def _letters(self) -> str:
        """The conductors by the letters of these models: a split-phase service has the first two."""
        return "ABC"[: 2 if self.phases == _SPLIT_PHASE else len(self.phases)]

    def _leg_v(self, voltage_pu: float) -> float:
        """From a conductor to the neutral."""
        line_v, _ = terminals(0.0, voltage_pu)
        return line_v / 2 if self.phases == _SPLIT_PHASE else line_v / sqrt(3)

    def _amperes(self, power_w: float, voltage_pu: float) -> float:
        """In each conductor; the voltage counts as `LOWEST_PU` at least."""
        return abs(power_w) / (len(self._letters) * max(self._leg_v(voltage_pu), self._leg_v(LOWEST_PU)))

    def timers(self, device: SimulatedDevice) -> dict[str, float]:
        """The battery's heartbeat; reversion timers are not told here."""
        return {"802.Hb": float(int(device.now_s) % HEARTBEATS)} if self.is_battery else {}

    def check(self, image: ModelImage) -> None:
        """Raise `RefusedError` where what has just been written has no meaning."""
        check_switches(image, "123.Conn", "123.WMaxLim_Ena")
        check_percent(image, "123.WMaxLimPct", *(("124.InWRte",) if self.is_store else ()))

    def limit(self, image: ModelImage) -> tuple[Bounds, float | None, Bounds]:
        """The limit that is written; both sides end together, with the shorter of the two timers."""
        ceiling_w = floor_w = None
        timers: list[float | None] = []
        if image.get("123.WMaxLim_Ena") == 1:
            ceiling_w = in_watts(image.get("123.WMaxLimPct"), self.spec)
            timers.append(image.get("123.WMaxLimPct_RvrtTms"))
        if self.is_store and int(image.get("124.StorCtl_Mod") or 0) & 1:
            floor_w = self.spec.p_min_w * (image.get("124.InWRte") or 0.0) / 100
            timers.append(image.get("124.InOutWRte_RvrtTms"))
        return Bounds(floor_w, ceiling_w), min((t for t in timers if t), default=None), Bounds()

    def switch(self, image: ModelImage) -> tuple[bool, float | None]:
        """Whether it is to be connected, and after what time it is again by itself."""
        return image.get("123.Conn") == 1, image.get("123.Conn_RvrtTms") or None

    def shown_switch(self, *, closed: bool) -> dict[str, float]:
        """How that reads."""
        return {"123.Conn": float(closed)}

    def apply_order(self, image: ModelImage, device: SimulatedDevice) -> None:
        """There is no set point in these models."""

    def shown(self, limit: Bounds) -> dict[str, float]:
        """How a limit in force reads."""
        enabled = limit.ceiling_w is not None
        values = {"123.WMaxLim_Ena": float(enabled), "123.WMaxLimPct": in_percent(limit, self.spec)}
        if self.is_store:
            rate = 100.0 if limit.floor_w is None else 100 * limit.floor_w / self.spec.p_min_w
            values |= {"124.StorCtl_Mod": float(limit.floor_w is not None), "124.InWRte": rate}
        return values
