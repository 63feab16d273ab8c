"""Modbus connections: complete for their transport, alike for all who share one, and kind to the device."""

from collections.abc import Iterator
from math import ceil

from config.checks.finding import Finding, Subject
from config.checks.stations import QUANTITIES
from config.faults import listed, suggestion
from config.modbus_endpoint import ModbusEndpoint
from config.registers import SWITCHES
from config.settings import Device, Station, ZoneFile

_FILES = ("ca_file", "certificate_file", "key_file")
_SERIAL = ("baud", "parity", "stop_bits")
_SHARED = ("transport", *_FILES, "server_name", *_SERIAL, "gap_s", "one_session")
"""What belongs to a connection, and so to every unit behind it."""
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
        if item.simulated and transport == "serial" and endpoint.parity != "none":
            problem = f"{name} is simulated, and the testbed's serial line has no parity"
            yield Finding((*path, "parity"), problem, "write parity: none, or simulated: false")


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


def maps_are_whole(subject: Subject) -> Iterator[Finding]:
    """A map of registers tells the power, can end what it begins, and uses no register for two things."""
    for path, item, endpoint in _endpoints(subject.zone):
        name = path[1]
        if not (endpoint.registers or endpoint.controls):
            continue
        if not isinstance(item, Device):
            yield Finding((*path, "registers"), f"station {name} has its map in `points`", "move it there")
            continue
        if "active_power_w" not in endpoint.registers:
            yield Finding(path, f"{name} has no register for `active_power_w`", "every device tells its power")
        for quantity in endpoint.registers:
            if (word := quantity.split(".")[0]) not in QUANTITIES:
                remedy = suggestion(word, QUANTITIES, f"use one of: {listed(QUANTITIES, most=20)}")
                yield Finding((*path, "registers", quantity), f"`{word}` is not a quantity", remedy)
        yield from _controls(path, item, endpoint)
        yield from _overlaps(path, endpoint)


def _controls(path: _Path, item: Device, endpoint: ModbusEndpoint) -> Iterator[Finding]:
    name, terms = path[1], endpoint.controls
    if item.controllable != "none" and not {"ceiling_w", "target_w", "connected"} & terms.keys():
        remedy = "give `controls` one of ceiling_w, target_w and connected, or write controllable: none"
        yield Finding(path, f"{name} is controllable, but no register takes a limit", remedy)
    for term, needed in _NEEDS.items():
        if term in terms and not needed & terms.keys():
            remedy = f"give it {' or '.join(sorted(needed))} as well"
            yield Finding((*path, "controls", term), f"{name} has `{term}` alone", remedy)
    for term, control in terms.items():
        if control.function != 3:
            remedy = "controls are holding registers: write function: 3"
            yield Finding((*path, "controls", term, "function"), f"{name}: `{term}` cannot be written there", remedy)
        if term in SWITCHES and (control.encoding.startswith("float") or control.scale != 1):
            remedy = "write an integer encoding and no scale"
            yield Finding((*path, "controls", term), f"{name}: `{term}` is a switch, on or off", remedy)
        if term == "heartbeat" and (control.encoding.startswith("float") or control.scale != 1):
            yield Finding(
                (*path, "controls", term), f"{name}: `{term}` counts", "write an integer encoding and no scale"
            )


_NEEDS = {
    "limit_enabled": {"ceiling_w", "floor_w"},
    "fallback_ceiling_w": {"ceiling_w"},
    "fallback_floor_w": {"floor_w"},
    "target_enabled": {"target_w"},
    "lease_s": {"ceiling_w", "target_w", "connected"},
}
"""Terms that mean nothing without another."""


def _overlaps(path: _Path, endpoint: ModbusEndpoint) -> Iterator[Finding]:
    """Registers written for two purposes, and a number that reaches beyond the last register."""
    owner: dict[int, str] = {}
    for term, control in endpoint.controls.items():
        other = next((owner[register] for register in control.claimed if register in owner), None)
        if other is not None:
            problem = f"{path[1]}: `{term}` at {control.address} overlaps `{other}`"
            yield Finding((*path, "controls", term, "address"), problem, "move one of them")
        owner.update(dict.fromkeys(control.claimed, term))
    for section, entries in (("registers", endpoint.registers), ("controls", endpoint.controls)):
        for key, register in entries.items():
            if register.claimed.stop > 65_536:
                problem = f"{path[1]}: `{key}` reaches beyond the last register, 65535"
                yield Finding((*path, section, key, "address"), problem, "correct the address or the encoding")


def _endpoints(zone: ZoneFile) -> Iterator[tuple[_Path, Device | Station, ModbusEndpoint]]:
    items: list[tuple[str, str, Device | Station]] = [("devices", key, item) for key, item in zone.devices.items()]
    items += [("stations", key, item) for key, item in zone.stations.items()]
    for section, key, item in items:
        if isinstance(item.endpoint, ModbusEndpoint):
            yield (section, key, "endpoint"), item, item.endpoint
