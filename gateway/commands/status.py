"""Show a running zone: every resource with its limits and controls, the newest decisions, what parties have said.

ampacity status zone.yaml
ampacity status zone.yaml --watch 2
ampacity status zone.yaml --json | jq '.ders[] | select(.link != "online")'
"""

import time
from argparse import ArgumentParser, Namespace

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import status
from gateway.commands._der_client import Operator


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    _console.add_zone(parser)
    parser.add_argument(
        "--watch", type=float, nargs="?", const=2.0, metavar="SECONDS", help="show it again and again (every 2 s)"
    )


def run(args: Namespace) -> int:
    """0 when shown, 1 where no gateway runs."""
    while True:
        code = _console.answered("status", args, _status)
        if code or args.watch is None:
            return code
        time.sleep(max(0.2, args.watch))


def _status(operator: Operator, args: Namespace) -> Answer:
    found = operator.get("status")
    if args.watch is not None and not args.json:
        _console.paper().clear()
    return found, status(found)
