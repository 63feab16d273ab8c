"""What the testbed puts on the wire for a zone file."""

from pathlib import Path

import pytest

from config.loader import load
from gateway.testbed import world
from gateway.testbed.faces import dnp3, mqtt

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


def test_the_battery_and_the_scada_of_the_dnp3_zone_are_outstations() -> None:
    zone = load(ZONES / "r1_short_dnp3.yaml")
    place = world.of_zone(zone, ZONES, 0.0)
    assert [served.where for served in dnp3.faces(zone, place, lambda: 0.0)] == [
        "dnp3 127.0.0.1:12001 outstation 21 A",
        "dnp3 127.0.0.1:12002 outstation 22 SCADA",
    ]


def test_an_outstation_over_tls_needs_its_own_certificate_beside_the_authority_s() -> None:
    zone = load(ZONES / "r1_short_dnp3.yaml")
    device = zone.devices["A"]
    secured = device.endpoint.model_copy(update={"tls": True, "ca_file": "/nowhere/root.pem"})
    zone.devices["A"] = device.model_copy(update={"endpoint": secured})
    with pytest.raises(ValueError, match=r"outstation A needs /nowhere/A\.pem"):
        list(dnp3.faces(zone, world.of_zone(zone, ZONES, 0.0), lambda: 0.0))
