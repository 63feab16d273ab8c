"""A session with a OPC UA server on tape, and that the adapter does the same on it again."""

import json
from pathlib import Path

import pytest

from config.loader import load
from gateway.tape.adapters import header
from gateway.tape.check import check
from gateway.tape.words import Kind, read
from tests.contract.harness_opcua import Harness
from tests.gateway.tape.site import BELOW, taped_session

pytestmark = pytest.mark.sockets


def endpoint(harness: Harness) -> str:
    return f'{{protocol: opcua, url: "{harness.server.url}", node: "ns=2;s=A", timeout_s: 0.5, publishing_s: 0.1}}'


@pytest.fixture(scope="module")
def taped(tmp_path_factory) -> Path:
    return taped_session(Harness, endpoint, tmp_path_factory.mktemp("opcua"))


def test_calls_and_publications_are_there(taped):
    recording = read(taped)
    assert recording.header.protocol == "opcua"
    assert {line.kind for line in recording.lines} == set(Kind) - {Kind.SENT}


def test_who_logs_in_and_how_stays_in_the_zone_file():
    zone = load(BELOW)
    secrets = {"username": "me", "password_variable": "SESAME", "security": "Basic256Sha256,Sign,c.der,k.pem,s.der"}
    device = zone.devices["C"]
    device = device.model_copy(update={"endpoint": device.endpoint.model_copy(update=secrets)})
    told = header(zone.model_copy(update={"devices": {"C": device}}), "opcua", frozenset("C"))
    assert set(told.devices["C"]["endpoint"]) == {"protocol", "url", "node"}


def test_the_adapter_does_on_the_recording_what_it_did_then(taped):
    verdict = check(read(taped))
    assert verdict.differences == ()
    assert verdict.played[Kind.READ] > 5
    assert verdict.signals > 5


def test_another_write_is_told(taped, tmp_path):
    head, *rows = taped.read_text().splitlines()
    other = tmp_path / "other.jsonl"
    changed = [
        row | {"asked": row["asked"] | {"values": [v + 500 for v in row["asked"]["values"]]}}
        if row["kind"] == "write"
        else row
        for row in map(json.loads, rows)
    ]
    other.write_text("\n".join([head, *(json.dumps(row) for row in changed)]))
    assert any(difference.startswith("wrote") for difference in check(read(other)).differences)
