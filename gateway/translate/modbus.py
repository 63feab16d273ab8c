"""Settings of the Modbus adapters: one per connection or serial line."""

from collections import defaultdict
from collections.abc import Sequence

from config import units
from config.modbus_endpoint import ModbusEndpoint
from config.registers import ModbusControl, RegisterForm, split_model_point
from config.settings import Device, MappedPoint, Station, ZoneFile
from gateway.translate.facts import static_bounds
from gateway.translate.points import point_of
from protocols.modbus.medium import Medium, Parity, PlainTcp, RtuOverTcp, SerialLine, Tls
from protocols.modbus.register import Encoding, Order, Register
from protocols.modbus.settings import (
    ControlRegister,
    MappedDer,
    MappedRegister,
    MappedStation,
    ModbusSettings,
    ModelPoint,
    PercentOf,
    Quirks,
    SunSpecDer,
    SunSpecStation,
    Term,
    Unit,
)

SESSION_END_S = 5.0
"""How long a device with one session may take to notice that it is over."""
RETRY_S = 0.1
_INPUTS = 4
"""Function code of input registers."""
_PARITIES = {"none": Parity.NONE, "even": Parity.EVEN, "odd": Parity.ODD}


def settings(zone: ZoneFile) -> list[ModbusSettings]:
    """One connection per address, with every unit behind it; the loader has checked that they agree on it."""
    behind: dict[tuple[str, int], list[tuple[ModbusEndpoint, Unit]]] = defaultdict(list)
    for name, device in zone.devices.items():
        if isinstance(device.endpoint, ModbusEndpoint):
            behind[device.endpoint.address].append((device.endpoint, _der(name, device, device.endpoint)))
    for name, station in zone.stations.items():
        if isinstance(station.endpoint, ModbusEndpoint):
            unit = _station(name, station, station.endpoint)
            behind[station.endpoint.address].append((station.endpoint, unit))
    return [connection([endpoint for endpoint, _ in m], tuple(unit for _, unit in m)) for m in behind.values()]


def connection(endpoints: Sequence[ModbusEndpoint], units_behind: tuple[Unit, ...]) -> ModbusSettings:
    """The connection that all these endpoints share."""
    first = endpoints[0]
    return ModbusSettings(
        host=first.host,
        port=first.port,
        medium=_medium(first),
        units=units_behind,
        poll_s=min(endpoint.poll_s for endpoint in endpoints),
        timeout_s=min(endpoint.timeout_s for endpoint in endpoints),
        gap_s=first.gap_s,
        retry_min_s=SESSION_END_S if first.one_session else RETRY_S,
    )


def _medium(endpoint: ModbusEndpoint) -> Medium:
    match endpoint.transport:
        case "tcp":
            return PlainTcp()
        case "rtu_over_tcp":
            return RtuOverTcp()
        case "tls":
            return Tls(endpoint.certificate_file, endpoint.key_file, endpoint.ca_file, endpoint.server_name)
        case "serial":
            return SerialLine(endpoint.baud, _PARITIES[endpoint.parity], endpoint.stop_bits)


def _der(name: str, device: Device, endpoint: ModbusEndpoint) -> SunSpecDer | MappedDer:
    plate = device.nameplate
    quirks = Quirks(
        read_max=endpoint.read_max,
        write_single=endpoint.write_single,
        percent_of=PercentOf(endpoint.percent_of),
        min_percent=endpoint.min_limit_pct,
        writes_per_day=endpoint.writes_per_day,
        heartbeat=endpoint.heartbeat and device.controllable != "none",
    )
    if endpoint.registers:
        return MappedDer(
            resource=name,
            ceiling_w=units.watts(plate.p_max_mw),
            registers=tuple(
                MappedRegister(point_of(f"{name}.{quantity}"), _register(register, register.address))
                for quantity, register in endpoint.registers.items()
            ),
            controls={Term(term): _control(control) for term, control in endpoint.controls.items()},
            floor_w=units.watts(plate.p_min_mw),
            fallback=static_bounds(device),
            unit_id=endpoint.unit,
            quirks=quirks,
            lease_max_s=device.lease_s,
        )
    return SunSpecDer(
        resource=name,
        ceiling_w=units.watts(plate.p_max_mw),
        floor_w=units.watts(plate.p_min_mw),
        fallback=static_bounds(device),
        unit_id=endpoint.unit,
        lease_max_s=device.lease_s,
        quirks=quirks,
    )


def _station(name: str, station: Station, endpoint: ModbusEndpoint) -> MappedStation | SunSpecStation:
    """Its addresses are either all registers or all points of models, as the loader has checked."""
    if all(isinstance(mapped.address, str) for mapped in station.points):
        return SunSpecStation(
            name, tuple(_model_point(p) for p in station.points), endpoint.unit, read_max=endpoint.read_max
        )
    registers = [MappedRegister(point_of(p.point), _register(p, int(p.address))) for p in station.points]
    return MappedStation(name, tuple(registers), endpoint.unit, endpoint.read_max)


def _model_point(mapped: MappedPoint) -> ModelPoint:
    model_id, instance, path = split_model_point(str(mapped.address))
    return ModelPoint(point_of(mapped.point), model_id, path, instance, mapped.scale)


def _register(form: RegisterForm, address: int) -> Register:
    return Register(
        address=address,
        encoding=Encoding(form.encoding),
        scale=form.scale,
        order=Order[form.order],
        inputs=form.function == _INPUTS,
        missing=form.missing,
    )


def _control(control: ModbusControl) -> ControlRegister:
    shown = None if control.read_address is None else _register(control, control.read_address)
    return ControlRegister(_register(control, control.address), shown, control.when_on, control.when_off)
