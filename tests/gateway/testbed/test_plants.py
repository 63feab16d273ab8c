"""The format of the network says which solver plays it."""

from pathlib import Path

import pytest

from config.loader import load
from config.settings import ZoneFile
from gateway.testbed.balanced import BalancedPlant
from gateway.testbed.opendss import OpenDssPlant
from gateway.testbed.plant import Attachment
from gateway.testbed.plants import plant_of
from gateway.testbed.world import of_zone, point_of

ZONES = Path(__file__).parents[3] / "config" / "zones"
NETWORKS = ZONES / "networks"


def test_pandapower_plays_its_own_and_opendss_ours():
    assert isinstance(plant_of(NETWORKS / "r1.json", {"A": Attachment("B3")}), BalancedPlant)
    assert isinstance(plant_of(NETWORKS / "maple.json.gz", {"A": Attachment("B1")}), OpenDssPlant)


def test_what_cannot_be_played_is_told():
    with pytest.raises(ValueError, match="A is connected to 's1s2'"):
        plant_of(NETWORKS / "r1.json", {"A": Attachment("B3", "s1s2")})
    with pytest.raises(ValueError, match=r"none\.json: cannot be read"):
        plant_of(NETWORKS / "none.json", {})


def test_what_has_one_phase_makes_a_network_uneven():
    plant = plant_of(NETWORKS / "r1.json", {"E": Attachment("B2", "a"), "B": Attachment("B4")})
    plant.inject("E", 1e6)
    plant.inject("B", 4e6)
    told = [plant.read(point_of(f"B2.voltage_pu.{phase}")) for phase in "abc"]
    assert told == pytest.approx([1.0063, 0.9793, 1.0055], abs=2e-4)
    assert plant.read(point_of("B2.voltage_pu")) == pytest.approx(sum(told) / 3)
    assert plant.read(point_of("L11.current_a")) == pytest.approx(170, abs=1)
    assert plant.read(point_of("TD1.active_power_w")) == pytest.approx(4.73e6, abs=0.02e6)


def test_loads_of_a_balanced_network_follow_too():
    plant = BalancedPlant(NETWORKS / "r1.json", {})
    before = plant.read(point_of("LD_B2.reactive_power_var"))
    plant.follow({"LD_B2": 0.75e6})
    assert plant.read(point_of("LD_B2.active_power_w")) == pytest.approx(-0.75e6)
    assert plant.read(point_of("LD_B2.reactive_power_var")) == pytest.approx(before / 2)
    plant.follow({"LD_B2": 0.0})
    plant.follow({"LD_B2": 1.5e6})
    assert plant.read(point_of("LD_B2.reactive_power_var")) == pytest.approx(before)


def test_a_zone_of_several_networks_is_refused():
    zone = load(ZONES / "r1.yaml")
    network = {"feeders": {"F": str(NETWORKS / "r1.json")}, "version": "v"}
    several = ZoneFile.model_validate({**zone.model_dump(mode="json"), "network": network})
    with pytest.raises(ValueError, match=r"give `network\.source`"):
        of_zone(several, ZONES, 0.0)


def test_the_world_lives_through_the_day():
    zone = load(ZONES / "maple.yaml")
    morning_s, noon_s = 11 * 3600.0, 17.5 * 3600.0
    world = of_zone(zone, ZONES, morning_s)
    dim = world.devices["SUN1"].available_w
    supplied = world.truth(point_of("GRID.active_power_w"))
    world.advance(noon_s)
    assert world.devices["SUN1"].power_w == world.devices["SUN1"].available_w > 3e6 > dim
    assert world.truth(point_of("GRID.active_power_w")) < 0 < supplied
    assert world.truth(point_of("HUB1.active_power_w")) == -0.15e6
