"""Show and write statements: what was due, what came, and who owes whom.

    ampacity settle zone.yaml
    ampacity settle zone.yaml --from 2026-01-01T00:00-05:00 --to 2026-02-01T00:00-05:00 --out statements
    ampacity settle zone.yaml --json | jq '.[].net'

Reads the journal of the zone, also while its gateway runs. With `--out`, every statement is written as CSV for
billing and as a page with plots, and `payments.csv` says who has to pay whom. What is on no statement yet is shown as
an open one, and asks for nothing.
"""

import csv
import json
import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from pathlib import Path

from rich.table import Table

from config.loader import ConfigError, load
from gateway import bookkeeping
from gateway.bookkeeping import Books
from gateway.clock import wall
from gateway.commands._console import paper
from gateway.commands._moments import moment_argument
from gateway.commands.meter import ACCOUNTS
from gateway.journal.entries import JournalError
from gateway.journal.store import JournalReader
from gateway.reports.statement import as_page
from gateway.settlement import payments
from gateway.settlement.disputes import DisputeState
from gateway.settlement.statements import as_csv, iso
from gateway.settlement.words import Statement
from gateway.translate.market import settlement

DSO = "DSO"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("zone", type=Path, metavar="ZONE", help="zone file")
    parser.add_argument("--from", dest="from_s", type=moment_argument, metavar="TIME", help="default: this period")
    parser.add_argument("--to", dest="to_s", type=moment_argument, metavar="TIME", help="default: the end of it")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write statements there as CSV and HTML")
    parser.add_argument("--json", action="store_true", help="for machines")


def run(args: Namespace) -> int:
    """0 when shown, 1 where there is no journal, or nothing in that time."""
    try:
        zone = load(args.zone)
        directory = Path(zone.storage.directory)
        with closing(JournalReader.open(directory / "journal.sqlite")) as journal:
            books = bookkeeping.read(journal)
    except (ConfigError, JournalError) as error:
        print(f"ampacity settle: {error}", file=sys.stderr)
        return 1
    period = settlement(zone).period_of(wall())
    from_s = period[0] if args.from_s is None else args.from_s
    to_s = max(period[1], from_s + 1) if args.to_s is None else args.to_s
    accounts = _accounts(directory / ACCOUNTS)
    found = [bookkeeping.with_accounts(one, accounts) for one in books.of_period(zone.zone.id, DSO, from_s, to_s)]
    if args.json:
        sys.stdout.write(json.dumps([_document(one) for one in found], indent=2) + "\n")
    else:
        paper().print(_measured(books, from_s, to_s))
        paper().print(_stated(found, books))
    if args.out is not None:
        _write(args.out, found)
        lasting = {d.statement_id for d in books.disputes.values() if d.state is not DisputeState.RESOLVED}
        (args.out / "payments.csv").write_text(
            payments.as_csv(payments.payments(DSO, found, lasting)), encoding="utf-8"
        )
        print(f"{len(found)} statements written to {args.out}", file=sys.stderr)
    if not found and not books.within(from_s, to_s):
        print(f"ampacity settle: nothing ended from {iso(from_s)} to {iso(to_s)}", file=sys.stderr)
        return 1
    return 0


def _accounts(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["resource"]: row["account"] for row in csv.DictReader(stream)}


def _measured(books: Books, from_s: float, to_s: float) -> Table:
    table = Table(
        "asked", "by", "resource", "until", "due MWh", "came", "short", "excused", "baseline", "meter", box=None
    )
    for one in books.within(from_s, to_s):
        energies = (one.expected_mwh, one.delivered_mwh, one.shortfall_mwh, one.excused_mwh)
        figures = [f"{energy:.4f}" for energy in energies]
        table.add_row(one.ref, one.by.value, one.resource, iso(one.end_s), *figures, one.baseline, one.meter)
    return table


def _stated(found: list[Statement], books: Books) -> Table:
    table = Table("statement", "version", "party", "from", "to", "lines", "net $", "", box=None)
    for one in found:
        contested = [d.dispute_id for d in books.disputes.values() if d.statement_id == one.statement_id]
        remarks = "; ".join((*((one.reason,) if one.reason else ()), *(f"contested by {d}" for d in contested)))
        window = (iso(one.period_start_s), iso(one.period_end_s))
        version = str(one.version) if one.version else "open"
        table.add_row(one.statement_id, version, one.party, *window, str(len(one.lines)), f"{one.net:,.2f}", remarks)
    return table


def _document(one: Statement) -> dict[str, object]:
    return {
        "statement": one.statement_id,
        "version": one.version,
        "party": one.party,
        "start": iso(one.period_start_s),
        "end": iso(one.period_end_s),
        "net": round(one.net, 2),
        "reason": one.reason,
        "inputs": one.inputs,
        "lines": [
            {
                "kind": line.kind.value,
                "reference": line.reference,
                "resource": line.resource,
                "payer": line.payer,
                "payee": line.payee,
                "quantity_mwh": round(line.quantity_mwh, 6),
                "price_per_mwh": line.price_per_mwh,
                "amount": round(line.amount, 2),
                "detail": line.detail,
            }
            for line in one.lines
        ],
    }


def _write(folder: Path, found: list[Statement]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for one in found:
        name = f"{one.statement_id}-v{one.version}" if one.version else one.statement_id
        (folder / f"{name}.csv").write_text(as_csv(one), encoding="utf-8")
        (folder / f"{name}.html").write_text(as_page(one), encoding="utf-8")
