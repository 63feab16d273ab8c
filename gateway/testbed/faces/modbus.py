"""Modbus faces of a zone file: one server per host and port."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from config.modbus_endpoint import ModbusEndpoint
from config.registers import RegisterForm, split_model_point
from config.settings import MappedPoint, ZoneFile
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.faces.served import Served
from gateway.testbed.mapped_der_face import MappedDerFace, ServedControl
from gateway.testbed.register_face import RegisterFace, ServedRegister
from gateway.testbed.serial_line import linked, serial_line
from gateway.testbed.sunspec_face import SunSpecFace, VoltagePu
from gateway.testbed.sunspec_station_face import ServedPoint, SunSpecStationFace
from gateway.testbed.world import World, point_of
from protocols.modbus.register import Encoding, Order, Register
from protocols.modbus.server import ModbusServer, SerialPort, Unit, serve_serial
from protocols.modbus.server_security import ServerSecurity
from protocols.points import Point, Quantity
from protocols.port import Now

_INPUTS = 4
"""Function code of input registers."""


@dataclass(slots=True)
class _Behind:
    """The units behind one connection or serial line."""

    first: ModbusEndpoint
    """What the loader has checked to be the same for all of them."""
    units: dict[int, Unit] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)


def faces(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    """Servers of the simulated devices and stations.

    Raises:
        ValueError: a server is to speak TLS, and its certificate or key is not there.
    """
    found: dict[tuple[str, int], _Behind] = {}
    for name, endpoint, unit in (*_devices(zone, world), *_stations(zone, world)):
        behind = found.setdefault(endpoint.address, _Behind(endpoint))
        behind.units[endpoint.unit] = unit
        behind.names.append(name)
    for behind in found.values():
        yield _served(behind, world, now)


def _devices(zone: ZoneFile, world: World) -> Iterator[tuple[str, ModbusEndpoint, Unit]]:
    for name, simulated in world.devices.items():
        device = zone.devices[name]
        if isinstance(device.endpoint, ModbusEndpoint):
            voltage = partial(world.truth, Point(device.connection.bus, Quantity.VOLTAGE_PU))
            face = _device_face(simulated, device.endpoint, device.connection.phases, voltage)
            yield name, device.endpoint, Unit(face, simulated.faults)


def _stations(zone: ZoneFile, world: World) -> Iterator[tuple[str, ModbusEndpoint, Unit]]:
    for name, station in world.stations.items():
        mapped = zone.stations[name]
        if isinstance(mapped.endpoint, ModbusEndpoint):
            face = _station_face(mapped.points, partial(world.measure, name))
            yield name, mapped.endpoint, Unit(face, station.faults)


def _served(behind: _Behind, world: World, now: Now) -> Served:
    endpoint, listening, whom = behind.first, asyncio.Event(), ", ".join(behind.names)
    if endpoint.transport == "serial":
        run = partial(_serve_line, endpoint, behind.units, world, now, listening)
        return Served(f"modbus {endpoint.host} {whom}", run, listening)
    server = ModbusServer(
        endpoint.host,
        endpoint.port,
        behind.units,
        world,
        now,
        security=_security(behind.names[0], endpoint) if endpoint.transport == "tls" else None,
        serial_frames=endpoint.transport == "rtu_over_tcp",
    )
    where = f"modbus {endpoint.transport} {endpoint.host}:{endpoint.port} {whom}"
    return Served(where.replace(" tcp ", " "), partial(server.run, listening), listening)


async def _serve_line(
    endpoint: ModbusEndpoint, units: Mapping[int, Unit], world: World, now: Now, listening: asyncio.Event
) -> None:
    """A serial line whose near end has the name that the gateway opens."""
    async with serial_line() as (near, far):
        with linked(near, Path(endpoint.host)):
            port = SerialPort(far, endpoint.baud, stop_bits=endpoint.stop_bits)
            await serve_serial(port, units, world, now, listening)


def _security(name: str, endpoint: ModbusEndpoint) -> ServerSecurity:
    """The device's own files: beside the authority's, under its name, as `ampacity certs` makes them."""
    directory = Path(endpoint.ca_file).parent
    files = directory / f"{name}.pem", directory / f"{name}.key.pem", Path(endpoint.ca_file)
    for path in files:
        if not path.is_file():
            raise ValueError(f"the simulated device {name} needs {path} to speak TLS")
    return ServerSecurity(*files)


def _device_face(
    simulated: SimulatedDevice, endpoint: ModbusEndpoint, phases: str, voltage: VoltagePu
) -> SunSpecFace | MappedDerFace:
    if not endpoint.registers:
        return _sunspec_face(simulated, endpoint, phases, voltage)
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


def _sunspec_face(simulated: SimulatedDevice, endpoint: ModbusEndpoint, phases: str, voltage: VoltagePu) -> SunSpecFace:
    """With the simulation controls where OpenDER's physics is behind it."""
    if simulated.spec.physics == "opender" and endpoint.sunspec == "700":
        from gateway.testbed.opender import OpenDerDevice  # noqa: PLC0415 - an extra, and slow to import
        from gateway.testbed.opender_face import OpenDerFace  # noqa: PLC0415

        if isinstance(simulated, OpenDerDevice):
            return OpenDerFace(simulated)
    return SunSpecFace(simulated, voltage, series=endpoint.sunspec, phases=phases)


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
