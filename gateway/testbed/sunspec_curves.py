"""Curves of a simulated DER without I/O: factory settings, adoption of a curve that a client offers, reversion."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from protocols.modbus.sunspec import ModelImage

COUNTS: Final[Mapping[str, int]] = {"NCrv": 3, "NCrvSet": 3, "NCtl": 3, "NPt": 5, "NPrt": 1, "module": 1}
"""One curve in force and two to be filled, of up to five points."""
MODELS: Final = (705, 706, 707, 708, 709, 710, 711, 712)
_COMPLETED, _FAILED = 1.0, 2.0
_TRIPS: Final = frozenset((707, 708, 709, 710))
_FACTORS: Final[Mapping[str, int]] = {
    "V_SF": -1,
    "W_SF": -1,
    "DeptRef_SF": -1,
    "RspTms_SF": -1,
    "Tms_SF": -2,
    "Hz_SF": -2,
    "Db_SF": -3,
    "K_SF": -3,
}
Points = Sequence[tuple[float, float]]
_CURVES: Final[Mapping[int, tuple[Points, Mapping[str, float]]]] = {
    705: (
        ((92, 44), (98, 0), (102, 0), (108, -44)),
        {"DeptRef": 1, "Pri": 2, "VRef": 100, "VRefAutoEna": 0, "VRefAutoTms": 300, "RspTms": 5},
    ),
    706: (((106, 100), (110, 0)), {"DeptRef": 0, "RspTms": 10}),
    707: (((45, 0.16), (45, 10), (70, 10), (70, 21)), {}),
    708: (((120, 0.16), (120, 13), (110, 13), (110, 21)), {}),
    709: (((56.5, 0.16), (56.5, 300), (58.5, 300), (58.5, 600)), {}),
    710: (((62, 0.16), (62, 300), (61.2, 300), (61.2, 600)), {}),
    711: ((), {"DbOf": 0.036, "DbUf": 0.036, "KOf": 0.05, "KUf": 0.05, "RspTms": 5}),
    712: (((-100, 44), (-50, 0), (50, 0), (100, -44)), {"DeptRef": 1, "Pri": 1}),
}
"""What leaves the factory, the same in every curve of a model."""
_AXES: Final[Mapping[int, tuple[str, str]]] = {
    705: ("V", "Var"),
    706: ("V", "W"),
    707: ("V", "Tms"),
    708: ("V", "Tms"),
    709: ("Hz", "Tms"),
    710: ("Hz", "Tms"),
    712: ("W", "Var"),
}
_PARTS: Final = ("MustTrip.", "MayTrip.", "MomCess.")


@dataclass(slots=True)
class _Timer:
    """Reversion of one model."""

    ends_at_s: float
    index: int


class CurveFaces:
    """The curve models of one image."""

    def __init__(self, image: ModelImage, fits: Callable[[int, int], bool]) -> None:
        """`fits` says of a model and the index of a curve, from 0, whether the device can follow it."""
        self._image, self._fits = image, fits
        self._timers: dict[int, _Timer] = {}
        for model_id in MODELS:
            self._leave_factory(model_id)

    def written(self, touched: frozenset[str], now_s: float) -> None:
        """Act on what a client has written: adopt what it offers, start or stop timers."""
        for model_id in MODELS:
            asked = f"{model_id}.{_request(model_id)}"
            if asked in touched:
                self._adopt(model_id, int(self._image.get(asked) or 0))
            if touched & {f"{model_id}.RvrtTms", f"{model_id}.Ena"} and model_id not in _TRIPS:
                self._start(model_id, now_s)

    def refresh(self, now_s: float) -> bool:
        """Let timers run; true where one has just put another curve in force."""
        reverted = False
        for model_id, timer in tuple(self._timers.items()):
            if now_s >= timer.ends_at_s:
                del self._timers[model_id]
                self._copy(model_id, timer.index)
                reverted = True
            left_s = max(timer.ends_at_s - now_s, 0.0)
            self._image.set(f"{model_id}.RvrtRem", float(ceil(left_s)))
        return reverted

    def _start(self, model_id: int, now_s: float) -> None:
        timed_s = self._image.get(f"{model_id}.RvrtTms") or 0.0
        index = int(self._image.get(f"{model_id}.{_reverts_to(model_id)}") or 0)
        self._timers.pop(model_id, None)
        if timed_s and self._image.get(f"{model_id}.Ena") == 1 and 1 <= index <= COUNTS["NCrv"]:
            self._timers[model_id] = _Timer(now_s + timed_s, index)
        self._image.set(f"{model_id}.RvrtRem", timed_s if model_id in self._timers else 0.0)

    def _adopt(self, model_id: int, index: int) -> None:
        good = 1 <= index <= COUNTS["NCrv"] and self._makes_sense(model_id, index) and self._fits(model_id, index - 1)
        if good:
            self._copy(model_id, index)
        self._image.set(f"{model_id}.{_result(model_id)}", _COMPLETED if good else _FAILED)

    def _makes_sense(self, model_id: int, index: int) -> bool:
        """A curve has two points or more, none of them missing; that of a trip may also be left out."""
        if model_id not in _AXES:
            return True
        for part in _parts(model_id):
            base = f"{_curve(model_id, index - 1)}{part}"
            used = self._image.get(f"{base}ActPt") or 0
            if used > COUNTS["NPt"] or (used < 2 and (used or not part)):
                return False
            if any(
                self._image.get(f"{base}Pt[{k}].{axis}") is None for k in range(int(used)) for axis in _AXES[model_id]
            ):
                return False
        return True

    def _copy(self, model_id: int, index: int) -> None:
        first, other = (_curve(model_id, place).partition(".")[2] for place in (0, index - 1))
        model = self._image.models[model_id]
        for name in model.points:
            if name.startswith(first) and not name.endswith("ReadOnly"):
                value = self._image.get(f"{model_id}.{other}{name.removeprefix(first)}")
                self._image.set(f"{model_id}.{name}", value)

    def _leave_factory(self, model_id: int) -> None:
        image, model = self._image, self._image.models[model_id]
        for name in model.points.keys() & _FACTORS.keys():
            image.set(f"{model_id}.{name}", _FACTORS[name])
        image.set(f"{model_id}.Ena", 0)
        image.set(f"{model_id}.{_request(model_id)}", 0)
        image.set(f"{model_id}.{_result(model_id)}", _COMPLETED)
        if model_id not in _TRIPS:
            for name in ("RvrtTms", "RvrtRem", _reverts_to(model_id)):
                image.set(f"{model_id}.{name}", 0)
        points, settings = _CURVES[model_id]
        for index in range(COUNTS["NCrv"]):
            curve = _curve(model_id, index)
            image.set(f"{curve}ReadOnly", float(index == 0))
            for name, value in settings.items():
                image.set(curve + name, value)
            for part in _parts(model_id) if points else ():
                image.set(f"{curve}{part}ActPt", float(len(points)) if part in {"", "MustTrip."} else 0.0)
                for place, point in enumerate(points):
                    for axis, value in zip(_AXES[model_id], point, strict=True):
                        image.set(f"{curve}{part}Pt[{place}].{axis}", value)


def _curve(model_id: int, index: int) -> str:
    return f"{model_id}.Ctl[{index}]." if model_id == 711 else f"{model_id}.Crv[{index}]."


def _parts(model_id: int) -> tuple[str, ...]:
    return _PARTS if model_id in _TRIPS else ("",)


def _request(model_id: int) -> str:
    return "AdptCtlReq" if model_id == 711 else "AdptCrvReq"


def _result(model_id: int) -> str:
    return "AdptCtlRslt" if model_id == 711 else "AdptCrvRslt"


def _reverts_to(model_id: int) -> str:
    return "RvrtCtl" if model_id == 711 else "RvrtCrv"
