"""Controllers of tap changers and capacitors in the words of OpenDSS."""

import numpy as np

from grid_engine.exporters.dss_words import Script, UnfitError, number
from grid_engine.model import EARTH, CapacitorControlKind

_BEYOND_V = 1e9
_TYPES = {
    CapacitorControlKind.VOLTAGE: "voltage",
    CapacitorControlKind.CURRENT: "current",
    CapacitorControlKind.REACTIVE_POWER: "kvar",
}


def regulators(script: Script) -> None:
    """Every regulator, watching the bus that it watches."""
    table = script.network.regulators

    def write(n: int) -> tuple[str]:
        return (script.add("RegControl", table.ids[n], _regulator(script, n), live=bool(table.in_service[n])),)

    script.each("regulators", "regulator", write)


def _regulator(script: Script, n: int) -> dict[str, object]:
    network = script.network
    table, transformers = network.regulators, network.transformers
    at = int(table.transformer[n])
    made = script.elements.get(("transformers", transformers.ids[at]), ())
    if not made:
        raise UnfitError(f"its transformer {transformers.ids[at]} is not written")
    winding = int(table.winding[n])
    coil = transformers.node[at, winding, 0]
    measured = table.node[n]
    if EARTH not in measured and set(measured.tolist()) != set(coil.tolist()):
        raise UnfitError("it measures between two nodes that are not its coil's")
    remote = set(measured.tolist()) != set(coil.tolist())
    return {
        "transformer": made[0].partition(".")[2],
        "winding": winding + 1,
        "tapwinding": int(transformers.tap_winding[at]) + 1,
        "vreg": number(table.set_v[n]),
        "band": number(table.band_v[n]),
        "ptratio": number(table.pt_ratio[n]),
        "ctprim": number(table.ct_primary_a[n]),
        "r": number(table.drop_v[n].real),
        "x": number(table.drop_v[n].imag),
        "delay": number(table.delay_s[n]),
        **({"bus": script.at(measured[:1])} if remote else {"ptphase": 1}),
    }


def capacitor_controls(script: Script) -> None:
    """Every capacitor controller; it looks at its line, or at the capacitor itself."""
    table = script.network.capacitor_controls

    def write(n: int) -> tuple[str]:
        properties = _capacitor_control(script, n)
        return (script.add("CapControl", table.ids[n], properties, live=bool(table.in_service[n])),)

    script.each("capacitor_controls", "capacitor control", write)


def _capacitor_control(script: Script, n: int) -> dict[str, object]:
    network = script.network
    table = network.capacitor_controls
    shunt = network.shunts.ids[table.shunt[n]]
    made = script.elements.get(("shunts", shunt), ())
    if len(made) != 1 or not made[0].startswith("capacitor."):
        raise UnfitError(f"{shunt} is not a capacitor alike in all phases")
    kind = CapacitorControlKind(int(table.kind[n]))
    vars_to_kvar = 1e3 if kind is CapacitorControlKind.REACTIVE_POWER else 1.0
    override = np.isfinite([table.voltage_min_v[n], table.voltage_max_v[n]])
    watched = network.lines.ids[table.line[n]] if table.line[n] >= 0 else ""
    element = script.elements.get(("lines", watched), ()) if watched else made
    if not element:
        raise UnfitError(f"its line {watched} is not written")
    return {
        "capacitor": made[0].partition(".")[2],
        "element": element[0],
        "terminal": 1,
        "type": _TYPES[kind],
        "ptratio": number(table.pt_ratio[n]),
        "ctratio": number(table.ct_ratio[n]),
        "onsetting": number(table.on_at[n] / vars_to_kvar),
        "offsetting": number(table.off_at[n] / vars_to_kvar),
        "delay": number(table.delay_s[n]),
        "delayoff": number(table.delay_off_s[n]),
        "deadtime": number(table.dead_time_s[n]),
        **(_override(table.voltage_min_v[n], table.voltage_max_v[n]) if override.any() else {}),
    }


def _override(lowest_v: float, highest_v: float) -> dict[str, object]:
    """Limits that nothing reaches stand for those that are not there."""
    return {"voltoverride": "yes", "vmin": number(max(lowest_v, 0.0)), "vmax": number(min(highest_v, _BEYOND_V))}
