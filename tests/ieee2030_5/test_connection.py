"""HTTP on one connection: order, limits and ends, over real TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from ieee2030_5.server import Front
from ieee2030_5.tls import server_context
from ieee2030_5.tree import Answer, Asked
from tests.ieee2030_5.conftest import NOW, Laboratory
from tests.ieee2030_5.test_server import client_context

pytestmark = pytest.mark.sockets


class Echo:
    """Answers what was asked, and remembers it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Asked]] = []

    def __call__(self, lfdi: str, asked: Asked) -> Answer:
        self.asked.append((lfdi, asked))
        return Answer(200, f"{asked.method} {asked.target} ".encode() + asked.body, {"Content-Type": "text/plain"})


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(
    laboratory: Laboratory, echo: Echo, timeout_s: float = 0.2, **more: object
) -> AsyncIterator[Streams]:
    """A front with `echo` behind it, and one client of it."""
    front = Front(echo, lambda: NOW, laboratory.settings(body_limit=1_000, body_timeout_s=timeout_s, **more))
    names = (laboratory.directory / name for name in ("server.pem", "server.key.pem", "root.pem"))
    await front.start("127.0.0.1", 0, partial(server_context, *names))
    try:
        async with asyncio.timeout(20):
            context = client_context(laboratory, "B")
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", front.port, ssl=context, server_hostname="localhost"
            )
            yield reader, writer
            writer.close()
    finally:
        await front.stop()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """Status line, headers and body of the next answer."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[:-2]
    headers = dict(line.split(b": ", 1) for line in lines)
    return first, headers, await reader.readexactly(int(headers.get(b"Content-Length", 0)))


GET = b"GET /dcap HTTP/1.1\r\nHost: h\r\n\r\n"


async def test_an_answer_has_a_length_a_date_and_no_name_of_the_software(laboratory: Laboratory) -> None:
    echo = Echo()
    async with connected(laboratory, echo) as (reader, writer):
        writer.write(GET)
        first, headers, body = await answer(reader)
    assert (first, body) == (b"HTTP/1.1 200 OK", b"GET /dcap ")
    assert headers == {
        b"Content-Type": b"text/plain",
        b"Content-Length": b"10",
        b"Date": b"Sun, 17 Mar 2030 17:46:40 GMT",
    }
    assert echo.asked == [(laboratory.lfdi("B"), Asked("GET", "/dcap"))]


async def test_a_request_in_single_octets_is_one_request(laboratory: Laboratory) -> None:
    echo = Echo()
    async with connected(laboratory, echo, timeout_s=20) as (reader, writer):
        for octet in b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello":
            writer.write(bytes((octet,)))
            await writer.drain()
        assert (await answer(reader))[2] == b"PUT /a hello"
    assert len(echo.asked) == 1


async def test_chunks_are_put_together(laboratory: Laboratory) -> None:
    async with connected(laboratory, Echo()) as (reader, writer):
        writer.write(
            b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
        )
        assert (await answer(reader))[2] == b"PUT /a hello"


async def test_an_answer_leaves_no_deadline_behind(laboratory: Laboratory) -> None:
    async with connected(laboratory, Echo()) as (reader, writer):
        for part in (b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", b"llo"):
            writer.write(part)
            await asyncio.sleep(0.05)
        assert (await answer(reader))[2] == b"PUT /a hello"
        await asyncio.sleep(0.4)
        writer.write(GET)
        assert (await answer(reader))[2] == b"GET /dcap "


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET /dcap HT", b"408"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", b"408"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n", b"413"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3E9\r\n" + b"x" * 1_001, b"413"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 80, b"413"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", b"415"),
        (b"PUT /a HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", b"400"),
        (b"GET /dcap HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /dcap HTTP/1.1\r\nHost: h\r\nX: " + b"y" * 9_000 + b"\r\n\r\n", b"400"),
        (b"\x16\x03\x01 nonsense\r\n\r\n", b"400"),
    ],
)
async def test_what_is_no_whole_request_is_refused_and_ends_the_connection(
    laboratory: Laboratory, validate, octets: bytes, status: bytes
) -> None:
    async with connected(laboratory, Echo()) as (reader, writer):
        writer.write(GET)
        assert (await answer(reader))[0] == b"HTTP/1.1 200 OK"
        writer.write(octets)
        first, headers, body = await answer(reader)
        assert (first.split()[1], headers[b"Connection"]) == (status, b"close")
        validate(body)
        assert await reader.read() == b""


async def test_a_client_that_asks_first_is_told_to_continue(laboratory: Laboratory) -> None:
    async with connected(laboratory, Echo(), timeout_s=20) as (reader, writer):
        writer.write(b"PUT /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert (await answer(reader))[0] == b"HTTP/1.1 100 Continue"
        writer.write(b"hello")
        assert (await answer(reader))[2] == b"PUT /a hello"


@pytest.mark.parametrize(
    "head", [b"GET /a HTTP/1.0\r\n\r\n", b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"]
)
async def test_the_connection_ends_where_the_client_wants_that(laboratory: Laboratory, head: bytes) -> None:
    async with connected(laboratory, Echo()) as (reader, writer):
        writer.write(head)
        first, headers, body = await answer(reader)
        assert (first, headers[b"Connection"], body) == (b"HTTP/1.1 200 OK", b"close", b"GET /a ")
        assert await reader.read() == b""


async def test_a_client_that_does_not_read_is_not_read_from_and_gets_everything_in_the_end(
    laboratory: Laboratory,
) -> None:
    class Large(Echo):
        def __call__(self, lfdi: str, asked: Asked) -> Answer:
            super().__call__(lfdi, asked)
            return Answer(200, b"x" * 200_000)

    echo, count = Large(), 200
    async with connected(laboratory, echo) as (reader, writer):
        writer.write(GET * count)
        await asyncio.sleep(0.5)
        assert len(echo.asked) < count
        for _ in range(count):
            assert len((await answer(reader))[2]) == 200_000
    assert len(echo.asked) == count


async def test_while_the_server_is_late_everybody_is_asked_to_come_back(laboratory: Laboratory, validate) -> None:
    echo = Echo()
    async with connected(laboratory, echo, lag_limit_s=-1.0) as (reader, writer):
        writer.write(GET + GET)
        for _ in range(2):
            first, headers, body = await answer(reader)
            assert first == b"HTTP/1.1 503 Service Unavailable"
            assert 5 <= int(headers[b"Retry-After"]) <= 60
            validate(body)
    assert not echo.asked


async def test_one_connection_too_many_ends_the_one_that_was_idle_for_longest(laboratory: Laboratory) -> None:
    front = Front(Echo(), lambda: NOW, laboratory.settings(connections=2))
    names = (laboratory.directory / name for name in ("server.pem", "server.key.pem", "root.pem"))
    await front.start("127.0.0.1", 0, partial(server_context, *names))
    lines: list[Streams] = []
    try:
        async with asyncio.timeout(20):
            for used in (None, 0, None):
                context = client_context(laboratory, "B")
                lines.append(
                    await asyncio.open_connection("127.0.0.1", front.port, ssl=context, server_hostname="localhost")
                )
                for reader, writer in lines[-1:] if used is None else (lines[1], lines[used]):
                    writer.write(GET)
                    await answer(reader)
            assert await lines[1][0].read() == b"", "the second one was used before the first one"
            lines[0][1].write(GET)
            assert (await answer(lines[0][0]))[2] == b"GET /dcap "
    finally:
        await front.stop()
