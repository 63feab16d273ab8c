"""A session with a Sparkplug B device on tape, and that the adapter does the same on it again."""

import json
import signal
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.tape.check import check
from gateway.tape.words import Kind, read
from tests.background import elsewhere
from tests.contract.harness_sparkplug import Harness
from tests.gateway.fieldtools.site import command
from tests.gateway.tape.site import broker, taped_session

pytestmark = pytest.mark.sockets


def endpoint(harness: Harness) -> str:
    return (
        f"{{protocol: sparkplug, host: 127.0.0.1, port: {harness.port}, group: site, node: gw, device: bess, "
        "timeout_s: 1, telemetry_s: 0.3}"
    )


@pytest.fixture(scope="module")
def taped(tmp_path_factory) -> Path:
    return taped_session(Harness, endpoint, tmp_path_factory.mktemp("sparkplug"))


def test_messages_of_both_directions_are_there(taped):
    recording = read(taped)
    assert recording.header.protocol == "sparkplug"
    assert {line.kind for line in recording.lines} >= {Kind.EVENT, Kind.SENT, Kind.FAULT, Kind.APPLY, Kind.ACK}


def test_the_adapter_does_on_the_recording_what_it_did_then(taped):
    verdict = check(read(taped))
    assert verdict.differences == ()
    assert verdict.played[Kind.SENT] > 1
    assert verdict.signals > 5


def test_another_message_is_told(taped, tmp_path):
    head, *rows = taped.read_text().splitlines()
    other = tmp_path / "other.jsonl"
    kept = [row for row in map(json.loads, rows) if row["kind"] != "event" or "DDATA" not in row["topic"]]
    other.write_text("\n".join([head, *(json.dumps(row) for row in kept)]))
    assert not check(read(other)).holds


def test_it_plays_as_the_device_that_it_is_of(taped, json_of):
    with elsewhere(broker) as port, command("replay", str(taped), "--serve", str(port)) as process:
        where = process.stdout.readline().split()[0]
        assert where == f"sparkplug://127.0.0.1:{port}/site/gw/bess"
        target = f"{where}?telemetry_s=0.7&timeout_s=3"
        (power,) = json_of("read", target, "active_power_w")
        assert power["value"] > 0
        written = json_of("write", target, "Control/ceiling_w=300000", "--lease", "60")
        assert written["obeyed"]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


def test_without_a_broker_it_says_so(taped, capsys):
    assert main(["replay", str(taped), "--serve", "1"]) == 1
    assert "start a broker there first" in capsys.readouterr().err
