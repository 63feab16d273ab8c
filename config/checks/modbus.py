"""Modbus connections: complete for their transport, alike for all who share one, and kind to the device."""

from collections.abc import Iterator
from math import ceil

from config.checks.finding import Finding, Subject
from config.modbus_endpoint import ModbusEndpoint
from config.settings import Device, Station, ZoneFile

_FILES = ("ca_file", "certificate_file", "key_file")
_SERIAL = ("baud", "parity", "stop_bits")
_SHARED = ("transport", *_FILES, "server_name", *_SERIAL, "gap_s", "one_session")
"""What belongs to a connection, and so to every unit behind it."""
_PLAYED = ("tcp", "rtu_over_tcp")
_DAY_S = 86_400
_Path = tuple[str, str, str]


def transport_is_complete(subject: Subject) -> Iterator[Finding]:
    """TLS has its three files, nothing else has any; only a serial line has a speed, and no unit 0."""
    for path, item, endpoint in _endpoints(subject.zone):
        name, transport = path[1], endpoint.transport
        absent = [key for key in _FILES if not getattr(endpoint, key)]
        if transport == "tls" and absent:
            remedy = "both ends of Modbus/TCP Security show a certificate"
            yield Finding((*path, "transport"), f"{name} speaks tls without `{'`, `'.join(absent)}`", remedy)
        for key in sorted(endpoint.model_fields_set & {*_FILES, "server_name"}) if transport != "tls" else ():
            yield Finding((*path, key), f"{name} has `{key}`, but its transport is {transport}", "write transport: tls")
        for key in sorted(endpoint.model_fields_set & {*_SERIAL}) if transport != "serial" else ():
            yield Finding(
                (*path, key), f"{name} has `{key}`, but its transport is {transport}", "write transport: serial"
            )
        if transport in {"serial", "rtu_over_tcp"} and endpoint.unit == 0:
            yield Finding((*path, "unit"), f"{name}: unit 0 of a serial line is all of them", "write 1 to 247")
        if item.simulated and transport not in _PLAYED:
            remedy = f"write transport: {' or '.join(_PLAYED)}, or simulated: false"
            yield Finding((*path, "transport"), f"the testbed does not play {name} over {transport}", remedy)


def connections_agree(subject: Subject) -> Iterator[Finding]:
    """Units behind one address say the same about their connection; a device with one session has one address."""
    first: dict[tuple[str, int], tuple[str, ModbusEndpoint]] = {}
    for path, _, endpoint in _endpoints(subject.zone):
        name = path[1]
        other, same = first.setdefault(endpoint.address, (name, endpoint))
        for key in _SHARED:
            if getattr(endpoint, key) != getattr(same, key):
                yield Finding((*path, key), f"{name} shares its connection with {other}, but not its `{key}`", _ALIKE)
    alone = [(name, endpoint) for name, endpoint in first.values() if endpoint.one_session]
    for path, _, endpoint in _endpoints(subject.zone):
        for name, only in alone:
            if endpoint.host == only.host and endpoint.address != only.address:
                problem = f"{path[1]} is on another port of {only.host}, of which {name} says that it has one session"
                yield Finding((*path, "port"), problem, "use the same port, or take one_session away")


_ALIKE = "write the same for both"


def budgets_carry_leases(subject: Subject) -> Iterator[Finding]:
    """The writes that a register may bear in a day suffice to renew the lease at half of its life."""
    for path, item, endpoint in _endpoints(subject.zone):
        if not isinstance(item, Device) or endpoint.writes_per_day is None:
            continue
        needed = ceil(_DAY_S / (item.lease_s / 2))
        if endpoint.writes_per_day < needed:
            lease_s = ceil(2 * _DAY_S / endpoint.writes_per_day)
            yield Finding(
                (*path, "writes_per_day"),
                f"{path[1]}: a lease of {item.lease_s:g} s is renewed {needed} times a day, "
                f"and writes_per_day is {endpoint.writes_per_day:g}",
                f"write lease_s: {lease_s}, or allow more writes",
            )


def _endpoints(zone: ZoneFile) -> Iterator[tuple[_Path, Device | Station, ModbusEndpoint]]:
    items: list[tuple[str, str, Device | Station]] = [("devices", key, item) for key, item in zone.devices.items()]
    items += [("stations", key, item) for key, item in zone.stations.items()]
    for section, key, item in items:
        if isinstance(item.endpoint, ModbusEndpoint):
            yield (section, key, "endpoint"), item, item.endpoint
