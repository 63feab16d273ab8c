"""Play everything that a zone file marks `simulated`: devices, stations and parties, until interrupted.

The gateway (`ampacity run ZONE`) then finds them at the addresses of the zone file, as it would find
real ones. To put software of your own in a party's place, leave that one out with `--without`; to
play one party alone, beside real ones or beside a testbed that plays the rest, use `--only`: its
devices then stay where they are simulated, and are reached over that testbed's control.

  ampacity testbed ZONE
  ampacity testbed ZONE --without AGENT_A
  ampacity testbed ZONE --only AGENT_A

Beyond one machine parties prove who they are: `testbed.parties` of the zone file names the token
(`token_variable`, in the environment) and the certificate (`certificate_file`, `key_file`, and in
`ca_file` who vouches for the gateway) of each simulated party, `testbed.gateway_url` the gateway.

What happens can be seen and changed over HTTP, on the zone's `testbed.control_port`; `GET /v1` tells
every request with its fields. The world:

  curl localhost:18099/v1/truth
  curl localhost:18099/v1/truth?of=L12,B4
  curl localhost:18099/v1/faults -d '{"resource": "A", "fault": "drop_link", "on": true}'
  curl localhost:18099/v1/available -d '{"resource": "B", "power_mw": 5.0}'
  curl localhost:18099/v1/target -d '{"resource": "A", "power_mw": 1.0}'
  curl localhost:18099/v1/plant -d '{"taps": {"T1": -3, "T2": -3}, "load_scale": 0.8}'

The system operator, the DER/As, the host and the platform:

  curl localhost:18099/v1/messages
  curl localhost:18099/v1/dispatch -d '{"resource": "A", "power_mw": 2.0}'
  curl localhost:18099/v1/offer -d '{"resource": "A", "blocks": [[2.5, 30]]}'
  curl localhost:18099/v1/revoke_offer -d '{"resource": "A", "offer_id": "..."}'
  curl localhost:18099/v1/outage -d '{"resource": "A", "available_mw": 0}'
  curl localhost:18099/v1/habits -d '{"party": "AGENT_A", "declines": true, "offers": {"A": [[0.5, 150]]}}'
  curl localhost:18099/v1/host_limit -d '{"interface": "HE1", "export_mw": 0.6}'
  curl localhost:18099/v1/host_habits -d '{"silent": true}'
  curl localhost:18099/v1/host_answer -d '{}'
  curl localhost:18099/v1/host_answer -d '{"export_mw": 0.3}'
  curl localhost:18099/v1/dispute -d '{"party": "AGENT_A", "statement_id": "...", "claim": "..."}'
  curl localhost:18099/v1/platform -d '{"down": true}'
  curl localhost:18099/v1/say -d '{"sender": "AGENT_A", "type": "LIMIT.Ack", "body": {}}'

An answer of the host without `export_mw` is a no-objection, with it an objection. `say` lets a party
say anything of the catalogue, right or wrong. Faults: drop_link, freeze_value, lie, delay, refuse,
not_a_number.
"""

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from config.loader import ConfigError, load
from config.settings import ZoneFile
from gateway import clock
from gateway.supervise import causes
from gateway.testbed.proofs import ProofError
from gateway.testbed.proofs import of_zone as proofs_of_zone
from gateway.testbed.run import Alone, run_parties
from gateway.testbed.run import run as play


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("zone", type=Path, metavar="ZONE", help="zone file (YAML)")
    some = parser.add_mutually_exclusive_group()
    some.add_argument("--without", default="", metavar="PARTIES", help="play all but these, as `AGENT_A,IESO`")
    some.add_argument("--only", default="", metavar="PARTIES", help="play these parties alone, without the world")
    parser.add_argument(
        "--world",
        metavar="URL",
        help="with --only: control of the testbed that plays the devices (the zone's own where absent)",
    )
    parser.add_argument(
        "--control-port",
        type=int,
        default=0,
        metavar="PORT",
        help="with --only: of its own control; 0 takes a free one",
    )


def run(args: Namespace) -> int:
    """0 when interrupted, 1 where the zone file is bad, names or keys are wrong, or an address is taken."""
    try:
        zone = load(args.zone)
        playing = _playing(zone, args)
    except ConfigError as error:
        for fault in error.faults:
            print(fault, file=sys.stderr)
        return 1
    except (LookupError, ProofError) as error:
        print(f"ampacity testbed: {error.args[0]}", file=sys.stderr)
        return 1
    problems: list[str] = []
    try:
        asyncio.run(_until_interrupted(playing))
    except* OSError as group:
        problems += [str(error) for error in causes(group)]
    except* ValueError as group:
        problems += [str(error) for error in causes(group)]
    for problem in problems:
        print(f"ampacity testbed: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _playing(zone: ZoneFile, args: Namespace) -> Coroutine[Any, Any, None]:
    """What is played.

    Raises:
        LookupError: a name is none of a simulated party.
        ProofError: a token or certificate of a party that is played is not there.
    """
    only, without = _named(zone, args.only), _named(zone, args.without)
    proofs = proofs_of_zone(zone, only or zone.parties.keys() - without, os.environ)
    if not only:
        return play(zone, args.zone.parent, clock.wall, _say, without=without, proofs=proofs)
    world = args.world or f"http://127.0.0.1:{zone.testbed.control_port}/v1"
    return run_parties(zone, Alone(only, world, args.control_port), clock.wall, _say, proofs)


def _named(zone: ZoneFile, names: str) -> frozenset[str]:
    found = frozenset(name.strip() for name in names.split(",") if name.strip())
    simulated = [name for name, party in zone.parties.items() if party.simulated]
    for name in sorted(found - set(simulated)):
        raise LookupError(f"{name!r} is no party that the zone file marks as simulated: {', '.join(simulated)}")
    return found


async def _until_interrupted(playing: Coroutine[Any, Any, None]) -> None:
    """Play until SIGINT or SIGTERM."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(playing)
        await stop.wait()
        task.cancel()


def _say(line: str) -> None:
    print(line, flush=True)
