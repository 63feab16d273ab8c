"""So many connections at once, and so many of one address; who leaves makes room."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.parties.doorman import Doorman
from tests.gateway.parties.peers import until

pytestmark = pytest.mark.sockets

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo(asyncio.Protocol):
    """Says again what it hears."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


@asynccontextmanager
async def watched(most: int, most_of_address: int) -> AsyncIterator[tuple[Doorman, int, list[str]]]:
    told: list[str] = []
    doorman = Doorman(Echo, lambda address, detail: told.append(f"{address}: {detail}"), most, most_of_address)
    server = await asyncio.get_running_loop().create_server(doorman, "127.0.0.1", 0)
    try:
        yield doorman, server.sockets[0].getsockname()[1], told
    finally:
        server.close()


async def heard(ends: Ends) -> bytes:
    """What comes back; nothing where the connection was ended."""
    reader, writer = ends
    try:
        writer.write(b"?")
        return await reader.read(1)
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("most", "most_of_address", "why"), [(9, 2, "2 connections of this address"), (2, 9, "2 connections are open")]
)
async def test_who_comes_when_it_is_full_is_turned_away(most: int, most_of_address: int, why: str) -> None:
    async with watched(most, most_of_address) as (doorman, port, told):
        first, second, third = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        assert [await heard(ends) for ends in (first, second, third)] == [b"?", b"?", b""]
        assert len(told) == 1
        assert told[0].startswith(f"127.0.0.1: {why}")
        first[1].close()
        await until(lambda: doorman.open.total() == 1)
        fourth = await asyncio.open_connection("127.0.0.1", port)
        assert await heard(fourth) == b"?"
        for ends in (second, third, fourth):
            ends[1].close()
        await until(lambda: not doorman.open)
