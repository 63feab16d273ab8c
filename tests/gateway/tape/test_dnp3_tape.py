"""A session with a DNP3 outstation on tape, and that the adapter does the same on it again."""

import asyncio
import json
from pathlib import Path

import pytest

from config.loader import load
from gateway.tape.adapters import recorded
from gateway.tape.check import check
from gateway.tape.words import Kind, Tape, read
from protocols.signals import Bounds, Control, LinkState, Outcome
from tests.contract.harness_dnp3 import Harness
from tests.gateway.fieldtools.site import command, started
from tests.gateway.tape.test_modbus_tape import Links

BELOW = Path("config/zones/r1_short.yaml").resolve()
pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def taped(tmp_path_factory) -> Path:
    """Some polls, a limit, and a link that was lost and came back."""
    directory = tmp_path_factory.mktemp("dnp3")
    path, zone_file = directory / "der.jsonl", directory / "zone.yaml"

    async def session() -> None:
        async with started(Harness) as harness:
            endpoint = f"{{protocol: dnp3, host: 127.0.0.1, port: {harness.server.port}, poll_s: 0.1, timeout_s: 0.5}}"
            zone_file.write_text(f"""
extends: {BELOW}
devices:
  A: {{simulated: false, endpoint: {endpoint}}}
""")
            zone = load(zone_file)
            only = zone.model_copy(update={"devices": {"A": zone.devices["A"]}, "stations": {}})
            (adapter,) = recorded(only, harness.now, {}, lambda header: Tape.create(path, header, harness.now))
            links = Links()
            async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
                running = tasks.create_task(adapter.run(links.hear))
                await links.become(LinkState.ONLINE)
                now_s = harness.now()
                limit = Control("A-c1", "A", 1, now_s, now_s + 60, Bounds(ceiling_w=1e6))
                assert (await adapter.apply(limit)).outcome is Outcome.WRITTEN
                await asyncio.sleep(0.5)
                harness.device.faults.drop_link = True
                await links.become(LinkState.LOST)
                harness.device.faults.drop_link = False
                await links.become(LinkState.ONLINE)
                await asyncio.sleep(0.3)
                running.cancel()

    asyncio.run(session())
    return path


def test_octets_of_both_directions_are_there(taped):
    recording = read(taped)
    assert recording.header.protocol == "dnp3"
    assert {line.kind for line in recording.lines} == set(Kind) - {Kind.READ, Kind.WRITE}
    assert all(line.what["values"].startswith("0564") for line in recording.of(Kind.SENT))


def test_the_adapter_does_on_the_recording_what_it_did_then(taped):
    verdict = check(read(taped))
    assert verdict.differences == ()
    assert verdict.played[Kind.SENT] > 10


def test_another_answer_is_told(taped, tmp_path):
    head, *rows = taped.read_text().splitlines()
    other = tmp_path / "other.jsonl"
    kept = [row for row in map(json.loads, rows) if row["kind"] != "event" or row["t"] < 0.05]
    other.write_text("\n".join([head, *(json.dumps(row) for row in kept)]))
    assert not check(read(other)).holds


def test_it_serves_as_the_outstation_that_it_is_of(taped, json_of):
    with command("replay", str(taped), "--serve", "0", "--speed", "0.001") as process:
        where = process.stdout.readline().split()[0]
        power, limit = json_of("read", where, "AI537", "AI148")
        assert power["value"] == 1e6
        assert limit["quality"] == "good"
        written = json_of("write", where, "AO87=300", "--lease", "60")
        assert "operate answered SUCCESS" in written["detail"]
        (shown,) = json_of("read", where, "AI148")
        assert shown["value"] == 300
