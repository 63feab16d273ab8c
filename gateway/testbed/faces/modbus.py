"""Modbus faces of a zone file: one server per host and port."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from config.modbus_endpoint import ModbusEndpoint
from config.settings import MappedPoint, ZoneFile
from gateway.testbed.faces.served import Served
from gateway.testbed.register_face import RegisterFace, ServedRegister
from gateway.testbed.sunspec_face import SunSpecFace
from gateway.testbed.world import World, point_of
from protocols.modbus.server import ModbusServer, Unit
from protocols.points import Point, Quantity
from protocols.port import Now


def faces(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    """Servers of the simulated SunSpec devices and register-mapped stations."""
    units: dict[tuple[str, int], dict[int, Unit]] = defaultdict(dict)
    serial_frames: set[tuple[str, int]] = set()
    names: dict[tuple[str, int], list[str]] = defaultdict(list)
    for name, simulated in world.devices.items():
        device = zone.devices[name]
        endpoint = device.endpoint
        if isinstance(endpoint, ModbusEndpoint):
            if endpoint.transport == "rtu_over_tcp":
                serial_frames.add((endpoint.host, endpoint.port))
            voltage = partial(world.truth, Point(device.connection.bus, Quantity.VOLTAGE_PU))
            units[endpoint.host, endpoint.port][endpoint.unit] = Unit(
                SunSpecFace(simulated, voltage, legacy=endpoint.sunspec == "legacy"), simulated.faults
            )
            names[endpoint.host, endpoint.port].append(name)
    for name, station in world.stations.items():
        mapped = zone.stations[name]
        endpoint = mapped.endpoint
        if isinstance(endpoint, ModbusEndpoint):
            if endpoint.transport == "rtu_over_tcp":
                serial_frames.add((endpoint.host, endpoint.port))
            face = RegisterFace([_register(point) for point in mapped.points], partial(world.measure, name))
            units[endpoint.host, endpoint.port][endpoint.unit] = Unit(face, station.faults)
            names[endpoint.host, endpoint.port].append(name)
    for (host, port), behind in units.items():
        server = ModbusServer(host, port, behind, world, now, serial_frames=(host, port) in serial_frames)
        listening = asyncio.Event()
        yield Served(f"modbus {host}:{port} {', '.join(names[host, port])}", partial(server.run, listening), listening)


def _register(mapped: MappedPoint) -> ServedRegister:
    return ServedRegister(point_of(mapped.point), int(mapped.address), mapped.encoding, mapped.scale)
