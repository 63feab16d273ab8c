"""A relay that loses requests: what a client sends in one piece now and then arrives nowhere."""

import asyncio
import random
from contextlib import suppress


class Lossy:
    """A TCP relay on loopback in front of a server there."""

    def __init__(self, port: int, loss: float, rng: random.Random) -> None:
        """Of what comes from clients, `loss` (0 to 1) of all pieces is dropped; answers are passed on."""
        self._target, self._loss, self._rng = port, loss, rng
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
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        with suppress(ExceptionGroup, ConnectionError):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, back, self._loss))
                tasks.create_task(self._pump(there, writer, 0.0))
        writer.transport.abort()
        back.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, loss: float) -> None:
        while data := await source.read(65_536):
            if self._rng.random() >= loss:
                sink.write(data)
                await sink.drain()
        raise ConnectionResetError("closed by its peer")
