"""`python -m dnp3_sim MAP.yaml`: serve a simulated RTU until interrupted."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence

from dnp3_sim.plant import Plant
from dnp3_sim.pointmap import MapError, PointMap, at, find, load
from dnp3_sim.server import RtuServer
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationEvent
from protocols.dnp3.wire import server_context

_EPILOG = """
a DER with the points of IEEE 1815.2 comes with the simulator: python -m dnp3_sim der

a map, complete:

  outstation: {local: 10, master: 1, unsolicited: true}
  listen: {host: 127.0.0.1, port: 20000}
  analog_inputs:
    - {index: 0, name: feeder current, class: 2, deadband: 0.5,
       wave: {mean: 120, amplitude: 15, period_s: 60}}
    - {index: 148, name: limit in force, class: 2}
  analog_outputs:
    - {index: 87, name: limit, mirrors: [148], variation: 1}
    - {index: 85, name: seconds until the limit is lifted}
  binary_outputs:
    - {index: 17, name: enable limit, reverts_after: 85}
  csv: [more_points.csv]        # columns: kind,index,name,value,class,deadband

kinds: analog_inputs, analog_outputs, binary_inputs, binary_outputs, double_bit_inputs,
counters, frozen_counters, octet_strings. Numbers travel as 32-bit floats with flags
unless `variation` says otherwise. For TLS: listen: {tls: {certificate:, key:, authority:}}.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; the exit code is 0 after an interrupt, 2 where the map or the address is at fault."""
    parser = argparse.ArgumentParser(
        prog="python -m dnp3_sim",
        description="Serve a simulated DNP3 outstation (RTU) from a point map, on loopback unless told otherwise.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("map", type=find, metavar="MAP.yaml", help="the point map, or `der`: a DER of IEEE 1815.2")
    parser.add_argument("--host", help="address to listen on, instead of the map's")
    parser.add_argument("--port", type=int, help="TCP port, instead of the map's; 0 takes a free one")
    parser.add_argument("--check", action="store_true", help="read the map, say what is in it, and end")
    given = parser.parse_args(arguments)
    try:
        point_map = at(load(given.map), given.host, given.port)
        if given.check:
            _say(f"{given.map}: {len(point_map.points)} points")
        else:
            asyncio.run(_serve(point_map))
    except (MapError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        return 0
    return 0


async def _serve(point_map: PointMap) -> None:
    plant = Plant(point_map, _now())
    session = OutstationSession(point_map.outstation, plant.database, plant)
    server = RtuServer(
        session,
        _now,
        host=point_map.host,
        port=point_map.port,
        context=server_context(point_map.tls) if point_map.tls else None,
        tick=plant.advance,
        heard=_tell,
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.run())
            await server.listening.wait()
            outstation = point_map.outstation
            _say(
                f"outstation {outstation.local} for master {outstation.master} on {point_map.host}:{server.port}, "
                f"{len(point_map.points)} points"
            )
    except* OSError as group:
        raise MapError(f"cannot listen on {point_map.host}:{point_map.port}: {group.exceptions[0]}") from group


def _tell(event: OutstationEvent) -> None:
    _say(str(event))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _now() -> float:
    return time.time()  # noqa: TID251 - the simulator is a process of its own, and this is its shell


if __name__ == "__main__":
    sys.exit(main())
