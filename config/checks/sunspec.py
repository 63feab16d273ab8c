"""The SunSpec façade: every unit one device, an address for it, and all that mutual TLS needs."""

from collections.abc import Iterator
from pathlib import Path

from config.checks.finding import Finding, Subject
from config.document import is_file
from config.faults import suggestion
from config.file_names import ENDPOINT_FILES

UNITS_MAX = 247
"""Modbus: unit ids of one address."""
_NEEDED = ("ca_file", "certificate_file", "key_file")


def units_are_devices(subject: Subject) -> Iterator[Finding]:
    """Every unit is a device of the zone, no two are the same, and there are not too many."""
    facade = subject.zone.sunspec
    if facade is None:
        return
    devices = subject.declared["devices"]
    owner: dict[int, str] = {}
    for name, unit in facade.units.items():
        if name not in devices:
            remedy = suggestion(name, devices, "name a device of the zone")
            yield Finding(("sunspec", "units", name), f"`{name}` is not a device", remedy)
        if owner.setdefault(unit, name) != name:
            problem = f"`{name}` and `{owner[unit]}` are both unit {unit}"
            yield Finding(("sunspec", "units", name), problem, "give one of them another unit id")
    if not facade.units and len(devices) > UNITS_MAX:
        problem = f"{len(devices)} devices do not fit the {UNITS_MAX} unit ids of one address"
        yield Finding(("sunspec",), problem, "name those to be shown in sunspec.units")


def facade_is_reachable(subject: Subject) -> Iterator[Finding]:
    """It has a port; with TLS all its files, which exist; and none of them without."""
    facade = subject.zone.sunspec
    if facade is None:
        return
    if facade.port is None and facade.tls_port is None:
        yield Finding(("sunspec",), "the façade has neither `port` nor `tls_port`", "give it one of them")
    given = [key for key in _NEEDED if getattr(facade, key)]
    if facade.tls_port is not None and len(given) < len(_NEEDED):
        absent = "`, `".join(key for key in _NEEDED if key not in given)
        remedy = "both ends of Modbus/TCP Security show a certificate"
        yield Finding(("sunspec", "tls_port"), f"the façade has `tls_port` without `{absent}`", remedy)
    for key in sorted(facade.model_fields_set & {*_NEEDED, "tls_host", "writers"}) if facade.tls_port is None else ():
        yield Finding(("sunspec", key), f"the façade has `{key}`, but no `tls_port`", "write tls_port, or take it away")
    for key in ENDPOINT_FILES:
        if (name := getattr(facade, key, "")) and not is_file(Path(name)):
            yield Finding(("sunspec", key), f"sunspec: {name} is not a file", "correct the path")
