"""Write a device's entry for the zone file from a live scan: `ampacity devices new TARGET`.

The entry comes as a file that extends the zone file by the one device. It is checked as `ampacity check`
would before it is written, so that what stands there can be run.
"""

import sys
import tempfile
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from datetime import UTC, datetime
from os.path import relpath
from pathlib import Path
from typing import get_args

from config.loader import ConfigError, load_as_written
from config.settings import Device
from gateway import clock
from gateway.fieldtools import opening, session
from gateway.fieldtools.entry import Asked, document, entry
from gateway.fieldtools.target import SYNTAX, Target, parse
from protocols.tool import FieldTool, Found, ToolError

_KINDS = get_args(Device.model_fields["kind"].annotation)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser(
        "new", help="an entry for a device that answers", epilog=SYNTAX, formatter_class=RawDescriptionHelpFormatter
    )
    new.add_argument("target", metavar="TARGET", help="where: a URL; see below")
    new.add_argument("--zone", type=Path, required=True, metavar="FILE", help="zone file to extend")
    new.add_argument("--id", required=True, help="of the device in the zone")
    new.add_argument("--bus", required=True, help="of the network, where it is connected")
    new.add_argument("--owner", required=True, help="party that acts for it in the market")
    new.add_argument("--kind", choices=_KINDS, help="where the nameplate does not tell")
    new.add_argument("--p-max-mw", type=float, metavar="MW", help="greatest injection, where the device does not tell")
    new.add_argument("--p-min-mw", type=float, metavar="MW", help="greatest absorption, as a negative number")
    new.add_argument("--static-mw", type=float, metavar="MW", help="limit that it falls back to without us")
    new.add_argument("--found", metavar="ADDRESS", help="which of several, as `ampacity scan` calls it")
    new.add_argument("--out", type=Path, metavar="FILE", help="file to write, which must not exist (default: print)")


def run(args: Namespace) -> int:
    """0 where the entry was written, 1 where no device answers or the entry would have faults."""
    return session.guarded("devices", lambda: _new(args))


def _new(args: Namespace) -> int:
    out: Path | None = args.out
    if out is not None and out.exists():
        raise ToolError(f"{out} exists; name another file")
    target = parse(args.target)
    zone = _zone(args.zone, args.id)

    found = session.until_told(opening.use(target, _scan))
    if found is None:
        return session.FAILED
    one = _chosen(found, target, args.found)
    asked = Asked(args.id, args.bus, args.owner, args.kind, args.p_max_mw, args.p_min_mw, args.static_mw)
    today = datetime.fromtimestamp(clock.wall(), UTC).date()
    directory = (out or Path("here")).resolve().parent
    made = entry(one, target.written, asked, today)
    text = document(relpath(zone, directory), args.id, made, one, args.target)
    faults = _faults(text, directory)
    if faults:
        print(text, file=sys.stderr)
        raise ToolError("nothing was written, as the entry above would have faults:\n" + "\n".join(faults))
    if out is None:
        print(text, end="")
    else:
        out.write_text(text, encoding="utf-8")
        print(f"{out} extends {args.zone} by {args.id}; run it with `ampacity run {out}`")
    return 0


async def _scan(tool: FieldTool) -> list[Found]:
    found: list[Found] = []
    await tool.scan(found.append)
    return found


def _zone(file: Path, device_id: str) -> Path:
    """The zone file, which must be good and not have the device yet."""
    try:
        zone = load_as_written(file)
    except ConfigError as error:
        raise ToolError(str(error)) from None
    if device_id in zone.devices:
        raise ToolError(f"{file} has a device {device_id} already; give another --id")
    return file.resolve()


def _chosen(found: list[Found], target: Target, address: str | None) -> Found:
    """The one device that is meant."""
    ders = [one for one in found if one.is_der and address in (None, one.address)]
    if len(ders) == 1:
        return ders[0]
    there = ", ".join(one.address for one in found) or "nothing"
    if not ders:
        raise ToolError(f"{target.text}: no {address or 'device that can be limited'} answers; there is {there}")
    raise ToolError(f"{target.text}: several devices answer; choose one with --found: {there}")


def _faults(text: str, directory: Path) -> list[str]:
    """What `ampacity check` would say of a file with this text there."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=directory, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        try:
            load_as_written(Path(file.name))
        except ConfigError as error:
            return [f"line {fault.place.line}: {fault.problem}; {fault.remedy}" for fault in error.faults]
    return []
