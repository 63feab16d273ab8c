"""MQTT faces of a zone file: devices and stations as clients of a broker, and the broker itself."""

import asyncio
from collections.abc import Iterator
from functools import partial

from config.endpoints import MqttEndpoint, SparkplugEndpoint
from config.settings import ZoneFile
from gateway.testbed.broker import EmbeddedBroker
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.faces.served import Served
from gateway.testbed.mqtt import PublishedPoint, SimulatedMqttDevice, SimulatedMqttStation
from gateway.testbed.sparkplug import SimulatedSparkplugNode, StationMetrics
from gateway.testbed.world import World, point_of
from protocols.port import Now

HEARD_PER_POLL = 2
"""Messages that a device sends in the longest pause that the zone file allows it."""


def faces(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    """An embedded broker for each address, unless the zone file says that one is running, and its clients."""
    clients = [*_clients(zone, world, now), *_edge_nodes(zone, world, now)]
    if clients and zone.testbed.broker == "embedded":
        for host, port, version in sorted({(e.host, e.port, e.version) for e in _endpoints(zone, world)}):
            ready = asyncio.Event()
            broker = EmbeddedBroker(host, port) if version == "5" else EmbeddedBroker(host, port_v311=port)
            yield Served(f"mqtt {version} broker {host}:{port}", partial(_broker, broker, ready), ready)
    yield from clients


def _endpoints(zone: ZoneFile, world: World) -> Iterator[MqttEndpoint | SparkplugEndpoint]:
    simulated = [zone.devices[name].endpoint for name in world.devices]
    simulated += [zone.stations[name].endpoint for name in world.stations]
    for endpoint in simulated:
        if isinstance(endpoint, MqttEndpoint | SparkplugEndpoint):
            yield endpoint


def _clients(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    for name, simulated in world.devices.items():
        endpoint = zone.devices[name].endpoint
        if isinstance(endpoint, MqttEndpoint):
            device = SimulatedMqttDevice(
                endpoint.host,
                endpoint.port,
                endpoint.topic,
                simulated,
                now,
                version=endpoint.version,
                step_s=endpoint.telemetry_s / HEARD_PER_POLL,
                gateway_topic=f"ampacity/{zone.zone.id}/state",
            )
            yield Served(f"mqtt {endpoint.host}:{endpoint.port} {endpoint.topic} {name}", device.run, device.started)
    for name, station in world.stations.items():
        endpoint = zone.stations[name].endpoint
        if isinstance(endpoint, MqttEndpoint):
            points = [
                PublishedPoint(point_of(p.point), f"{endpoint.topic}/{p.address}", p.scale)
                for p in zone.stations[name].points
            ]
            measure = partial(world.measure, name)
            speaker = SimulatedMqttStation(
                endpoint.host,
                endpoint.port,
                points,
                measure,
                now,
                faults=station.faults,
                version=endpoint.version,
                client_id=f"station-{name}",
            )
            yield Served(f"mqtt {endpoint.host}:{endpoint.port} {endpoint.topic} {name}", speaker.run, speaker.started)


def _edge_nodes(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    """One client per edge node, with everything behind it."""
    nodes: dict[tuple[str, int, str, str], list[SparkplugEndpoint]] = {}
    devices: dict[tuple[str, int, str, str], dict[str, SimulatedDevice]] = {}
    stations: dict[tuple[str, int, str, str], dict[str, StationMetrics]] = {}
    for name, simulated in world.devices.items():
        endpoint = zone.devices[name].endpoint
        if isinstance(endpoint, SparkplugEndpoint):
            key = endpoint.host, endpoint.port, endpoint.group, endpoint.node
            nodes.setdefault(key, []).append(endpoint)
            devices.setdefault(key, {})[endpoint.device] = simulated
    for name, station in world.stations.items():
        endpoint = zone.stations[name].endpoint
        if isinstance(endpoint, SparkplugEndpoint):
            key = endpoint.host, endpoint.port, endpoint.group, endpoint.node
            nodes.setdefault(key, []).append(endpoint)
            points = {str(p.address): (point_of(p.point), p.scale) for p in zone.stations[name].points}
            told = StationMetrics(points, partial(world.measure, name), station.faults)
            stations.setdefault(key, {})[endpoint.device] = told
    for key, endpoints in nodes.items():
        host, port, group, node = key
        played = SimulatedSparkplugNode(
            host,
            port,
            group,
            node,
            now,
            devices=devices.get(key, {}),
            stations=stations.get(key, {}),
            version=endpoints[0].version,
            step_s=min(endpoint.telemetry_s for endpoint in endpoints) / HEARD_PER_POLL,
        )
        yield Served(f"sparkplug {host}:{port} {group}/{node}", played.run, played.started)


async def _broker(broker: EmbeddedBroker, ready: asyncio.Event) -> None:
    try:
        await broker.start()
        ready.set()
        await asyncio.Event().wait()
    finally:
        await broker.stop()
