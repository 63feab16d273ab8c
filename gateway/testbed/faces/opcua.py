"""OPC UA faces of a zone file: one server per address."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from config.endpoints import OpcUaEndpoint
from config.settings import ZoneFile
from gateway.testbed.device import Faults
from gateway.testbed.faces.served import Served
from gateway.testbed.opcua import ServedPoint, SimulatedOpcUaServer
from gateway.testbed.world import World, point_of
from protocols.points import Point
from protocols.port import Now


@dataclass(slots=True)
class _OpcUaParts:
    """What one OPC UA server speaks for."""

    folders: dict[str, str]
    """Device by NodeId of its folder."""
    points: list[ServedPoint]
    measurers: dict[Point, Callable[[Point], float]]
    faults: Faults | None = None

    def measure(self, point: Point) -> float:
        """What the station behind a point tells."""
        return self.measurers[point](point)


def faces(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    """Servers of the simulated devices and stations that speak OPC UA."""
    parts: dict[tuple[str, int], _OpcUaParts] = defaultdict(lambda: _OpcUaParts({}, [], {}))
    for name in world.devices:
        endpoint = zone.devices[name].endpoint
        if isinstance(endpoint, OpcUaEndpoint):
            parts[_address(endpoint)].folders[endpoint.node] = name
    for name, station in world.stations.items():
        mapped = zone.stations[name]
        if isinstance(mapped.endpoint, OpcUaEndpoint):
            part = parts[_address(mapped.endpoint)]
            part.faults = station.faults
            for point in mapped.points:
                part.points.append(ServedPoint(point_of(point.point), str(point.address), point.scale, point.command))
                part.measurers[point_of(point.point)] = partial(world.measure, name)
    for (host, port), part in parts.items():
        server = SimulatedOpcUaServer(
            host,
            port,
            now,
            devices={folder: world.devices[name] for folder, name in part.folders.items()},
            points=part.points,
            measure=part.measure if part.points else None,
            operate=world.operate,
            faults=part.faults,
        )
        speakers = [*part.folders.values(), *(name for name in world.stations if _serves(zone, name, (host, port)))]
        yield Served(f"opcua {host}:{port} {', '.join(speakers)}", server.run, server.started)


def _serves(zone: ZoneFile, station: str, address: tuple[str, int]) -> bool:
    endpoint = zone.stations[station].endpoint
    return isinstance(endpoint, OpcUaEndpoint) and _address(endpoint) == address


def _address(endpoint: OpcUaEndpoint) -> tuple[str, int]:
    parts = urlsplit(endpoint.url)
    return parts.hostname or "127.0.0.1", parts.port or 4840
