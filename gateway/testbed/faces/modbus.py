"""Modbus faces of a zone file: one server per host and port."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from config.modbus_endpoint import ModbusEndpoint
from config.registers import RegisterForm, split_model_point
from config.settings import MappedPoint, ZoneFile
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.faces.served import Served
from gateway.testbed.mapped_der_face import MappedDerFace, ServedControl
from gateway.testbed.register_face import RegisterFace, ServedRegister
from gateway.testbed.sunspec_face import SunSpecFace, VoltagePu
from gateway.testbed.sunspec_station_face import ServedPoint, SunSpecStationFace
from gateway.testbed.world import World, point_of
from protocols.modbus.register import Encoding, Order, Register
from protocols.modbus.server import ModbusServer, Unit
from protocols.points import Point, Quantity
from protocols.port import Now

_INPUTS = 4
"""Function code of input registers."""


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
                _device_face(simulated, endpoint, voltage), simulated.faults
            )
            names[endpoint.host, endpoint.port].append(name)
    for name, station in world.stations.items():
        mapped = zone.stations[name]
        endpoint = mapped.endpoint
        if isinstance(endpoint, ModbusEndpoint):
            if endpoint.transport == "rtu_over_tcp":
                serial_frames.add((endpoint.host, endpoint.port))
            face = _station_face(mapped.points, partial(world.measure, name))
            units[endpoint.host, endpoint.port][endpoint.unit] = Unit(face, station.faults)
            names[endpoint.host, endpoint.port].append(name)
    for (host, port), behind in units.items():
        server = ModbusServer(host, port, behind, world, now, serial_frames=(host, port) in serial_frames)
        listening = asyncio.Event()
        yield Served(f"modbus {host}:{port} {', '.join(names[host, port])}", partial(server.run, listening), listening)


def _device_face(
    simulated: SimulatedDevice, endpoint: ModbusEndpoint, voltage: VoltagePu
) -> SunSpecFace | MappedDerFace:
    if not endpoint.registers:
        return _sunspec_face(simulated, endpoint, voltage)
    measured = {Quantity(quantity): _register(r, r.address) for quantity, r in endpoint.registers.items()}
    controls: dict[str, ServedControl] = {
        term: ServedControl(
            _register(c, c.address),
            _register(c, c.address if c.read_address is None else c.read_address),
            c.when_on,
            c.when_off,
        )
        for term, c in endpoint.controls.items()
    }
    return MappedDerFace(simulated, measured, controls, voltage)


def _sunspec_face(simulated: SimulatedDevice, endpoint: ModbusEndpoint, voltage: VoltagePu) -> SunSpecFace:
    """With the simulation controls where OpenDER's physics is behind it."""
    if simulated.spec.physics == "opender" and endpoint.sunspec == "700":
        from gateway.testbed.opender import OpenDerDevice  # noqa: PLC0415 - an extra, and slow to import
        from gateway.testbed.opender_face import OpenDerFace  # noqa: PLC0415

        if isinstance(simulated, OpenDerDevice):
            return OpenDerFace(simulated)
    return SunSpecFace(simulated, voltage, legacy=endpoint.sunspec == "legacy")


def _station_face(
    points: Sequence[MappedPoint], measure: Callable[[Point], float]
) -> RegisterFace | SunSpecStationFace:
    if all(isinstance(mapped.address, str) for mapped in points):
        if any("/" in str(mapped.address) for mapped in points):
            raise ValueError("the testbed plays one SunSpec model of each id")
        places = [(mapped, split_model_point(str(mapped.address))) for mapped in points]
        return SunSpecStationFace(
            [ServedPoint(point_of(m.point), model_id, path, m.scale) for m, (model_id, _, path) in places], measure
        )
    return RegisterFace(
        [ServedRegister(point_of(mapped.point), _register(mapped, int(mapped.address))) for mapped in points], measure
    )


def _register(form: RegisterForm, address: int) -> Register:
    order, inputs = Order[form.order], form.function == _INPUTS
    return Register(address, Encoding(form.encoding), form.scale, order, inputs, form.missing)
