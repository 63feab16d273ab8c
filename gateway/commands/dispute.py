"""Show statements and disputes, contest a statement for a party, answer or resolve a dispute.

    ampacity dispute list zone.yaml
    ampacity dispute open zone.yaml R1-AGENT_A-1800000000 --party AGENT_A --id d-1 --claim "our meter shows 2 MW"
    ampacity dispute answer zone.yaml d-1 --text "we look at both meters on Monday"
    ampacity dispute resolve zone.yaml d-1 --meter mp --because "our current transformers were swapped"

Resolved for the participant's meter, a new version of the statement holds and goes out; both are kept. Parties
open disputes themselves by DISPUTE.Open. Under a total DSO a dispute is carried on to the system operator.
"""

from argparse import ArgumentParser, Namespace

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import titled
from gateway.commands._der_client import Operator
from gateway.commands._der_tables import Column, table

VERSIONS: tuple[Column, ...] = (
    ("statement", lambda row: row["statement"]),
    ("version", lambda row: row["version"]),
    ("party", lambda row: row["party"]),
    ("net $", lambda row: f"{row['net']:.2f}"),
    ("why", lambda row: row["reason"]),
)
DISPUTES: tuple[Column, ...] = (
    ("dispute", lambda row: row["id"]),
    ("statement", lambda row: row["statement"]),
    ("by", lambda row: row["by"]),
    ("state", lambda row: row["state"]),
    ("claim", lambda row: row["claim"]),
    ("resolution", lambda row: row["resolution"]),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    _console.add_zone(verbs.add_parser("list", help="statements, and what is contested"))
    opened = verbs.add_parser("open", help="contest a statement for a party")
    _console.add_zone(opened)
    opened.add_argument("statement", metavar="STATEMENT")
    opened.add_argument("--party", required=True, metavar="PARTY")
    opened.add_argument("--id", required=True, metavar="ID", help="what it shall be called")
    opened.add_argument("--claim", required=True, metavar="TEXT")
    answer = verbs.add_parser("answer", help="tell whoever opened it more")
    resolve = verbs.add_parser("resolve", help="end it")
    for one in (answer, resolve):
        _console.add_zone(one)
        one.add_argument("dispute", metavar="DISPUTE")
    answer.add_argument("--text", required=True, metavar="TEXT")
    resolve.add_argument("--meter", choices=("ldc", "mp"), required=True, help="whose meter is right")
    resolve.add_argument("--because", required=True, metavar="TEXT", help="why; the party is told")
    for one in (opened, answer, resolve):
        _console.add_by(one)


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs."""
    return _console.answered("dispute", args, _dispute)


def _dispute(operator: Operator, args: Namespace) -> Answer:
    if args.verb == "list":
        found = operator.get("disputes")
        parts = [
            *titled("Statements", VERSIONS, found["statements"]),
            *titled("Disputes", DISPUTES, found["disputes"]),
        ]
        return found, _console.under(*parts) if parts else "no statement was made yet"
    if args.verb == "open":
        body = {"by": args.by, "dispute": args.id, "party": args.party, "claim": args.claim}
        made = operator.post("statements", args.statement, "dispute", body=body)
    elif args.verb == "answer":
        made = operator.post("disputes", args.dispute, "answer", body={"by": args.by, "answer": args.text})
    else:
        body = {"by": args.by, "meter": args.meter.upper(), "because": args.because}
        made = operator.post("disputes", args.dispute, "resolve", body=body)
    return made, _console.under(table(DISPUTES, [made]), *titled("Versions", VERSIONS, made["versions"]))
