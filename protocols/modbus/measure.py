"""From the readings of a SunSpec DER to measurements: tables of points, and the limit in force."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from protocols.points import Phase, Point, Quantity
from protocols.signals import Measurement, Quality

P, Q, S, A, V = (
    Quantity.ACTIVE_POWER_W,
    Quantity.REACTIVE_POWER_VAR,
    Quantity.APPARENT_POWER_VA,
    Quantity.CURRENT_A,
    Quantity.VOLTAGE_V,
)
HZ, SOC = Quantity.FREQUENCY_HZ, Quantity.STATE_OF_CHARGE_PU


@dataclass(frozen=True, slots=True)
class Measured:
    """Which quantity a point of a model gives, and what its unit is worth in ours."""

    quantity: Quantity
    phase: Phase = Phase.TOTAL
    factor: float = 1.0


_TOTAL: Final = {"W": Measured(P), "VA": Measured(S), "A": Measured(A), "Hz": Measured(HZ)}
_INVERTER: Final = _TOTAL | {
    "VAr": Measured(Q),
    "AphA": Measured(A, Phase.A),
    "AphB": Measured(A, Phase.B),
    "AphC": Measured(A, Phase.C),
    "PhVphA": Measured(V, Phase.A),
    "PhVphB": Measured(V, Phase.B),
    "PhVphC": Measured(V, Phase.C),
}
_DER: Final = _TOTAL | {
    "Var": Measured(Q),
    "LLV": Measured(V),
    "WL1": Measured(P, Phase.A),
    "WL2": Measured(P, Phase.B),
    "WL3": Measured(P, Phase.C),
    "VarL1": Measured(Q, Phase.A),
    "VarL2": Measured(Q, Phase.B),
    "VarL3": Measured(Q, Phase.C),
    "AL1": Measured(A, Phase.A),
    "AL2": Measured(A, Phase.B),
    "AL3": Measured(A, Phase.C),
    "VL1": Measured(V, Phase.A),
    "VL2": Measured(V, Phase.B),
    "VL3": Measured(V, Phase.C),
}

MEASURED: Final[Mapping[int, Mapping[str, Measured]]] = {
    701: _DER,
    **dict.fromkeys((101, 102, 103, 111, 112, 113), _INVERTER),
    713: {"SoC": Measured(SOC, factor=0.01)},
    802: {"SoC": Measured(SOC, factor=0.01)},
    124: {"ChaState": Measured(SOC, factor=0.01)},
}
"""By model and point. SunSpec counts active power as positive for generation, as we do."""

ALTERNATIVES: Final = ((701, 103, 102, 101, 113, 112, 111), (713, 124, 802))
"""Of each row the first model that the device has is read."""

_ABSOLUTE: Final = frozenset((A, V))
"""Quantities of which we report the magnitude."""


def measurements(
    resource: str, model_id: int, values: Mapping[str, float | None], seen: set[Point], at_s: float
) -> Iterator[Measurement]:
    """The measurements in one reading of one model.

    A point that the device does not implement is bad, but only if it has given a number before
    (`seen`, which this keeps up) or if it is the active power, which every DER owes.
    """
    for name, measured in MEASURED[model_id].items():
        point = Point(resource, measured.quantity, measured.phase)
        value = values.get(name)
        if value is not None:
            seen.add(point)
            value *= measured.factor
            value = abs(value) if measured.quantity in _ABSOLUTE else value
        elif point not in seen and point != Point(resource, P):
            continue
        yield measurement(point, value, at_s)


def measurement(point: Point, value: float | None, at_s: float) -> Measurement:
    """One value taken and received at `at_s`; `None` is bad."""
    if value is None:
        return Measurement(point, 0.0, Quality.BAD, at_s, at_s)
    return Measurement(point, value, Quality.GOOD, at_s, at_s)
