"""DNP3 faces of a zone file: one outstation per device or station."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from config import units
from config.endpoints import Dnp3Endpoint
from config.settings import Device, MappedPoint, ZoneFile
from dnp3_sim.server import RtuServer
from gateway.testbed.dnp3 import DerOutstation, ServedInput, StationOutstation
from gateway.testbed.faces.served import Served
from gateway.testbed.world import World, point_of
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.settings import Tls, place_at
from protocols.dnp3.wire import server_context
from protocols.port import Now
from protocols.signals import Bounds

STEP_S = 0.2
"""Between two looks at the device."""


def faces(zone: ZoneFile, world: World, now: Now) -> Iterator[Served]:
    """Outstations of the simulated devices and stations that speak DNP3.

    Raises:
        ValueError: an outstation is to speak TLS, and its certificate or key is not there.
    """
    for name, simulated in world.devices.items():
        endpoint, device = zone.devices[name].endpoint, zone.devices[name]
        if isinstance(endpoint, Dnp3Endpoint):
            outstation = DerOutstation(
                simulated, now, fallback=_fallback(device), fallback_output=endpoint.fallback_output
            )
            yield _served(name, endpoint, outstation, now)
    for name, station in world.stations.items():
        endpoint = zone.stations[name].endpoint
        if isinstance(endpoint, Dnp3Endpoint):
            inputs = [_input(mapped) for mapped in zone.stations[name].points]
            rtu = StationOutstation(inputs, partial(world.measure, name), station.faults, now)
            yield _served(name, endpoint, rtu, now)


def _served(name: str, endpoint: Dnp3Endpoint, outstation: DerOutstation | StationOutstation, now: Now) -> Served:
    settings = OutstationSettings(endpoint.outstation, endpoint.master, unsolicited=endpoint.unsolicited)
    session = OutstationSession(settings, outstation.database, outstation)

    def tick(now_s: float) -> None:
        faults = outstation.faults
        server.is_reachable = not faults.drop_link
        server.late_s = faults.delay_s if faults.delay else 0.0
        outstation.tick(now_s)

    server = RtuServer(
        session,
        now,
        host=endpoint.host,
        port=endpoint.port,
        context=server_context(_tls(name, endpoint)) if endpoint.tls else None,
        tick=tick,
        tick_s=STEP_S,
    )
    where = f"dnp3 {endpoint.host}:{endpoint.port} outstation {endpoint.outstation} {name}"
    return Served(where, server.run, server.listening)


def _tls(name: str, endpoint: Dnp3Endpoint) -> Tls:
    """The outstation's own files: beside the authority's, under its name, as `ampacity certs` makes them."""
    directory = Path(endpoint.ca_file).parent
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key.pem"
    for path in (certificate, key, Path(endpoint.ca_file)):
        if not path.is_file():
            raise ValueError(f"the simulated outstation {name} needs {path} to speak TLS")
    return Tls(str(certificate), str(key), endpoint.ca_file)


def _fallback(device: Device) -> Bounds:
    return Bounds(units.watts_or_none(device.static_p_min_mw), units.watts_or_none(device.static_p_max_mw))


def _input(mapped: MappedPoint) -> ServedInput:
    kind, index = place_at(str(mapped.address))
    return ServedInput(point_of(mapped.point), kind, index, mapped.scale)
