"""SunSpec face of a device with OpenDER's physics: settings that act, and the simulation controls 64411 and 64414.

A tester may take the grid (64411 in volts, 64414 per unit) and the weather (64414) from the simulated world, and gives
them back by writing `network` to 64414.GridModelSource and `zone` to 64414.IrradianceModelSource.
"""

from collections.abc import Mapping, Sequence
from math import hypot, isfinite, sqrt
from typing import Final

from gateway.testbed import opender_settings
from gateway.testbed.opender import NOMINAL_HZ, NOMINAL_V, REACTIVE_SHARE, TRIPPED, OpenDerDevice
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.codec import Registers, decode_text, not_implemented
from protocols.modbus.models import Placed
from protocols.modbus.server import RefusedError

GRID_SIM, DER_SIM = 64411, 64414
CONST, NETWORK, ZONE = "const", "network", "zone"
PHASE_V: Final = NOMINAL_V / sqrt(3)
OFF, STARTING = 0, 2
"""701.InvSt."""
_VA_MAX: Final = 3.0
_CURVES: Final = frozenset(range(705, 713))
_ALWAYS_ON: Final = (707, 708, 709, 710, 711)
"""Enabled as they leave the factory: trips and frequency droop."""
_PER_UNIT: Final = tuple(f"{DER_SIM}.GridVoltage{phase}" for phase in "ABC")
_VOLTS: Final = tuple(f"{GRID_SIM}.VSet{phase}" for phase in "ABC")
_ALL_VOLTS: Final = f"{GRID_SIM}.VSet"
_SWITCHES: Final = (f"{GRID_SIM}.Output", f"{GRID_SIM}.Relay")
_GRID_SOURCE, _WEATHER_SOURCE = f"{DER_SIM}.GridModelSource", f"{DER_SIM}.IrradianceModelSource"
_HERTZ: Final = (f"{DER_SIM}.GridFrequency", f"{GRID_SIM}.Freq")
_IRRADIANCE: Final = f"{DER_SIM}.Irradiance"
_HIGHEST_PU, _HERTZ_RANGE = 2.0, (40.0, 70.0)
_FACTORY: Final[Mapping[str, float]] = {
    **{f"{GRID_SIM}.{name}": -1.0 for name in ("V_SF", "A_SF")},
    **{f"{GRID_SIM}.{name}": 0.0 for name in ("Tms_SF", "HzSlew_SF", "VSlew_SF", "THD_SF")},
    f"{GRID_SIM}.Hz_SF": -2.0,
    f"{GRID_SIM}.VNom": PHASE_V,
    f"{GRID_SIM}.NProf": 0.0,
    f"{GRID_SIM}.NPt": 0.0,
    f"{GRID_SIM}.ProfRslt": 1.0,
    **dict.fromkeys(_SWITCHES, 1.0),
    "704.PF_SF": -3.0,
    "704.VarSetPct_SF": -2.0,
    "704.VarSet_SF": 0.0,
    "704.PFWInjEna": 0.0,
    "704.PFWInj.PF": 1.0,
    "704.PFWInj.Ext": 0.0,
    "704.VarSetEna": 0.0,
    "704.VarSetMod": _VA_MAX,
    "704.VarSet": 0.0,
    "704.VarSetPct": 0.0,
    **{f"{model_id}.Ena": 1.0 for model_id in _ALWAYS_ON},
    **{f"{model_id}.Crv[{index}].DeptRef": _VA_MAX for model_id in (705, 712) for index in range(3)},
}


class OpenDerFace(SunSpecFace):
    """Holding registers of one DER whose settings act."""

    def __init__(self, device: OpenDerDevice) -> None:
        """Begin on the simulated network, with trips and droop on and everything else off."""
        self._der = device
        spec = device.spec
        apparent = max(spec.s_max_va or 0.0, spec.p_max_w)
        self._bases = opender_settings.Bases(spec.p_max_w, apparent, REACTIVE_SHARE * apparent)
        self._started_s = device.now_s
        super().__init__(device, self._mean_pu, more=(GRID_SIM, DER_SIM))

    def _leave_factory(self) -> None:
        super()._leave_factory()
        factors = (item for item in _FACTORY.items() if item[0].endswith("_SF"))
        others = (item for item in _FACTORY.items() if not item[0].endswith("_SF"))
        for name, value in (*factors, *others):
            self._image.set(name, value)
        self._image.set("702.Var_SF", self._models.factors["702.W_SF"])
        self._image.set("702.VarMaxInjRtg", self._bases.reactive_var)
        self._image.set("702.VarMaxAbsRtg", self._bases.reactive_var)
        for name in ("703.ESDlyRemTms", "703.ESRndTms"):
            self._image.set(name, None)
        self._der.configure(opender_settings.settings(self._image, self._bases))

    def _fits(self, model_id: int, index: int) -> bool:
        return opender_settings.fits(self._image, model_id, index)

    def _check(self, touched: frozenset[str], before: Registers) -> None:
        super()._check(touched, before)
        for name in touched:
            model_id, _, path = name.partition(".")
            point = self._image.models[int(model_id)].points[path]
            if int(model_id) not in _CURVES and _was_missing(self._place(name), point, before):
                raise RefusedError(f"{name} is not implemented")
        self._check_tester(touched)

    def _check_tester(self, touched: frozenset[str]) -> None:
        for name, words in ((_GRID_SOURCE, (CONST, NETWORK)), (_WEATHER_SOURCE, (CONST, ZONE))):
            if name in touched and self._text(name) not in words:
                raise RefusedError(f"{name}: write {' or '.join(words)}")
        limits = {_IRRADIANCE: (0.0, 2_000.0), **dict.fromkeys(_HERTZ, _HERTZ_RANGE)}
        limits |= dict.fromkeys(_PER_UNIT, (0.0, _HIGHEST_PU)) | dict.fromkeys(_SWITCHES, (0.0, 1.0))
        limits |= dict.fromkeys((_ALL_VOLTS, *_VOLTS), (0.0, _HIGHEST_PU * PHASE_V))
        for name in touched & limits.keys():
            value, (low, high) = self._image.get(name), limits[name]
            if value is None or not low <= value <= high:
                raise RefusedError(f"{name}: {value} is not within {low:g} to {high:g}")

    def _take(self, touched: frozenset[str]) -> None:
        super()._take(touched)
        self._take_grid(touched)
        if _IRRADIANCE in touched:
            self._der.set_irradiance(self._image.get(_IRRADIANCE), self._der.now_s)
        elif _WEATHER_SOURCE in touched:
            kept = self._image.get(_IRRADIANCE) if self._text(_WEATHER_SOURCE) == CONST else None
            self._der.set_irradiance(kept, self._der.now_s)
        self._der.configure(opender_settings.settings(self._image, self._bases))

    def _take_grid(self, touched: frozenset[str]) -> None:
        get, der = self._image.get, self._der
        if touched & set(_SWITCHES):
            der.is_energised = all(get(name) == 1 for name in _SWITCHES)
        hertz = next((get(name) for name in _HERTZ if name in touched), None) or der.frequency_hz
        if _GRID_SOURCE in touched and self._text(_GRID_SOURCE) == NETWORK:
            der.set_grid(None, NOMINAL_HZ)
        elif touched & set(_PER_UNIT):
            der.set_grid(self._triple([get(name) for name in _PER_UNIT], 1.0), hertz)
        elif _ALL_VOLTS in touched:
            der.set_grid(self._triple([get(_ALL_VOLTS)] * 3, PHASE_V), hertz)
        elif touched & set(_VOLTS):
            der.set_grid(self._triple([get(name) for name in _VOLTS], PHASE_V), hertz)
        elif touched & {_GRID_SOURCE, *_HERTZ}:
            der.set_grid(der.terminal_pu, hertz)

    @staticmethod
    def _triple(values: Sequence[float | None], unit: float) -> tuple[float, float, float]:
        a, b, c = ((value or 0.0) / unit for value in values)
        return a, b, c

    def _refresh(self) -> None:
        super()._refresh()
        if self._reverted:
            self._reverted = False
            self._der.configure(opender_settings.settings(self._image, self._bases))
        if isfinite(self._der.reading.power_w):
            for name, value in self._measured().items():
                self._image.set(name, value)
        for name, told in self._tester().items():
            self._image.set(name, told)

    def _measured(self) -> dict[str, float]:
        der = self._der
        mean, apparent = self._mean_pu(), hypot(der.power_w, der.reactive_var)
        amperes = apparent / (sqrt(3) * NOMINAL_V * mean) if mean > 0 else 0.0
        values = {"701.Var": der.reactive_var, "701.VA": apparent, "701.A": amperes, "701.Hz": der.frequency_hz}
        values |= {f"701.VarL{phase}": der.reactive_var / 3 for phase in (1, 2, 3)}
        values |= {f"701.VL{phase}": pu * PHASE_V for phase, pu in enumerate(der.voltage_pu, 1)}
        tripped = der.status == TRIPPED
        values |= {"701.St": float(not tripped), "701.ConnSt": float(not tripped)}
        if tripped or der.status == "Entering Service":
            values["701.InvSt"] = float(OFF if tripped else STARTING)
        values |= {f"{GRID_SIM}.V{phase}": pu * PHASE_V for phase, pu in zip("ABC", der.voltage_pu, strict=True)}
        values |= {f"{GRID_SIM}.I{phase}": amperes for phase in "ABC"}
        return values | {f"{GRID_SIM}.Hz": der.frequency_hz}

    def _tester(self) -> dict[str, float | str | None]:
        """What is set of grid and weather, whoever set it."""
        der, terminal = self._der, self._der.terminal_pu
        seconds = int(der.now_s - self._started_s)
        told: dict[str, float | str | None] = dict(zip(_PER_UNIT, terminal, strict=True))
        told |= {name: pu * PHASE_V for name, pu in zip(_VOLTS, terminal, strict=True)}
        told |= {_ALL_VOLTS: sum(terminal) / 3 * PHASE_V}
        told |= dict.fromkeys(_HERTZ, der.frequency_hz)
        told |= {_GRID_SOURCE: NETWORK if der.is_on_network else CONST}
        if der.spec.kind == "pv":
            told |= {_IRRADIANCE: der.sun, _WEATHER_SOURCE: ZONE if der.irradiance is None else CONST}
        return told | {f"{DER_SIM}.Time": f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"}

    def _mean_pu(self) -> float:
        return sum(self._der.voltage_pu) / 3

    def _place(self, name: str) -> int:
        """Where a point begins among the registers."""
        model_id, _, path = name.partition(".")
        model = self._image.models[int(model_id)]
        return model.address + model.points[path].offset - self._image.base

    def _text(self, name: str) -> str:
        model_id, _, path = name.partition(".")
        start, size = self._place(name), self._image.models[int(model_id)].points[path].size
        return decode_text(self._image.registers[start : start + size])


def _was_missing(start: int, point: Placed, before: Registers) -> bool:
    return tuple(before[start : start + point.size]) == not_implemented(point)
