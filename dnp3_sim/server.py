"""The asyncio shell around an outstation session: one listening socket, one master at a time."""

import asyncio
import ssl
from collections.abc import Callable

from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationEvent, RestartAsked
from protocols.dnp3.wire import Wire

Now = Callable[[], float]
"""Unix seconds UTC."""


class RtuServer:
    """Serves one outstation; a new connection takes the place of the old one, which may be half open for ever."""

    def __init__(
        self,
        session: OutstationSession,
        now: Now,
        *,
        host: str = "127.0.0.1",
        port: int = 20_000,
        context: ssl.SSLContext | None = None,
        tick: Callable[[float], None] | None = None,
        tick_s: float = 1.0,
        heard: Callable[[OutstationEvent], None] | None = None,
    ) -> None:
        """Nothing listens before `run`.

        Args:
            session: The outstation.
            now: Clock.
            host: Address to listen on; loopback by default.
            port: 0 takes a free one, to be read from `port` once `listening` is set.
            context: TLS; None serves in the clear.
            tick: Moves the plant to a time; called every `tick_s`.
            tick_s: Seconds between two ticks.
            heard: Told each event of the session.
        """
        self.port = port
        self.listening = asyncio.Event()
        self.is_reachable = True
        """False cuts and refuses connections."""
        self.is_mute = False
        """True leaves requests without an answer."""
        self.late_s = 0.0
        """How long octets of the master lie about before they are looked at."""
        self._session, self._now, self._host, self._context = session, now, host, context
        self._tick, self._tick_s, self._heard = tick, tick_s, heard
        self._wire: Wire | None = None
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Serve until cancelled.

        Raises:
            OSError: The address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept, self._host, self.port, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self.listening.set()
        try:
            await self._advance_forever()
        finally:
            server.close()
            self._cut()

    async def _advance_forever(self) -> None:
        next_tick_s = self._steady_s()
        while True:
            now_s = self._steady_s()
            if self._tick is not None and now_s >= next_tick_s:
                self._tick(self._now())
                next_tick_s = now_s + self._tick_s
            self.poll()
            if self._wire is not None and not self._wire.is_open:
                self._gone()
            deadline_s = self._session.next_deadline()
            until_s = next_tick_s if deadline_s is None else min(next_tick_s, deadline_s)
            await _wait(self._changed, max(0.0, until_s - self._steady_s()))

    def poll(self) -> None:
        """Send what is due, for example after the database has changed."""
        if not self.is_reachable:
            self._cut()
        self._hear(self._session.poll(self._steady_s()))
        self._flush()

    def _steady_s(self) -> float:
        """The session's time: it runs on while the clock is put forward or back, and knows how far UTC is from it."""
        steady_s = asyncio.get_running_loop().time()
        self._session.clock.follow(self._now() - steady_s)
        return steady_s

    def _accept(self) -> Wire:
        def received(data: bytes) -> None:
            if self.late_s:
                asyncio.get_running_loop().call_later(self.late_s, self._received, wire, data)
            else:
                self._received(wire, data)

        wire = _Accepted(received, self._opened)
        return wire

    def _opened(self, wire: Wire) -> None:
        self._cut()
        if not self.is_reachable:
            wire.cut()
            return
        self._wire = wire
        self._session.connected(self._steady_s())
        self._flush()
        self._changed.set()

    def _received(self, wire: Wire, data: bytes) -> None:
        if wire is self._wire and not self.is_mute:
            self._hear(self._session.receive(data, self._steady_s()))
            self._flush()
            self._changed.set()

    def _flush(self) -> None:
        octets = self._session.data_to_send()
        if self._wire is not None and not self.is_mute:
            self._wire.send(octets)

    def _hear(self, events: list[OutstationEvent]) -> None:
        for event in events:
            if self._heard is not None:
                self._heard(event)
            if isinstance(event, RestartAsked):
                self._flush()
                self._session.restarted()
                if self._wire is not None:
                    self._wire.close()

    def _gone(self) -> None:
        self._wire = None
        self._session.disconnected()

    def _cut(self) -> None:
        if self._wire is not None:
            self._wire.cut()
            self._gone()


class _Accepted(Wire):
    """A connection that says when it is open."""

    def __init__(self, received: Callable[[bytes], None], opened: Callable[[Wire], None]) -> None:
        super().__init__(received)
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the server."""
        super().connection_made(transport)
        self._opened(self)


async def _wait(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await changed.wait()
    except TimeoutError:
        pass
    changed.clear()
