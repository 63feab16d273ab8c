"""A session with a MQTT device on tape, and that the adapter does the same on it again."""

import json
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.tape.check import check
from gateway.tape.words import Kind, read
from tests.background import elsewhere
from tests.contract.harness_mqtt import Harness
from tests.gateway.fieldtools.site import command
from tests.gateway.tape.site import broker, taped_session

pytestmark = pytest.mark.sockets


def endpoint(harness: Harness) -> str:
    return f"{{protocol: mqtt, host: 127.0.0.1, port: {harness.port}, topic: plant/a, timeout_s: 1, telemetry_s: 0.3}}"


@pytest.fixture(scope="module")
def taped(tmp_path_factory) -> Path:
    return taped_session(Harness, endpoint, tmp_path_factory.mktemp("mqtt"))


def test_messages_of_both_directions_are_there(taped):
    recording = read(taped)
    assert recording.header.protocol == "mqtt"
    assert {line.kind for line in recording.lines} >= {Kind.EVENT, Kind.WRITE, Kind.FAULT, Kind.APPLY, Kind.ACK}


def test_the_adapter_does_on_the_recording_what_it_did_then(taped):
    verdict = check(read(taped))
    assert verdict.differences == ()
    assert verdict.played[Kind.WRITE] > 1
    assert verdict.signals > 5


def test_another_message_is_told(taped, tmp_path):
    head, *rows = taped.read_text().splitlines()
    other = tmp_path / "other.jsonl"
    kept = [row for row in map(json.loads, rows) if row["kind"] != "event" or "ack" not in row["topic"]]
    other.write_text("\n".join([head, *(json.dumps(row) for row in kept)]))
    assert not check(read(other)).holds


def test_it_plays_as_the_device_that_it_is_of(taped, json_of):
    with elsewhere(broker) as port, command("replay", str(taped), "--serve", str(port)) as process:
        where = process.stdout.readline().split()[0]
        assert where == f"mqtt://127.0.0.1:{port}/plant/a"
        target = f"{where}?telemetry_s=0.7&timeout_s=2"
        power, *_ = json_of("read", target, "telemetry:values.active_power_w")
        assert power["value"] > 0
        written = json_of("write", target, "ceiling_w=300000", "--lease", "60")
        assert (written["obeyed"], written["detail"]) == (True, "plant/a says started")


def test_without_a_broker_it_says_so(taped, capsys):
    assert main(["replay", str(taped), "--serve", "1"]) == 1
    assert "start a broker there first" in capsys.readouterr().err
