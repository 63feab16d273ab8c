"""Simulated Modbus devices of a zone file on the media that it names, driven by the adapter of the same file."""

import asyncio
from pathlib import Path

import pytest

from config.loader import load
from gateway.clock import wall
from gateway.testbed import world
from gateway.testbed.faces import modbus as faces
from gateway.translate import modbus as translate
from protocols.modbus.adapter import ModbusAdapter
from protocols.signals import Bounds, Control, LinkChanged, LinkState, Outcome, Signal
from tests.protocols.modbus.certificates import make_pki
from tests.scenarios.live import free_ports

ZONES = Path(__file__).parents[3] / "config" / "zones"
pytestmark = pytest.mark.sockets


def zone_of(directory: Path, endpoint: str) -> Path:
    path = directory / "zone.yaml"
    others = "C: null, D: null, E: null"
    path.write_text(f"extends: {ZONES}/r1_short.yaml\ndevices: {{A: {{endpoint: {endpoint}}}, {others}}}\n")
    return path


async def driven(path: Path) -> Outcome:
    zone = load(path)
    place = world.of_zone(zone, ZONES, wall())
    heard: list[Signal] = []
    (served,) = faces.faces(zone, place, wall)
    adapter = next(ModbusAdapter(s, wall) for s in translate.settings(zone))
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(served.run())]  # type: ignore[arg-type]
        await served.listening.wait()
        running.append(tasks.create_task(adapter.run(heard.extend)))
        while not any(isinstance(s, LinkChanged) and s.state is LinkState.ONLINE for s in heard):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        now_s = wall()
        ack = await adapter.apply(Control("c", "A", 1, now_s, now_s + 60, Bounds(None, 0.4e6)))
        place.advance(wall())
        assert place.devices["A"].limit.ceiling_w == pytest.approx(0.4e6)
        for task in running:
            task.cancel()
    return ack.outcome


async def test_over_tls_with_certificates_on_both_sides(tmp_path):
    pki = make_pki(tmp_path)
    (tmp_path / "server.pem").rename(tmp_path / "A.pem")
    (tmp_path / "server_key.pem").rename(tmp_path / "A.key.pem")
    files = f"ca_file: {pki.root}, certificate_file: {pki.client}, key_file: {pki.client_key}"
    port = free_ports(1)[0]
    path = zone_of(tmp_path, f"{{protocol: modbus, transport: tls, host: 127.0.0.1, port: {port}, {files}}}")
    assert await driven(path) is Outcome.WRITTEN


async def test_on_a_serial_line_of_the_name_in_the_file(tmp_path):
    line = tmp_path / "line"
    endpoint = f"{{protocol: modbus, transport: serial, host: {line}, parity: none, baud: 115200}}"
    assert await driven(zone_of(tmp_path, endpoint)) is Outcome.WRITTEN
    assert not line.exists()


async def test_a_line_does_not_take_the_place_of_a_file(tmp_path):
    line = tmp_path / "line"
    line.write_text("somebody's")
    path = zone_of(tmp_path, f"{{protocol: modbus, transport: serial, host: {line}, parity: none}}")
    zone = load(path)
    (served,) = faces.faces(zone, world.of_zone(zone, ZONES, wall()), wall)
    with pytest.raises(OSError, match="File exists"):
        await served.run()
    assert line.read_text() == "somebody's"


def test_without_its_certificate_a_device_cannot_speak_tls(tmp_path):
    pki = make_pki(tmp_path)
    files = f"ca_file: {pki.root}, certificate_file: {pki.client}, key_file: {pki.client_key}"
    path = zone_of(tmp_path, f"{{protocol: modbus, transport: tls, host: 127.0.0.1, {files}}}")
    zone = load(path)
    with pytest.raises(ValueError, match=r"A needs .*A\.pem to speak TLS"):
        list(faces.faces(zone, world.of_zone(zone, ZONES, wall()), wall))
