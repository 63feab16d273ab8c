"""Settings of the OPC UA adapters: one per server."""

from collections.abc import Mapping

from config.endpoints import OpcUaEndpoint
from config.settings import ZoneFile
from gateway.translate.points import point_of
from protocols.opcua.settings import DerFolder, MappedNode, OpcUaSettings, User, UserCertificate, UserName


class MissingPasswordError(Exception):
    """The environment does not hold the password that the zone file asks for; says which variable and for what."""


def settings(zone: ZoneFile, environment: Mapping[str, str]) -> list[OpcUaSettings]:
    """One connection per URL, with every DER and point behind it; passwords come from the environment.

    Raises:
        MissingPasswordError: one is not there.
    """
    endpoints: dict[str, OpcUaEndpoint] = {}
    ders: dict[str, list[DerFolder]] = {}
    points: dict[str, list[MappedNode]] = {}
    for name, device in zone.devices.items():
        if isinstance(device.endpoint, OpcUaEndpoint):
            endpoint = endpoints.setdefault(device.endpoint.url, device.endpoint)
            ders.setdefault(endpoint.url, []).append(DerFolder(name, device.endpoint.node))
    for station in zone.stations.values():
        if isinstance(station.endpoint, OpcUaEndpoint):
            endpoint = endpoints.setdefault(station.endpoint.url, station.endpoint)
            mapped = [MappedNode(point_of(p.point), str(p.address), p.scale, p.command) for p in station.points]
            points.setdefault(endpoint.url, []).extend(mapped)
    return [
        OpcUaSettings(
            url=url,
            ders=tuple(ders.get(url, ())),
            points=tuple(points.get(url, ())),
            timeout_s=endpoint.timeout_s,
            publishing_s=endpoint.publishing_s,
            refresh_s=2 * endpoint.publishing_s,
            watchdog_s=endpoint.watchdog_s,
            security=endpoint.security,
            trust=endpoint.trust,
            user=user_of(endpoint, environment),
        )
        for url, endpoint in endpoints.items()
    ]


def user_of(endpoint: OpcUaEndpoint, environment: Mapping[str, str]) -> User | None:
    """Who opens the session; `None` where it is anonymous.

    Raises:
        MissingPasswordError: the environment does not hold the password.
    """
    if endpoint.user_certificate_file:
        return UserCertificate(endpoint.user_certificate_file, endpoint.user_key_file)
    if not endpoint.username:
        return None
    password = environment.get(endpoint.password_variable)
    if password is None:
        what = f"the password of {endpoint.username} at {endpoint.url}"
        raise MissingPasswordError(f"the environment variable {endpoint.password_variable} with {what} is not set")
    return UserName(endpoint.username, password)
