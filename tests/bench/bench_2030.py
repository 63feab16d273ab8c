"""Requests per second of the IEEE 2030.5 server over mutual TLS, beside a bare aiohttp server in the same run.

The bare server has the same TLS and answers constant bytes of the same size; POSTs are read and answered with a
Location. 32 devices keep a connection alive, each with one request under way. The two servers take turns; a ratio is
the median over the pairs of rounds. Processor time per request tells the same on a busy machine.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from gateway.clock import wall
from ieee2030_5 import resources as r
from ieee2030_5.codec import render
from ieee2030_5.pki import make_pki
from ieee2030_5.tls import lfdi_of_file
from tests.bench.load_2030 import Case, Line, Taken, context_of, drive, lines, served
from tests.bench.rows import Benchmark, Row, percentile
from tests.bench.utility_2030 import PROGRAM, names
from tests.scenarios.live import free_ports

PAIRS, ROUND_S = 5, 1.5
LINES, FEW, MANY = 32, 10, 10_000
"""Registered devices."""
PEER = "bare aiohttp, same TLS"
GETS = {
    "dcap": "/dcap",
    "tm": "/tm",
    "edev": "/edev?s=0&l=255",
    "derc": f"/derp/{PROGRAM}/derc?s=0&l=255",
}


def run() -> Sequence[Row]:
    """Ours beside the bare server."""
    return _with_pki(_beside_bare)


def run_growth() -> Sequence[Row]:
    """Many devices beside few."""
    return _with_pki(_beside_few)


def _with_pki(measure: Callable[[Path], Coroutine[None, None, Sequence[Row]]]) -> Sequence[Row]:
    with tempfile.TemporaryDirectory() as directory:
        certificates = Path(directory)
        make_pki(certificates, names(), ("localhost", "127.0.0.1"), wall())
        return asyncio.run(measure(certificates))


async def _beside_bare(certificates: Path) -> Sequence[Row]:
    contexts = [context_of(certificates, name) for name in names()]
    port, *others = free_ports(1 + len(GETS) + 1)
    rows: list[Row] = []
    with served("ours", certificates, port, LINES) as server:
        async with lines(server, contexts) as opened:
            cases = {f"get.{name}": [Case("GET", target)] * len(opened) for name, target in GETS.items()}
            cases["post.reading"] = await _readings(opened, certificates)
            for (name, mine), other in zip(cases.items(), others, strict=True):
                size = len((await opened[0].ask(mine[0].octets))[1])
                plain = Case(mine[0].method, "/", mine[0].body)
                with served("bare", certificates, other, size) as bare:
                    async with lines(bare, contexts) as beside:
                        pairs = [
                            (
                                await drive(server, opened, [[case] for case in mine], ROUND_S),
                                await drive(bare, beside, [[plain]] * len(beside), ROUND_S),
                            )
                            for _ in range(PAIRS)
                        ]
                rows += _compared(f"2030.rate.{name}", pairs, PEER)
    return rows


async def _beside_few(certificates: Path) -> Sequence[Row]:
    contexts = [context_of(certificates, name) for name in names()[:FEW]]
    one, two = free_ports(2)
    with served("ours", certificates, one, MANY) as many, served("ours", certificates, two, FEW) as few:
        async with lines(many, contexts) as crowd, lines(few, contexts) as handful:
            sides = [
                (many, crowd, await _mixed(crowd, certificates)),
                (few, handful, await _mixed(handful, certificates)),
            ]
            pairs = []
            for _ in range(PAIRS):
                first, second = [await drive(*side, ROUND_S) for side in sides]
                pairs.append((first, second))
    return _compared(f"2030.devices.{MANY}", pairs, f"{FEW} devices")


async def _mixed(opened: Sequence[Line], certificates: Path) -> list[list[Case]]:
    """What a device does in one poll: three small documents, the list of controls, one reading."""
    readings = await _readings(opened, certificates)
    return [[*(Case("GET", target) for target in GETS.values()), reading] for reading in readings]


async def _readings(opened: Sequence[Line], certificates: Path) -> list[Case]:
    """A meter for each client, made now, and a reading for it."""
    value = r.Reading(value=42, timePeriod=r.DateTimeInterval(duration=60, start=int(wall()) - 60))
    kind = r.ReadingType(flowDirection=19, powerOfTenMultiplier=3, uom=38, dataQualifier=2)
    found = []
    for number, (line, name) in enumerate(zip(opened, names()[: len(opened)], strict=True)):
        reading = r.MirrorMeterReading(mRID=f"CD{number:02}", reading=value, reading_type=kind)
        lfdi = lfdi_of_file(certificates / f"{name}.pem")
        meter = r.MirrorUsagePoint(mRID="AB", roleFlags="49", serviceCategoryKind=0, status=1, deviceLFDI=lfdi)
        head, _ = await line.ask(Case("POST", "/mup", render(meter)).octets)
        location = head.split(b"Location: ")[1].split(b"\r\n")[0].decode()
        found.append(Case("POST", location, render(reading)))
    return found


def _compared(name: str, pairs: Sequence[tuple[Taken, Taken]], peer: str) -> Sequence[Row]:
    """Rate, processor time and p99, each with the median of the ratios of the pairs."""

    def row(what: str, unit: str, value: Callable[[Taken], float], better: Callable[[float, float], float]) -> Row:
        ours, theirs = ([value(pair[side]) for pair in pairs] for side in (0, 1))
        ratio = statistics.median(better(*both) for both in zip(ours, theirs, strict=True))
        return Row(name + what, statistics.median(ours), unit, peer, statistics.median(theirs), ratio)

    return (
        row("", "1/s", lambda taken: taken.rate, lambda ours, theirs: ours / theirs),
        row(".cpu", "µs", lambda taken: taken.cpu_us, lambda ours, theirs: theirs / ours),
        row(".p99", "ms", lambda taken: percentile(taken.seconds, 99) * 1e3, lambda ours, theirs: theirs / ours),
    )


BENCHMARKS = (Benchmark("2030.rate", run), Benchmark("2030.devices", run_growth))
