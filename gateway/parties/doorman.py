"""Connections to the parties' interface: so many at once, and of one address, that nobody keeps the others out."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp.http_exceptions import HttpProcessingError

IDLE_S: Final = 20.0
"""A connection that asks for nothing, or has not asked to the end, is closed after so long."""
HANDSHAKE_S: Final = 10.0
"""How long TLS may take to begin."""
MOST: Final = 800
MOST_OF_ADDRESS: Final = 200

Factory = Callable[[], asyncio.Protocol]


@dataclass(slots=True)
class Doorman:
    """Makes the protocol of every connection, and lets those through that there is room for."""

    inside: Factory
    turned_away: Callable[[str, str], None]
    """Hears from which address there were too many, and what was in the way."""
    most: int = MOST
    most_of_address: int = MOST_OF_ADDRESS
    open: Counter[str] = field(default_factory=Counter)
    """Connections by address."""

    def __call__(self) -> asyncio.Protocol:
        """For the next connection."""
        return _Door(self)

    def admits(self, address: str) -> bool:
        """Whether there is room for one more; it counts from now on."""
        if self.open[address] >= self.most_of_address:
            self.turned_away(address, f"{self.most_of_address} connections of this address are open already")
        elif self.open.total() >= self.most:
            self.turned_away(address, f"{self.most} connections are open already")
        else:
            self.open[address] += 1
            return True
        return False

    def left(self, address: str) -> None:
        """One connection less."""
        self.open[address] -= 1
        if not self.open[address]:
            del self.open[address]


class _Door(asyncio.Protocol):
    """Passes on what happens on a connection, once it is admitted."""

    def __init__(self, doorman: Doorman) -> None:
        self._doorman = doorman
        self._inside: asyncio.Protocol | None = None
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or end it."""
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        if self._doorman.admits(self._address):
            self._inside = self._doorman.inside()
            self._inside.connection_made(transport)
        elif isinstance(transport, asyncio.Transport):
            transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """It is over."""
        if self._inside is not None:
            self._doorman.left(self._address)
            self._inside.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Something came."""
        if self._inside is not None:
            self._inside.data_received(data)

    def eof_received(self) -> bool | None:
        """Nothing more will come."""
        return None if self._inside is None else self._inside.eof_received()

    def pause_writing(self) -> None:
        """The other end does not read."""
        if self._inside is not None:
            self._inside.pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        if self._inside is not None:
            self._inside.resume_writing()


def logger() -> logging.Logger:
    """For the server: what is no HTTP is answered with 400, and no mistake of ours that would be told at length."""
    found = logging.getLogger("aiohttp.server.parties")
    if not found.filters:
        found.addFilter(_is_ours)
    return found


def _is_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
