"""Expected values are the published numbers of reference zone R1."""

from math import isnan
from pathlib import Path

import pytest
import yaml

from config.settings import ZoneFile
from gateway.testbed.world import World, of_zone, point_of
from protocols.signals import Bounds

ZONES = Path(__file__).parents[3] / "config" / "zones"
CURRENT = point_of("L12.current_a")


@pytest.fixture
def world() -> World:
    zone = ZoneFile.model_validate(yaml.safe_load((ZONES / "r1.yaml").read_text()))
    return of_zone(zone, ZONES, 0.0)


@pytest.mark.parametrize(("power_w", "loading_pct"), [(1.0e6, 94.8), (1.2e6, 100.0), (2.0e6, 120.8)])
def test_battery_loads_the_weak_section_as_published(world: World, power_w: float, loading_pct: float) -> None:
    world.devices["A"].set_target(power_w, 0)
    assert 100 * world.truth(CURRENT) / 154.2 == pytest.approx(loading_pct, abs=0.05)


def test_the_tap_raises_the_voltage_at_the_solar_park(world: World) -> None:
    for name in ("T1", "T2"):
        world.plant.set_tap(name, -3)
    world.devices["B"].set_available(5e6, 0)
    assert world.truth(point_of("B4.voltage_pu")) == pytest.approx(1.057, abs=0.0006)
    assert world.truth(point_of("T1.tap_position")) == -3


def test_reconfiguration_moves_the_feeder_to_the_tie(world: World) -> None:
    world.devices["A"].set_target(2e6, 0)
    world.plant.set_switch("SWT", closed=True)
    world.plant.set_switch("SW12", closed=False)
    assert 100 * world.truth(CURRENT) / 154.2 < 1
    assert 100 * world.truth(point_of("LT.current_a")) / 400 == pytest.approx(47.8, abs=0.1)


def test_power_is_counted_from_the_first_end(world: World) -> None:
    assert world.truth(point_of("L12.active_power_w")) == pytest.approx(-2.4e6, abs=0.1e6)
    through = world.truth(point_of("T1.apparent_power_va"))
    assert 2 * through == pytest.approx(world.truth(point_of("TD1.apparent_power_va")), rel=1e-6)


def test_nothing_is_solved_while_nothing_changes(world: World) -> None:
    before = world.truth(CURRENT)
    for second in range(1, 100):
        world.advance(second)
        assert world.truth(CURRENT) == before
    assert world.plant.solutions == 1


def test_a_repeated_solution_equals_one_from_scratch(world: World) -> None:
    values = []
    for power_w in (0.0, 2.5e6, -2.5e6, 1.2e6):
        world.devices["A"].set_target(power_w, world.now_s)
        values.append(world.truth(CURRENT))
    world.plant.scale_loads(1.0)
    assert world.truth(CURRENT) == pytest.approx(values[-1], rel=1e-7)


def test_without_a_solution_stations_read_nan_and_recover(world: World) -> None:
    before = world.truth(CURRENT)
    world.plant.scale_loads(50)
    assert isnan(world.truth(CURRENT))
    world.plant.scale_loads(1)
    assert world.truth(CURRENT) == pytest.approx(before, rel=1e-9)


def test_a_frozen_station_stands_still_and_comes_back(world: World) -> None:
    first = world.measure("SCADA", CURRENT)
    world.stations["SCADA"].faults.freeze_value = True
    world.devices["A"].set_target(2e6, 0)
    assert world.measure("SCADA", CURRENT) == first
    world.stations["SCADA"].faults.freeze_value = False
    assert world.measure("SCADA", CURRENT) > first


def test_flow_falls_when_a_lost_device_reverts(world: World) -> None:
    device = world.devices["A"]
    device.set_target(2e6, 0)
    device.set_limit(Bounds(ceiling_w=1.2e6), 0, 60, Bounds(ceiling_w=0.5e6))
    device.faults.drop_link = True
    world.advance(59)
    assert world.truth(CURRENT) == pytest.approx(154.2, rel=0.001)
    world.advance(61)
    assert world.truth(CURRENT) < 0.87 * 154.2


def test_an_unknown_point_is_refused_by_name(world: World) -> None:
    with pytest.raises(ValueError, match=r"L99\.current_a"):
        world.truth(point_of("L99.current_a"))
    with pytest.raises(ValueError, match=r"L12\.voltage_pu"):
        world.truth(point_of("L12.voltage_pu"))
