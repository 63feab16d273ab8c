"""Check zone files: list every fault with its line and what to do, or say what the zone is."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from config.endpoints import Dnp3Endpoint, Endpoint, Ieee20305Endpoint, MqttEndpoint, OpcUaEndpoint, SparkplugEndpoint
from config.loader import ConfigError, load_as_written
from config.modbus_endpoint import ModbusEndpoint
from config.parties import PartyProof
from config.schema import published_schema
from config.settings import Asset, Device, ZoneFile

_MODELS = {"DP": "dual participation", "T": "total DSO", "MF": "market facilitator"}
_PLAIN_WIDTH = 160
"""Columns where the output is not a terminal, so that tables in a log do not wrap."""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="zone file (YAML)")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema of a zone file instead")


def run(args: Namespace) -> int:
    """0 where every file is good, 1 where one is not, 2 where there is nothing to do."""
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    console = Console(width=width, highlight=False, markup=False, emoji=False)
    if args.schema:
        print(json.dumps(published_schema(), indent=2))
        return 0
    if not args.files:
        print("ampacity check: name at least one zone file, or --schema", file=sys.stderr)
        return 2
    good = [_check(file, console) for file in args.files]
    return 0 if all(good) else 1


def _check(file: Path, console: Console) -> bool:
    """Report on one file: its faults on standard error, one per line, or its summary on standard output."""
    try:
        zone = load_as_written(file)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        count = len(error.faults)
        print(f"{file}: {count} {'fault' if count == 1 else 'faults'}", file=sys.stderr)
        return False
    for part in _summary(file, zone):
        console.print(part)
    return True


def _summary(file: Path, zone: ZoneFile) -> Iterator[str | Table]:
    """What the file says, for people."""
    head, clocks = zone.zone, zone.clocks
    yield f"{head.name or head.id} ({file}) is good"
    yield f"  model    {head.dso_model.value}, {_MODELS[head.dso_model.value]}; policy {zone.limits.policy}"
    sources = ", ".join(f"{feeder}: {path}" if feeder else path for feeder, path in zone.network.sources.items())
    yield f"  network  {sources}, version {zone.network.version}"
    pace = f", run {clocks.shorten_by:g} times as fast" if clocks.shorten_by != 1 else ""
    yield (
        f"  clock    interval {clocks.interval_s:g} s, tick {clocks.tick_s:g} s, limit by {clocks.limit_issue_s:g} s, "
        f"notice by {clocks.notice_s:g} s{pace}"
    )
    yield (
        f"  limits   voltage {zone.limits.voltage_min_pu:g} to {zone.limits.voltage_max_pu:g} pu, "
        f"margin {zone.limits.margin_pct:g} %"
    )
    yield _device_table(zone)
    if zone.stations:
        yield _station_table(zone)
    if zone.parties:
        yield _party_table(zone)
    if zone.assets:
        rated = ", ".join(f"{name} {_rating(asset)}" for name, asset in sorted(zone.assets.items()))
        yield f"  rated    {rated}"


def _device_table(zone: ZoneFile) -> Table:
    table = _table(
        "Devices", "id", "name", "kind", "bus", "power MW", "static MW", "control", "owner", "at", "played by"
    )
    for device_id, device in zone.devices.items():
        plate = device.nameplate
        table.add_row(
            device_id,
            device.name,
            device.kind,
            device.connection.bus,
            f"{plate.p_min_mw:g} to {plate.p_max_mw:g}",
            _static(device),
            device.controllable,
            device.owner,
            _where(device.endpoint),
            _player(simulated=device.simulated),
        )
    return table


def _station_table(zone: ZoneFile) -> Table:
    table = _table("Stations", "id", "points", "at", "played by")
    for station_id, station in zone.stations.items():
        where = _where(station.endpoint)
        table.add_row(station_id, str(len(station.points)), where, _player(simulated=station.simulated))
    return table


def _party_table(zone: ZoneFile) -> Table:
    table = _table("Parties", "id", "role", "at", "known by", "played by")
    for party_id, party in zone.parties.items():
        known = _proof(party.auth)
        table.add_row(party_id, party.role, party.url or "fetches", known, _player(simulated=party.simulated))
    return table


def _proof(auth: PartyProof | None) -> str:
    """What a party has to show."""
    if auth is None:
        return "its word"
    shown = [
        ("token", auth.token_sha256 or auth.token_stored),
        ("certificate", auth.certificate_sha256 or auth.subject),
    ]
    return " and ".join(word for word, asked in shown if asked)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column)
    return table


def _static(device: Device) -> str:
    """The limits of last resort; a dash where a side has none."""
    low, high = ("-" if value is None else f"{value:g}" for value in (device.static_p_min_mw, device.static_p_max_mw))
    return "-" if low == high == "-" else f"{low} to {high}"


def _player(*, simulated: bool) -> str:
    return "testbed" if simulated else "real"


def _source(endpoint: SparkplugEndpoint) -> str:
    return "/".join(filter(None, (endpoint.group, endpoint.node, endpoint.device)))


def _where(endpoint: Endpoint) -> str:
    """Protocol and address in one line; a PIN is never shown."""
    match endpoint:
        case ModbusEndpoint(transport="serial"):
            return f"modbus {endpoint.host} unit {endpoint.unit}"
        case ModbusEndpoint():
            medium = "" if endpoint.transport == "tcp" else f" {endpoint.transport}"
            return f"modbus{medium} {endpoint.host}:{endpoint.port} unit {endpoint.unit}"
        case OpcUaEndpoint():
            return f"opcua {endpoint.url} {endpoint.node}".rstrip()
        case MqttEndpoint() | SparkplugEndpoint():
            path = endpoint.topic if isinstance(endpoint, MqttEndpoint) else _source(endpoint)
            return f"{endpoint.protocol} {endpoint.host}:{endpoint.port} {path}"
        case Dnp3Endpoint():
            over = " over TLS" if endpoint.tls else ""
            return f"dnp3 {endpoint.host}:{endpoint.port} outstation {endpoint.outstation}{over}"
        case Ieee20305Endpoint():
            return f"ieee2030_5 {endpoint.lfdi or endpoint.certificate or 'own certificate'}"


def _rating(asset: Asset) -> str:
    """The ratings of one asset with their units."""
    values = (
        (asset.ampacity_a, "A"),
        (asset.emergency_a, "A emergency"),
        (asset.rating_mva, "MVA"),
        (asset.reverse_power_mw, "MW reverse"),
        (asset.short_circuit_ka, "kA fault"),
    )
    return " ".join(f"{value:g} {unit}" for value, unit in values if value is not None) or "as in the network"
