"""Give a running gateway what can be procured and what years to come will need, show it, or write it back.

    ampacity need import zone.yaml plan.csv
    ampacity need list zone.yaml
    ampacity need export zone.yaml plan.csv

A file holds services and long-term needs, one per row, told apart by the column record. A service has the columns id,
kind, direction, response_s, notice_s, min_duration_s, payment, availability_per_mwh, utilisation_per_mwh,
penalty_per_mwh, grace_pct, stackable and baseline; all but id and kind may be left out. A need has id, service (one of
the file, or a program of the zone file), place, mw (positive for more injection), from, until, hours (of use in that
time) and, where there is one, price_cap ($/MWh). JSON is a list of objects of the same names. An import replaces the
one before. Long-term needs are kept for planners, beside the needs that the gateway finds for the day; nobody is asked
for offers.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import RenderableType

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import mw, time_of, titled
from gateway.commands._der_client import Json, Operator
from gateway.commands._der_tables import Column, at
from gateway.commands._entries import FileFaultsError
from gateway.commands._needs_file import read_needs, written
from gateway.tell import day

SERVICES: tuple[Column, ...] = (
    ("service", at("id")),
    ("kind", at("kind")),
    ("direction", at("direction")),
    ("response s", at("response_s")),
    ("notice s", at("notice_s")),
    ("at least s", at("min_duration_s")),
    ("payment", at("payment")),
    ("available $/MWh", at("availability_per_mwh")),
    ("delivered $/MWh", at("utilisation_per_mwh")),
    ("penalty $/MWh", at("penalty_per_mwh")),
)
LONG_TERM: tuple[Column, ...] = (
    ("need", at("id")),
    ("service", at("service")),
    ("place", at("place")),
    mw("MW"),
    ("from", lambda row: day(row["start_s"])),
    ("until", lambda row: day(row["end_s"])),
    ("hours", at("hours")),
    ("cap $/MWh", at("price_cap_per_mwh")),
)
OF_DAY: tuple[Column, ...] = (
    ("need", at("id")),
    ("kind", at("kind")),
    ("constraint", at("constraint")),
    mw("required"),
    ("state", at("state")),
    ("from", time_of("start_s")),
    ("until", time_of("end_s")),
    ("closes", time_of("closes_s")),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    _console.add_zone(verbs.add_parser("list", help="needs of the day and of years to come"))
    bring = verbs.add_parser("import", help="a file of services and long-term needs, in place of the one before")
    _console.add_zone(bring)
    _console.add_by(bring)
    bring.add_argument("file", type=Path, metavar="FILE", help="CSV or JSON")
    write = verbs.add_parser("export", help="what was imported, in the form that the name of the file asks for")
    _console.add_zone(write)
    write.add_argument("file", type=Path, metavar="FILE", help="CSV or JSON")


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs, or the file is faulty."""
    try:
        return _console.answered("need", args, _need)
    except FileFaultsError as error:
        print(*(f"ampacity need: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
    except OSError as error:
        print(f"ampacity need: {error}", file=sys.stderr)
    return 1


def _need(operator: Operator, args: Namespace) -> Answer:
    if args.verb == "import":
        _imported(operator, args)
    found = operator.get("needs")
    if args.verb == "export":
        args.file.write_text(written(args.file, found["services"], found["long_term"]), encoding="utf-8")
        count = f"services {len(found['services'])}, needs {len(found['long_term'])}"
        return found, f"{args.file}: {count}"
    return found, _listed(found)


def _imported(operator: Operator, args: Namespace) -> None:
    told = read_needs(args.file)
    judged = operator.put("needs", body={"by": args.by, "services": told.services, "needs": told.needs})
    if not judged["taken"]:
        faults = [f"{told.lines[one['record'], one['id']]}: {one['problem']}" for one in judged["faults"]]
        raise FileFaultsError(args.file.name, faults)


def _listed(found: Json) -> RenderableType | str:
    said = "" if found["imported_s"] is None else f", imported {day(found['imported_s'])} by {found['by']}"
    parts = [
        *titled(f"Services that can be procured{said}", SERVICES, found["services"]),
        *titled(f"Needs of years to come{said}", LONG_TERM, found["long_term"]),
        *titled("Needs of the day", OF_DAY, found["of_day"]),
    ]
    return _console.under(*parts) if parts else "nothing is needed, and nothing was imported for years to come"
