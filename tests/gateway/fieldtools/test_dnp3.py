"""The tools on the testbed's DER with the points of IEEE 1815.2, as a person would call them."""

import re

import pytest

from gateway.__main__ import main
from protocols.signals import Bounds
from tests.background import elsewhere
from tests.contract.harness_dnp3 import Harness
from tests.gateway.fieldtools.site import started, watched

pytestmark = pytest.mark.sockets


@pytest.fixture
def der():
    with elsewhere(lambda: started(Harness)) as harness:
        yield harness, f"dnp3://127.0.0.1:{harness.server.port}/10?timeout_s=5"


def test_a_scan_tells_the_points_and_that_it_is_a_der(der, json_of):
    _, target = der
    (found,) = json_of("scan", target)
    assert found["endpoint"] == {"outstation": 10}
    assert found["is_der"]
    assert found["offers"][0] == "the points of IEEE 1815.2 by which active power is limited"
    assert any(re.fullmatch(r"\d+ analog outputs, AO\d+ to AO900", offer) for offer in found["offers"])
    assert found["p_max_w"] == 2.5e6


def test_read_names_points_and_tells_what_is_missing(der, json_of):
    _, target = der
    power, missing = json_of("read", target, "AI537", "BI4321", status=1)
    assert (power["value"], power["quality"]) == (1e6, "good")
    assert (missing["value"], missing["quality"]) == (None, "bad")


def test_write_with_a_lease_limits_the_device_and_ends_by_itself(der, json_of):
    harness, target = der
    written = json_of("write", target, "AO87=400", "--lease", "60")
    assert written["obeyed"]
    assert {item["address"]: item["value"] for item in written["effective"]} == {"AO85": 60, "AO87": 400, "BO17": 1}
    assert harness.device.limit.ceiling_w == pytest.approx(0.4 * harness.device.spec.p_max_w)
    assert harness.device.reversion_remaining_s == pytest.approx(60, abs=5)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("AI7=1", "AI7 is no output; AO and BO can be written"),
        ("BO17=2", "BO17 takes 0 or 1, on or off, or pulse_on, pulse_off, close, trip, not '2'"),
        ("XX1=2", "'XX1' is no DNP3 point"),
        ("AO5000=1", "select answered NOT_SUPPORTED"),
    ],
)
def test_what_cannot_be_written_is_told(der, capsys, value, said):
    harness, target = der
    assert main(["write", target, value, "--yes"]) == 1
    assert said in capsys.readouterr().err
    assert harness.device.limit.is_open


def test_a_lease_needs_a_reversion_time(der, capsys):
    _, target = der
    assert main(["write", target, "AO5=1", "--lease", "10"]) == 1
    assert "AO5 has no reversion time (AO87, AO88, BO17, AO93, BO18 have)" in capsys.readouterr().err


def test_the_wrong_link_address_is_told(der, capsys):
    _, target = der
    assert main(["read", target.replace("/10?timeout_s=5", "/11?timeout_s=0.1"), "AI537"]) == 1
    assert "no answer to master 1; see that both link addresses are right" in capsys.readouterr().err


def test_watch_hears_of_changes(der):
    harness, target = der
    limit = Bounds(ceiling_w=5e5)
    values = watched(target, "AI148", 2, lambda: harness.device.set_limit(limit, harness.now(), 60, Bounds()))
    assert values == [1000, 200]
