"""`ampacity record` and `ampacity replay` on a simulated battery, as a person would call them."""

import json
import re
import signal
from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.tape.words import Kind, read
from tests.background import elsewhere
from tests.gateway.fieldtools.site import command
from tests.gateway.tape.site import zone_on
from tests.interop.modbus_site import BATTERY, served

pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("session")
    path = directory / "battery.jsonl"
    with elsewhere(lambda: served(BATTERY)) as (_, _, port):
        zone = zone_on(port, directory / "zone.yaml")
        assert main(["record", f"{zone}:A", "--out", str(path), "--for", "1.5"]) == 0
    return path


def test_a_recording_holds_the_session_and_ends_in_good_order(recording):
    lines = read(recording).lines
    assert sum(line.kind is Kind.READ for line in lines) > 10
    assert lines[-1].what["why"] == "the session ended"


def test_a_recording_replays_as_it_was(recording, capsys):
    assert main(["replay", str(recording)]) == 0
    assert re.search(r"1\.\d s, \d+ reads, \d+ signals: as recorded", capsys.readouterr().out)
    assert main(["replay", str(recording), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["holds"]


def test_an_interrupt_ends_a_recording_in_good_order(tmp_path):
    path = tmp_path / "short.jsonl"
    with elsewhere(lambda: served(BATTERY)) as (_, _, port):
        target = f"{zone_on(port, tmp_path / 'zone.yaml')}:A"
        with command("record", target, "--out", str(path)) as process:
            assert "A is online" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")
    assert f"{path}: " in out
    assert read(path).lines[-1].what["why"] == "the session ended"


def test_a_recording_serves_as_the_device_that_it_is_of(recording, json_of):
    with command("replay", str(recording), "--serve", "0", "--speed", "0.01") as process:
        where = process.stdout.readline().split()[0]
        assert where.startswith("modbus://127.0.0.1:")
        (found,) = json_of("scan", f"{where}/1")
        assert (found["identity"].get("serial"), found["is_der"]) == (None, True)
        (power,) = json_of("read", f"{where}/1", "701.W")
        assert power["value"] == pytest.approx(1e6, abs=500)
        written = json_of("write", f"{where}/1", "704.WMaxLimPct=50", "--yes")
        assert written["effective"][0]["value"] == 50
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("record", "modbus://127.0.0.1/1", "--out", "x.jsonl"), "is no device of a zone file; `ampacity devices new`"),
        (("record", "config/zones/r1_short.yaml:B", "--out", "x.jsonl"), "speaks a protocol that cannot be recorded"),
        (("replay", "README.md"), "README.md:1: no JSON"),
        (("replay", "nowhere.jsonl"), "nowhere.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_done_is_told(capsys, arguments, said):
    assert main(list(arguments)) == 1
    assert said in capsys.readouterr().err
