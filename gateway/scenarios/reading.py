"""Reads scenario files; whatever is wrong in one comes with its line and what to do about it."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.document import Node, is_file, read_document
from config.faults import ConfigError, Fault, Place
from config.loader import load_with
from config.network_names import read_network_names
from config.settings import ZoneFile
from config.type_faults import locate, type_faults
from gateway.scenarios.acts import ScenarioError
from gateway.scenarios.names import name_faults
from gateway.scenarios.script import Script, schema
from gateway.scenarios.stage import network as load_network
from gateway.testbed.edits import Edits, edited
from grid_engine.model import NetworkError

DEFAULT_ZONE = Path(__file__).parents[2] / "config" / "zones" / "r1.yaml"

_schema = cache(schema)


@dataclass(frozen=True, slots=True)
class Reading:
    """One scenario, and where each part of it is written."""

    path: Path
    script: Script
    root: Node

    def place(self, *steps: str | int) -> Place:
        """The line of a part of the file: `place("when", 0)`."""
        return locate(self.root, steps)[1]


def read(path: Path) -> Reading:
    """The scenario in a file.

    Raises:
        ScenarioError: it cannot be read, is no YAML, or is no scenario; every fault is named with its line.
    """
    try:
        document = read_document(path, needs=("scenario", "then"))
    except ConfigError as error:
        raise ScenarioError(str(error)) from error
    faults, script = list(document.faults), None
    try:
        script = Script.model_validate_json(json.dumps(document.root.plain()), strict=True)
    except ValidationError as error:
        # A list that lost its faulty entries is not too short.
        errors = [one for one in error.errors(include_url=False) if one["type"] != "too_short" or not one["input"]]
        faults += type_faults(errors, document.root, _schema())
    if faults or script is None:
        raise ScenarioError(f"{ConfigError(faults)}\n`ampacity scenario schema` prints all that can be said")
    return Reading(path, script, document.root)


def zone_of(reading: Reading, folder: Path) -> ZoneFile:
    """The zone that a scenario is played on, with what it changes; an edited network is written to `folder`.

    Raises:
        ScenarioError: the zone file, or what is changed in it or in its network, is faulty, or the scenario speaks of
            something that the zone does not have.
    """
    script = reading.script
    base = reading.path.parent / script.extends if script.extends else DEFAULT_ZONE
    if not is_file(base):
        raise ScenarioError(str(Fault(reading.place("extends"), f"{base} is not a file", "correct `extends`")))
    try:
        zone = load_with(base, _node(reading, "zone"))
    except ConfigError as error:
        raise ScenarioError(str(error)) from error
    faults = name_faults(script, zone, reading.place)
    if faults:
        raise ScenarioError(str(ConfigError(faults)))
    network: dict[str, Any] = {
        "load_scale": tuple(script.given.load_scale * factor for factor in zone.network.load_scale)
    }
    cells = _as_built(script, zone)
    if cells:
        network["source"] = _edited(reading, cells, Path(zone.network.source), folder / "network.json")
        _loads(reading, network["source"], zone.network.version)
    return zone.model_copy(update={"network": zone.network.model_copy(update=network)})


def _node(reading: Reading, key: str) -> Node:
    """A part of the file; an empty mapping where it is not there."""
    entries = reading.root.value
    found = entries.get(key) if isinstance(entries, dict) else None
    return Node(reading.root.place, {}) if found is None else found


def _edited(reading: Reading, cells: Edits, source: Path, into: Path) -> str:
    try:
        return str(edited(source, cells, into))
    except (ValueError, OSError) as error:
        where, _, _ = str(error).partition(":")
        raise ScenarioError(f"{reading.place(*where.split('.'))}: {error}") from error


def _loads(reading: Reading, source: str, version: str) -> None:
    """Let the engine read the edited network."""
    try:
        load_network(source, version)
    except NetworkError as error:
        edited_ones = [(table, name) for table, rows in reading.script.network.items() for name in rows]
        told = next(
            (("network", table, name) for table, name in edited_ones if f" {name}:" in str(error)), ("network",)
        )
        raise ScenarioError(f"{reading.place(*told)}: {error}") from error


def _as_built(script: Script, zone: ZoneFile) -> dict[str, dict[str, dict[str, Any]]]:
    """Cells of the network for what is given and no station reports: the gateway knows that as the network is built."""
    names = read_network_names(Path(zone.network.source)).by_kind
    reported = {mapped.point.split(".")[0] for station in zone.stations.values() for mapped in station.points}
    cells: dict[str, dict[str, dict[str, Any]]] = {table: dict(rows) for table, rows in script.network.items()}
    for table, column, given in (
        ("shunt", "in_service", script.given.switches),
        ("switch", "closed", script.given.switches),
        ("trafo", "tap_pos", script.given.taps),
    ):
        for name in (given.keys() & names.get(table, frozenset())) - reported:
            rows = cells.setdefault(table, {})
            rows[name] = {column: given[name], **rows.get(name, {})}
    return cells
