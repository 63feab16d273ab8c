"""Settings of the SunSpec façade, or none where the zone file asks for none."""

from pathlib import Path

from config import units
from config.settings import Device, ZoneFile
from gateway.coordination.zone import Resource, ZoneFacts
from gateway.northbound.sunspec_words import FacadeSettings, ShownDer
from protocols.modbus.server_security import ServerSecurity


def settings(zone: ZoneFile, facts: ZoneFacts) -> FacadeSettings | None:
    """Who is shown at which unit, and where."""
    facade = zone.sunspec
    if facade is None:
        return None
    ders = (
        _der(unit, zone.devices[name], facts.resources[name])
        for name, unit in facade.unit_of(tuple(zone.devices)).items()
    )
    security = None
    if facade.tls_port is not None:
        files = (Path(facade.certificate_file), Path(facade.key_file), Path(facade.ca_file))
        security = ServerSecurity(*files, frozenset(facade.writers))
    return FacadeSettings(tuple(ders), facade.hold_s, facade.port, facade.tls_host, facade.tls_port, security)


def _der(unit: int, device: Device, resource: Resource) -> ShownDer:
    plate = device.nameplate
    return ShownDer(
        unit=unit,
        resource=resource,
        kind=device.kind,
        protocol=device.endpoint.protocol,
        p_max_w=units.watts(plate.p_max_mw),
        p_min_w=units.watts(plate.p_min_mw),
        s_max_va=None if plate.s_max_mva is None else units.volt_amperes(plate.s_max_mva),
        energy_wh=None if plate.energy_mwh is None else units.watt_hours(plate.energy_mwh),
    )
