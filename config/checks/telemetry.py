"""What the system operator is told: values that somebody measures, each at a place of its own."""

from collections.abc import Iterator

from config.checks.finding import Finding, Subject
from config.checks.stations import QUANTITIES
from config.faults import listed, suggestion
from config.settings import ToldPoint

SUMS = frozenset({"active_power_w", "reactive_power_var", "available_power_w", "ceiling_w", "floor_w"})
"""Quantities that add up over DERs."""


def telemetry_is_measured(subject: Subject) -> Iterator[Finding]:
    """Every value is of a device, of a station's point, or a sum over devices; no two at one address."""
    telemetry = subject.zone.telemetry
    if telemetry is None:
        return
    owner: dict[str, str] = {}
    for index, told in enumerate(telemetry.points):
        at = ("telemetry", "points", index)
        if owner.setdefault(told.address, told.point) != told.point:
            yield Finding(
                (*at, "address"), f"`{told.point}` and `{owner[told.address]}` are both at {told.address}", "move one"
            )
        yield from _point(subject, told, at)
        if told.address.startswith("BI") != (told.point.split(".")[1] == "switch_closed"):
            yield Finding(
                (*at, "address"),
                f"`{told.point}` cannot be told at {told.address}",
                "use BI for switch_closed and AI for everything else",
            )


def telemetry_is_secured(subject: Subject) -> Iterator[Finding]:
    """TLS has all its files, and the two link addresses differ."""
    telemetry = subject.zone.telemetry
    if telemetry is None:
        return
    if telemetry.tls and not (telemetry.ca_file and telemetry.certificate_file and telemetry.key_file):
        yield Finding(
            ("telemetry", "tls"),
            "telemetry has `tls` without all of `ca_file`, `certificate_file` and `key_file`",
            "give all three: DNP3 over TLS is mutual",
        )
    if telemetry.outstation == telemetry.master:
        yield Finding(
            ("telemetry", "master"),
            f"telemetry has the link address {telemetry.master} for both ends",
            "give the system operator's master its own",
        )


def _point(subject: Subject, told: ToldPoint, at: tuple[str | int, ...]) -> Iterator[Finding]:
    resource, quantity = told.point.split(".")[:2]
    devices = subject.declared["devices"]
    if quantity not in QUANTITIES:
        remedy = suggestion(quantity, QUANTITIES, f"use one of: {listed(QUANTITIES, most=20)}")
        yield Finding((*at, "point"), f"`{quantity}` is not a quantity", remedy)
    elif told.of or resource == subject.zone.zone.id:
        if quantity not in SUMS:
            yield Finding((*at, "point"), f"`{told.point}` is no sum over devices", f"use one of: {listed(SUMS)}")
        for name in told.of:
            if name not in devices:
                yield Finding((*at, "of"), f"`{name}` is not a device", suggestion(name, devices, "name a device"))
    elif resource not in devices and told.point not in _measured(subject):
        yield Finding(
            (*at, "point"),
            f"no station measures `{told.point}`",
            "add it to a station, or name a device, or the zone for the sum of its devices",
        )


def _measured(subject: Subject) -> frozenset[str]:
    return frozenset(mapped.point for station in subject.zone.stations.values() for mapped in station.points)
