"""The tools on a simulated Sparkplug B device, behind the embedded broker."""

import pytest

from gateway.__main__ import main
from tests.background import elsewhere
from tests.contract.harness_sparkplug import Harness
from tests.gateway.fieldtools.site import started, watched

pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def site():
    with elsewhere(lambda: started(Harness)) as harness:
        yield harness, f"sparkplug://127.0.0.1:{harness.port}"


@pytest.fixture
def device(site):
    harness, broker = site
    return harness.device, f"{broker}/site/gw/bess?telemetry_s=0.3&timeout_s=10"


def test_a_scan_finds_nodes_and_devices_with_their_metrics(site, json_of):
    _, broker = site
    found = {one["address"]: one for one in json_of("scan", f"{broker}?telemetry_s=0.3&timeout_s=1")}
    assert set(found) == {"site/gw", "site/gw/bess"}
    assert found["site/gw/bess"]["endpoint"] == {"group": "site", "node": "gw", "device": "bess"}
    assert "Control/ceiling_w (double)" in found["site/gw/bess"]["offers"]
    assert (found["site/gw"]["is_der"], found["site/gw/bess"]["is_der"]) == (False, True)


def test_read_gives_values_with_their_type_and_time(device, json_of):
    _, target = device
    power, unknown = json_of("read", target, "active_power_w", "humidity", status=1)
    assert (power["value"], power["note"]) == (pytest.approx(1e6), "double")
    assert power["time_s"]
    assert (unknown["quality"], unknown["note"]) == ("bad", "site/gw/bess never declared it")


def test_a_command_with_a_lease_is_repeated_and_ends_by_itself(device, json_of):
    simulated, target = device
    written = json_of("write", target, "Control/ceiling_w=400000", "--lease", "60")
    assert written["obeyed"]
    assert {item["address"]: item["value"] for item in written["effective"]}["Control/ceiling_w"] == 4e5
    assert simulated.limit.ceiling_w == 4e5
    assert 0 < simulated.reversion_remaining_s <= 60


def test_what_the_device_does_not_repeat_is_told(device, capsys):
    simulated, target = device
    simulated.faults.refuse = True
    try:
        impatient = target.replace("timeout_s=10", "timeout_s=1")
        assert main(["write", impatient, "Control/ceiling_w=300000", "--yes"]) == 1
    finally:
        simulated.faults.refuse = False
    assert "not repeated within 1 s; not what was asked for" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Control/ceiling=1", "--yes"), "never declared 'Control/ceiling'; it has Control/ceiling_w"),
        (("Control/ceiling_w=much", "--yes"), "Control/ceiling_w takes a number, not 'much'"),
        (("active_power_w=1", "--lease", "5"), "only metrics under Control/"),
    ],
)
def test_what_cannot_be_commanded_is_told(device, capsys, arguments, said):
    _, target = device
    assert main(["write", target, *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_stranger_is_told_who_is_there(site, capsys):
    _, broker = site
    assert main(["read", f"{broker}/site/nobody?telemetry_s=0.1&timeout_s=0.3"]) == 1
    assert "site/nobody gave no birth within 0.3 s" in capsys.readouterr().err


def test_no_state_of_a_host_application_is_left_at_the_broker(device, json_of):
    harness_target = device[1].partition("/site")[0].replace("sparkplug:", "mqtt:")
    json_of("read", device[1], "active_power_w")
    topics = [o for one in json_of("scan", f"{harness_target}?telemetry_s=0.2&timeout_s=0.2") for o in one["offers"]]
    assert topics
    assert [topic for topic in topics if "STATE" in topic] == []


def test_watch_hears_data_as_it_comes(device):
    simulated, target = device

    def change() -> None:
        simulated.set_target(2e5, simulated.now_s)

    values = watched(target, "active_power_w", 2, change)
    assert values[0] != values[1]
