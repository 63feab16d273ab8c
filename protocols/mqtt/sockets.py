"""A connected socket for a library that does its own reading and writing, without blocking the event loop."""

import asyncio
import socket
import ssl
from typing import Protocol


class Server(Protocol):
    """Where to connect."""

    @property
    def host(self) -> str:
        """Name or address."""

    @property
    def port(self) -> int:
        """Of TCP."""

    @property
    def tls(self) -> bool:
        """Whether through TLS."""

    @property
    def ca_file(self) -> str:
        """PEM file of the authorities that may vouch for it; empty: those of the operating system."""

    @property
    def certificate_file(self) -> str:
        """PEM file with our own certificate; empty: none."""

    @property
    def key_file(self) -> str:
        """PEM file with its key."""


async def connected(settings: Server) -> socket.socket:
    """A socket to the broker, through TLS where asked for. The caller sets the deadline and closes it.

    Raises:
        OSError: no address lets us in, or its certificate is not to be trusted.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    refused = OSError(f"{settings.host} has no address")
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(0)
            await loop.sock_connect(sock, address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return await _secured(sock, settings) if settings.tls else sock
        except OSError as error:
            sock.close()
            refused = error
        except asyncio.CancelledError:
            sock.close()
            raise
    raise refused


async def _secured(sock: socket.socket, settings: Server) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.certificate_file:
        context.load_cert_chain(settings.certificate_file, settings.key_file or None)
    secured = context.wrap_socket(sock, server_hostname=settings.host, do_handshake_on_connect=False)
    try:
        await _shake_hands(secured)
    except (OSError, asyncio.CancelledError):
        secured.close()
        raise
    return secured


async def _shake_hands(sock: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        ready: asyncio.Future[None] = loop.create_future()
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            loop.add_reader(sock, _set, ready)
            try:
                await ready
            finally:
                loop.remove_reader(sock)
        except ssl.SSLWantWriteError:
            loop.add_writer(sock, _set, ready)
            try:
                await ready
            finally:
                loop.remove_writer(sock)
        else:
            return


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
