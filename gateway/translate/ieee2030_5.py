"""Settings of the IEEE 2030.5 server, or none where no device of the zone is a client of it."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from config import units
from config.endpoints import Ieee20305Endpoint
from config.settings import Device, ZoneFile
from ieee2030_5.admin import token
from ieee2030_5.identity import PenEncoding, lfdi_of
from ieee2030_5.settings import AdminSettings, DeviceSettings, Profile, ServerSettings

_RATE_S = 300.0


def settings(zone: ZoneFile) -> ServerSettings | None:
    """The server with every device that is its client.

    Raises:
        OSError: a certificate that gives a device its identity cannot be read.
        ValueError: it is no certificate.
    """
    clients = {n: d for n, d in zone.devices.items() if isinstance(d.endpoint, Ieee20305Endpoint)}
    server = zone.ieee2030_5
    if not clients and not server.always:
        return None
    certificates = Path(server.certificates)
    return ServerSettings(
        certificate=certificates / "server.pem",
        key=certificates / "server.key.pem",
        authorities=certificates / "root.pem",
        devices=tuple(_device(name, device, certificates) for name, device in clients.items()),
        host=zone.listen.host,
        port=zone.listen.ieee2030_5_port,
        poll_rate_s=max(1, round(min(map(poll_s, clients.values()), default=_RATE_S))),
        post_rate_s=max(1, round(min(map(post_s, clients.values()), default=_RATE_S))),
        timezone=server.timezone,
        discovery=server.discovery_interface,
        pen=server.pen,
        pen_encoding=PenEncoding(server.pen_encoding),
    )


def admin(zone: ZoneFile, environ: Mapping[str, str]) -> AdminSettings:
    """How the operator reaches the server; the token is made where there is none yet.

    Raises:
        TokenError: the token may not be used.
        OSError: its file cannot be written.
    """
    directory, server = Path(zone.storage.directory), zone.ieee2030_5
    return AdminSettings(
        token=token.make(directory, environ),
        host=server.admin_host,
        port=server.admin_port,
        announce=directory / token.URL_FILE,
    )


def poll_s(device: Device) -> float:
    """Poll rate that the server asks of a client, s."""
    return device.endpoint.poll_s if isinstance(device.endpoint, Ieee20305Endpoint) else _RATE_S


def post_s(device: Device) -> float:
    """Post rate that the server asks of a client, s."""
    endpoint = device.endpoint
    asked = endpoint.post_s if isinstance(endpoint, Ieee20305Endpoint) else None
    return poll_s(device) if asked is None else asked


def _device(name: str, device: Device, certificates: Path) -> DeviceSettings:
    endpoint = device.endpoint
    if not isinstance(endpoint, Ieee20305Endpoint):
        raise TypeError(f"{name} is no IEEE 2030.5 client")
    own = certificates / f"{name}.pem" if endpoint.certificate is None else Path(endpoint.certificate)
    return DeviceSettings(
        resource=name,
        lfdi=endpoint.lfdi or lfdi_of(ssl.PEM_cert_to_DER_cert(own.read_text())),
        max_w=units.watts(device.nameplate.p_max_mw),
        min_w=units.watts(device.nameplate.p_min_mw),
        pin=endpoint.pin,
        profile=Profile(endpoint.profile),
        forward_is_generation=endpoint.forward_is_generation,
    )
