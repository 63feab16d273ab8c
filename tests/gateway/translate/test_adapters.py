"""Endpoints of the zone file as settings of the adapters: one connection per place, everything behind it."""

import pytest

from gateway.translate import ieee2030_5, modbus, mqtt, opcua
from protocols.modbus.settings import SunSpecDer
from protocols.points import Point, Quantity
from protocols.signals import Bounds
from tests.gateway.translate.zones import zone


def modbus_at(unit: int, **other):
    return {"protocol": "modbus", "host": "10.0.0.1", "port": 502, "unit": unit, **other}


def test_units_behind_one_gateway_share_a_connection_at_the_quicker_pace():
    changed = {"A": {"endpoint": modbus_at(1, poll_s=5)}, "E": {"endpoint": modbus_at(2, poll_s=2, timeout_s=0.5)}}
    (one,) = modbus.settings(zone(changed))
    assert [unit.unit_id for unit in one.units] == [1, 2]
    assert (one.host, one.port, one.poll_s, one.timeout_s) == ("10.0.0.1", 502, 2, 0.5)


def test_a_sunspec_device_knows_its_nameplate_and_its_fallback():
    first = modbus.settings(zone())[0].units[0]
    assert first == SunSpecDer("A", ceiling_w=2.5e6, floor_w=-2.5e6, fallback=Bounds(None, 0.5e6), unit_id=1)


def test_opc_ua_has_one_connection_per_server():
    device, station = opcua.settings(zone())
    assert ([d.resource for d in device.ders], device.url) == (["C"], "opc.tcp://127.0.0.1:14840")
    assert station.ders == ()
    assert Point("L12", Quantity.CURRENT_A) in [mapped.point for mapped in station.points]
    assert device.refresh_s == 2 * device.publishing_s


def test_mqtt_takes_its_password_from_the_environment_alone():
    endpoint = {"protocol": "mqtt", "host": "h", "port": 1883, "topic": "r1/D", "username": "u"}
    named = zone({"D": {"endpoint": {**endpoint, "password_variable": "SECRET"}}})
    (one,) = mqtt.settings(named, {"SECRET": "s3"})
    assert (one.username, one.password, one.ders[0].resource) == ("u", "s3", "D")
    (other,) = mqtt.settings(named, {})
    assert other.password == ""
    assert "s3" not in named.model_dump_json()


def test_devices_behind_one_broker_share_a_connection():
    endpoint = {"protocol": "mqtt", "host": "127.0.0.1", "port": 11883, "topic": "r1/A"}
    (one,) = mqtt.settings(zone({"A": {"endpoint": endpoint}}), {})
    assert {der.resource for der in one.ders} == {"A", "D"}


def test_without_a_client_there_is_no_2030_5_server():
    assert ieee2030_5.settings(zone({"B": {"endpoint": modbus_at(1)}})) is None


def test_a_2030_5_client_is_known_by_its_lfdi_or_its_certificate():
    known = {"protocol": "ieee2030_5", "lfdi": "ab" * 20, "poll_s": 60, "profile": "csip_aus"}
    server = ieee2030_5.settings(zone({"B": {"endpoint": known}}))
    assert server is not None
    (device,) = server.devices
    assert (device.resource, device.lfdi.lower(), device.max_w) == ("B", "ab" * 20, 6e6)
    assert (server.poll_rate_s, server.post_rate_s) == (60, 60)


def test_a_missing_certificate_is_an_error_that_names_it(tmp_path):
    with pytest.raises(OSError, match=r"B\.pem"):
        ieee2030_5.settings(zone(ieee2030_5={"certificates": str(tmp_path)}))
