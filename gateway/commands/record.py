"""Record a session with a device or station of a zone file: every read, write, event and fault, into one file.

The device is read as `ampacity run` reads it, and nothing is commanded; `ampacity run --record DIR` records what the
gateway does. The file replays as a device and as a regression test: `ampacity replay`. No password or key is in it.
"""

import asyncio
import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from config.settings import ZoneFile
from gateway import clock
from gateway.fieldtools import session
from gateway.fieldtools.target import parse
from gateway.tape.adapters import TapedAdapter, recorded
from gateway.tape.words import LARGEST_BYTES, Kind, Tape, TapeError
from gateway.translate.opcua import MissingPasswordError
from protocols.signals import LinkChanged, Signal
from protocols.tool import ToolError

_MEGABYTE = 1024 * 1024


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "target", metavar="ZONE.yaml:DEVICE", help="device or station; `ampacity devices new` makes one"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="file to write, which must not exist")
    parser.add_argument("--for", type=_positive, dest="for_s", metavar="SECONDS", help="default: until interrupted")
    parser.add_argument("--max-mb", type=_positive, default=LARGEST_BYTES / _MEGABYTE, metavar="MB", help="of the file")


def run(args: Namespace) -> int:
    """0 where something was recorded, 1 where nothing could be."""
    return session.guarded("record", lambda: _record(args))


def _record(args: Namespace) -> int:
    target = parse(args.target)
    if target.zone is None:
        raise ToolError(f"{args.target} is no device of a zone file; `ampacity devices new` makes it one")
    try:
        taped: list[TapedAdapter] = []
        session.until_told(_run(_only(target.zone, target.name), args, taped))
    except (TapeError, MissingPasswordError) as error:
        raise ToolError(str(error)) from error
    counts = taped[0].tape.counts
    told = ", ".join(f"{counts[kind]} {kind.value}s" for kind in Kind if counts[kind])
    print(f"{args.out}: {told or 'nothing'}")
    return 0 if counts[Kind.READ] or counts[Kind.EVENT] else session.FAILED


async def _run(zone: ZoneFile, args: Namespace, taped: list[TapedAdapter]) -> None:
    most_bytes = int(args.max_mb * _MEGABYTE)
    taped += recorded(
        zone, clock.wall, os.environ, lambda header: Tape.create(args.out, header, clock.wall, most_bytes)
    )
    if not taped:
        raise TapeError(f"{args.target} speaks a protocol that cannot be recorded")
    with suppress(TimeoutError):
        async with asyncio.timeout(args.for_s):
            await taped[0].run(_tell)


def _tell(signals: Sequence[Signal]) -> None:
    for signal in signals:
        if isinstance(signal, LinkChanged):
            print(f"{signal.resource} is {signal.state.value}: {signal.detail}", flush=True)


def _only(zone: ZoneFile, name: str) -> ZoneFile:
    """The zone with nothing but one device or station, which is read alone: it is given not even a heartbeat."""
    devices = {k: d.model_copy(update={"controllable": "none"}) for k, d in zone.devices.items() if k == name}
    stations = {key: station for key, station in zone.stations.items() if key == name}
    return zone.model_copy(update={"devices": devices, "stations": stations})


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ArgumentTypeError(f"{text!r} is no number above 0")
    return value
