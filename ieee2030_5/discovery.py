"""The sockets of DNS service discovery: mDNS on IPv4 and IPv6, xmDNS on the site-local group of IPv6."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import ifaddr

from ieee2030_5.dnssd import MDNS_PORT, Responder

MDNS_IPV4: Final = "224.0.0.251"
MDNS_IPV6: Final = "ff02::fb"
XMDNS_IPV6: Final = "ff05::fb"
_AGAIN_S: Final = 1.0
"""Between the two announcements."""


@dataclass(frozen=True, slots=True)
class _Group:
    """One place where questions are asked."""

    family: socket.AddressFamily
    address: str


GROUPS: Final = (
    _Group(socket.AF_INET, MDNS_IPV4),
    _Group(socket.AF_INET6, MDNS_IPV6),
    _Group(socket.AF_INET6, XMDNS_IPV6),
)


class Discovery:
    """Lets clients on the same network find the server, while it is entered."""

    def __init__(self, responder: Responder, interface: str, now: Callable[[], float]) -> None:
        """`interface` is the name of the network interface to be found on, such as `eth0`."""
        self._responder, self._interface, self._now = responder, interface, now
        self._transports: list[tuple[asyncio.DatagramTransport, _Group]] = []

    async def run(self) -> None:
        """Announce, answer until cancelled, and say goodbye.

        Raises:
            OSError: there is no such interface, or none of the groups can be joined on it.
        """
        index = socket.if_nametoindex(self._interface)
        problems = []
        for group in GROUPS:
            try:
                await self._join(group, index)
            except OSError as error:
                problems.append(f"{group.address}: {error.strerror or error}")
        if not self._transports:
            raise OSError(f"no multicast group can be joined on {self._interface}: {'; '.join(problems)}")
        try:
            for _ in range(2):
                self._tell(goodbye=False)
                await asyncio.sleep(_AGAIN_S)
            await asyncio.get_running_loop().create_future()
        finally:
            self._tell(goodbye=True)
            for transport, _ in self._transports:
                transport.close()
            self._transports.clear()

    async def _join(self, group: _Group, index: int) -> None:
        opened = _socket(group, index)
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Listener(self._responder, group, self._now), sock=opened
            )
        except OSError:
            opened.close()
            raise
        self._transports.append((transport, group))

    def _tell(self, *, goodbye: bool) -> None:
        for transport, group in self._transports:
            for packet in self._responder.announcement(self._now() * 1e3, goodbye=goodbye):
                with suppress(OSError):  # whoever did not hear it asks
                    transport.sendto(packet, (group.address, MDNS_PORT))


class _Listener(asyncio.DatagramProtocol):
    """Answers what is asked in one group."""

    def __init__(self, responder: Responder, group: _Group, now: Callable[[], float]) -> None:
        self._responder, self._group, self._now = responder, group, now
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        if isinstance(transport, asyncio.DatagramTransport):
            self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int] | tuple[str, int, int, int]) -> None:
        """To the group, or to the asker alone where it is a plain resolver."""
        port = addr[1]
        found = self._responder.answer(data, port, self._now() * 1e3)
        if found is None or self._transport is None:
            return
        where = (self._group.address, MDNS_PORT) if port == MDNS_PORT else addr
        with suppress(OSError):  # it asks again
            self._transport.sendto(found, where)


def addresses(interface: str) -> tuple[str, ...]:
    """Addresses of a network interface, IPv4 first; none where there is no such interface."""
    found = [ip.ip for adapter in ifaddr.get_adapters() if adapter.name == interface for ip in adapter.ips]
    four = [one for one in found if isinstance(one, str)]
    return (*four, *(one[0] for one in found if not isinstance(one, str)))


def _socket(group: _Group, index: int) -> socket.socket:
    """A socket in a group, on one interface."""
    opened = socket.socket(group.family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)  # noqa: FBT003 - its only argument
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        packed = socket.inet_pton(group.family, group.address)
        if group.family is socket.AF_INET:
            opened.bind((group.address, MDNS_PORT))
            member = struct.pack("@4s4si", packed, bytes(4), index)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, member)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        else:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.bind((group.address, MDNS_PORT, 0, index))
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, struct.pack("@16si", packed, index))
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    except OSError:
        opened.close()
        raise
    return opened
