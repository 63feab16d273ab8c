"""What a device can do, may do and falls back to: nameplate within connection, static limits within nameplate."""

from collections.abc import Iterator

from config.checks.finding import Finding, Subject
from config.settings import Device

_SLACK_MW = 1e-9


def nameplates_fit(subject: Subject) -> Iterator[Finding]:
    """The nameplate is an interval, within what the connection allows and the inverter can carry."""
    for device_id, device in subject.zone.devices.items():
        plate, connection = device.nameplate, device.connection
        at = ("devices", device_id, "nameplate")
        if plate.p_min_mw > plate.p_max_mw:
            yield Finding(
                (*at, "p_min_mw"),
                f"{device_id}: p_min_mw {plate.p_min_mw:g} is above p_max_mw {plate.p_max_mw:g}",
                "exchange them; injection is positive",
            )
        if plate.p_max_mw > connection.export_mw + _SLACK_MW:
            yield Finding(
                (*at, "p_max_mw"),
                f"{device_id}: p_max_mw {plate.p_max_mw:g} is more than the connection's export_mw "
                f"{connection.export_mw:g}",
                "lower p_max_mw, or raise export_mw if the agreement says so",
            )
        if plate.p_min_mw < -connection.import_mw - _SLACK_MW:
            yield Finding(
                (*at, "p_min_mw"),
                f"{device_id}: p_min_mw {plate.p_min_mw:g} withdraws more than the connection's import_mw "
                f"{connection.import_mw:g}",
                "raise p_min_mw, or raise import_mw if the agreement says so",
            )
        largest = max(abs(plate.p_max_mw), abs(plate.p_min_mw))
        if plate.s_max_mva is not None and plate.s_max_mva < largest - _SLACK_MW:
            yield Finding(
                (*at, "s_max_mva"),
                f"{device_id}: s_max_mva {plate.s_max_mva:g} is less than its largest power {largest:g} MW",
                "write the inverter's apparent power, or lower the power",
            )


def stores_have_energy(subject: Subject) -> Iterator[Finding]:
    """A battery says how much it holds, and keeps part of it usable."""
    for device_id, device in subject.zone.devices.items():
        at = ("devices", device_id, "nameplate")
        if device.kind == "bess" and device.nameplate.energy_mwh is None:
            yield Finding(at, f"{device_id} is a battery without `energy_mwh`", "add its usable energy")
        if device.nameplate.soc_min_pct >= 100:
            yield Finding((*at, "soc_min_pct"), f"{device_id} can never discharge", "write less than 100")


def static_limits_fit(subject: Subject) -> Iterator[Finding]:
    """The limits of last resort lie inside the nameplate and leave an interval between them."""
    for device_id, device in subject.zone.devices.items():
        yield from _static_limits_of(device_id, device)


def _static_limits_of(device_id: str, device: Device) -> Iterator[Finding]:
    plate = device.nameplate
    for key in ("static_p_max_mw", "static_p_min_mw"):
        value: float | None = getattr(device, key)
        if value is not None and not plate.p_min_mw <= value <= plate.p_max_mw:
            yield Finding(
                ("devices", device_id, key),
                f"{device_id}: {key} {value:g} is outside the nameplate ({plate.p_min_mw:g} to {plate.p_max_mw:g} MW)",
                "choose a value inside it",
            )
    lower, upper = device.static_p_min_mw, device.static_p_max_mw
    if lower is not None and upper is not None and lower > upper:
        yield Finding(
            ("devices", device_id, "static_p_min_mw"),
            f"{device_id}: static_p_min_mw {lower:g} is above static_p_max_mw {upper:g}",
            "exchange them",
        )


def forecasts_fit(subject: Subject) -> Iterator[Finding]:
    """A forecast covers the look-ahead and no more, with powers that the device can have."""
    intervals = subject.zone.clocks.look_ahead_intervals
    for device_id, device in subject.zone.devices.items():
        forecast, plate = device.forecast_mw, device.nameplate
        at = ("devices", device_id, "forecast_mw")
        if len(forecast) > intervals:
            yield Finding(
                at,
                f"{device_id}: {len(forecast)} forecast values for {intervals} intervals of look-ahead",
                "shorten the forecast, or raise clocks.look_ahead_intervals",
            )
        for index, value in enumerate(forecast):
            if not plate.p_min_mw <= value <= plate.p_max_mw:
                yield Finding(
                    (*at, index),
                    f"{device_id}: forecast {value:g} MW is outside the nameplate "
                    f"({plate.p_min_mw:g} to {plate.p_max_mw:g} MW)",
                    "correct the value; injection is positive",
                )


def leases_last(subject: Subject) -> Iterator[Finding]:
    """A lease outlives two ticks, since it is refreshed at half of its life."""
    tick_s = subject.zone.clocks.tick_s
    for device_id, device in subject.zone.devices.items():
        if device.lease_s < 2 * tick_s:
            yield Finding(
                ("devices", device_id, "lease_s"),
                f"{device_id}: a lease of {device.lease_s:g} s cannot be refreshed every {tick_s:g} s",
                f"write {2 * tick_s:g} or more, or shorten clocks.tick_s",
            )
