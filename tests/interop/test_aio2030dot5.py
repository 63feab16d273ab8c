"""aio2030dot5, a client that speaks ECDHE-ECDSA-AES128-CCM8 alone: who it takes our server and our certificates for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gateway.clock import wall
from ieee2030_5 import resources as r
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.codec import render
from ieee2030_5.pki import Issued, make_pki
from ieee2030_5.settings import DeviceSettings, ServerSettings
from ieee2030_5.tls import client_context
from ieee2030_5.tree import MEDIA_TYPE
from tests.interop.environments import need

pytestmark = [pytest.mark.interop, pytest.mark.sockets]

PEER = Path(__file__).parent / "aio2030dot5" / "peer.py"
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def python() -> Path:
    return need("aio2030dot5") / "python"


async def asked(python: Path, *command: object) -> object:
    """What the peer answers to one command."""
    process = await asyncio.create_subprocess_exec(
        *map(str, (python, PEER, *command)), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


@asynccontextmanager
async def server(directory: Path) -> AsyncIterator[tuple[UtilityServer, dict[str, Issued]]]:
    """Our server, which knows device B."""
    issued = {item.name: item for item in make_pki(directory, ["B", "stranger"], ["localhost", "127.0.0.1"], wall())}
    own, root = issued["server"], issued["root"]
    device = DeviceSettings("B", issued["B"].lfdi, 10_000)
    running = UtilityServer(ServerSettings(own.certificate, own.key, root.certificate, (device,), port=0), wall)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(running.run(lambda _: None))
        await running.listening.wait()
        yield running, issued
        task.cancel()


async def test_both_make_the_same_identity_of_a_certificate(python: Path, tmp_path: Path):
    issued = make_pki(tmp_path, [f"D{number}" for number in range(20)], ["localhost"], wall())
    theirs = await asked(python, "identity", *(item.certificate for item in issued))
    assert theirs == [[item.lfdi, item.sfdi, True] for item in issued]


async def test_it_finds_the_server_to_be_whom_its_certificate_says(python: Path, tmp_path: Path):
    async with server(tmp_path) as (running, issued):
        own = issued["B"]
        met = await asked(python, "meet", "127.0.0.1", running.port, own.certificate, own.key)
    identity = [issued["server"].lfdi, issued["server"].sfdi]
    assert met == {"accepted": True, "certificate": identity, "self": identity}


async def test_a_stranger_is_let_in_by_tls_and_learns_nothing_of_the_server(python: Path, tmp_path: Path):
    async with server(tmp_path) as (running, issued):
        own = issued["stranger"]
        met = await asked(python, "meet", "127.0.0.1", running.port, own.certificate, own.key)
    assert met == {
        "accepted": True,
        "certificate": [issued["server"].lfdi, issued["server"].sfdi],
        "self": [None, None],
    }


async def test_a_foreign_certificate_is_refused_in_the_handshake(python: Path, tmp_path: Path):
    foreign = {item.name: item for item in make_pki(tmp_path / "foreign", ["B"], ["localhost"], wall())}["B"]
    async with server(tmp_path / "ours") as (running, _):
        met = await asked(python, "meet", "127.0.0.1", running.port, foreign.certificate, foreign.key)
    assert met == {"accepted": False, "reason": "certificate_rejected"}


async def test_it_reads_what_a_device_has_mirrored_and_the_clock(python: Path, tmp_path: Path):
    now = int(wall())
    async with server(tmp_path) as (running, issued):
        own = issued["B"]
        point = r.MirrorUsagePoint(
            mRID="AB",
            roleFlags="0049",
            serviceCategoryKind=0,
            status=1,
            deviceLFDI=own.lfdi,
            meter_readings=(series("01", 38, 3, -42, now), series("02", 29, -1, 2_405, now)),
        )
        tls = client_context(own.certificate, own.key, issued["root"].certificate)
        async with aiohttp.ClientSession(f"https://localhost:{running.port}") as session:
            head = {"Content-Type": MEDIA_TYPE}
            async with session.post("/mup", data=render(point), headers=head, ssl=tls) as answer:
                assert answer.status == 201
        found = await asked(python, "read", "127.0.0.1", running.port, own.certificate, own.key)
    assert isinstance(found, dict)
    assert found["values"] == [["V", pytest.approx(240.5), 60], ["W", pytest.approx(-42_000), 60]]
    assert abs(found["time_s"] - now) < PATIENCE_S


def series(mrid: str, uom: int, multiplier: int, value: int, now: int) -> r.MirrorMeterReading:
    return r.MirrorMeterReading(
        mRID=mrid,
        reading=r.Reading(value=value, timePeriod=r.DateTimeInterval(duration=60, start=now - 60)),
        reading_type=r.ReadingType(uom=uom, powerOfTenMultiplier=multiplier, dataQualifier=2, flowDirection=1),
    )
