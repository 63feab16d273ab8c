"""The load of the 2030.5 benchmarks: connections over mutual TLS, one client each, kept alive."""

import asyncio
import os
import re
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ieee2030_5.exchange import MEDIA_TYPE
from ieee2030_5.tls import CIPHERS

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Case:
    """One request."""

    method: str
    target: str
    body: bytes = b""

    @property
    def octets(self) -> bytes:
        """As it is sent."""
        head = f"{self.method} {self.target} HTTP/1.1\r\nHost: localhost\r\nAccept: {MEDIA_TYPE}\r\n"
        if self.body:
            head += f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(self.body)}\r\n"
        return head.encode() + b"\r\n" + self.body


@dataclass(frozen=True, slots=True)
class Server:
    """A server process and where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def cpu_s(self) -> float:
        """Processor time that it has used, s; from Linux's /proc."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * _TICK_S

    @property
    def resident(self) -> int:
        """Octets of memory that it holds."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def served(kind: str, certificates: Path, port: int, number: int) -> Iterator[Server]:
    """A server process (see `serve_2030`) while it is entered."""
    command = [sys.executable, "-m", "tests.bench.serve_2030", kind, str(certificates), str(port), str(number)]
    process = subprocess.Popen(command)
    try:
        yield Server(process, port)
    finally:
        process.terminate()
        process.wait()


def context_of(certificates: Path, name: str) -> ssl.SSLContext:
    """TLS as the client of this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key.pem")
    context.load_verify_locations(certificates / "root.pem")
    context.check_hostname = False
    return context


class Line:
    """One connection with one request under way at most."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, octets: bytes) -> tuple[bytes, bytes]:
        """Head and body of the answer."""
        self._writer.write(octets)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"[Cc]ontent-[Ll]ength: (\d+)", head)
        body = await self._reader.readexactly(int(length[1]) if length else 0)
        if head[9:10] != b"2":
            raise RuntimeError(f"{octets[:60]!r} was answered with {head[:80]!r}")
        return head, body

    def close(self) -> None:
        """End the connection."""
        self._writer.close()


@asynccontextmanager
async def lines(server: Server, contexts: Sequence[ssl.SSLContext]) -> AsyncIterator[list[Line]]:
    """One connection for each client, once the server answers."""
    await _until_listening(server)
    opened = [Line(*await asyncio.open_connection("127.0.0.1", server.port, ssl=context)) for context in contexts]
    try:
        yield opened
    finally:
        for line in opened:
            line.close()


async def _until_listening(server: Server) -> None:
    for _ in range(600):
        if server.process.poll() is not None:
            raise RuntimeError(f"the server on port {server.port} ended with {server.process.returncode}")
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError(f"nothing listens on port {server.port}")


@dataclass(slots=True)
class Taken:
    """What a round took."""

    seconds: list[float] = field(default_factory=list)
    """Of each request."""
    rate: float = 0.0
    """Requests per second."""
    cpu_us: float = 0.0
    """Processor time of the server for a request, µs."""


async def drive(server: Server, opened: Sequence[Line], cases: Sequence[Sequence[Case]], seconds: float) -> Taken:
    """Every connection asks, without a pause, its cases in turn.

    Args:
        server: whose processor time is counted.
        opened: the connections.
        cases: of each connection.
        seconds: how long.
    """
    taken, cpu, began = Taken(), server.cpu_s, time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for line, mine in zip(opened, cases, strict=True):
            tasks.create_task(_ask(line, [case.octets for case in mine], began + seconds, taken))
    taken.rate = len(taken.seconds) / (time.perf_counter() - began)
    taken.cpu_us = (server.cpu_s - cpu) / len(taken.seconds) * 1e6
    return taken


async def _ask(line: Line, requests: Sequence[bytes], end: float, taken: Taken) -> None:
    number = 0
    while (began := time.perf_counter()) < end:
        await line.ask(requests[number % len(requests)])
        number += 1
        taken.seconds.append(time.perf_counter() - began)
