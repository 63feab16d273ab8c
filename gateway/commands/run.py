"""Control a zone: read its field, compute its limits, tell its devices, and prove that they obeyed.

Runs until interrupted. What it decides goes to the journal, what it says to standard output: JSON
lines when that is not a terminal, aligned and coloured when it is.

On SIGHUP it reads the zone file again and takes over its network model (source or feeders, and version)
if that is valid; otherwise the one in force stays. Everything else in the file waits for a restart.
"""

import asyncio
import contextlib
import signal
import sys
from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

import structlog

from config.loader import ConfigError, load
from config.settings import ZoneFile
from gateway import app, clock
from gateway.field import tapes_in
from gateway.historian import HistorianError
from gateway.journal.entries import JournalError
from gateway.logs.setup import configure
from gateway.metering import MeteringError
from gateway.models import Model, Verdict
from gateway.renewal import Renewal


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("zone", type=Path, metavar="ZONE", help="zone file (YAML)")
    parser.add_argument(
        "--storage", type=Path, metavar="DIR", help="keep journal and telemetry here, not where the zone file says"
    )
    parser.add_argument(
        "--record",
        type=Path,
        metavar="DIR",
        help="record the sessions with devices and stations, for `ampacity replay`",
    )
    parser.add_argument(
        "--trust-clock",
        action="store_true",
        help="this machine's clock is right although it is behind the journal, whose later times are not",
    )
    parser.add_argument("--level", default="info", choices=("debug", "info", "warning", "error"), help="lowest level")


def run(args: Namespace) -> int:
    """0 when told to stop, 1 where the gateway cannot start."""
    try:
        zone = load(args.zone)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return 1
    if args.storage is not None:
        zone = zone.model_copy(update={"storage": zone.storage.model_copy(update={"directory": str(args.storage)})})
    common = {"zone": zone.zone.id, "model": zone.zone.dso_model.value}
    outlet = configure(args.level, common=common)
    structlog.get_logger().info("config.loaded", path=str(args.zone), model_version=zone.network.version)
    try:
        asyncio.run(_until_told(zone, args))
    except (JournalError, HistorianError, MeteringError, app.StartError) as problem:
        print(f"ampacity run: {problem}", file=sys.stderr)
        return 1
    finally:
        outlet.close()
    return 0


async def _until_told(zone: ZoneFile, args: Namespace) -> None:
    """Run until SIGINT or SIGTERM, and end in order: leases stay with the devices."""
    renewal = Renewal(asyncio.Event(), partial(_reread, args.zone))
    loop, me = asyncio.get_running_loop(), asyncio.current_task()
    loop.add_signal_handler(signal.SIGHUP, renewal.wanted.set)
    if me is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, me.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        tapes = None if args.record is None else tapes_in(args.record, clock.wall)
        await app.run(zone, renewal=renewal, tapes=tapes, trust_clock=args.trust_clock)


def _reread(path: Path) -> Model | Verdict:
    """The network model that the zone file names now, or what is wrong with the file."""
    try:
        return app.model(load(path))
    except ConfigError as error:
        return Verdict("", tuple(str(fault) for fault in error.faults))
