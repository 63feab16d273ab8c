"""One TCP or TLS connection as a pair of callbacks; it holds no logic of the protocol."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from protocols.dnp3.settings import Dnp3Settings, Tls

UNSENT_MAX = 1 << 20
"""A peer that lets this many octets wait is not reading: the connection is cut."""


def client_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or later, with our certificate, trusting one authority."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(tls.certificate, tls.key)
    return context


def server_context(tls: Tls) -> ssl.SSLContext:
    """TLS 1.2 or later, demanding a certificate of one authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(tls.certificate, tls.key)
    return context


Received = Callable[[bytes], None]
"""Takes octets at once; what it raises ends the connection."""


class Wire(asyncio.Protocol):
    """Hands on what arrives, and wakes its owner; asyncio sets TCP_NODELAY by itself."""

    def __init__(self, received: Received) -> None:
        """What `received` raises is kept in `error`."""
        self._received = received
        self._transport: asyncio.Transport | None = None
        self.changed = asyncio.Event()
        """Set whenever octets arrived or the connection ended."""
        self.is_open = False
        self.error: Exception | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Hand octets on."""
        self._received(data)
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note why it ended; None where the peer closed."""
        self.error = exc
        self.is_open = False
        self.changed.set()

    def send(self, data: bytes) -> None:
        """Send octets, or cut the connection of a peer that does not read."""
        transport = self._transport
        if not data or transport is None or not self.is_open:
            return
        if transport.get_write_buffer_size() > UNSENT_MAX:
            transport.abort()
            return
        transport.write(data)

    def cut(self) -> None:
        """End the connection without ceremony."""
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End the connection once what was sent has left."""
        if self._transport is not None:
            self._transport.close()

    async def wait(self, seconds: float | None) -> None:
        """Until something changed, or this long."""
        try:
            async with asyncio.timeout(seconds):
                await self.changed.wait()
        except TimeoutError:
            pass
        self.changed.clear()


async def connect(
    settings: Dnp3Settings,
    context: ssl.SSLContext | None,
    received: Received,
    make: Callable[[Received], Wire] = Wire,
) -> Wire:
    """A connection to the outstation; the caller sets the deadline.

    Raises:
        OSError: nobody answers there, or the other end is not trusted.
    """
    name = (settings.tls.server_name or settings.host) if settings.tls else None
    _, wire = await asyncio.get_running_loop().create_connection(
        lambda: make(received), settings.host, settings.port, ssl=context, server_hostname=name
    )
    return wire


Connect = Callable[[Dnp3Settings, ssl.SSLContext | None, Received], Awaitable[Wire]]
"""`connect`, or what records or plays a connection."""
