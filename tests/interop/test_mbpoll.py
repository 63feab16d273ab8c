"""mbpoll, the command-line Modbus master: reads and writes our simulated devices over TCP and on a serial line."""

import asyncio
import re
from urllib.parse import urlsplit

import pytest

from gateway.__main__ import main
from gateway.testbed.serial_line import serial_line
from protocols.signals import Outcome
from tests.background import elsewhere
from tests.gateway.fieldtools.site import command
from tests.gateway.tape.site import zone_on
from tests.interop import facade_site
from tests.interop.modbus_site import BATTERY, HOST, PATIENCE_S, SOLAR, address_of, served, served_on_a_line
from tests.peers import need

pytestmark = [pytest.mark.interop, pytest.mark.sockets]


async def mbpoll(*arguments: object) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        need("mbpoll"),
        "-0",
        "-1",
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(PATIENCE_S):
        out, _ = await process.communicate()
    return process.returncode, out.decode()


def values(said: str) -> list[int]:
    return [int(found, 16) for found in re.findall(r"^\[\d+\]:\s+0x([0-9A-F]+)", said, re.MULTILINE)]


async def test_it_finds_the_map_over_tcp():
    async with served(BATTERY) as (_, face, port):
        status, said = await mbpoll("-p", port, "-a", 1, "-t", "4:hex", "-r", 40000, "-c", 4, HOST)
        assert (status, values(said)) == (0, [0x5375, 0x6E53, 1, 66])
        status, said = await mbpoll("-p", port, "-a", 1, "-t", "4:hex", "-r", 40000, "-c", 125, HOST)
        assert values(said) == face.read(40000, 125)


async def test_it_reads_input_registers_too():
    async with served(BATTERY) as (_, _, port):
        _, said = await mbpoll("-p", port, "-a", 1, "-t", "3:hex", "-r", 40000, "-c", 2, HOST)
        assert values(said) == [0x5375, 0x6E53]


async def test_one_register_and_several_oblige_the_device():
    async with served(BATTERY) as (device, face, port):
        limit = address_of(face, "704.WMaxLimPctEna")
        status, _ = await mbpoll("-p", port, "-a", 1, "-r", limit, HOST, 1, 4800)
        assert (status, device.limit.ceiling_w) == (0, 1.2e6)
        status, _ = await mbpoll("-p", port, "-a", 1, "-r", limit + 1, HOST, 3200)
        assert (status, device.limit.ceiling_w) == (0, 0.8e6)


async def test_it_is_told_what_cannot_be_done():
    async with served(SOLAR, series="legacy") as (device, face, port):
        status, said = await mbpoll("-p", port, "-a", 1, "-r", 7, "-c", 1, HOST)
        assert status != 0
        assert "Illegal data address" in said
        status, said = await mbpoll("-p", port, "-a", 1, "-r", address_of(face, "103.W"), HOST, 5)
        assert "Illegal data address" in said
        device.faults.refuse = True
        _, said = await mbpoll("-p", port, "-a", 1, "-r", address_of(face, "123.WMaxLimPct"), HOST, 50)
        assert "Illegal data value" in said


async def test_it_is_served_on_a_serial_line_and_an_absent_unit_stays_silent():
    async with serial_line() as (near, far), served_on_a_line(BATTERY, far) as (device, face):
        rtu = ("-m", "rtu", "-b", 19200, "-P", "none")
        _, said = await mbpoll(*rtu, "-a", 1, "-t", "4:hex", "-r", 40000, "-c", 2, near)
        assert values(said) == [0x5375, 0x6E53]
        status, _ = await mbpoll(*rtu, "-a", 1, "-r", address_of(face, "704.WMaxLimPctEna"), near, 1, 4800)
        assert (status, device.limit.ceiling_w) == (0, 1.2e6)
        status, said = await mbpoll(*rtu, "-a", 2, "-o", "0.2", "-r", 40000, "-c", 2, near)
        assert status != 0
        assert "timed out" in said


async def test_it_reads_and_limits_a_der_behind_the_facade():
    async with facade_site.shown("mqtt") as site:
        face = site.facade.servers[0].units[1].face
        image = face._image.models[704]
        limit = image.address + image.points["WMaxLimPctEna"].offset
        _, said = await mbpoll("-p", site.port, "-a", 1, "-t", "4:hex", "-r", 40000, "-c", 4, HOST)
        assert values(said) == [0x5375, 0x6E53, 1, 66]
        status, _ = await mbpoll("-p", site.port, "-a", 1, "-r", limit, HOST, 1, 3200)
        assert status == 0
        _, said = await mbpoll("-p", site.port, "-a", 1, "-t", "4:hex", "-r", limit, "-c", 2, HOST)
        assert values(said) == [1, 3200]
        await site.ends(Outcome.VERIFIED)
        assert site.device.limit.ceiling_w == 0.8e6
        status, said = await mbpoll("-p", site.port, "-a", 1, "-r", limit + 1, HOST, 10001)
        assert status != 0
        assert "Illegal data value" in said


def test_it_reads_a_recording_that_is_served(tmp_path):
    recording = tmp_path / "battery.jsonl"
    with elsewhere(lambda: served(BATTERY)) as (_, face, port):
        zone = zone_on(port, tmp_path / "zone.yaml")
        assert main(["record", f"{zone}:A", "--out", str(recording), "--for", "1"]) == 0
        power = address_of(face, "701.W")
        then = face.read(power, 1)
    with command("replay", str(recording), "--serve", "0", "--once") as process:
        port = urlsplit(process.stdout.readline().split()[0]).port
        status, said = asyncio.run(mbpoll("-p", port, "-a", 1, "-t", "4:hex", "-r", power, "-c", 1, HOST))
        assert (status, values(said)) == (0, then)
        status, said = asyncio.run(mbpoll("-p", port, "-a", 1, "-r", 7, "-c", 1, HOST))
        assert "Illegal data address" in said
