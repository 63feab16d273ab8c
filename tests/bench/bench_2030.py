"""Requests per second of the IEEE 2030.5 server over mutual TLS, beside a bare aiohttp server in the same run.

The bare server has the same TLS and answers constant bytes of the same size. Server and client are
processes of their own; 32 connections are kept alive, each with one request under way. The two
servers take turns, and the medians of the rounds are compared.
"""

import asyncio
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clock import wall
from ieee2030_5 import resources as r
from ieee2030_5.codec import render
from ieee2030_5.pki import make_pki
from ieee2030_5.tls import CIPHERS
from ieee2030_5.tree import MEDIA_TYPE
from tests.bench.rows import Benchmark, Row, duration, percentile, rate
from tests.scenarios.live import free_ports

CONNECTIONS = 32
ROUNDS = 3
ROUND_S = 2.0
PEER = "bare aiohttp, same TLS"


@dataclass(frozen=True, slots=True)
class Case:
    """One request, to our server and to the bare one."""

    name: str
    method: str
    target: str
    body: bytes = b""


@dataclass(slots=True)
class Taken:
    """What a round took."""

    seconds: list[float] = field(default_factory=list)
    rate: float = 0.0


def run() -> Sequence[Row]:
    with tempfile.TemporaryDirectory() as directory:
        certificates = Path(directory)
        issued = {item.name: item for item in make_pki(certificates, ["B"], ("localhost", "127.0.0.1"), wall())}
        return asyncio.run(_measure(certificates, issued["B"].lfdi))


async def _measure(certificates: Path, lfdi: str) -> Sequence[Row]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.load_cert_chain(certificates / "B.pem", certificates / "B.key.pem")
    context.load_verify_locations(certificates / "root.pem")
    context.check_hostname = False
    port, other = free_ports(2)
    rows: list[Row] = []
    with _served("ours", certificates, port, lfdi):
        await _until_answering(port, context)
        for case in await _cases(port, context, lfdi):
            size = len((await _once(port, context, case))[1])
            with _served("bare", certificates, other, str(size)):
                await _until_answering(other, context)
                rows += await _compared(case, port, other, context)
    return rows


async def _compared(case: Case, port: int, other: int, context: ssl.SSLContext) -> Sequence[Row]:
    ours, bare = [], []
    plain = Case(case.name, case.method, "/", case.body)
    for _ in range(ROUNDS):
        ours.append(await _load(case, port, context))
        bare.append(await _load(plain, other, context))
    late = [percentile([s for taken in side for s in taken.seconds], 99) * 1e3 for side in (ours, bare)]
    return (
        rate(case.name, statistics.median(t.rate for t in ours), "1/s", PEER, statistics.median(t.rate for t in bare)),
        duration(f"{case.name}.p99", late[0], "ms", PEER, late[1]),
    )


async def _cases(port: int, context: ssl.SSLContext, lfdi: str) -> Sequence[Case]:
    programs = (await _once(port, context, Case("", "GET", "/derp?s=0&l=255")))[1].decode()
    controls = re.search(r'DERControlListLink[^>]*href="([^"]+)"', programs)
    if controls is None:
        raise RuntimeError("the server lists no DERControlListLink")
    meter = r.MirrorUsagePoint(mRID="AB", roleFlags="49", serviceCategoryKind=0, status=1, deviceLFDI=lfdi)
    created = (await _once(port, context, Case("", "POST", "/mup", render(meter))))[0].decode()
    location = re.search(r"[Ll]ocation: (\S+)", created)
    if location is None:
        raise RuntimeError(f"the server made no meter: {created}")
    reading = r.MirrorMeterReading(
        mRID="CD",
        reading=r.Reading(value=42, timePeriod=r.DateTimeInterval(duration=60, start=int(wall()) - 60)),
        reading_type=r.ReadingType(flowDirection=19, powerOfTenMultiplier=3, uom=38, dataQualifier=2),
    )
    return (
        Case("2030.get.dcap", "GET", "/dcap"),
        Case("2030.get.tm", "GET", "/tm"),
        Case("2030.get.edev", "GET", "/edev?s=0&l=255"),
        Case("2030.get.derc", "GET", f"{controls[1]}?s=0&l=255"),
        Case("2030.post.reading", "POST", location[1], render(reading)),
    )


async def _load(case: Case, port: int, context: ssl.SSLContext) -> Taken:
    taken = Taken()
    async with asyncio.TaskGroup() as tasks:
        lines = [tasks.create_task(asyncio.open_connection("127.0.0.1", port, ssl=context)) for _ in range(CONNECTIONS)]
    streams = [line.result() for line in lines]
    end = time.perf_counter() + ROUND_S
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for reader, writer in streams:
            tasks.create_task(_ask(case, reader, writer, end, taken))
    taken.rate = len(taken.seconds) / (time.perf_counter() - began)
    for _, writer in streams:
        writer.close()
    return taken


async def _ask(
    case: Case, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, end: float, taken: Taken
) -> None:
    request = _request(case)
    while (began := time.perf_counter()) < end:
        writer.write(request)
        head, _ = await _answer(reader)
        if head[9:10] != b"2":
            raise RuntimeError(f"{case.method} {case.target}: {head[:80]!r}")
        taken.seconds.append(time.perf_counter() - began)


def _request(case: Case) -> bytes:
    head = f"{case.method} {case.target} HTTP/1.1\r\nHost: localhost\r\nAccept: {MEDIA_TYPE}\r\n"
    if case.body:
        head += f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(case.body)}\r\n"
    return head.encode() + b"\r\n" + case.body


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"[Cc]ontent-[Ll]ength: (\d+)", head)
    return head, await reader.readexactly(int(length[1]) if length else 0)


async def _once(port: int, context: ssl.SSLContext, case: Case) -> tuple[bytes, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(_request(case))
    answer = await _answer(reader)
    writer.close()
    return answer


async def _until_answering(port: int, context: ssl.SSLContext) -> None:
    for _ in range(300):
        try:
            await _once(port, context, Case("", "GET", "/dcap"))
        except (OSError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError(f"nothing answers on port {port}")


class _served:  # noqa: N801 - reads as `with _served(...)`
    """A server process while it is entered."""

    def __init__(self, kind: str, certificates: Path, port: int, extra: str) -> None:
        self._command = [sys.executable, "-m", "tests.bench.serve_2030", kind, str(certificates), str(port), extra]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()


BENCHMARKS = (Benchmark("2030", run),)
