"""Watch values of a device: all of them at first, then each that changes, until interrupted."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import asdict

from gateway import clock
from gateway.fieldtools import opening, session, show
from gateway.fieldtools.target import parse
from protocols.tool import FieldTool, Item


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    session.add_target(parser)
    parser.add_argument("addresses", nargs="*", metavar="ADDRESS", help="as with `ampacity read`; none: all")
    parser.add_argument("--every", type=float, default=1.0, metavar="SECONDS", help="pause between two polls")
    parser.add_argument("--unchanged", action="store_true", help="show also what has not changed")


def run(args: Namespace) -> int:
    """0 when interrupted, 1 where nobody answers at first; Modbus values that stay away later are shown as bad."""
    return session.finish("watch", _watch(args))


async def _watch(args: Namespace) -> int:
    last: dict[str, tuple[object, object]] = {}

    def heard(items: Sequence[Item]) -> None:
        at_s = clock.wall()
        for item in items:
            told = item.value, item.quality
            if args.unchanged or last.get(item.address) != told:
                last[item.address] = told
                line = show.json_of({"at_s": at_s, **asdict(item)}) if args.json else show.line_of(at_s, item)
                print(line, flush=True)

    async def work(tool: FieldTool) -> int:
        await tool.watch(args.addresses, args.every, heard)
        return 0

    return await opening.use(parse(args.target), work)
