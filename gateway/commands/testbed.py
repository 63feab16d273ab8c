"""Play everything that a zone file marks `simulated`: devices, stations and parties, until interrupted.

The gateway (`ampacity run ZONE`) then finds them at the addresses of the zone file, as it would find
real ones. What happens in the simulated world can be seen and changed over HTTP, on the zone's
`testbed.control_port`:

  curl localhost:18099/v1/truth
  curl localhost:18099/v1/truth?of=L12,B4
  curl localhost:18099/v1/dispatch -d '{"resource": "A", "power_mw": 2.0}'
  curl localhost:18099/v1/faults -d '{"resource": "A", "fault": "drop_link", "on": true}'
  curl localhost:18099/v1/available -d '{"resource": "B", "power_mw": 5.0}'
  curl localhost:18099/v1/plant -d '{"taps": {"T1": -3, "T2": -3}, "load_scale": 0.8}'
  curl localhost:18099/v1/messages

Faults: drop_link, freeze_value, lie, delay, refuse, not_a_number.
"""

import asyncio
import signal
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from config.loader import ConfigError, load
from config.settings import ZoneFile
from gateway import clock
from gateway.supervise import causes
from gateway.testbed.run import run as play


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("zone", type=Path, metavar="ZONE", help="zone file (YAML)")


def run(args: Namespace) -> int:
    """0 when interrupted, 1 where the zone file is bad or an address is taken."""
    try:
        zone = load(args.zone)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return 1
    problems: list[str] = []
    try:
        asyncio.run(_until_interrupted(zone, args.zone.parent))
    except* OSError as group:
        problems += [str(error) for error in causes(group)]
    except* ValueError as group:
        problems += [str(error) for error in causes(group)]
    for problem in problems:
        print(f"ampacity testbed: {problem}", file=sys.stderr)
    return 1 if problems else 0


async def _until_interrupted(zone: ZoneFile, directory: Path) -> None:
    """Play until SIGINT or SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(play(zone, directory, clock.wall, _say))
        await stop.wait()
        playing.cancel()


def _say(line: str) -> None:
    print(line, flush=True)
