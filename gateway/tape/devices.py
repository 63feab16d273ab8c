"""Recordings as simulated devices: for each protocol, what answers as the recorded device did."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.tape import dnp3_device, modbus_device, mqtt_device, opcua_device, sparkplug_device
from gateway.tape.stage import Stage
from gateway.tape.words import TapeError
from protocols.port import Now

Listening = Callable[[str], None]
"""Told where the device can be reached, once it can."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens, 0 taking a free port; or where the broker runs that devices and stations of MQTT meet."""

    host: str
    port: int


async def play(stage: Stage, at: Address, now: Now, listening: Listening) -> None:
    """Be the recorded device until cancelled.

    Raises:
        TapeError: there is no such device in the recording, the address is taken, or no broker is there.
    """
    protocol = stage.recording.header.protocol
    player = _PLAYERS.get(protocol)
    if player is None:
        raise TapeError(f"a device of a recording of {protocol} cannot be played")
    try:
        await player(stage, at, now, listening)
    except* (OSError, TapeError) as group:
        raise TapeError(str(_first(group))) from group


async def _modbus(stage: Stage, at: Address, now: Now, listening: Listening) -> None:
    server = modbus_device.server_of(stage, at.host, at.port, now)
    await _told(server.run, asyncio.Event(), lambda: listening(f"modbus://{at.host}:{server.port}"))


async def _dnp3(stage: Stage, at: Address, now: Now, listening: Listening) -> None:
    server = dnp3_device.server_of(stage, at.host, at.port, now)
    number = dnp3_device.outstation_of(stage)
    await _told(lambda _: server.run(), server.listening, lambda: listening(f"dnp3://{at.host}:{server.port}/{number}"))


async def _opcua(stage: Stage, at: Address, now: Now, listening: Listening) -> None:
    server = opcua_device.PlayedServer(stage, at.host, at.port, now)
    await _told(server.run, asyncio.Event(), lambda: listening(server.url))


async def _mqtt(stage: Stage, at: Address, _now: Now, listening: Listening) -> None:
    device = mqtt_device.PlayedDevice(stage, at.host, at.port)
    await _told(device.run, asyncio.Event(), lambda: listening(f"{device.at.broker}/{device.prefix}"))


async def _sparkplug(stage: Stage, at: Address, now: Now, listening: Listening) -> None:
    nodes = sparkplug_device.PlayedNodes(stage, at.host, at.port, now)
    await _told(nodes.run, asyncio.Event(), lambda: listening(nodes.where))


_PLAYERS: Final[Mapping[str, Callable[[Stage, Address, Now, Listening], Coroutine[Any, Any, None]]]] = {
    "modbus": _modbus,
    "opcua": _opcua,
    "dnp3": _dnp3,
    "mqtt": _mqtt,
    "sparkplug": _sparkplug,
}


async def _told(
    run: Callable[[asyncio.Event], Awaitable[None]], ready: asyncio.Event, tell: Callable[[], None]
) -> None:
    """Run a server, and tell once it is ready."""

    async def serve() -> None:
        await run(ready)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve())
        await ready.wait()
        tell()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
