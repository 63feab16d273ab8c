"""Replay a recorded session: as a regression test, or as the device that was recorded.

Without an option the recording runs through today's adapter in virtual time, and what the adapter makes of it and
writes is compared with what it made and wrote then. With --serve it answers as the device did, at a port of this
machine, where `ampacity run`, `ampacity read` or any other client may meet it.
"""

import asyncio
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

import orjson

from gateway import clock
from gateway.fieldtools import session
from gateway.tape import devices
from gateway.tape.check import Verdict, check
from gateway.tape.stage import Stage
from gateway.tape.words import Recording, TapeError, read
from protocols.tool import ToolError


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", type=Path, metavar="FILE", help="recording of `ampacity record`")
    parser.add_argument(
        "--serve",
        type=_address,
        metavar="[HOST:]PORT",
        help="be the device there, 0 takes a free port; devices of MQTT and Sparkplug B meet the broker there",
    )
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="FACTOR", help="of the device's time")
    parser.add_argument("--once", action="store_true", help="stay at the end of the recording, not begin anew")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")


def run(args: Namespace) -> int:
    """0 where the adapter does as it did, 1 where it does not or the file is no recording."""
    return session.guarded("replay", lambda: _replay(args))


def _replay(args: Namespace) -> int:
    try:
        recording = read(args.file)
        if args.serve is None:
            return _compared(args, check(recording))
        session.until_told(_serve(recording, args))
    except TapeError as error:
        raise ToolError(str(error)) from error
    return 0


async def _serve(recording: Recording, args: Namespace) -> None:
    stage = Stage(recording, time.monotonic, speed=args.speed, once=args.once)
    header = recording.header
    whose = ", ".join((*header.devices, *header.stations))

    def listening(where: str) -> None:
        print(f"{where} answers as {whose} of {header.zone} did, for {recording.ends_s:.1f} s", flush=True)

    await devices.play(stage, args.serve, clock.wall, listening)
    await asyncio.Event().wait()


def _compared(args: Namespace, verdict: Verdict) -> int:
    if args.json:
        told = {"holds": verdict.holds, "differences": verdict.differences, "signals": verdict.signals}
        print(orjson.dumps({**told, "played": {k.value: n for k, n in verdict.played.items()}}).decode())
    else:
        for difference in verdict.differences:
            print(difference)
        played = ", ".join(f"{count} {kind.value}s" for kind, count in verdict.played.items())
        outcome = "as recorded" if verdict.holds else f"{len(verdict.differences)} differences"
        print(f"{args.file}: {verdict.seconds:.1f} s, {played or 'nothing'}, {verdict.signals} signals: {outcome}")
    return 0 if verdict.holds else session.FAILED


def _address(text: str) -> devices.Address:
    host, _, port = text.rpartition(":")
    if not port.isdigit() or int(port) > 0xFFFF:
        raise ArgumentTypeError(f"{text!r} is no address; write a port, or 127.0.0.1:1502")
    return devices.Address(host or "127.0.0.1", int(port))


def _speed(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1_000:
        raise ArgumentTypeError(f"{text!r} is no factor between 0 and 1000")
    return value
