"""Show what waits for an operator and let it out, or not: limits, orders, needs, instructions, network operations.

    ampacity approve zone.yaml                    # who, what, why, since when, until when
    ampacity approve zone.yaml R1-5c0a9f21        # it leaves
    ampacity approve zone.yaml --all --reject
    ampacity approve zone.yaml --ask              # one after the other

What waits depends on `approval` of the zone file: in mode `auto` nothing does. What nobody decides about
in time is dropped.
"""

from argparse import ArgumentParser, Namespace

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import WAITING
from gateway.commands._der_client import Json, Operator, OperatorError
from gateway.commands._der_tables import table


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    _console.add_zone(parser)
    _console.add_by(parser)
    parser.add_argument("ids", nargs="*", metavar="ID", help="what to decide about; none: show what waits")
    parser.add_argument("--all", action="store_true", help="everything that waits now")
    parser.add_argument("--reject", action="store_true", help="drop it instead of letting it out")
    parser.add_argument(
        "--ask", action="store_true", help="ask about each: y lets it out, n drops it, else it waits on"
    )


def run(args: Namespace) -> int:
    """0 when decided or shown, 1 where the gateway refuses or none runs."""
    return _console.answered("approve", args, _approve)


def _approve(operator: Operator, args: Namespace) -> Answer:
    found = operator.get("approvals")
    if args.ask:
        return _asked(operator, args, found)
    chosen = [one["id"] for one in found["waiting"]] if args.all else args.ids
    if not chosen:
        if args.reject and not args.all:
            raise OperatorError("say what to reject: its ID, or --all")
        return found, table(WAITING, found["waiting"]) if found["waiting"] else _nothing(found)
    for action_id in chosen:
        found = _rule(operator, args, action_id, approved=not args.reject)
    word = "rejected" if args.reject else "approved"
    return found, f"{', '.join(chosen)} {word} by {args.by}; {len(found['waiting'])} waiting"


def _asked(operator: Operator, args: Namespace, found: Json) -> Answer:
    for one in found["waiting"]:
        _console.paper().print(table(WAITING, [one]))
        try:
            said = input("let it out? [y/n/-] ").strip().lower()
        except EOFError:
            break
        if said in ("y", "n"):
            found = _rule(operator, args, one["id"], approved=said == "y")
    return found, f"{len(found['waiting'])} waiting" if found["waiting"] else _nothing(found)


def _rule(operator: Operator, args: Namespace, action_id: str, *, approved: bool) -> Json:
    return operator.post("approvals", action_id, body={"by": args.by, "approved": approved})


def _nothing(found: Json) -> str:
    return f"nothing waits; approval mode {found['mode']}"
