"""Settings of the Modbus adapters: one per host and port."""

from collections import defaultdict

from config import units
from config.settings import Device, ModbusEndpoint, Station, ZoneFile
from gateway.translate.facts import static_bounds
from gateway.translate.points import point_of
from protocols.modbus.settings import Encoding, MappedRegister, MappedStation, ModbusSettings, SunSpecDer, Unit


def settings(zone: ZoneFile) -> list[ModbusSettings]:
    """One connection per host and port, with every unit behind it."""
    behind: dict[tuple[str, int], list[tuple[ModbusEndpoint, Unit]]] = defaultdict(list)
    for name, device in zone.devices.items():
        if isinstance(device.endpoint, ModbusEndpoint):
            behind[device.endpoint.host, device.endpoint.port].append((device.endpoint, _sunspec(name, device)))
    for name, station in zone.stations.items():
        if isinstance(station.endpoint, ModbusEndpoint):
            unit = MappedStation(name, _registers(station), station.endpoint.unit)
            behind[station.endpoint.host, station.endpoint.port].append((station.endpoint, unit))
    return [
        ModbusSettings(
            host=host,
            port=port,
            units=tuple(unit for _, unit in members),
            poll_s=min(endpoint.poll_s for endpoint, _ in members),
            timeout_s=min(endpoint.timeout_s for endpoint, _ in members),
        )
        for (host, port), members in behind.items()
    ]


def _sunspec(name: str, device: Device) -> SunSpecDer:
    plate = device.nameplate
    unit = device.endpoint.unit if isinstance(device.endpoint, ModbusEndpoint) else 1
    return SunSpecDer(
        resource=name,
        ceiling_w=units.watts(plate.p_max_mw),
        floor_w=units.watts(plate.p_min_mw),
        fallback=static_bounds(device),
        unit_id=unit,
    )


def _registers(station: Station) -> tuple[MappedRegister, ...]:
    return tuple(
        MappedRegister(point_of(p.point), int(p.address), Encoding(p.encoding), p.scale) for p in station.points
    )
