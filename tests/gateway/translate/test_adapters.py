"""Endpoints of the zone file as settings of the adapters: one connection per place, everything behind it."""

import stat

import pytest

from config.loader import load
from config.opcua_server import OpcUaServer
from gateway.translate import dnp3, facts, ieee2030_5, modbus, mqtt, opcua, opcua_server, sunspec
from ieee2030_5.admin.token import TokenError
from ieee2030_5.utility import mrid
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master_words import TimeSync
from protocols.dnp3.settings import MappedInput, Tls
from protocols.modbus import medium as media
from protocols.modbus.register import Encoding, Order, Register
from protocols.modbus.settings import (
    ControlRegister,
    MappedDer,
    ModelPoint,
    PercentOf,
    Quirks,
    SunSpecDer,
    SunSpecStation,
    Term,
)
from protocols.opcua.served import ServedUser
from protocols.opcua.settings import UserCertificate, UserName
from protocols.points import Point, Quantity
from protocols.signals import Bounds
from tests.gateway.translate.zones import R1, zone


def modbus_at(unit: int, **other):
    return {"protocol": "modbus", "host": "10.0.0.1", "port": 502, "unit": unit, **other}


def test_units_behind_one_gateway_share_a_connection_at_the_quicker_pace():
    changed = {"A": {"endpoint": modbus_at(1, poll_s=5)}, "E": {"endpoint": modbus_at(2, poll_s=2, timeout_s=0.5)}}
    (one,) = modbus.settings(zone(changed))
    assert [unit.unit_id for unit in one.units] == [1, 2]
    assert (one.host, one.port, one.poll_s, one.timeout_s) == ("10.0.0.1", 502, 2, 0.5)


def test_a_sunspec_device_knows_its_nameplate_and_its_fallback():
    first = modbus.settings(zone())[0].units[0]
    assert first == SunSpecDer(
        "A", ceiling_w=2.5e6, floor_w=-2.5e6, fallback=Bounds(None, 0.5e6), unit_id=1, lease_max_s=900
    )


@pytest.mark.parametrize(
    ("endpoint", "medium", "address"),
    [
        ({"transport": "rtu_over_tcp"}, media.RtuOverTcp(), "10.0.0.1:502"),
        ({"transport": "serial", "host": "/dev/ttyS0", "baud": 9600}, media.SerialLine(9600), "/dev/ttyS0"),
        (
            {"transport": "tls", "ca_file": "/c", "certificate_file": "/a", "key_file": "/k", "server_name": "pv"},
            media.Tls("/a", "/k", "/c", "pv"),
            "10.0.0.1:802",
        ),
    ],
)
def test_a_modbus_transport_is_a_medium(endpoint, medium, address):
    plain = {"protocol": "modbus", "host": "10.0.0.1", "unit": 1}
    found = next(s for s in modbus.settings(zone({"A": {"endpoint": plain | endpoint}})) if s.medium == medium)
    assert found.address == address


def test_quirks_of_the_file_reach_the_device():
    odd = {"percent_of": "rating", "min_limit_pct": 1, "read_max": 60, "write_single": True, "writes_per_day": 500}
    changed = {"A": {"endpoint": modbus_at(1, one_session=True, gap_s=0.05, **odd), "controllable": "none"}}
    one = modbus.settings(zone(changed))[0]
    assert (one.gap_s, one.retry_min_s) == (0.05, 5)
    assert one.units[0].quirks == Quirks(60, True, PercentOf.RATING, 1, 500, heartbeat=False)


def test_a_station_by_points_of_models_is_a_sunspec_station():
    station = {"M": {"endpoint": modbus_at(7), "points": [
        {"point": "L12.current_a", "address": "203/2.AphA"},
        {"point": "TD1.active_power_w", "address": "160.module[1].DCW", "scale": -1},
    ]}}  # fmt: skip
    (unit,) = next(s.units for s in modbus.settings(zone(stations=station)) if s.host == "10.0.0.1")
    assert unit == SunSpecStation(
        "M",
        (
            ModelPoint(Point("L12", Quantity.CURRENT_A), 203, "AphA", 2),
            ModelPoint(Point("TD1", Quantity.ACTIVE_POWER_W), 160, "module[1].DCW", 1, -1),
        ),
        7,
    )


def test_a_map_of_registers_reaches_the_device():
    power = {"address": 5, "encoding": "int32", "function": 4, "order": "DCBA", "missing": -1}
    ceiling = {"address": 9, "encoding": "uint16", "scale": 1000.0, "read_address": 19}
    switch = {"address": 10, "encoding": "uint16", "when_on": 803, "when_off": 802}
    mapped = {"registers": {"active_power_w": power}, "controls": {"ceiling_w": ceiling, "limit_enabled": switch}}
    unit = modbus.settings(zone({"A": {"endpoint": modbus_at(1, **mapped)}}))[0].units[0]
    assert isinstance(unit, MappedDer)
    assert unit.registers[0].register == Register(5, Encoding.INT32, 1.0, Order.DCBA, inputs=True, missing=-1)
    assert unit.controls == {
        Term.CEILING: ControlRegister(Register(9, Encoding.UINT16, 1000.0), Register(19, Encoding.UINT16, 1000.0)),
        Term.LIMIT_ENABLED: ControlRegister(Register(10, Encoding.UINT16), on=803, off=802),
    }


def test_opc_ua_has_one_connection_per_server():
    device, station = opcua.settings(zone(), {})
    assert ([d.resource for d in device.ders], device.url) == (["C"], "opc.tcp://127.0.0.1:14840")
    assert station.ders == ()
    assert Point("L12", Quantity.CURRENT_A) in [mapped.point for mapped in station.points]
    assert device.refresh_s == 2 * device.publishing_s


def test_opc_ua_takes_its_password_from_the_environment_or_says_what_is_missing():
    endpoint = {"protocol": "opcua", "url": "opc.tcp://h:4840", "node": "s=C", "username": "u"}
    secured = {"security": "Basic256Sha256,SignAndEncrypt,c,k", "trust": "pki", "password_variable": "SECRET"}
    named = zone({"C": {"endpoint": {**endpoint, **secured}}})
    (one, _) = opcua.settings(named, {"SECRET": "s3"})
    assert (one.user, one.trust) == (UserName("u", "s3"), "pki")
    assert "s3" not in repr(one)
    with pytest.raises(opcua.MissingPasswordError, match=r"SECRET with the password of u at opc\.tcp://h:4840"):
        opcua.settings(named, {})


def test_an_opc_ua_session_may_be_that_of_a_certificate():
    secured = {"security": "Basic256Sha256,Sign,c,k,s", "user_certificate_file": "u.der", "user_key_file": "u.pem"}
    endpoint = {"protocol": "opcua", "url": "opc.tcp://h:4840", "node": "s=C", **secured}
    (one, _) = opcua.settings(zone({"C": {"endpoint": endpoint}}), {})
    assert one.connection.user == UserCertificate("u.der", "u.pem")


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


def test_the_operators_number_is_written_in_hex_or_decimal_digits():
    known = {"B": {"endpoint": {"protocol": "ieee2030_5", "lfdi": "ab" * 20}}}
    plain = ieee2030_5.settings(zone(known, ieee2030_5={"pen": 28547}))
    australian = ieee2030_5.settings(zone(known, ieee2030_5={"pen": 28547, "pen_encoding": "decimal"}))
    assert plain is not None
    assert australian is not None
    assert [mrid(server, "x")[24:] for server in (plain, australian)] == ["00006F83", "00028547"]


def test_a_missing_certificate_is_an_error_that_names_it(tmp_path):
    with pytest.raises(OSError, match=r"B\.pem"):
        ieee2030_5.settings(zone(ieee2030_5={"certificates": str(tmp_path)}))


OUTSTATION = {"protocol": "dnp3", "host": "10.0.0.2", "port": 20000, "outstation": 21, "master": 3}


def test_dnp3_has_one_connection_per_outstation():
    station = {"SCADA": {"endpoint": {**OUTSTATION, "host": "10.0.0.3"}, "points": [
        {"point": "L12.current_a", "address": "AI4", "scale": 0.1}, {"point": "SWT.switch_closed", "address": "DBI0"},
    ]}}  # fmt: skip
    device, rtu = dnp3.settings(zone({"A": {"endpoint": OUTSTATION}}, stations=station))
    assert (device.host, device.port, device.master.outstation, device.master.local) == ("10.0.0.2", 20000, 21, 3)
    assert ([der.resource for der in device.ders], device.resources) == (["A"], {"A"})
    assert (device.fallback, device.master.event_poll_s) == (Bounds(None, 0.5e6), 1)
    assert Quantity.STATE_OF_CHARGE_PU in {mapped.point.quantity for mapped in device.inputs}
    assert rtu.ders == ()
    assert rtu.inputs == (
        MappedInput(Point("L12", Quantity.CURRENT_A), Kind.ANALOG_INPUT, 4, 0.1),
        MappedInput(Point("SWT", Quantity.SWITCH_CLOSED), Kind.DOUBLE_BIT_INPUT, 0),
    )


def test_a_dnp3_device_differs_from_the_map_where_its_endpoint_says_so():
    odd = {**OUTSTATION, "floor": False, "switch_status": "outputs", "fallback_output": 900, "time_sync": "non_lan"}
    (settings,) = dnp3.settings(zone({"A": {"endpoint": {**odd, "select": False, "unsolicited": False}}}))
    (der,) = settings.ders
    assert der.floor is None
    assert der.limit_enable.readback_kind is der.target_enable.readback_kind is Kind.BINARY_OUTPUT
    assert (der.fallback_ceiling.output, der.fallback_ceiling.unit) == (900, 2500)
    assert (settings.select, settings.master.unsolicited, settings.master.time_sync) == (False, False, TimeSync.NON_LAN)


def test_dnp3_over_tls_is_mutual():
    secured = {**OUTSTATION, "tls": True, "ca_file": "/c", "certificate_file": "/m", "key_file": "/k"}
    (settings,) = dnp3.settings(zone({"A": {"endpoint": {**secured, "server_name": "rtu"}}}))
    assert settings.tls == Tls("/m", "/k", "/c", server_name="rtu")


def test_sparkplug_has_one_host_application_per_broker():
    endpoint = {"protocol": "sparkplug", "host": "h", "group": "g", "node": "n", "password_variable": "SECRET"}
    renamed = {"Control/ceiling_w": "Setpoints/PMax"}
    changed = {
        "A": {"endpoint": {**endpoint, "device": "a", "names": renamed}},
        "B": {"endpoint": {**endpoint, "device": "b"}},
    }
    (one,) = mqtt.sparkplug_settings(zone(changed), {"SECRET": "s3"})
    assert [(der.resource, str(der.source)) for der in one.ders] == [("A", "g/n/a"), ("B", "g/n/b")]
    assert one.ders[0].names == renamed
    assert one.password == "s3"
    assert one.state_topic.startswith("spBv1.0/STATE/ampacity-")


def test_the_facade_shows_the_devices_of_its_zone_at_their_units():
    bench = load(R1.parent / "r1_short_bench.yaml")
    found = sunspec.settings(bench, facts.zone_facts(bench, 0.0))
    assert found is not None
    assert {der.resource.id: der.unit for der in found.ders} == {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5}
    assert (found.port, found.tls_port, found.security, found.hold_s) == (15502, None, None, 120)
    battery = found.ders[0]
    assert (battery.protocol, battery.kind, battery.p_min_w, battery.percent_of_w) == ("modbus", "bess", -2.5e6, 2.5e6)
    assert sunspec.settings(load(R1), facts.zone_facts(load(R1), 0.0)) is None


def test_a_secure_facade_has_its_files_and_who_may_write():
    files = {"ca_file": "/p/ca", "certificate_file": "/p/c", "key_file": "/p/k"}
    document = load(R1).model_dump(mode="json")
    secured = type(load(R1)).model_validate({**document, "sunspec": {"tls_port": 1802, "writers": ["bench"], **files}})
    found = sunspec.settings(secured, facts.zone_facts(secured, 0.0))
    assert found is not None
    assert found.security is not None
    assert (str(found.security.key), found.security.writers) == ("/p/k", frozenset({"bench"}))
    assert [der.unit for der in found.ders] == list(range(1, len(found.ders) + 1))


def test_without_a_section_the_gateway_is_no_opc_ua_server():
    assert opcua_server.settings(zone(), {}) is None


def test_the_opc_ua_server_knows_its_users_and_takes_passwords_from_the_environment_alone():
    users = {
        "see": {"password_variable": "SEE"},
        "ops": {"role": "operator", "certificate_file": "o.der"},
    }
    secured = {"policies": ["Aes256Sha256RsaPss"], "certificate_file": "c", "key_file": "k", "trust": "t"}
    asked = zone().model_copy(update={"opcua_server": OpcUaServer.model_validate({**secured, "users": users})})
    made = opcua_server.settings(asked, {"SEE": "s3"})
    assert made is not None
    assert made.users == (ServedUser("see", password="s3"), ServedUser("ops", is_operator=True, certificate="o.der"))
    assert (made.application_uri, made.namespace) == ("urn:ampacity:R1", "urn:ampacity:R1:zone")
    assert "s3" not in repr(made)
    with pytest.raises(opcua.MissingPasswordError, match="SEE with the password of the OPC UA user see is not set"):
        opcua_server.settings(asked, {"SEE": ""})


def test_the_opc_ua_server_shows_every_point_of_a_station_once():
    points = opcua_server.points(zone())
    assert Point("L12", Quantity.CURRENT_A) in points
    assert len(points) == len(set(points))


def test_the_2030_5_server_can_be_asked_for_without_a_device_of_the_zone():
    alone = ieee2030_5.settings(zone({"B": {"endpoint": modbus_at(1)}}, ieee2030_5={"always": True}))
    assert alone is not None
    assert (alone.devices, alone.poll_rate_s, alone.post_rate_s) == ((), 300, 300)


def test_the_operators_way_in_is_made_once_and_for_its_owner_alone(tmp_path):
    here = zone(storage={"directory": str(tmp_path / "run")}, ieee2030_5={"admin_port": 18_444})
    first = ieee2030_5.admin(here, {})
    file = tmp_path / "run" / "admin.token"
    assert (first.host, first.port, first.announce) == ("127.0.0.1", 18_444, tmp_path / "run" / "admin.url")
    assert (stat.S_IMODE(file.stat().st_mode), file.read_text().strip()) == (0o600, first.token)
    assert first.token not in repr(first)
    assert ieee2030_5.admin(here, {}) == first
    assert ieee2030_5.admin(here, {"AMPACITY_ADMIN_TOKEN": "of the environment"}).token == "of the environment"
    with pytest.raises(TokenError, match="AMPACITY_ADMIN_TOKEN is shorter than 16"):
        ieee2030_5.admin(here, {"AMPACITY_ADMIN_TOKEN": "short"})
    file.chmod(0o640)
    with pytest.raises(TokenError, match="chmod 600"):
        ieee2030_5.admin(here, {})
