"""Show everything about one DER: both markets, limits, controls, instructions by hand, and how good its readings are.

ampacity view zone.yaml A
ampacity view zone.yaml A --json | jq .effective
"""

from argparse import ArgumentParser, Namespace

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import view
from gateway.commands._der_client import Operator


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    _console.add_zone(parser)
    parser.add_argument("der", metavar="DER", help="as in the zone file")


def run(args: Namespace) -> int:
    """0 when shown, 1 where there is no such DER or no gateway."""
    return _console.answered("view", args, _view)


def _view(operator: Operator, args: Namespace) -> Answer:
    found = operator.get("der", args.der, "view")
    return found, view(found)
