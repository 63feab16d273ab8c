"""A TCP relay in front of somebody's server, so that a simulated client can lose its link or become slow."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.testbed.device import Faults

_CHUNK: Final = 65_536
_LOOK_S: Final = 0.05
"""How soon a dropped link cuts the connections that are open."""


class Relay:
    """Passes octets on unread; obeys `drop_link` (cut and refuse) and `delay` (hold what the client sends)."""

    def __init__(
        self, host: str, port: int, faults: Faults, loses: Callable[[bool], bool] = lambda _asked: False
    ) -> None:
        """`loses` is asked of each piece, with true for what a client sends and false for what comes back.

        Where it says so, the piece arrives nowhere.
        """
        self._target = (host, port)
        self._faults, self._loses = faults, loses
        self.port = 0
        """Where it listens, once `listening`."""
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Relay until cancelled."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])
        self.listening.set()
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._faults.drop_link:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        # The first task to end, whichever side closed, ends the others by raising.
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, back, asked=True))
                tasks.create_task(self._pump(there, writer, asked=False))
                tasks.create_task(self._cut())
        writer.transport.abort()
        back.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, asked: bool) -> None:
        while data := await source.read(_CHUNK):
            if self._loses(asked):
                continue
            if asked and self._faults.delay:
                await asyncio.sleep(self._faults.delay_s)
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError("closed by its peer")

    async def _cut(self) -> None:
        while not self._faults.drop_link:  # noqa: ASYNC110 - a fault is a plain flag, set from anywhere
            await asyncio.sleep(_LOOK_S)
        raise ConnectionResetError("link dropped")
