"""A DNP3 connection on tape: the octets of both directions as they are inside TLS, and when it was made and lost."""

import asyncio
import ssl
from typing import Final

from gateway.tape.deck import LOST, Deck
from gateway.tape.words import Kind, Recording, Tape
from protocols.dnp3.settings import Dnp3Settings
from protocols.dnp3.wire import Connect, Received, Wire, connect

UP: Final = "connected"
_NO_FAULTS: Final = {"lost": OSError}
_FUNCTION_AT: Final = 12
"""Behind the link header with its checksum, the transport octet and the application control octet."""
_WRITE: Final = 2
"""The function by which an outstation is told the time, which is never the same twice."""


def recorded(tape: Tape) -> Connect:
    """Connects as an adapter does, and writes everything down; a connection that could not be made as well."""

    async def dial(settings: Dnp3Settings, context: ssl.SSLContext | None, received: Received) -> Wire:
        try:
            return await connect(settings, context, received, lambda received: _RecordedWire(received, tape))
        except OSError as error:
            tape.note(Kind.FAULT, what=LOST, detail=str(error))
            raise

    return dial


class _RecordedWire(Wire):
    def __init__(self, received: Received, tape: Tape) -> None:
        super().__init__(received)
        self._tape = tape

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._tape.note(Kind.FAULT, what=UP)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._tape.note(Kind.EVENT, octets=data.hex())
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._tape.note(Kind.FAULT, what=LOST, detail="" if exc is None else str(exc))
        super().connection_lost(exc)

    def send(self, data: bytes) -> None:
        if data:
            self._tape.note(Kind.SENT, values=data.hex())
        super().send(data)


class PlayedLine:
    """Connections as they were made and lost, with the octets that came on them."""

    def __init__(self, recording: Recording) -> None:
        self.deck = Deck(recording, _NO_FAULTS, _same)
        self._attempts: asyncio.Queue[str | None] = asyncio.Queue()
        """How each attempt to connect ended: `None` well, else why not."""
        self._wire: _PlayedWire | None = None

    async def dial(self, _settings: Dnp3Settings, _context: ssl.SSLContext | None, received: Received) -> Wire:
        """Connect when the recording did, or fail as it did."""
        refused = await self._attempts.get()
        if refused is not None:
            raise OSError(refused)
        self._wire = wire = _PlayedWire(received, self.deck)
        wire.is_open = True
        return wire

    async def drive(self) -> None:
        """Let what came of itself come again."""
        async for line in self.deck.of_itself():
            wire = self._wire
            if line.kind is Kind.EVENT:
                if wire is not None and wire.is_open:
                    wire.data_received(bytes.fromhex(str(line.what.get("octets", ""))))
            elif line.what.get("what") == UP:
                self._attempts.put_nowait(None)
            elif wire is not None and wire.is_open:
                detail = str(line.what.get("detail", ""))
                wire.connection_lost(OSError(detail) if detail else None)
            else:
                self._attempts.put_nowait(str(line.what.get("detail", "")))


class _PlayedWire(Wire):
    """Nothing leaves it; it is cut when the recorded one was."""

    def __init__(self, received: Received, deck: Deck) -> None:
        super().__init__(received)
        self._deck = deck

    def send(self, data: bytes) -> None:
        if data and self.is_open:
            self._deck.sent(data.hex())


def _same(sent: object, then: object) -> bool:
    """The same octets; of a write, which tells the time, the same length."""
    if sent == then or not isinstance(sent, str) or not isinstance(then, str):
        return sent == then
    octets = bytes.fromhex(sent)
    return len(sent) == len(then) and octets[_FUNCTION_AT : _FUNCTION_AT + 1] == bytes((_WRITE,))
