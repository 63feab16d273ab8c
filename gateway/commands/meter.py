"""Import meter data and accounts: validated, estimated where they are wrong, the originals kept.

    ampacity meter import zone.yaml readings.csv --meter ldc   # our own meters: settlement goes by them
    ampacity meter import zone.yaml theirs.csv --meter mp      # participants' meters: for comparison and disputes
    ampacity meter accounts zone.yaml accounts.csv             # for statements alone

Meter data have the columns resource, meter, start (ISO 8601), length_s, kwh_del (into the grid) and kwh_rec
(from it), one row per interval, both empty where the meter said nothing. Accounts have resource and account.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from rich.table import Table

from config import units
from config.loader import ConfigError, load
from config.settings import ZoneFile
from gateway import bookkeeping
from gateway.clock import wall
from gateway.commands._console import paper
from gateway.journal.entries import JournalError
from gateway.journal.store import JournalReader
from gateway.metering import MeteringError, MeterStore
from gateway.settlement.mdms import MeterFileError, accounts, readings, validated
from gateway.settlement.statements import iso
from gateway.settlement.vee import Step, Verified, mismatches
from gateway.settlement.words import MeterSource

STORE, ACCOUNTS = "meters.sqlite", "accounts.csv"
"""In the storage directory of the zone."""
SHOWN = 20
"""Estimated intervals that are told one by one."""
_SOURCES = {"ldc": MeterSource.LDC, "mp": MeterSource.MARKET_PARTICIPANT}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    imported = verbs.add_parser("import", help="take meter data")
    imported.add_argument("--meter", choices=tuple(_SOURCES), required=True, help="ours, or the participants'")
    told = verbs.add_parser("accounts", help="take which account each resource is settled under")
    for one in (imported, told):
        one.add_argument("zone", type=Path, metavar="ZONE", help="zone file")
        one.add_argument("file", type=Path, metavar="FILE", help="CSV file")


def run(args: Namespace) -> int:
    """0 when taken, 1 where the file cannot be used, 3 where two meters of a connection disagree."""
    try:
        zone = load(args.zone)
        text = args.file.read_text(encoding="utf-8")
        if args.verb == "accounts":
            return _accounts(zone, text)
        return _imported(zone, text, _SOURCES[args.meter], args.file.name)
    except MeterFileError as error:
        for fault in error.faults:
            print(f"ampacity meter: {args.file}: {fault}", file=sys.stderr)
    except ConfigError as error:
        print(f"ampacity meter: {error}", file=sys.stderr)
    except UnicodeDecodeError as error:
        print(f"ampacity meter: {args.file}: it is no text in UTF-8: {error}", file=sys.stderr)
    except (OSError, MeteringError, JournalError) as error:
        print(f"ampacity meter: {error}", file=sys.stderr)
    return 1


def _accounts(zone: ZoneFile, text: str) -> int:
    found = accounts(text, tuple(zone.devices))
    path = Path(zone.storage.directory) / ACCOUNTS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    lines = ["resource,account", *(f"{resource},{account}" for resource, account in found.items())]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(found)} accounts kept in {path}, for statements alone")
    return 0


def _asked(zone: ZoneFile) -> Mapping[str, Sequence[Step]]:
    """What the gateway has asked of each resource; nothing where it has no journal yet."""
    journal = Path(zone.storage.directory) / "journal.sqlite"
    if not journal.is_file():
        return {}
    with closing(JournalReader.open(journal)) as reader:
        return bookkeeping.read(reader).steps()


def _imported(zone: ZoneFile, text: str, source: MeterSource, batch: str) -> int:
    values = validated(readings(text, tuple(zone.devices)), source, _capacity_w(zone), _asked(zone))
    with closing(MeterStore.open(Path(zone.storage.directory) / STORE)) as store:
        for resource, found in values.items():
            store.add(resource, found, batch, wall())
        apart = {resource: _apart_pct(store, zone, resource, found, source) for resource, found in values.items()}
    paper().print(_summary(values, apart))
    estimated = [(resource, v) for resource, found in values.items() for v in found if v.fault is not None]
    for resource, one in estimated[:SHOWN]:
        was = "nothing" if one.original_wh is None else f"{one.original_wh / 1e3:.3f} kWh"
        used, fault = one.interval.energy_wh / 1e3, "" if one.fault is None else one.fault.value
        print(f"{resource} {iso(one.interval.start_s)}: {fault}, {was} → {used:.3f} kWh {one.interval.quality.value}")
    if len(estimated) > SHOWN:
        print(f"… and {len(estimated) - SHOWN} more; all are kept with what they were")
    wrong = {resource: percent for resource, percent in apart.items() if percent}
    for resource, percent in wrong.items():
        print(f"ALARM METER_MISMATCH {resource}: the participant's meter differs by {percent:+.1f} % from ours")
    return 3 if wrong else 0


def _capacity_w(zone: ZoneFile) -> Mapping[str, float]:
    """What each connection carries, either way."""
    return {
        name: units.watts(max(device.connection.export_mw, device.connection.import_mw, abs(device.nameplate.p_min_mw)))
        for name, device in zone.devices.items()
    }


def _apart_pct(
    store: MeterStore, zone: ZoneFile, resource: str, found: Sequence[Verified], source: MeterSource
) -> float:
    """How far the other meter of the connection is away, over the time that was imported."""
    from_s, to_s = found[0].interval.start_s, found[-1].interval.start_s + found[-1].interval.length_s
    other = {MeterSource.LDC: MeterSource.MARKET_PARTICIPANT}.get(source, MeterSource.LDC)
    mine = [v.interval for v in found]
    theirs = [v.interval for v in store.values(resource, other, from_s, to_s)]
    ours, their = (mine, theirs) if source is MeterSource.LDC else (theirs, mine)
    return mismatches(ours, their, zone.settlement.tolerance_pct) if mine and theirs else 0.0


def _summary(values: Mapping[str, Sequence[Verified]], apart: Mapping[str, float]) -> Table:
    table = Table("resource", "from", "intervals", "estimated", "bad", "MWh", "against the other meter", box=None)
    for resource, found in values.items():
        qualities = [v.interval.quality.value for v in found]
        table.add_row(
            resource,
            iso(found[0].interval.start_s),
            str(len(found)),
            str(qualities.count("ESTIMATED")),
            str(qualities.count("BAD")),
            f"{sum(v.interval.energy_wh for v in found) / 1e6:.4f}",
            f"{apart[resource]:+.1f} %" if apart[resource] else "",
        )
    return table
