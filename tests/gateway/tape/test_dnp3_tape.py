"""A session with a DNP3 outstation on tape, and that the adapter does the same on it again."""

import json
from pathlib import Path

import pytest

from gateway.tape.check import check
from gateway.tape.words import Kind, read
from tests.contract.harness_dnp3 import Harness
from tests.gateway.fieldtools.site import command
from tests.gateway.tape.site import taped_session

pytestmark = pytest.mark.sockets


def endpoint(harness: Harness) -> str:
    return f"{{protocol: dnp3, host: 127.0.0.1, port: {harness.server.port}, poll_s: 0.1, timeout_s: 0.5}}"


@pytest.fixture(scope="module")
def taped(tmp_path_factory) -> Path:
    return taped_session(Harness, endpoint, tmp_path_factory.mktemp("dnp3"))


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
