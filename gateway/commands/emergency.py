"""Declare an emergency, end it, or show all: everybody in its scope has to keep off, before and above everything else.

    ampacity emergency declare zone.yaml --level 2 --scope B3 --because "line down"
    ampacity emergency clear zone.yaml R1-emergency-1
    ampacity emergency list zone.yaml

Level 1 halves the power, 2 stops injection, 3 stops injection and consumption. When it is over, limits hold
as they would without it.
"""

from argparse import ArgumentParser, Namespace

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import EMERGENCIES
from gateway.commands._der_client import Operator, OperatorError
from gateway.commands._der_tables import table


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    _console.add_zone(verbs.add_parser("list", help="all emergencies, the newest first"))
    declare = verbs.add_parser("declare", help="declare one")
    _console.add_zone(declare)
    _console.add_by(declare)
    declare.add_argument("--level", type=int, choices=(1, 2, 3), required=True, help="see above")
    declare.add_argument("--scope", default="zone", metavar="WHERE", help="zone, a bus or a DER (default: %(default)s)")
    declare.add_argument("--because", required=True, metavar="TEXT", help="why; owners are told")
    clear = verbs.add_parser("clear", help="end one")
    _console.add_zone(clear)
    _console.add_by(clear)
    clear.add_argument("id", nargs="?", metavar="ID", help="which; may be left out where only one lasts")


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs."""
    return _console.answered("emergency", args, _emergency)


def _emergency(operator: Operator, args: Namespace) -> Answer:
    if args.verb == "declare":
        said = {"by": args.by, "level": args.level, "scope": args.scope, "because": args.because}
        made = operator.post("emergencies", body=said)
        return made, table(EMERGENCIES, [made])
    found = operator.get("emergencies")
    if args.verb == "list":
        return found, table(EMERGENCIES, found["emergencies"]) if found["emergencies"] else "no emergency so far"
    lasting = [one["id"] for one in found["emergencies"] if one["cleared_s"] is None]
    if args.id is None and not lasting:
        raise OperatorError("no emergency lasts; `ampacity emergency list ZONE` shows those that are over")
    if args.id is None and len(lasting) > 1:
        raise OperatorError(f"say which emergency is over; lasting: {', '.join(lasting)}")
    over = operator.post("emergencies", args.id or lasting[0], "clear", body={"by": args.by})
    return over, table(EMERGENCIES, [over])
