"""The tools on a simulated SunSpec battery, as a person would call them."""

import io
import json
import signal

import pytest

from gateway.__main__ import main
from tests.background import elsewhere
from tests.gateway.fieldtools.site import command
from tests.interop.modbus_site import BATTERY, SOLAR, address_of, served

pytestmark = pytest.mark.sockets


@pytest.fixture
def battery():
    with elsewhere(lambda: served(BATTERY)) as (device, face, port):
        yield device, face, f"modbus://127.0.0.1:{port}/1?timeout_s=5"


def test_a_scan_tells_who_is_there_and_which_models_it_has(battery, json_of):
    _, _, target = battery
    (found,) = json_of("scan", target)
    assert found["endpoint"] == {"unit": 1}
    assert (found["identity"]["maker"], found["identity"]["serial"]) == ("Ampacity testbed", "A")
    assert "704 DER AC Controls" in found["offers"]
    assert (found["p_max_w"], found["p_min_w"], found["energy_wh"]) == (2.5e6, -2.5e6, 5e6)
    assert found["is_der"]


def test_a_scan_of_many_units_finds_the_one_that_answers(battery, json_of, capsys):
    _, _, target = battery
    assert [one["address"] for one in json_of("scan", f"{target[:-1]}1", "--units", "1-3")] == ["unit 1"]


def test_a_scan_reads_well_on_a_terminal(battery, capsys):
    _, _, target = battery
    assert main(["scan", target]) == 0
    head, row, *_ = capsys.readouterr().out.splitlines()
    assert head.split() == ["at", "maker", "model", "version", "serial", "power", "kW", "energy", "kWh"]
    assert "-2500 to 2500" in row


def test_read_names_units_and_meanings(battery, json_of):
    _, face, target = battery
    power, limit, raw = json_of("read", target, "701.W", "704.WMaxLimPctEna", f"{address_of(face, '1.ID')}:uint16")
    assert (power["value"], power["unit"]) == (1e6, "W")
    assert limit["writable"]
    assert limit["note"]
    assert raw["value"] == 1


def test_read_without_an_address_shows_everything_that_is_implemented(battery, json_of):
    _, _, target = battery
    items = {item["address"]: item for item in json_of("read", target)}
    assert items["1.Mn"]["value"] == "Ampacity testbed"
    assert all(item["value"] is not None for item in items.values())


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("704.WMaxLim", "there is WMaxLimPctEna, WMaxLimPct"),
        ("999.W", "the device has no model 999, but 1, 701"),
        ("bogus", "write a SunSpec point as 704.WMaxLimPct, a register as 40070:float32"),
        ("1:complex64", "is no encoding of registers"),
        ("60000:uint16", "refused with exception 2"),
    ],
)
def test_a_wrong_address_says_what_is_there_instead(battery, capsys, address, said):
    _, _, target = battery
    assert main(["read", target, address]) == 1
    assert said in capsys.readouterr().err


def test_write_with_a_lease_limits_the_device_and_ends_by_itself(battery, json_of):
    device, _, target = battery
    written = json_of("write", target, "704.WMaxLimPct=32", "--lease", "60")
    effective = {item["address"]: item["value"] for item in written["effective"]}
    assert written["obeyed"]
    assert effective["704.WMaxLimPct"] == 32
    assert effective["704.WMaxLimPctEna"] == 1
    assert effective["704.WMaxLimPctRvrtTms"] == 60
    assert device.limit.ceiling_w == 0.8e6
    assert 0 < device.reversion_remaining_s <= 60


def test_write_refuses_a_lease_where_the_point_has_no_timer(battery, capsys):
    _, _, target = battery
    assert main(["write", target, "702.WMax=1000000", "--lease", "60"]) == 1
    assert "702.WMax has no timer that ends it (no point has); give --yes" in capsys.readouterr().err


def test_write_wants_consent(battery, capsys, monkeypatch):
    device, _, target = battery
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["write", target, "704.WMaxLimPctEna=1"]) == 2
    assert "nothing was written; give --lease SECONDS or --yes" in capsys.readouterr().err
    assert device.limit.is_open


def test_write_without_an_end_reads_back(battery, json_of):
    device, face, target = battery
    register = f"{address_of(face, '704.WMaxLimPct')}:uint16"
    written = json_of("write", target, f"{register}=5000", "704.WMaxLimPctEna=1", "--yes")
    assert [item["value"] for item in written["effective"]] == [5000, 1]
    assert device.limit.ceiling_w == 1.25e6


def test_write_says_so_when_the_device_does_not_obey(battery, capsys):
    device, _, target = battery
    device.faults.refuse = True
    assert main(["write", target, "704.WMaxLimPct=32", "--yes"]) == 1
    assert "refused with exception" in capsys.readouterr().err


def test_nobody_there_is_told_with_what_to_do(capsys):
    assert main(["read", "modbus://127.0.0.1:1/1", "701.W"]) == 1
    assert "could not connect to 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("http://x", "is no target; begin with modbus:"),
        ("modbus://h:502/x", "the path is the number of the unit, not '/x'"),
        ("modbus://h/1?timeout=3", "timeout: extra inputs are not permitted"),
        ("config/zones/r1_short.yaml:Z", "has no device or station 'Z', but A, B"),
    ],
)
def test_a_wrong_target_is_explained(capsys, target, said):
    assert main(["read", target]) == 1
    assert said in capsys.readouterr().err


def test_the_legacy_models_have_leases_too():
    with elsewhere(lambda: served(SOLAR, series="legacy")) as (device, _, port):
        target = f"modbus://127.0.0.1:{port}/1"
        assert main(["write", target, "123.WMaxLimPct=50", "--lease", "30"]) == 0
        assert device.limit.ceiling_w == 3e6
        assert device.reversion_remaining_s > 0


def good(process):
    """Values that a watch tells as good; a loaded machine may also miss one in between."""
    told = (json.loads(line) for line in process.stdout)
    return (item["value"] for item in told if item["quality"] == "good")


def test_watch_tells_changes_and_ends_cleanly_when_interrupted(battery):
    _, _, target = battery
    with command("watch", target, "704.WMaxLimPctEna", "--every", "0.1", "--json") as process:
        first = json.loads(process.stdout.readline())
        assert (first["address"], first["value"]) == ("704.WMaxLimPctEna", 0)
        assert main(["write", target, "704.WMaxLimPctEna=1", "--yes"]) == 0
        assert next(answer for answer in good(process) if answer) == 1
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (0, "")


def test_watch_lives_through_silence(battery):
    device, _, target = battery
    with command("watch", target, "701.W", "--every", "0.1", "--json") as process:
        assert json.loads(process.stdout.readline())["quality"] == "good"
        device.faults.drop_link = True
        missed = json.loads(process.stdout.readline())
        assert (missed["value"], missed["quality"]) == (None, "bad")
        assert missed["note"]
        device.faults.drop_link = False
        assert next(good(process)) == 1e6
