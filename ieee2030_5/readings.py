"""Readings, status and availability of a client as measurements in SI units."""

from collections.abc import Iterator, Mapping, Sequence

from ieee2030_5 import resources as r
from ieee2030_5.modes import watts
from ieee2030_5.settings import DeviceSettings
from protocols.points import Phase, Point, Quantity
from protocols.signals import Measurement, Quality

_FORWARD, _REVERSE = 1, 19
"""ReadingType.flowDirection: delivered to, and received from the customer."""
_AVERAGE, _NORMAL = 2, 12
_QUALIFIERS = frozenset({None, 0, _AVERAGE, _NORMAL})
"""ReadingType.dataQualifier of a value; minima and maxima are not how the device is now."""
_SIGNED: Mapping[int, Quantity] = {38: Quantity.ACTIVE_POWER_W, 63: Quantity.REACTIVE_POWER_VAR}
_UNSIGNED: Mapping[int, Quantity] = {
    61: Quantity.APPARENT_POWER_VA,
    29: Quantity.VOLTAGE_V,
    33: Quantity.FREQUENCY_HZ,
    5: Quantity.CURRENT_A,
}
"""ReadingType.uom."""
_PHASES: Mapping[int | None, Phase] = {
    None: Phase.TOTAL,
    0: Phase.TOTAL,
    128: Phase.A,
    129: Phase.A,
    64: Phase.B,
    65: Phase.B,
    32: Phase.C,
    33: Phase.C,
    224: Phase.TOTAL,
    225: Phase.TOTAL,
}
"""ReadingType.phase; others are voltages between lines, which have no name of their own here."""
_QUESTIONABLE = 1 << 4
_ESTIMATED = 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6
"""Reading.qualityFlags: estimated in two ways, derived, projected."""


def of_meter(
    series: r.MirrorMeterReading, kind: r.ReadingType | None, device: DeviceSettings, now: float
) -> Iterator[Measurement]:
    """The measurements of one series, oldest first; none where it measures nothing that we have a name for."""
    quantity = _quantity(kind)
    if kind is None or quantity is None or kind.phase not in _PHASES:
        return
    sign = _sign(kind, device) if quantity in _SIGNED.values() else 1
    scale = sign * 10.0 ** (kind.powerOfTenMultiplier or 0)
    point = Point(device.resource, quantity, _PHASES[kind.phase])
    for reading, at in sorted(_timed(series, now), key=lambda pair: pair[1]):
        if reading.value is not None:
            quality = _quality(reading)
            value = 0.0 if quality is Quality.BAD else reading.value * scale + 0.0
            yield Measurement(point, value, quality, min(at, now), now)


def _quantity(kind: r.ReadingType | None) -> Quantity | None:
    if kind is None or kind.uom is None or kind.dataQualifier not in _QUALIFIERS:
        return None
    return _SIGNED.get(kind.uom) or _UNSIGNED.get(kind.uom)


def _sign(kind: r.ReadingType, device: DeviceSettings) -> int:
    forward = 1 if device.forward_is_generation else -1
    return -forward if kind.flowDirection == _REVERSE else forward


def _timed(series: r.MirrorMeterReading, now: float) -> Iterator[tuple[r.Reading, float]]:
    whole = [series.reading] if series.reading else []
    for reading in whole:
        yield reading, _end(reading.timePeriod, series.lastUpdateTime or now)
    for group in series.reading_sets:
        for reading in group.readings:
            yield reading, _end(reading.timePeriod, _end(group.timePeriod, now))


def _end(period: r.DateTimeInterval | None, otherwise: float) -> float:
    return otherwise if period is None else float(period.start + period.duration)


def _quality(reading: r.Reading) -> Quality:
    flags = int(reading.qualityFlags or "00", 16)
    if flags & _QUESTIONABLE:
        return Quality.BAD
    return Quality.ESTIMATED if flags & _ESTIMATED else Quality.GOOD


def of_status(status: r.DERStatus, resource: str, now: float) -> Sequence[Measurement]:
    """State of charge, where the device tells it."""
    charge = status.stateOfChargeStatus
    if charge is None:
        return ()
    point = Point(resource, Quantity.STATE_OF_CHARGE_PU)
    return (Measurement(point, charge.value / 10_000, Quality.GOOD, min(float(charge.dateTime), now), now),)


def of_capability(capability: r.DERCapability, resource: str, now: float) -> Sequence[Measurement]:
    """The nameplate."""
    return (Measurement(Point(resource, Quantity.RATED_POWER_W), watts(capability.rtgMaxW), Quality.GOOD, now, now),)


def of_availability(availability: r.DERAvailability, resource: str, now: float) -> Sequence[Measurement]:
    """Available power, where the device tells it."""
    if availability.statWAvail is None:
        return ()
    point = Point(resource, Quantity.AVAILABLE_POWER_W)
    value, at = watts(availability.statWAvail), min(float(availability.readingTime), now)
    return (Measurement(point, value, Quality.GOOD, at, now),)
