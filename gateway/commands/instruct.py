"""Ask one DER for a box or a set point by hand, for a time, or ask nothing of it any more.

    ampacity instruct zone.yaml A --max 0.8 --for 30m
    ampacity instruct zone.yaml A --target -0.5 --for 1h
    ampacity instruct zone.yaml A --withdraw

It beats the owner's own set point and never a limit of the DSO. All of it replaces what was asked before.
"""

from argparse import ArgumentParser, Namespace

from gateway.commands import _console
from gateway.commands._console import Answer, megawatts
from gateway.commands._console_tables import box
from gateway.commands._der_client import Operator, OperatorError
from gateway.commands._moments import duration
from gateway.tell import clock


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    _console.add_zone(parser)
    _console.add_by(parser)
    parser.add_argument("der", metavar="DER", help="as in the zone file")
    parser.add_argument("--max", type=megawatts, metavar="MW", help="at most; injection is positive")
    parser.add_argument("--min", type=megawatts, metavar="MW", help="at least")
    parser.add_argument("--target", type=megawatts, metavar="MW", help="set point, of a DER that takes one")
    parser.add_argument("--for", dest="lasts", type=duration, default=900, metavar="TIME", help="30m, 2h; default 15m")
    parser.add_argument("--withdraw", action="store_true", help="ask nothing any more")


def run(args: Namespace) -> int:
    """0 when it is in the journal, 1 where the gateway refuses or none runs."""
    return _console.answered("instruct", args, _instruct)


def _instruct(operator: Operator, args: Namespace) -> Answer:
    if args.withdraw:
        operator.post("der", args.der, "withdrawal", body={"by": args.by})
        return {"withdrawn": args.der}, f"nothing is asked of {args.der} any more"
    if args.max is args.min is args.target is None:
        raise OperatorError("say --max, --min or --target; --withdraw ends what was asked before")
    said = {"by": args.by, "floor_w": args.min, "ceiling_w": args.max, "target_w": args.target, "lasts_s": args.lasts}
    made = operator.put("der", args.der, "instruction", body=said)
    return made, f"{made['id']}: {box(made)} until {clock(made['until_s'])[:-2]}"
