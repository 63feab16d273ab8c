"""Order a distribution service by hand, take an order back, or show offers and orders.

ampacity order list zone.yaml
ampacity order place zone.yaml OFFER 0.5
ampacity order revoke zone.yaml ORDER --because "line is back"
"""

from argparse import ArgumentParser, Namespace

from gateway.commands import _console
from gateway.commands._console import Answer, megawatts
from gateway.commands._console_tables import INSTANCES, OFFERS, titled
from gateway.commands._der_client import Operator
from gateway.commands._der_tables import table


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    _console.add_zone(verbs.add_parser("list", help="offers that stand, and orders"))
    place = verbs.add_parser("place", help="order a part of an offer")
    _console.add_zone(place)
    _console.add_by(place)
    place.add_argument("offer", metavar="OFFER")
    place.add_argument("power_w", type=megawatts, metavar="MW")
    revoke = verbs.add_parser("revoke", help="take an order back that has not begun")
    _console.add_zone(revoke)
    _console.add_by(revoke)
    revoke.add_argument("order", metavar="ORDER")
    revoke.add_argument("--because", required=True, metavar="TEXT", help="why; its seller is told")


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs."""
    return _console.answered("order", args, _order)


def _order(operator: Operator, args: Namespace) -> Answer:
    if args.verb == "list":
        found = operator.get("orders")
        parts = [*titled("Offers", OFFERS, found["offers"]), *titled("Orders", INSTANCES, found["orders"])]
        return found, _console.under(*parts) if parts else "no offer stands, and nothing is ordered"
    if args.verb == "place":
        made = operator.post("orders", body={"by": args.by, "offer": args.offer, "power_w": args.power_w})
    else:
        made = operator.post("orders", args.order, "revoke", body={"by": args.by, "because": args.because})
    return made, table(INSTANCES, [made])
