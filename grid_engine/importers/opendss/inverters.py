"""Functions of inverters of OpenDSS: reactive power or the most active power by voltage, as curves."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from grid_engine.importers.opendss.record import Circuit, Record
from grid_engine.model import Curve

_VAR, _WATT = "voltvar", "voltwatt"
_HINT = "; read with hold=True, the powers of the solution stay"
_CURVE = {_VAR: "vvc_curve1", _WATT: "voltwatt_curve"}


@dataclass(frozen=True, slots=True)
class Functions:
    """Curves, and which of them each unit follows."""

    curves: tuple[Curve, ...]
    volt_var: Mapping[tuple[str, str], int]
    """Position among the curves by class and name of the unit."""
    volt_watt: Mapping[tuple[str, str], int]


def functions(circuit: Circuit) -> Functions:
    """Of every controller that is none of `inverter_faults`."""
    units = {(record.kind, record.name): record for record in circuit.of("pvsystem", "storage")}
    points = {record.name: record for record in circuit.of("xycurve")}
    position: dict[tuple[str, float], int] = {}
    follows: dict[str, dict[tuple[str, str], int]] = {_VAR: {}, _WATT: {}}
    for control in circuit.of("invcontrol"):
        if not control.enabled or _odd(control):
            continue
        mode = control.text("mode")
        for name in control.texts("derlist"):
            kind, _, own = name.partition(".")
            unit = (kind, own)
            key = (control.text(_CURVE[mode]), _of_rating(units[unit], mode))
            follows[mode][unit] = position.setdefault(key, len(position))
    curves = tuple(Curve(points[name].numbers("xarray"), points[name].numbers("yarray") * y) for name, y in position)
    return Functions(curves, follows[_VAR], follows[_WATT])


def inverter_faults(circuit: Circuit) -> list[str]:
    """Controllers of inverters that the model has no words for."""
    found = [
        f"{record.title}: not modelled{_HINT}" for record in circuit.of("expcontrol", "espvlcontrol") if record.enabled
    ]
    return found + [
        f"{record.title}: {why}{_HINT}" for record in circuit.of("invcontrol") if record.enabled for why in _odd(record)
    ]


def _of_rating(unit: Record, mode: str) -> float:
    """What 1 on the curve is, over the rating of the inverter."""
    if mode == _VAR:
        return unit.number("kvarmax") / unit.number("kva")
    return unit.number("pmpp" if unit.kind == "pvsystem" else "kwrated") / unit.number("kva")


def _odd(control: Record) -> list[str]:
    mode = control.text("mode")
    if mode not in _CURVE or control.text("combimode"):
        return [f"mode {mode} {control.text('combimode')}"]
    usual = {"voltage_curvex_ref": "rated", "rateofchangemode": "inactive", "monvoltagecalc": "avg"}
    usual |= {"refreactivepower": "varmax"} if mode == _VAR else {"voltwattyaxis": "pmpppu"}
    odd = [f"{key} is {control.text(key)}" for key, value in usual.items() if control.text(key) != value]
    if control.number("hysteresis_offset") or np.any(control.values["monbus"]):
        odd.append("hysteresis_offset or monbus is set")
    return odd
