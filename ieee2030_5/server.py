"""The HTTP front: listens, keeps the connections that are used, and lets go of the idle ones."""

import asyncio
import resource
import ssl
from collections.abc import Callable
from itertools import takewhile

from ieee2030_5.connection import Connection, date_line
from ieee2030_5.exchange import Answer, Asked
from ieee2030_5.load import overloaded
from ieee2030_5.settings import ServerSettings
from ieee2030_5.tls import Session

Reply = Callable[[str, Asked], Answer]
"""Answers the request of the client with this LFDI."""

_IDLE_S, _IDLE_POLLS = 75.0, 1.5
"""A connection without requests is kept so long, and from one poll to the next: handshakes are the scarce resource."""
_OTHER_FILES = 512
"""Descriptors that stay free for everything but connections."""
_HANDSHAKE_S = 30
_GOODBYE_S = 1.0
_BEAT_S = 0.25
_BACKLOG = 1_024


class Front:
    """Everything that the connections of one port share."""

    def __init__(self, reply: Reply, now: Callable[[], float], settings: ServerSettings) -> None:
        """Answer with `reply`; listening begins with `start`."""
        self.body_limit = settings.body_limit
        self.body_timeout_s = settings.body_timeout_s
        self.port = 0
        self._reply = reply
        self._most = settings.connections
        self._idle_s = max(_IDLE_S, _IDLE_POLLS * settings.poll_rate_s)
        self._lag_limit_s = settings.lag_limit_s
        self._lag_s = 0.0
        """How late the last beat was: so long does a request wait for its turn."""
        self._now = now
        self._listener: asyncio.Server | None = None
        self._used: dict[Connection, float] = {}
        """When each connection was used last, the longest idle one first."""
        self._gone = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._second = 0
        self._date = b""

    async def start(self, host: str, port: int, context: Callable[[], ssl.SSLContext]) -> None:
        """Listen with what `context` gives for each connection; `port` tells where from then on.

        Raises:
            OSError: the address is taken.
        """
        loop = asyncio.get_running_loop()
        self._most = min(self._most, _descriptors(self._most + _OTHER_FILES) - _OTHER_FILES)
        self._listener = await loop.create_server(
            lambda: Session(loop, Connection(loop, self), context(), _HANDSHAKE_S), host, port, backlog=_BACKLOG
        )
        self.port = int(self._listener.sockets[0].getsockname()[1])
        self._beat(loop.time())

    async def stop(self) -> None:
        """Close every connection."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in [*self._used]:
            connection.close()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                while self._used:
                    self._gone.clear()
                    await self._gone.wait()
        except TimeoutError:
            for connection in [*self._used]:
                connection.abort()

    def reply(self, lfdi: str, asked: Asked) -> Answer:
        """Answer a request, or turn it away while there is more to do than can be done."""
        return overloaded(lfdi) if self._lag_s > self._lag_limit_s else self._reply(lfdi, asked)

    def opened(self, connection: Connection) -> None:
        """Count a connection; where there are too many, the one that was idle for longest ends."""
        if len(self._used) >= self._most:
            next(iter(self._used)).close()
        self._used[connection] = asyncio.get_running_loop().time()

    def used(self, connection: Connection) -> None:
        """Note that a connection is in use: it goes to the end of the line."""
        if self._used.pop(connection, None) is not None:
            self._used[connection] = asyncio.get_running_loop().time()

    def closed(self, connection: Connection) -> None:
        """Count it no more."""
        self._used.pop(connection, None)
        self._gone.set()

    def date(self) -> bytes:
        """The header line `Date`, made once a second."""
        now = self._now()
        if int(now) != self._second:
            self._second, self._date = int(now), date_line(now)
        return self._date

    def _beat(self, due_s: float) -> None:
        """Note how late it is, and close what has been idle for too long."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._lag_s = now - due_s
        idle = list(takewhile(lambda connection: self._used[connection] <= now - self._idle_s, self._used))
        for connection in idle:
            connection.close()
        self._timer = loop.call_at(now + _BEAT_S, self._beat, now + _BEAT_S)


def _descriptors(wanted: int) -> int:
    """Raise this process's limit of open files as far as it may be raised, and as far as is wanted; returns it."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now == resource.RLIM_INFINITY or now >= wanted:
        return wanted
    raised = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (raised, most))
    return raised
