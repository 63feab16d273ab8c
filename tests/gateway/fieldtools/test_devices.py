"""`ampacity devices new`: an entry from a live scan that `ampacity check` accepts."""

import pytest
import yaml

from config.loader import load
from gateway.__main__ import main
from tests.background import elsewhere
from tests.contract import harness_dnp3, harness_mqtt, harness_opcua, harness_sparkplug
from tests.gateway.fieldtools.site import started
from tests.interop.modbus_site import BATTERY, served

pytestmark = pytest.mark.sockets

ZONE = "config/zones/r1.yaml"
WHERE = ["--zone", ZONE, "--id", "X", "--bus", "B7", "--owner", "AGENT_A"]


@pytest.fixture
def battery():
    with elsewhere(lambda: served(BATTERY)) as (_, _, port):
        yield f"modbus://127.0.0.1:{port}/1"


def test_the_entry_of_a_sunspec_battery_needs_nothing_that_it_tells_itself(battery, tmp_path, capsys):
    out = tmp_path / "zone.yaml"
    assert main(["devices", "new", battery, *WHERE, "--static-mw", "0.3", "--out", str(out)]) == 0
    assert main(["check", str(out)]) == 0
    device = load(out).devices["X"]
    assert device.kind == "bess"
    assert device.name == "Ampacity testbed bess"
    assert (device.nameplate.p_min_mw, device.nameplate.p_max_mw, device.nameplate.energy_mwh) == (-2.5, 2.5, 5)
    assert (device.endpoint.protocol, device.endpoint.unit) == ("modbus", 1)
    assert not device.simulated
    assert "serial A" in out.read_text().splitlines()[0]


def test_the_entry_is_printed_for_the_directory_that_one_is_in(battery, capsys):
    assert main(["devices", "new", battery, *WHERE]) == 0
    made = yaml.safe_load(capsys.readouterr().out)
    assert made["extends"] == ZONE
    assert list(made["devices"]) == ["X"]


@pytest.mark.parametrize(
    ("harness", "target", "endpoint"),
    [
        (harness_dnp3, lambda h: f"dnp3://127.0.0.1:{h.server.port}/10", {"protocol": "dnp3", "outstation": 10}),
        (harness_opcua, lambda h: h.server.url, {"protocol": "opcua"}),
        (
            harness_mqtt,
            lambda h: f"mqtt://127.0.0.1:{h.port}?telemetry_s=0.3",
            {"protocol": "mqtt", "topic": "plant/a"},
        ),
        (
            harness_sparkplug,
            lambda h: f"sparkplug://127.0.0.1:{h.port}?telemetry_s=0.3",
            {"protocol": "sparkplug", "group": "site", "node": "gw", "device": "bess"},
        ),
    ],
    ids=["dnp3", "opcua", "mqtt", "sparkplug"],
)
def test_every_protocol_gives_an_entry_that_the_check_accepts(harness, target, endpoint, tmp_path):
    out = tmp_path / "zone.yaml"
    with elsewhere(lambda: started(harness.Harness)) as site:
        given = ["--p-max-mw", "2.5", "--p-min-mw", "-2.5", "--kind", "ev", "--out", str(out)]
        assert main(["devices", "new", target(site), *WHERE, *given]) == 0
    written = load(out).devices["X"].endpoint.model_dump()
    assert endpoint.items() <= written.items()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--bus": "B99"}, "B99"),
        ({"--owner": "NOBODY"}, "NOBODY"),
        ({"--id": "A"}, "has a device A already; give another --id"),
        ({"--found": "unit 7"}, "no unit 7 answers; there is unit 1"),
    ],
)
def test_an_entry_with_a_fault_is_not_written(battery, tmp_path, capsys, changed, said):
    out = tmp_path / "zone.yaml"
    given = {**dict(zip(WHERE[::2], WHERE[1::2], strict=True)), "--out": str(out), **changed}
    assert main(["devices", "new", battery, *(word for pair in given.items() for word in pair)]) == 1
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_device_without_a_nameplate_needs_one(tmp_path, capsys):
    with elsewhere(lambda: started(harness_mqtt.Harness)) as site:
        assert main(["devices", "new", f"mqtt://127.0.0.1:{site.port}?telemetry_s=0.3", *WHERE]) == 1
    assert "plant/a does not tell its nameplate; give --p-max-mw" in capsys.readouterr().err
