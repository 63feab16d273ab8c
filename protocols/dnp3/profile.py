"""Points of a DER with the map of IEEE 1815.2, as far as active power is concerned.

Indices and scales are facts of that map; the wording is ours. Percent points count tenths of a percent of the greatest
power, positive for generation. The reversion times are AO85 and AO92; a DER whose limit ran out lifts it.
"""

from protocols.dnp3.commands import AnalogForm
from protocols.dnp3.layouts import Kind
from protocols.dnp3.settings import DerPoints, MappedInput, Setpoint, Switch
from protocols.points import Phase, Point, Quantity

_PER_MILLE = 0.001
_METER = (
    (Quantity.ACTIVE_POWER_W, Phase.TOTAL, 537, 1.0),
    (Quantity.ACTIVE_POWER_W, Phase.A, 538, 1.0),
    (Quantity.ACTIVE_POWER_W, Phase.B, 539, 1.0),
    (Quantity.ACTIVE_POWER_W, Phase.C, 540, 1.0),
    (Quantity.REACTIVE_POWER_VAR, Phase.TOTAL, 541, 1.0),
    (Quantity.APPARENT_POWER_VA, Phase.TOTAL, 546, 1.0),
    (Quantity.FREQUENCY_HZ, Phase.TOTAL, 536, 0.001),
    (Quantity.VOLTAGE_V, Phase.TOTAL, 553, 0.1),
    (Quantity.CURRENT_A, Phase.A, 554, 0.1),
    (Quantity.CURRENT_A, Phase.B, 555, 0.1),
    (Quantity.CURRENT_A, Phase.C, 556, 0.1),
    (Quantity.STATE_OF_CHARGE_PU, Phase.TOTAL, 47, _PER_MILLE),
)
"""Quantity, phase, analog input, unit of one count."""


def der_inputs(resource: str, quantities: frozenset[Quantity]) -> tuple[MappedInput, ...]:
    """The wanted values of a DER's own meter."""
    return tuple(
        MappedInput(Point(resource, quantity, phase), Kind.ANALOG_INPUT, index, scale)
        for quantity, phase, index, scale in _METER
        if quantity in quantities
    )


def der_points(resource: str, ceiling_w: float, floor_w: float) -> DerPoints:
    """Limit (BO17, AO85, AO87, AO88), charge/discharge target (BO18, AO92, AO93) and switch (BO5) of a DER.

    Some outstations take no negative AO88; give such a DER no floor (`dataclasses.replace(points, floor=None)`).

    Args:
        resource: Id of the DER.
        ceiling_w: Nameplate, greatest injection; the base of percent.
        floor_w: Nameplate, greatest absorption as a negative number, or 0.
    """
    per_mille_w = max(ceiling_w, -floor_w) * _PER_MILLE

    def percent(output: int, readback: int) -> Setpoint:
        return Setpoint(output, readback, per_mille_w, AnalogForm.INT32)

    return DerPoints(
        resource,
        ceiling_w,
        floor_w,
        ceiling=percent(87, 148),
        limit_enable=Switch(17, 69),
        floor=percent(88, 149),
        limit_reversion=Setpoint(85, 145, 1.0, AnalogForm.INT32),
        target=percent(93, 154),
        target_enable=Switch(18, 70),
        target_reversion=Setpoint(92, 153, 1.0, AnalogForm.INT32),
        connect=Switch(5, 23),
    )
