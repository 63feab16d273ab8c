"""Tell a running gateway of planned work, outages and overrides of its network, or show those that it knows.

    ampacity outage plan zone.yaml W-17 --from 2026-07-15T10:00-05:00 --to 2026-07-15T12:00-05:00
        --open SW12 --close SWT --because "tower painting"
    ampacity outage forced zone.yaml F-3 --for 4h --out-of-service L22 --because "tree on the line"
    ampacity outage override zone.yaml --for 30m --open SW12 --because "report of SW12 is wrong"
    ampacity outage import zone.yaml oms.csv
    ampacity outage cancel zone.yaml W-17
    ampacity outage list zone.yaml

Limits and envelopes then change for exactly these times. An override goes before what the field reports and
expires by itself to what was before. A file has the columns id, kind, start, end, open, close, out_of_service,
into_service and because, or is a JSON list of objects of the same names.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._der_client import Operator, OperatorError
from gateway.commands._der_tables import Column, at, table
from gateway.commands._entries import FileFaultsError
from gateway.commands._moments import duration, moment_argument
from gateway.commands._outage_file import read_works
from gateway.tell import clock, day

OVERRIDE = "override"


def _time(name: str) -> Column:
    return name.removesuffix("_s"), lambda row: f"{day(row[name])} {clock(row[name])[:-2]}"


WORKS: tuple[Column, ...] = (
    ("work", at("id")),
    ("kind", at("kind")),
    _time("start_s"),
    _time("end_s"),
    ("going on", lambda row: "yes" if row["going_on"] else ""),
    ("network", at("what")),
    ("because", at("because")),
    ("by", at("by")),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    _console.add_zone(verbs.add_parser("list", help="what is going on, is to come, or ended lately"))
    plan = _work(verbs.add_parser("plan", help="planned work, from one market interval to another"))
    plan.add_argument("--from", type=moment_argument, dest="start_s", required=True, metavar="TIME")
    plan.add_argument("--to", type=moment_argument, dest="end_s", required=True, metavar="TIME")
    forced = _work(verbs.add_parser("forced", help="a forced outage, from now on"))
    forced.add_argument("--for", type=duration, dest="lasts_s", required=True, metavar="HOURS", help="as 4h")
    override = _work(verbs.add_parser("override", help="the network is otherwise than the field reports"), named=False)
    override.add_argument("--for", type=duration, dest="lasts_s", required=True, metavar="MINUTES", help="as 30m")
    _bring(verbs.add_parser("import", help="a file of the outage management system"))
    cancel = verbs.add_parser("cancel", help="take one back, or end it before its time")
    _console.add_zone(cancel)
    _console.add_by(cancel)
    cancel.add_argument("id", metavar="ID")


def _bring(parser: ArgumentParser) -> None:
    _console.add_zone(parser)
    _console.add_by(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help="CSV or JSON")


def _work(parser: ArgumentParser, *, named: bool = True) -> ArgumentParser:
    _console.add_zone(parser)
    _console.add_by(parser)
    if named:
        parser.add_argument("id", metavar="ID", help="yours; an earlier work of the id is replaced")
    parser.add_argument("--open", nargs="+", default=[], metavar="SWITCH")
    parser.add_argument("--close", nargs="+", default=[], metavar="SWITCH")
    parser.add_argument("--out-of-service", nargs="+", default=[], metavar="ELEMENT", help="line, transformer, …")
    parser.add_argument("--into-service", nargs="+", default=[], metavar="ELEMENT")
    parser.add_argument("--because", required=True, metavar="TEXT", help="why, for the journal")
    return parser


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs, or the file is faulty."""
    try:
        return _console.answered("outage", args, _outage)
    except FileFaultsError as error:
        print(*(f"ampacity outage: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
    except OSError as error:
        print(f"ampacity outage: {error}", file=sys.stderr)
    return 1


def _outage(operator: Operator, args: Namespace) -> Answer:
    match args.verb:
        case "list":
            pass
        case "cancel":
            operator.post("works", args.id, "cancel", body={"by": args.by})
        case "import":
            return _imported(operator, args)
        case _:
            return _scheduled(operator, args)
    found = operator.get("works")
    return found, table(WORKS, found["works"]) if found["works"] else "the network is as its model has it"


def _scheduled(operator: Operator, args: Namespace) -> Answer:
    body: dict[str, object] = {
        "by": args.by,
        "kind": {"plan": "planned"}.get(args.verb, args.verb),
        "opened": args.open,
        "closed": args.close,
        "out_of_service": args.out_of_service,
        "into_service": args.into_service,
        "because": args.because,
    }
    if args.verb == "plan":
        times = {"start_s": args.start_s, "end_s": args.end_s}
    else:
        times = {"end_s": operator.get("status")["at_s"] + args.lasts_s}
    made = operator.put("works", OVERRIDE if args.verb == OVERRIDE else args.id, body={**body, **times})
    cut_off = f"without supply meanwhile: {', '.join(made['cut_off'])}" if made["cut_off"] else ""
    return made, _console.under(table(WORKS, [made]), *([cut_off] if cut_off else []))


def _imported(operator: Operator, args: Namespace) -> Answer:
    taken: list[object] = []
    for work in read_works(args.file):
        try:
            taken.append(operator.put("works", work.id, body={**work.body, "by": args.by}))
        except OperatorError as error:
            done = f"{len(taken)} works were taken before it" if taken else "nothing was taken"
            raise OperatorError(f"{args.file.name}: {error}; {done}") from error
    return {"works": taken}, table(WORKS, taken)  # type: ignore[arg-type]  # rows of the API
