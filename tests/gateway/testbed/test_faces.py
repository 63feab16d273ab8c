"""What the testbed puts on the wire for a zone file."""

from pathlib import Path

from config.loader import load
from gateway.testbed import world
from gateway.testbed.faces import mqtt

ZONES = Path(__file__).parents[3] / "config" / "zones"


def _where(broker: str) -> list[str]:
    zone = load(ZONES / "r1.yaml")
    zone = zone.model_copy(update={"testbed": zone.testbed.model_copy(update={"broker": broker})})
    place = world.of_zone(zone, ZONES, 0.0)
    return [served.where for served in mqtt.faces(zone, place, lambda: 0.0)]


def test_mqtt_devices_meet_at_a_broker_of_the_testbed_s_own() -> None:
    assert _where("embedded") == ["mqtt 5 broker 127.0.0.1:11883", "mqtt 127.0.0.1:11883 r1/D D"]


def test_a_broker_that_runs_already_is_left_alone() -> None:
    assert _where("running") == ["mqtt 127.0.0.1:11883 r1/D D"]
