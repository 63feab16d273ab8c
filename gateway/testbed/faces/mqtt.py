"""MQTT faces of a zone file: devices and stations as clients of a broker, and the broker itself."""

import asyncio
from collections.abc import Iterator
from functools import partial

from config.settings import MqttEndpoint, ZoneFile
from gateway.testbed.broker import EmbeddedBroker
from gateway.testbed.faces.served import Served
from gateway.testbed.mqtt import PublishedPoint, SimulatedMqttDevice, SimulatedMqttStation
from gateway.testbed.world import World, point_of
from protocols.port import Now

HEARD_PER_POLL = 2
"""Messages that a device sends in the longest pause that the zone file allows it."""


def faces(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    """An embedded broker for each address, unless the zone file says that one is running, and its clients."""
    clients = list(_clients(zone, world, now))
    if clients and zone.testbed.broker == "embedded":
        for host, port, version in sorted({(e.host, e.port, e.version) for e in _endpoints(zone, world)}):
            ready = asyncio.Event()
            broker = EmbeddedBroker(host, port) if version == "5" else EmbeddedBroker(host, port_v311=port)
            yield Served(f"mqtt {version} broker {host}:{port}", partial(_broker, broker, ready), ready)
    yield from clients


def _endpoints(zone: ZoneFile, world: World) -> Iterator[MqttEndpoint]:
    simulated = [zone.devices[name].endpoint for name in world.devices]
    simulated += [zone.stations[name].endpoint for name in world.stations]
    for endpoint in simulated:
        if isinstance(endpoint, MqttEndpoint):
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


async def _broker(broker: EmbeddedBroker, ready: asyncio.Event) -> None:
    try:
        await broker.start()
        ready.set()
        await asyncio.Event().wait()
    finally:
        await broker.stop()
