"""From the registers of a SunSpec device to the settings of OpenDER: models 703 to 712."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from protocols.modbus.sunspec import ModelImage

Settings = Mapping[str, float | bool | str]
W_MAX, VAR_MAX, VA_MAX = 0, 1, 3
"""What reactive power is a percentage of: DeptRef of models 705 and 712, and VarSetMod of 704."""
_VARS: Final = 4
"""704.VarSetMod: the set point is in var."""
_OVER_EXCITED: Final = 0
_NEVER_S: Final = 1e9
TRIPS: Final[Mapping[int, tuple[str, str, float]]] = {
    707: ("UV", "V", 0.01),
    708: ("OV", "V", 0.01),
    709: ("UF", "Hz", 1.0),
    710: ("OF", "Hz", 1.0),
}
"""OpenDER's name of what trips, the axis of the curve, and what its unit is worth."""
_LETTER: Final = {"V": "V", "Hz": "F"}
Point = tuple[float, float]
Axes = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Bases:
    """What percentages are of."""

    p_max_w: float
    apparent_va: float
    reactive_var: float


def settings(image: ModelImage, bases: Bases) -> dict[str, float | bool | str]:
    """Everything that the registers set."""
    found: dict[str, float | bool | str] = {}
    for part in (_service(image), _fixed_reactive(image, bases), _volt_var(image, bases), _volt_watt(image)):
        found.update(part)
    for part in (_droop(image), _watt_var(image, bases), *(_trip(image, model_id) for model_id in TRIPS)):
        found.update(part)
    return found


def fits(image: ModelImage, model_id: int, index: int) -> bool:
    """Whether OpenDER can follow a curve that a client offers, `index` from 0."""
    fit = _FITS.get(model_id)
    return fit is None or fit(image, model_id, index)


def _service(image: ModelImage) -> Settings:
    return {
        "ES_PERMIT_SERVICE": image.get("703.ES") == 1,
        "ES_V_HIGH": _of(image, "703.ESVHi") / 100,
        "ES_V_LOW": _of(image, "703.ESVLo") / 100,
        "ES_F_HIGH": _of(image, "703.ESHzHi"),
        "ES_F_LOW": _of(image, "703.ESHzLo"),
        "ES_DELAY": _of(image, "703.ESDlyTms"),
        "ES_RAMP_RATE": _of(image, "703.ESRmpTms"),
    }


def _fixed_reactive(image: ModelImage, bases: Bases) -> Settings:
    """Constant power factor and constant reactive power of model 704."""
    mode = image.get("704.VarSetMod")
    reactive_var = _of(image, "704.VarSet") if mode == _VARS else _reactive(mode, _of(image, "704.VarSetPct"), bases)
    return {
        "CONST_PF_MODE_ENABLE": image.get("704.PFWInjEna") == 1,
        "CONST_PF": _of(image, "704.PFWInj.PF"),
        "CONST_PF_EXCITATION": "INJ" if image.get("704.PFWInj.Ext") == _OVER_EXCITED else "ABS",
        "CONST_Q_MODE_ENABLE": image.get("704.VarSetEna") == 1,
        "CONST_Q": reactive_var / bases.apparent_va,
    }


def _volt_var(image: ModelImage, bases: Bases) -> Settings:
    mode = image.get("705.Crv[0].DeptRef")
    found: dict[str, float | bool | str] = {
        "QV_MODE_ENABLE": image.get("705.Ena") == 1,
        "QV_VREF": _of(image, "705.Crv[0].VRef") / 100,
        "QV_VREF_AUTO_MODE": image.get("705.Crv[0].VRefAutoEna") == 1,
        "QV_VREF_TIME": _of(image, "705.Crv[0].VRefAutoTms"),
        "QV_OLRT": _of(image, "705.Crv[0].RspTms"),
    }
    for number, (volts, var) in enumerate(_points(image, 705, 0, ("V", "Var")), 1):
        found[f"QV_CURVE_V{number}"] = volts / 100
        found[f"QV_CURVE_Q{number}"] = _reactive(mode, var, bases) / bases.apparent_va
    return found


def _volt_watt(image: ModelImage) -> Settings:
    found: dict[str, float | bool | str] = {
        "PV_MODE_ENABLE": image.get("706.Ena") == 1,
        "PV_OLRT": _of(image, "706.Crv[0].RspTms"),
    }
    for number, (volts, watts) in enumerate(_points(image, 706, 0, ("V", "W")), 1):
        found |= {f"PV_CURVE_V{number}": volts / 100, f"PV_CURVE_P{number}": watts / 100}
    return found


def _droop(image: ModelImage) -> Settings:
    names = {"PF_DBOF": "DbOf", "PF_DBUF": "DbUf", "PF_KOF": "KOf", "PF_KUF": "KUf", "PF_OLRT": "RspTms"}
    found = {ours: _of(image, f"711.Ctl[0].{theirs}") for ours, theirs in names.items()}
    return {"PF_MODE_ENABLE": image.get("711.Ena") == 1, **found}


def _watt_var(image: ModelImage, bases: Bases) -> Settings:
    """OpenDER has three points either way; where there are fewer, the innermost is taken again nearer to zero."""
    mode = image.get("712.Crv[0].DeptRef")
    found: dict[str, float | bool | str] = {"QP_MODE_ENABLE": image.get("712.Ena") == 1}
    for way, side in (("GEN", 1), ("LOAD", -1)):
        for number, (watts, var) in enumerate(_three(_points(image, 712, 0, ("W", "Var")), side), 1):
            found[f"QP_CURVE_P{number}_{way}"] = watts / 100
            found[f"QP_CURVE_Q{number}_{way}"] = _reactive(mode, var, bases) / bases.apparent_va
    return found


def _three(points: Sequence[Point], side: int) -> list[Point]:
    own = sorted((point for point in points if side * point[0] > 0), key=lambda point: side * point[0])
    while own and len(own) < 3:
        own.insert(0, (own[0][0] / 2, own[0][1]))
    return own


def _trip(image: ModelImage, model_id: int) -> Settings:
    """Two steps of a must-trip curve: the quick one far out, the slow one nearer; without it, never."""
    name, axis, unit = TRIPS[model_id]
    points = _points(image, model_id, 0, (axis, "Tms"))
    letter, on = _LETTER[axis], image.get(f"{model_id}.Ena") == 1 and len(points) == 4
    found: dict[str, float | bool | str] = {}
    for number, place in ((2, 0), (1, 2)):
        if on:
            found[f"{name}{number}_TRIP_{letter}"] = points[place][0] * unit
        found[f"{name}{number}_TRIP_T"] = points[place][1] if on else _NEVER_S
    return found


def _reactive(mode: float | None, percent: float, bases: Bases) -> float:
    """Reactive power in var from a percentage."""
    of = {W_MAX: bases.p_max_w, VAR_MAX: bases.reactive_var, VA_MAX: bases.apparent_va}
    return percent / 100 * of.get(int(VA_MAX if mode is None else mode), bases.reactive_var)


def _points(image: ModelImage, model_id: int, index: int, axes: Axes) -> list[Point]:
    (x, y), part = axes, "MustTrip." if model_id in TRIPS else ""
    base = f"{model_id}.Crv[{index}].{part}"
    count = int(image.get(f"{base}ActPt") or 0)
    return [(_of(image, f"{base}Pt[{k}].{x}"), _of(image, f"{base}Pt[{k}].{y}")) for k in range(count)]


def _of(image: ModelImage, name: str) -> float:
    return image.get(name) or 0.0


def _is_volt_var(image: ModelImage, model_id: int, index: int) -> bool:
    return _rises(_points(image, model_id, index, ("V", "Var")), 4) and image.get(
        f"{model_id}.Crv[{index}].DeptRef"
    ) in (
        W_MAX,
        VAR_MAX,
        VA_MAX,
    )


def _is_volt_watt(image: ModelImage, model_id: int, index: int) -> bool:
    return _rises(_points(image, model_id, index, ("V", "W")), 2) and image.get(f"{model_id}.Crv[{index}].DeptRef") == 0


def _is_watt_var(image: ModelImage, model_id: int, index: int) -> bool:
    points = _points(image, model_id, index, ("W", "Var"))
    sides = [sum(side * watts > 0 for watts, _ in points) for side in (1, -1)]
    return _rises(points, len(points)) and all(1 <= count <= 3 for count in sides)


def _is_trip(image: ModelImage, model_id: int, index: int) -> bool:
    """Two steps: out to the first value for the first time, from there to the second for the second."""
    points = _points(image, model_id, index, (TRIPS[model_id][1], "Tms"))
    if len(points) != 4:
        return False
    (far, _), (also_far, later), (near, also_later), (also_near, _) = points
    return far == also_far and near == also_near and later == also_later


def _rises(points: Sequence[Point], count: int) -> bool:
    return len(points) == count and all(one[0] < other[0] for one, other in pairwise(points))


_FITS: Final[Mapping[int, Callable[[ModelImage, int, int], bool]]] = {
    705: _is_volt_var,
    706: _is_volt_watt,
    712: _is_watt_var,
    **dict.fromkeys(TRIPS, _is_trip),
}
