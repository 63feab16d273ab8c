"""The tools on a simulated device with the documented JSON topics, behind the embedded broker."""

import pytest

from gateway.__main__ import main
from tests.background import elsewhere
from tests.contract.harness_mqtt import Harness
from tests.gateway.fieldtools.site import started, watched

pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def plant():
    with elsewhere(lambda: started(Harness)) as harness:
        yield harness, f"mqtt://127.0.0.1:{harness.port}"


@pytest.fixture
def device(plant):
    harness, broker = plant
    return harness.device, f"{broker}/plant/a?telemetry_s=0.3&timeout_s=1"


def test_a_scan_finds_the_device_by_its_topics(plant, json_of):
    _, broker = plant
    found = {one["address"]: one for one in json_of("scan", f"{broker}?telemetry_s=0.3")}
    assert found["plant/a"]["endpoint"] == {"topic": "plant/a"}
    assert found["plant/a"]["offers"] == ["state", "telemetry"]
    assert found["plant/a"]["is_der"]


def test_read_takes_messages_apart(device, json_of):
    _, target = device
    power, online = json_of("read", target, "telemetry:values.active_power_w", "state:state")
    assert (power["value"], power["unit"]) == (pytest.approx(1e6), "W")
    assert (online["value"], online["note"]) == ("online", "retained")


def test_read_says_where_nothing_was_published(device, json_of):
    _, target = device
    (silent,) = json_of("read", target, "weather", status=1)
    assert (silent["quality"], silent["note"]) == ("bad", "nothing was published there in 1 s")


def test_a_limit_with_a_lease_is_answered_and_ends_by_itself(device, json_of):
    simulated, target = device
    written = json_of("write", target, "ceiling_w=400000", "--lease", "60")
    in_force = {item["address"]: item["value"] for item in written["effective"]}
    assert (written["obeyed"], written["detail"]) == (True, "plant/a says started")
    assert in_force["ceiling_w"] == 4e5
    assert simulated.limit.ceiling_w == 4e5
    assert 0 < simulated.reversion_remaining_s <= 60


def test_each_write_is_newer_than_the_one_before(device, json_of):
    simulated, target = device
    for ceiling_w in (5e5, 3e5):
        assert json_of("write", target, f"ceiling_w={ceiling_w}", "--yes")["obeyed"]
        assert simulated.limit.ceiling_w == ceiling_w


def test_a_refusal_is_told(device, capsys):
    simulated, target = device
    simulated.faults.refuse = True
    try:
        assert main(["write", target, "ceiling_w=1", "--yes"]) == 1
    finally:
        simulated.faults.refuse = False
    assert "plant/a says rejected: refused by its owner; not what was asked for" in capsys.readouterr().out


def test_nobody_answers_for_a_device_that_is_not_there(plant, capsys):
    _, broker = plant
    assert main(["write", f"{broker}/plant/z?timeout_s=0.3&telemetry_s=0.1", "ceiling_w=1", "--yes"]) == 1
    assert "plant/z did not answer within 0.3 s; whether it obeys is unknown" in capsys.readouterr().err


def test_any_message_can_be_published_and_is_seen(device, json_of):
    _, target = device
    written = json_of("write", target, "note=hello", "--yes")
    assert [(item["address"], item["value"]) for item in written["effective"]] == [("note", "hello")]


def test_watch_hears_messages_as_they_come(device):
    simulated, target = device

    def change() -> None:
        simulated.faults.not_a_number = True

    try:
        values = watched(target, "telemetry:values.active_power_w", 2, change)
    finally:
        simulated.faults.not_a_number = False
    assert values[0] != values[1]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("mqtt://127.0.0.1:1/x", "connecting to mqtt://127.0.0.1:1"),
        ("mqtt://me:secret@127.0.0.1/x", "write no password here"),
    ],
)
def test_what_stands_in_the_way_is_told_without_secrets(capsys, target, said):
    assert main(["read", target]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "secret" not in told.replace(target, "")
