"""The zone file's MW and names as the watts and values that decisions stand on."""

import pytest

from gateway.coordination.book import Book
from gateway.coordination.study import impact
from gateway.coordination.zone import Controllable, DsoModel, Role
from gateway.translate.facts import polls, zone_facts
from grid_engine.results import Policy
from protocols.signals import Bounds
from tests.gateway.coordination.build import situation
from tests.gateway.translate.zones import zone

T = 1_800_000_000.0


def test_a_device_becomes_a_resource_in_si_units():
    battery = zone_facts(zone(), T).resources["A"]
    assert (battery.floor_w, battery.ceiling_w) == (-2.5e6, 2.5e6)
    assert (battery.static, battery.controllable) == (Bounds(None, 0.5e6), Controllable.SETPOINT)
    assert (battery.bus, battery.owner, battery.connected_on) == ("B3", "AGENT_A", "2021-01-01")


def test_a_ramp_per_minute_becomes_one_per_second():
    assert zone_facts(zone(), T).resources["C"].ramp_w_per_s == pytest.approx(0.2e6 / 60)


def test_what_a_resource_may_do_is_what_device_and_connection_both_allow():
    connection = {"bus": "B3", "export_mw": 2.0, "import_mw": 1.0, "date": "2021-01-01"}
    battery = zone_facts(zone({"A": {"connection": connection}}), T).resources["A"]
    assert (battery.floor_w, battery.ceiling_w) == (-1.0e6, 2.0e6)


def test_a_forecast_begins_with_the_next_interval():
    solar = zone_facts(zone({"B": {"forecast_mw": [4.0, 5.0]}}), T + 10).resources["B"]
    assert solar.forecast is not None
    assert [solar.forecast.at(T + s) for s in (10, 300, 599, 600, 9999)] == [4e6, 4e6, 4e6, 5e6, 5e6]


def test_rules_and_clocks_are_those_of_the_file():
    limits = {"policy": "pro_rata", "release_mw": 0.1, "step_mw": 0.02, "look_ahead": True}
    facts = zone_facts(zone(limits=limits, clocks={"tick_s": 5}), T)
    assert (facts.limits.policy, facts.limits.release_w, facts.limits.step_w) == (Policy.PRO_RATA, 1e5, 2e4)
    assert facts.limits.look_ahead
    assert (facts.clocks.tick_s, facts.clocks.interval_s) == (5, 300)
    assert (facts.id, facts.model, facts.model_version) == ("R1", DsoModel.DUAL_PARTICIPATION, "r1-1")
    assert (facts.parties["IESO"], facts.parties["AGENT_A"]) == (Role.SYSTEM_OPERATOR, Role.DERA)


def test_ratings_become_amperes_and_volt_amperes():
    ratings = zone_facts(zone(), T).ratings
    assert ratings["L12"].ampacity_a == 154.2
    assert ratings["T1"].apparent_power_va == 10e6
    assert ratings["T1"].ampacity_a is None


def test_everything_that_is_measured_has_its_poll():
    mqtt = {"protocol": "mqtt", "host": "127.0.0.1", "port": 11883, "topic": "r1/D", "telemetry_s": 7}
    found = polls(zone({"D": {"endpoint": mqtt}}))
    client = {"protocol": "ieee2030_5", "poll_s": 60, "post_s": 20}
    assert polls(zone({"B": {"endpoint": client}}))["B"] == 20
    assert (found["A"], found["B"], found["D"], found["L12"]) == (1, 300, 7, 0.5)
    assert {"B4", "T1", "SWT", "TD1"} <= found.keys()


def test_what_is_expected_has_a_name_that_changes_with_it_and_goes_into_every_study():
    facts = zone_facts(zone(), T)
    assert facts.forecast_id.startswith("R1-1800000300-")
    assert zone_facts(zone(), T).forecast_id == facts.forecast_id
    assert zone_facts(zone({"B": {"forecast_mw": [4.0, 5.0]}}), T).forecast_id != facts.forecast_id
    question = impact(situation(Book(), T, facts=facts))
    assert (question.forecast_id, question.forecast_model) == (facts.forecast_id, "zone file")
