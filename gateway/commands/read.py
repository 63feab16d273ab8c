"""Read values of a device by hand: SunSpec points, registers, OPC UA nodes, topics, metrics, DNP3 points."""

from argparse import ArgumentParser, Namespace

from gateway.fieldtools import opening, session, show
from gateway.fieldtools.target import parse
from protocols.signals import Quality
from protocols.tool import FieldTool, Item


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    session.add_target(parser)
    parser.add_argument(
        "addresses", nargs="*", metavar="ADDRESS", help="701.W, 40070:float32, ns=2;s=P, AI7, a topic; none: all"
    )


def run(args: Namespace) -> int:
    """0 where everything could be read, 1 where a value is bad or nobody answers."""
    return session.finish("read", _read(args))


async def _read(args: Namespace) -> int:
    async def work(tool: FieldTool) -> list[Item]:
        return await tool.read(args.addresses)

    items = await opening.use(parse(args.target), work)
    if args.json:
        print(show.json_of(items))
    else:
        show.console().print(show.item_table(items))
    return session.FAILED if args.addresses and any(item.quality is Quality.BAD for item in items) else 0
