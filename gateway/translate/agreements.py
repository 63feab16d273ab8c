"""The connection agreements of a zone file, with the credentials that it names, as prequalification needs them."""

import ssl
from pathlib import Path

from config import units
from config.endpoints import Ieee20305Endpoint
from config.settings import Device, ZoneFile
from gateway.coordination.zone import Agreement
from ieee2030_5.identity import lfdi_of


def agreements(zone: ZoneFile) -> dict[str, Agreement]:
    """One per device."""
    return {name: _agreement(zone, name, device) for name, device in zone.devices.items()}


def _agreement(zone: ZoneFile, name: str, device: Device) -> Agreement:
    connection = device.connection
    return Agreement(
        connection=connection.bus,
        export_w=units.watts(connection.export_mw),
        import_w=units.watts(connection.import_mw),
        kind=device.kind,
        protocol=device.endpoint.protocol,
        credentials=_credentials(zone, name, device),
    )


def _credentials(zone: ZoneFile, name: str, device: Device) -> frozenset[str]:
    """The LFDI of an IEEE 2030.5 client; of others what their party shows: fingerprints, or the digest of a token."""
    if isinstance(device.endpoint, Ieee20305Endpoint):
        lfdi = device.endpoint.lfdi or _lfdi(zone, name, device.endpoint)
        return frozenset({lfdi.upper()} if lfdi else ())
    party = zone.parties.get(device.owner)
    if party is None or party.auth is None:
        return frozenset()
    shown = (*party.auth.certificate_sha256, party.auth.token_sha256)
    return frozenset(one.replace(":", "").upper() for one in shown if one)


def _lfdi(zone: ZoneFile, name: str, endpoint: Ieee20305Endpoint) -> str:
    """From the certificate; empty where that cannot be read, which the server tells when it starts."""
    path = Path(endpoint.certificate or Path(zone.ieee2030_5.certificates) / f"{name}.pem")
    try:
        return lfdi_of(ssl.PEM_cert_to_DER_cert(path.read_text()))
    except (OSError, ValueError):
        return ""
