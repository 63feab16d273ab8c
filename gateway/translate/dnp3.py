"""Settings of the DNP3 adapters: one per outstation."""

from dataclasses import replace

from config import units
from config.endpoints import Dnp3Endpoint
from config.settings import Device, MappedPoint, Station, ZoneFile
from gateway.translate.facts import static_bounds
from gateway.translate.points import point_of
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master_words import MasterSettings, TimeSync
from protocols.dnp3.profile import der_inputs, der_points
from protocols.dnp3.settings import DerPoints, Dnp3Settings, MappedInput, Setpoint, Tls, place_at
from protocols.points import Quantity
from protocols.signals import Bounds

_BATTERIES = frozenset({"bess", "ev"})


def settings(zone: ZoneFile) -> list[Dnp3Settings]:
    """One connection per outstation: devices with the map of IEEE 1815.2, and stations with their own."""
    devices = [
        connection(device.endpoint, der_inputs(name, wanted_of(device)), (der(name, device),), static_bounds(device))
        for name, device in zone.devices.items()
        if isinstance(device.endpoint, Dnp3Endpoint)
    ]
    stations = [
        connection(station.endpoint, inputs_of(station), (), Bounds())
        for station in zone.stations.values()
        if isinstance(station.endpoint, Dnp3Endpoint)
    ]
    return devices + stations


def wanted_of(device: Device) -> frozenset[Quantity]:
    """What is read of a DER's own meter; a state of charge only where there is a battery."""
    battery = {Quantity.STATE_OF_CHARGE_PU} if device.kind in _BATTERIES else set()
    return frozenset({Quantity.ACTIVE_POWER_W, Quantity.REACTIVE_POWER_VAR, *battery})


def der(name: str, device: Device) -> DerPoints:
    """How a DER is controlled: IEEE 1815.2, less or more what its endpoint says.

    Raises:
        TypeError: Its endpoint is not DNP3.
    """
    endpoint, plate = device.endpoint, device.nameplate
    if not isinstance(endpoint, Dnp3Endpoint):
        raise TypeError(f"{name} is no DNP3 outstation")
    points = der_points(name, units.watts(plate.p_max_mw), units.watts(plate.p_min_mw))
    if not endpoint.floor:
        points = replace(points, floor=None)
    if not endpoint.connect:
        points = replace(points, connect=None)
    if endpoint.switch_status == "outputs":
        limit, target = points.limit_enable, points.target_enable
        own = replace(limit, readback=limit.output, readback_kind=Kind.BINARY_OUTPUT)
        points = replace(points, limit_enable=own)
        if target is not None:
            own = replace(target, readback=target.output, readback_kind=Kind.BINARY_OUTPUT)
            points = replace(points, target_enable=own)
        if points.connect is not None:
            own = replace(points.connect, readback=points.connect.output, readback_kind=Kind.BINARY_OUTPUT)
            points = replace(points, connect=own)
    if endpoint.fallback_output is not None:
        output = endpoint.fallback_output
        fallback = Setpoint(output, output, points.ceiling.unit, readback_kind=Kind.ANALOG_OUTPUT)
        points = replace(points, fallback_ceiling=fallback)
    return points


def inputs_of(station: Station) -> tuple[MappedInput, ...]:
    """The points of a station."""
    return tuple(_input(mapped) for mapped in station.points)


def tls_of(endpoint: Dnp3Endpoint) -> Tls | None:
    """Files of a mutual TLS connection, or None in the clear."""
    if not endpoint.tls:
        return None
    name = endpoint.server_name or None
    return Tls(endpoint.certificate_file, endpoint.key_file, endpoint.ca_file, server_name=name)


def _input(mapped: MappedPoint) -> MappedInput:
    kind, index = place_at(str(mapped.address))
    return MappedInput(point_of(mapped.point), kind, index, mapped.scale)


def connection(
    endpoint: Dnp3Endpoint, inputs: tuple[MappedInput, ...], ders: tuple[DerPoints, ...], fallback: Bounds
) -> Dnp3Settings:
    """One outstation with what is read and controlled there."""
    return Dnp3Settings(
        host=endpoint.host,
        port=endpoint.port,
        inputs=inputs,
        ders=ders,
        master=MasterSettings(
            local=endpoint.master,
            outstation=endpoint.outstation,
            response_timeout_s=endpoint.timeout_s,
            integrity_s=endpoint.integrity_s,
            event_poll_s=endpoint.poll_s,
            unsolicited=endpoint.unsolicited,
            time_sync=TimeSync(endpoint.time_sync),
        ),
        tls=tls_of(endpoint),
        select=endpoint.select,
        fallback=fallback,
    )
