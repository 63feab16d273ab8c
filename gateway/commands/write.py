"""Write values to a device by hand, and read back what became effective.

With --lease the device itself ends what was written, by the timer that its protocol has for it. Without
one the value stays until somebody writes another: that asks first, or wants --yes.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from gateway.fieldtools import opening, session, show
from gateway.fieldtools.target import parse
from protocols.tool import FieldTool, ToolError, Written


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    session.add_target(parser)
    parser.add_argument("values", nargs="+", type=_pair, metavar="ADDRESS=VALUE", help="704.WMaxLimPct=50, AO87=500")
    consent = parser.add_mutually_exclusive_group()
    consent.add_argument("--lease", type=_seconds, metavar="SECONDS", help="the device ends it by itself after that")
    consent.add_argument("--yes", action="store_true", help="write without asking, and without an end")


def run(args: Namespace) -> int:
    """0 where what was written is in force, 1 where it is not, 2 where it was not allowed."""
    if args.lease is None and not args.yes and not _agreed(args):
        print("ampacity write: nothing was written; give --lease SECONDS or --yes", file=sys.stderr)
        return session.WRONGLY_CALLED
    return session.finish("write", _write(args))


def _agreed(args: Namespace) -> bool:
    """What a person at a terminal says; a program has to say it beforehand."""
    if not sys.stdin.isatty():
        return False
    values = ", ".join(f"{address} = {value}" for address, value in args.values)
    return input(f"write {values} to {args.target}, to stay until somebody changes it? [y/N] ").lower() in ("y", "yes")


async def _write(args: Namespace) -> int:
    values = dict(args.values)
    if len(values) != len(args.values):
        raise ToolError("an address is given twice; nothing was written")

    async def work(tool: FieldTool) -> Written:
        return await tool.write(values, args.lease)

    written = await opening.use(parse(args.target), work)
    if args.json:
        print(show.json_of(written))
    else:
        show.console().print(show.item_table(written.effective))
        print(f"{written.detail}; {'in force' if written.obeyed else 'not what was asked for'}")
    return 0 if written.obeyed else session.FAILED


def _pair(text: str) -> tuple[str, str]:
    address, equals, value = text.rpartition("=")
    if not equals or not address or not value:
        raise ArgumentTypeError(f"{text!r} is not ADDRESS=VALUE")
    return address, value


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 86_400:
        raise ArgumentTypeError(f"{text!r} is no number of seconds between 1 and 86400")
    return value
