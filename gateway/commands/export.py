"""Write what planners compare wires with: hours in which each asset limited somebody, and the energy taken.

    ampacity export planning zone.yaml --from 2026-01-01T00:00-05:00 --to 2027-01-01T00:00-05:00 --out burdens.csv

Reads the journal of the zone, also while its gateway runs. Curtailed energy is that of what was ordered,
instructed or dispatched, as it was measured for settlement; where nothing was, it is what schedule, forecast or
available power promised beyond the limit, in the market intervals that are over.
"""

import csv
import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from pathlib import Path
from typing import TextIO

from config.loader import ConfigError, load
from gateway import bookkeeping
from gateway.clock import wall
from gateway.commands._moments import moment_argument
from gateway.journal.entries import JournalError
from gateway.journal.store import JournalReader
from gateway.settlement.constraints import Burden, burdens
from gateway.settlement.statements import iso

COLUMNS = ("asset", "from", "to", "constraint_hours", "curtailed_mwh", "limits", "resources")


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    planning = verbs.add_parser("planning", help="constraint hours and curtailed energy by asset, as CSV")
    planning.add_argument("zone", type=Path, metavar="ZONE", help="zone file")
    planning.add_argument("--from", dest="from_s", type=moment_argument, metavar="TIME", help="default: all")
    planning.add_argument("--to", dest="to_s", type=moment_argument, metavar="TIME", help="default: now")
    planning.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")


def run(args: Namespace) -> int:
    """0 when written, 1 where there is no journal."""
    try:
        zone = load(args.zone)
        with closing(JournalReader.open(Path(zone.storage.directory) / "journal.sqlite")) as journal:
            books, held = bookkeeping.read(journal), bookkeeping.limits(journal)
            taken = bookkeeping.curtailed(journal)
    except (ConfigError, JournalError) as error:
        print(f"ampacity export: {error}", file=sys.stderr)
        return 1
    to_s = wall() if args.to_s is None else args.to_s
    starts = [one.start_s for limits in held.by_resource.values() for one in limits]
    starts += [one.start_s for one in books.assessed.values()]
    from_s = min(starts, default=0.0) if args.from_s is None else args.from_s
    rows = burdens(held.by_resource, books.assessed.values(), taken, held.asset_of, from_s=from_s, to_s=to_s)
    if args.out is None:
        _write(sys.stdout, rows, from_s, to_s)
    else:
        with args.out.open("w", encoding="utf-8", newline="") as stream:
            _write(stream, rows, from_s, to_s)
        print(f"{len(rows)} assets written to {args.out}", file=sys.stderr)
    return 0


def _write(stream: TextIO, rows: tuple[Burden, ...], from_s: float, to_s: float) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        figures = (f"{row.hours:.4f}", f"{row.curtailed_mwh:.6f}", row.limits, " ".join(row.resources))
        writer.writerow((row.asset, iso(from_s), iso(to_s), *figures))
