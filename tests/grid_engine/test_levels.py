"""Which station, feeder, segment and transformer a bus hangs on, as switches stand."""

from pathlib import Path

import pytest

from grid_engine import feeders
from grid_engine.dispatch.levels import Tier, Way, ways
from grid_engine.importers.any import load
from grid_engine.model import Network
from grid_engine.results import NetworkState

AS_BUILT = NetworkState()
ZONES = Path(__file__).parents[2] / "config" / "zones" / "networks"


@pytest.fixture(scope="module")
def r1() -> Network:
    return load(ZONES / "r1.json")


def test_levels_go_from_the_station_to_the_bus(r1: Network) -> None:
    found = ways(r1, AS_BUILT)
    assert found["B4"].levels() == (
        (Tier.SUBSTATION, "B1"),
        (Tier.FEEDER, "L11"),
        (Tier.SEGMENT, "SW12"),
        (Tier.SERVICE_POINT, "B4"),
    )
    assert found["B1"] == Way(substation="B1", service_point="B1")
    assert {bus: way.feeder for bus, way in found.items() if way.feeder} == {
        "B2": "L11", "B3": "L11", "B4": "L11", "B5": "L21", "B6": "L21", "B7": "L31",
    }  # fmt: skip


def test_switching_moves_what_is_behind_the_tie_to_the_other_feeder(r1: Network) -> None:
    found = ways(r1, NetworkState(switches_closed={"SW12": False, "SWT": True}))
    assert {bus: (way.feeder, way.segment) for bus, way in found.items() if way.segment} == {
        "B3": ("L21", "SWT"),
        "B4": ("L21", "SWT"),
    }


def test_what_is_not_supplied_has_no_way(r1: Network) -> None:
    assert ways(r1, AS_BUILT).keys() - ways(r1, NetworkState(switches_closed={"SW12": False})).keys() == {"B3", "B4"}
    assert ways(r1, NetworkState(in_service={"L31": False})).keys() == ways(r1, AS_BUILT).keys() - {"B7"}


def test_a_house_hangs_on_its_service_transformer_behind_regulators_and_switches() -> None:
    network = load(ZONES / "maple.json.gz")
    found = ways(network, AS_BUILT)
    assert len(found) == len(network.buses.ids)
    assert found["F1-14A5C1"] == Way("B1", "L-F1-01", "SW-F1M", "TX-F1-14A5", "F1-14A5C1")


def test_lines_above_the_station_belong_to_no_feeder_and_regulators_begin_no_level() -> None:
    network = feeders.load("ieee8500")
    found = ways(network, AS_BUILT)
    houses = [way for way in found.values() if way.service_transformer]
    assert len(houses) > 1_000
    assert {(way.substation, way.feeder) for way in houses} == {("regxfmr_hvmv_sub_lsb", "hvmv_sub_connector")}
