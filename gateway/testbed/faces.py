"""From a zone file to the servers that put the simulated devices and stations on the wire."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from config.settings import Device, MappedPoint, ModbusEndpoint, OpcUaEndpoint, Station, ZoneFile
from gateway.testbed.device import Faults
from gateway.testbed.modbus import ModbusServer, Unit
from gateway.testbed.opcua import ServedPoint, SimulatedOpcUaServer
from gateway.testbed.register_face import RegisterFace, ServedRegister
from gateway.testbed.sunspec_face import SunSpecFace
from gateway.testbed.world import World, point_of
from protocols.points import Point, Quantity
from protocols.port import Now


@dataclass(frozen=True, slots=True)
class Served:
    """One server of simulated things."""

    where: str
    """For people: protocol, address and whom it speaks for."""
    run: Callable[[], Awaitable[None]]
    """Serves until cancelled; raises `OSError` where the address cannot be had."""
    listening: asyncio.Event
    """Set once clients can connect."""


@dataclass(frozen=True, slots=True)
class Unserved:
    """Something simulated whose protocol the testbed does not speak."""

    name: str
    protocol: str


def faces(zone: ZoneFile, world: World, now: Now) -> list[Served]:
    """Servers for everything simulated; those on one host and port share one."""
    return [*_modbus(zone, world, now), *_opcua(zone, world, now)]


def unserved(zone: ZoneFile) -> list[Unserved]:
    """What `faces` leaves out."""
    everything: dict[str, Device | Station] = {**zone.devices, **zone.stations}
    return [
        Unserved(name, owner.endpoint.protocol)
        for name, owner in everything.items()
        if owner.simulated and not isinstance(owner.endpoint, ModbusEndpoint | OpcUaEndpoint)
    ]


def _modbus(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    units: dict[tuple[str, int], dict[int, Unit]] = defaultdict(dict)
    names: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, simulated in world.devices.items():
        device = zone.devices[name]
        endpoint = device.endpoint
        if isinstance(endpoint, ModbusEndpoint):
            voltage = partial(world.truth, Point(device.connection.bus, Quantity.VOLTAGE_PU))
            units[endpoint.host, endpoint.port][endpoint.unit] = Unit(SunSpecFace(simulated, voltage), simulated.faults)
            names[endpoint.host, endpoint.port].append(name)
    for name, station in world.stations.items():
        mapped = zone.stations[name]
        endpoint = mapped.endpoint
        if isinstance(endpoint, ModbusEndpoint):
            face = RegisterFace([_register(point) for point in mapped.points], partial(world.measure, name))
            units[endpoint.host, endpoint.port][endpoint.unit] = Unit(face, station.faults)
            names[endpoint.host, endpoint.port].append(name)
    for (host, port), behind in units.items():
        server, listening = ModbusServer(host, port, behind, world, now), asyncio.Event()
        yield Served(f"modbus {host}:{port} {', '.join(names[host, port])}", partial(server.run, listening), listening)


def _register(mapped: MappedPoint) -> ServedRegister:
    return ServedRegister(point_of(mapped.point), int(mapped.address), mapped.encoding, mapped.scale)


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


def _opcua(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
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
                part.points.append(ServedPoint(point_of(point.point), str(point.address), point.scale))
                part.measurers[point_of(point.point)] = partial(world.measure, name)
    for (host, port), part in parts.items():
        server = SimulatedOpcUaServer(
            host,
            port,
            now,
            devices={folder: world.devices[name] for folder, name in part.folders.items()},
            points=part.points,
            measure=part.measure if part.points else None,
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
