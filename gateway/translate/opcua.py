"""Settings of the OPC UA adapters: one per server."""

from config.endpoints import OpcUaEndpoint
from config.settings import ZoneFile
from gateway.translate.points import point_of
from protocols.opcua.settings import DerFolder, MappedNode, OpcUaSettings


def settings(zone: ZoneFile) -> list[OpcUaSettings]:
    """One connection per URL, with every DER and point behind it."""
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
            mapped = [MappedNode(point_of(p.point), str(p.address), p.scale) for p in station.points]
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
        )
        for url, endpoint in endpoints.items()
    ]
