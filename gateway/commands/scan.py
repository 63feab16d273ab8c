"""Look for devices: Modbus units with SunSpec models, OPC UA folders, MQTT and Sparkplug devices, DNP3 points."""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from gateway.fieldtools import opening, session, show
from gateway.fieldtools.target import parse
from protocols.tool import FieldTool, Found

_LARGEST_UNIT = 255


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    session.add_target(parser)
    parser.add_argument(
        "--units", type=_units, default=(), metavar="1-10,126", help="Modbus units to ask, instead of the target's own"
    )


def run(args: Namespace) -> int:
    """0 where something was found, 1 where nothing was, or nobody answers."""
    return session.finish("scan", _scan(args))


async def _scan(args: Namespace) -> int:
    target = parse(args.target)

    async def work(tool: FieldTool) -> list[Found]:
        found: list[Found] = []
        await tool.scan(found.append)
        return found

    found = await opening.use(target, work, args.units)
    if args.json:
        print(show.json_of(found))
    elif found:
        console = show.console()
        for part in show.found_table(found):
            console.print(part)
    else:
        print(f"nothing answers at {args.target}")
    return 0 if found else session.FAILED


def _units(text: str) -> tuple[int, ...]:
    """The numbers of `1-10,126`."""
    units: list[int] = []
    for part in text.split(","):
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip())
        first, last = (int(span[1]), int(span[2] or span[1])) if span else (1, 0)
        if not first <= last <= _LARGEST_UNIT:
            raise ArgumentTypeError(f"{part!r} is no range of units; write 1-10,126, up to {_LARGEST_UNIT}")
        units += range(first, last + 1)
    return tuple(units)
