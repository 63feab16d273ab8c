"""The tools on a simulated battery in a folder of an OPC UA server, as a person would call them."""

import pytest

from gateway.__main__ import main
from tests.background import elsewhere
from tests.contract.harness_opcua import Harness
from tests.gateway.fieldtools.site import started, watched

pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def site():
    with elsewhere(lambda: started(Harness)) as harness:
        yield harness, harness.server.url


@pytest.fixture
def folder(site):
    harness, url = site
    return harness.device, f"{url}?node=ns=2;s=A"


def test_a_scan_finds_the_folder_of_the_der(site, json_of):
    _, url = site
    ders = [one for one in json_of("scan", url) if one["is_der"]]
    assert [one["address"] for one in ders] == ["ns=2;s=A"]
    assert ders[0]["endpoint"]["node"].endswith(";s=A")
    assert "LimitMax" in ders[0]["offers"]


def test_read_takes_names_in_the_folder_and_nodes_anywhere(folder, json_of):
    _, target = folder
    power, same_power, unknown = json_of("read", target, "ActivePower", "ns=2;s=A.ActivePower", "ns=2;s=X", status=1)
    assert power["value"] == same_power["value"]
    assert power["time_s"]
    assert (unknown["quality"], unknown["note"]) == ("bad", "BadNodeIdUnknown")


def test_a_wrong_name_says_what_there_is(folder, capsys):
    _, target = folder
    assert main(["read", target, "Power"]) == 1
    assert "ns=2;s=A has no Power; there is ActivePower, " in capsys.readouterr().err


def test_a_limit_with_a_lease_ends_by_itself(folder, json_of):
    device, target = folder
    written = json_of("write", target, "LimitMax=400000", "--lease", "60")
    effective = {item["address"]: item["value"] for item in written["effective"]}
    assert written["obeyed"]
    assert (effective["LimitMax"], effective["LimitMaxEnabled"]) == (4e5, 1)
    assert device.limit.ceiling_w == 4e5
    assert 0 < device.reversion_remaining_s <= 60


def test_the_device_s_own_refusal_is_told(folder, capsys):
    device, target = folder
    device.faults.refuse = True
    try:
        assert main(["write", target, "LimitMax=300000", "--yes"]) == 1
    finally:
        device.faults.refuse = False
    told = capsys.readouterr()
    assert "refused by its owner" in told.out or "the server refuses LimitMax" in told.err


def test_a_lease_needs_a_folder_that_has_one(site, capsys):
    _, url = site
    assert main(["write", url, "ns=2;s=A.LimitMax=1", "--lease", "60"]) == 1
    assert "point the target at one" in capsys.readouterr().err


def test_nobody_there_is_told(capsys):
    assert main(["read", "opc.tcp://127.0.0.1:1?timeout_s=1"]) == 1
    assert "opc.tcp://127.0.0.1:1" in capsys.readouterr().err


def test_watch_hears_of_changes_by_subscription(folder):
    device, target = folder
    values = watched(target, "ActivePower", 2, lambda: device.set_target(2e5, device.now_s))
    assert values[0] != values[1]
