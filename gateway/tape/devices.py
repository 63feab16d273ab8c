"""Recordings as simulated devices: for each protocol, what answers as the recorded device did."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from gateway.tape import dnp3_device, modbus_device
from gateway.tape.stage import Stage
from gateway.tape.words import TapeError
from protocols.port import Now

Listening = Callable[[str], None]
"""Told where the device can be reached, once it can."""


async def play(stage: Stage, host: str, port: int, now: Now, listening: Listening) -> None:
    """Be the recorded device until cancelled; `port` 0 takes a free one.

    Raises:
        TapeError: there is no such device in the recording, or the address is taken.
    """
    try:
        match stage.recording.header.protocol:
            case "modbus":
                server = modbus_device.server_of(stage, host, port, now)
                await _told(server.run, lambda: listening(f"modbus://{host}:{server.port}"))
            case "dnp3":
                rtu = dnp3_device.server_of(stage, host, port, now)
                (endpoint,) = (entry["endpoint"] for entry in _entries(stage))
                number = endpoint.get("outstation", 10) if isinstance(endpoint, dict) else 10
                await _told(lambda _: rtu.run(), lambda: listening(f"dnp3://{host}:{rtu.port}/{number}"), rtu.listening)
            case protocol:
                raise TapeError(f"a device of a recording of {protocol} cannot be played")
    except* OSError as group:
        raise TapeError(str(group.exceptions[0])) from group


def _entries(stage: Stage) -> list[Mapping[str, object]]:
    """Of the zone file: what the recording is of."""
    return [*stage.recording.header.devices.values(), *stage.recording.header.stations.values()]


async def _told(
    run: Callable[[asyncio.Event], Awaitable[None]], tell: Callable[[], None], listening: asyncio.Event | None = None
) -> None:
    """Run a server, and tell once it listens."""
    ready = listening or asyncio.Event()

    async def serve() -> None:
        await run(ready)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve())
        await ready.wait()
        tell()
