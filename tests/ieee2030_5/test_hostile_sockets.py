"""Hostile octets over real TLS: each is answered with a 4xx or the end of the connection, and hurts nobody else."""

import asyncio
import re

import pytest

from tests.ieee2030_5.conftest import Laboratory
from tests.ieee2030_5.test_server import Site, running

pytestmark = pytest.mark.sockets

HOST = b"Host: localhost\r\n"
XML = b"Content-Type: application/sep+xml\r\n"
STATUS = b"<DERStatus xmlns='urn:ieee:std:2030.5:ns'><readingTime>1</readingTime></DERStatus>"
PUT = b"PUT /edev/B/der/1/ders HTTP/1.1\r\n" + HOST + XML
RAW = {
    "nothing": b"\r\n\r\n\r\n",
    "noise": bytes(range(256)) * 64,
    "tls in tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 512,
    "http 0.9": b"GET /dcap\r\n",
    "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http 9": b"GET /dcap HTTP/9.9\r\n" + HOST + b"\r\n",
    "lower case": b"get /dcap http/1.1\r\n" + HOST + b"\r\n",
    "long target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "long header": b"GET /dcap HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET /dcap HTTP/1.1\r\n" + HOST + b"".join(b"X%d: 1\r\n" % n for n in range(5_000)) + b"\r\n",
    "folded header": b"GET /dcap HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "nul in a header": b"GET /dcap HTTP/1.1\r\n" + HOST + b"X: \x00\r\n\r\n",
    "no colon": b"GET /dcap HTTP/1.1\r\n" + HOST + b"X\r\n\r\n",
    "two hosts": b"GET /dcap HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "no host": b"GET /dcap HTTP/1.1\r\n\r\n",
    "two lengths": PUT + b"Content-Length: 5\r\nContent-Length: 80\r\n\r\n" + STATUS,
    "negative length": PUT + b"Content-Length: -1\r\n\r\n" + STATUS,
    "length in words": PUT + b"Content-Length: many\r\n\r\n" + STATUS,
    "huge length": PUT + b"Content-Length: 99999999999999999999\r\n\r\n" + STATUS,
    "length and chunks": PUT
    + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    "odd coding": PUT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "bad chunk": PUT + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n" + STATUS,
    "chunk that overflows": PUT + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n" + STATUS,
    "zipped": PUT + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
    "ten megabytes": PUT + b"Content-Length: 10000000\r\n\r\n" + b"<a>" * 3_333_333 + b"x",
    "ten megabytes in chunks": PUT
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + (b"FFFF\r\n" + b"x" * 0xFFFF + b"\r\n") * 160
    + b"0\r\n\r\n",
    "an upgrade": b"GET /dcap HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "a tunnel": b"CONNECT example.org:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "another's address": b"GET https://example.org/dcap HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment": b"GET /dcap#x HTTP/1.1\r\n" + HOST + b"\r\n",
    "not utf-8": b"GET /\xff\xfe HTTP/1.1\r\n" + HOST + b"\r\n",
    "not utf-8 escaped": b"GET /%FF%FE?l=%FF HTTP/1.1\r\n" + HOST + b"\r\n",
    "accept of noise": b"GET /dcap HTTP/1.1\r\n" + HOST + b"Accept: ;;;,,,q=;q=x\r\n\r\n",
    "two in one, the first bad": b"BREW /tm HTTP/1.1\r\n" + HOST + b"\r\nGET /tm HTTP/1.1\r\n" + HOST + b"\r\n",
}


async def exchange(site: Site, octets: bytes) -> bytes:
    """All that comes back to these octets until the server ends the connection or has no more to say."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", site.server.port, ssl=site.context("B"), server_hostname="localhost"
    )
    answer = b""
    try:
        writer.write(octets)
        async with asyncio.timeout(5):
            await writer.drain()
            while octets := await reader.read(65_536):
                answer += octets
    except TimeoutError:
        pass  # it waits for the rest, which is right where the request is not complete
    except ConnectionError:
        pass  # it has had enough, which is right for a body that goes on and on
    finally:
        writer.close()
    return answer


async def alive(site: Site) -> bool:
    async with site.client("A") as session, session.get("/tm") as response:
        return response.status == 200


async def test_hostile_octets_end_in_a_4xx_and_hurt_nobody(laboratory: Laboratory) -> None:
    async with running(laboratory, body_timeout_s=1) as site:
        async with asyncio.TaskGroup() as tasks:
            answers = {name: tasks.create_task(exchange(site, octets)) for name, octets in RAW.items()}
        for name, task in answers.items():
            codes = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", task.result())]
            assert all(code == 200 or 400 <= code < 500 for code in codes), (name, codes)
        told = {name: task.result()[9:12] for name, task in answers.items()}
        assert told["long header"] in (b"400", b"431")
        assert told["ten megabytes"] == told["ten megabytes in chunks"] == b"413"
        for name in ("two lengths", "negative length", "length in words", "length and chunks", "bad chunk", "noise"):
            assert told[name] == b"400", name
        assert b"Location" not in b"".join(task.result() for task in answers.values())
        assert await alive(site)


async def test_a_hundred_heads_that_never_end_are_ended_while_others_are_served(laboratory: Laboratory) -> None:
    """Octet by octet, so that each connection always seems about to finish."""

    async def drip(site: Site) -> bytes:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.server.port, ssl=site.context("B"), server_hostname="localhost"
        )
        writer.write(b"GET /dcap HTTP/1.1\r\n")
        try:
            async with asyncio.timeout(30):
                while not reader.at_eof():
                    writer.write(b"X: y\r\n"[0:1])
                    async with asyncio.timeout(0.2):
                        if octets := await reader.read(65_536):
                            return octets
        except (TimeoutError, ConnectionError):
            return await drained(reader)
        finally:
            writer.close()
        return b""

    async def drained(reader: asyncio.StreamReader) -> bytes:
        async with asyncio.timeout(30):
            return await reader.read(65_536)

    async with running(laboratory, body_timeout_s=1) as site:
        async with asyncio.TaskGroup() as tasks:
            slow = [tasks.create_task(drip(site)) for _ in range(100)]
            served = [await alive(site) for _ in range(10)]
        assert all(served)
        assert {task.result()[:12] for task in slow} == {b"HTTP/1.1 408"}
        assert await alive(site)
