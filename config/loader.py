"""Loads a zone file: everything that is wrong with it at once, or a zone that can be relied on."""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.checks import (
    clocks,
    devices,
    endpoints,
    market,
    modbus,
    network,
    opcua,
    opcua_server,
    parties,
    party_access,
    security,
    stations,
    sunspec,
    telemetry,
)
from config.checks.finding import Check, Finding, Subject
from config.day_names import DayNames, DaySourceError, read_day_names
from config.document import Document, Node
from config.extends import merge, read_extended
from config.faults import ConfigError, Fault, Place
from config.file_names import with_absolute_names
from config.network_names import NetworkNames, NetworkSourceError, joined, read_network_names
from config.settings import ZoneFile
from config.shortening import shortened
from config.type_faults import locate, type_faults

__all__ = ["ConfigError", "Fault", "Place", "load", "load_as_written", "load_with", "shortened"]

_CHECKS: tuple[Check, ...] = (
    network.one_source,
    network.buses_exist,
    network.phases_exist,
    network.assets_exist,
    network.contingencies_exist,
    network.ids_are_unique,
    network.days_fit,
    devices.nameplates_fit,
    devices.stores_have_energy,
    devices.static_limits_fit,
    devices.forecasts_fit,
    devices.leases_last,
    clocks.deadlines_follow,
    clocks.loads_are_foreseen,
    market.models_have_what_they_need,
    market.operated_devices_are_seen,
    market.neighbours_are_parties,
    market.programs_can_be_settled,
    parties.owners_are_parties,
    parties.one_system_operator,
    parties.testbed_starts_what_it_plays,
    parties.testbed_has_the_physics,
    parties.testbed_follows_the_day,
    party_access.interface_is_secured,
    party_access.parties_can_prove,
    party_access.parties_can_be_reached,
    party_access.simulated_parties_have_their_keys,
    party_access.access_files_are_there,
    stations.points_are_known,
    stations.addresses_fit,
    endpoints.ports_are_free,
    endpoints.urls_have_ports,
    endpoints.clients_have_identity,
    endpoints.simulated_are_local,
    modbus.transport_is_complete,
    modbus.connections_agree,
    modbus.budgets_carry_leases,
    modbus.maps_are_whole,
    opcua.connections_are_secure,
    opcua.connections_agree,
    opcua.watchdogs_outlast_calls,
    opcua_server.server_is_secured,
    opcua_server.users_can_come,
    security.files_are_there,
    security.security_is_complete,
    security.timezone_exists,
    telemetry.telemetry_is_measured,
    telemetry.telemetry_is_secured,
    sunspec.units_are_devices,
    sunspec.facade_is_reachable,
)

_ENTRIES = ("devices", "stations", "parties", "assets")
"""Sections whose entries stand alone: one faulty entry does not spoil the others."""


def load(path: Path | str) -> ZoneFile:
    """The zone of a file, with `clocks.shorten_by` applied and file names made absolute.

    Raises:
        ConfigError: carries every fault with its line and what to do about it.
    """
    return shortened(load_as_written(path))


def load_as_written(path: Path | str) -> ZoneFile:
    """The zone with its times as the file has them; otherwise as `load`."""
    return _zone(read_extended(Path(path)))


def load_with(path: Path, above: Node) -> ZoneFile:
    """The zone of a file with `above` laid over it, as by a file which extends it; otherwise as `load`."""
    read = read_extended(path)
    return shortened(_zone(Document(merge(read.root, above), read.faults)))


def _zone(read: Document) -> ZoneFile:
    """The zone in a document, or every fault of it."""
    root = with_absolute_names(read.root)
    document = root.plain()
    faults = list(read.faults)
    zone: ZoneFile | None
    try:
        zone = _validated(document)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        faults.extend(type_faults(errors, root))
        zone = _validated_rest(document, errors)
    if zone is not None:
        for finding in _findings(zone, root):
            _, place = locate(root, finding.path)
            faults.append(Fault(place, finding.problem, finding.remedy))
    if faults or zone is None:
        raise ConfigError(faults)
    return zone


def _validated(document: object) -> ZoneFile:
    """Validation in pydantic's strict JSON mode: dates from text, but no number from text or truth value."""
    return ZoneFile.model_validate_json(json.dumps(document), strict=True)


def _findings(zone: ZoneFile, root: Node) -> Iterator[Finding]:
    """What the checks have to say about a zone whose types are right."""
    read: dict[str, NetworkNames] = {}
    for feeder, source in zone.network.sources.items():
        try:
            if source:
                read[feeder] = read_network_names(Path(source))
        except NetworkSourceError as error:
            path = ("network", "feeders", feeder) if feeder else ("network", "source")
            yield Finding(path, str(error), "correct the path, relative to the file that names it")
    names = joined(read) if len(read) == len(zone.network.sources) else None
    day: DayNames | None = None
    try:
        day = None if zone.network.day is None else read_day_names(Path(zone.network.day.source))
    except DaySourceError as error:
        remedy = "correct the path, relative to the file that names it"
        yield Finding(("network", "day", "source"), str(error), remedy)
    declared = {section: _keys(root, section) for section in (*_ENTRIES, "network")}
    subject = Subject(zone, declared, names, day)
    for check in _CHECKS:
        yield from check(subject)


def _keys(root: Node, section: str) -> frozenset[str]:
    entries = root.value.get(section) if isinstance(root.value, dict) else None
    return frozenset(entries.value) if entries is not None and isinstance(entries.value, dict) else frozenset()


def _validated_rest(document: object, errors: list[ErrorDetails]) -> ZoneFile | None:
    """The zone without its faulty parts, so that the checks can look at the rest; `None` if too little is left."""
    if not isinstance(document, dict):
        return None
    network = document.get("network")
    stand_ins: dict[int | str, object] = {
        "zone": {"id": "unknown"},
        "devices": {},
        "network": {**(network if isinstance(network, dict) else {}), "version": "unknown"},
    }
    for error in errors:
        loc = error["loc"]
        if error["type"] == "extra_forbidden":
            _remove(document, loc)
        elif loc[0] in _ENTRIES and len(loc) > 1:
            _remove(document, loc[:2])
        elif loc[0] in stand_ins:
            document[loc[0]] = stand_ins[loc[0]]
        else:
            document.pop(loc[0], None)
    try:
        return _validated(document)
    except ValidationError:
        return None


def _remove(document: object, loc: tuple[int | str, ...]) -> None:
    """Delete what `loc` names, stepping over union tags; list items stay, since their indices are places."""
    current = document
    for step in loc[:-1]:
        if isinstance(current, list) and isinstance(step, int):
            current = current[step]
        elif isinstance(current, dict):
            current = current.get(step, current)
    if isinstance(current, dict):
        current.pop(loc[-1], None)
