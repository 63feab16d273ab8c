"""Settings of the telemetry to the system operator, or none where the zone file asks for none."""

from config.settings import Telemetry, ToldPoint, ZoneFile
from gateway.telemetry import TelemetrySettings
from gateway.telemetry import ToldPoint as Point
from gateway.translate.points import point_of
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.settings import Tls, place_at


def settings(zone: ZoneFile) -> TelemetrySettings | None:
    """The outstation of the gateway itself."""
    telemetry = zone.telemetry
    if telemetry is None:
        return None
    return TelemetrySettings(
        host=telemetry.host,
        port=telemetry.port,
        points=tuple(_point(told, zone) for told in telemetry.points),
        outstation=OutstationSettings(telemetry.outstation, telemetry.master, unsolicited=telemetry.unsolicited),
        step_s=telemetry.step_s,
        tls=_tls(telemetry),
    )


def _point(told: ToldPoint, zone: ZoneFile) -> Point:
    kind, index = place_at(told.address)
    point = point_of(told.point)
    of = told.of or (tuple(zone.devices) if point.resource == zone.zone.id else ())
    return Point(kind, index, point, of, told.scale, told.deadband, told.event_class)


def _tls(telemetry: Telemetry) -> Tls | None:
    if not telemetry.tls:
        return None
    return Tls(telemetry.certificate_file, telemetry.key_file, telemetry.ca_file)
