"""The plant that OpenDSS solves, on the network of Maple; expected values are closed forms and OpenDSS's own limits."""

from math import isnan, sqrt

import pytest

from gateway.testbed.opendss import OpenDssPlant
from gateway.testbed.plant import Attachment
from gateway.testbed.world import point_of
from grid_engine.feeders.maple.network import build

NETWORK = build()
RESOURCES = {
    "PARK": Attachment("F2-12"),
    "FARM": Attachment("FARM1S", "s1s2"),
    "HOMES": Attachment("F1-07B3", "b"),
    "PAIR": Attachment("F1-06", "abc", delta=True),
}


@pytest.fixture
def plant() -> OpenDssPlant:
    return OpenDssPlant(NETWORK, RESOURCES)


def value(plant: OpenDssPlant, point: str) -> float:
    return plant.read(point_of(point))


def test_power_is_balanced_and_counted_from_the_first_end(plant):
    supplied = value(plant, "GRID.active_power_w")
    assert supplied == pytest.approx(value(plant, "T1.active_power_w") + value(plant, "T2.active_power_w"), rel=1e-6)
    drawn = -sum(value(plant, f"{name}.active_power_w") for name in NETWORK.loads.ids)
    assert 0 < supplied - drawn < 0.04 * drawn
    assert value(plant, "L-F1-01.active_power_w") == pytest.approx(value(plant, "T1.active_power_w"), rel=0.01)
    apparent = value(plant, "T1.apparent_power_va")
    assert apparent**2 == pytest.approx(
        value(plant, "T1.active_power_w") ** 2 + value(plant, "T1.reactive_power_var") ** 2
    )


@pytest.mark.parametrize(
    ("resource", "asset"), [("PARK", "L-F2-12"), ("FARM", "TX-FARM1"), ("HOMES", "L-F1-07B3"), ("PAIR", "T1")]
)
def test_what_a_resource_injects_flows_back_towards_the_source(plant, resource, asset):
    before = value(plant, f"{asset}.active_power_w")
    plant.inject(resource, 60e3)
    assert before - value(plant, f"{asset}.active_power_w") == pytest.approx(60e3, rel=0.03)


def test_a_resource_on_one_phase_moves_that_phase(plant):
    before = {phase: value(plant, f"L-F1-01.active_power_w.{phase}") for phase in "abc"}
    plant.inject("HOMES", 90e3)
    moved = {phase: value(plant, f"L-F1-01.active_power_w.{phase}") - before[phase] for phase in "abc"}
    assert moved["b"] == pytest.approx(-90e3, rel=0.05)
    assert abs(moved["a"]) < 5e3 > abs(moved["c"])


def test_voltages_are_told_by_phase_and_as_their_mean(plant):
    phases = [value(plant, f"F2-12.voltage_pu.{phase}") for phase in "abc"]
    assert value(plant, "F2-12.voltage_pu") == pytest.approx(sum(phases) / 3)
    assert value(plant, "F2-12.voltage_v") == pytest.approx(sum(phases) / 3 * 27_600, rel=1e-6)
    assert value(plant, "F2-12.voltage_v.a") == pytest.approx(phases[0] * 27_600 / sqrt(3), rel=1e-6)
    assert value(plant, "FARM1S.voltage_v") == pytest.approx(120 * value(plant, "FARM1S.voltage_pu"), rel=1e-9)


def test_currents_are_those_of_the_conductor_that_carries_most(plant):
    phases = [value(plant, f"L-F1-01.current_a.{phase}") for phase in "abc"]
    assert value(plant, "L-F1-01.current_a") == pytest.approx(max(phases))
    plant.inject("FARM", 50e3)
    leg_a = 50e3 / 240 / value(plant, "FARM1S.voltage_pu")
    assert value(plant, "TX-FARM1.current_a") == pytest.approx(leg_a, rel=1e-3)


def test_loads_and_units_follow(plant):
    house, roof = NETWORK.loads.ids[0], NETWORK.units.ids[0]
    nominal_va = NETWORK.loads.power_va[0].sum()
    plant.follow({house: 3_000.0, roof: 5_000.0})
    volts = value(plant, f"{house.removesuffix('-L')}.voltage_pu")
    assert value(plant, f"{roof}.active_power_w") == pytest.approx(5_000, rel=1e-6)
    zip_p = NETWORK.loads.zip_p[0]
    law = zip_p[0] * volts**2 + zip_p[1] * volts + zip_p[2]
    assert value(plant, f"{house}.active_power_w") == pytest.approx(-3_000 * law, rel=1e-3)
    ratio = value(plant, f"{house}.reactive_power_var") / value(plant, f"{house}.active_power_w")
    assert ratio == pytest.approx(nominal_va.imag / nominal_va.real, rel=0.02)
    with pytest.raises(ValueError, match="no load or unit named NOBODY"):
        plant.follow({"NOBODY": 1.0})


def test_regulators_and_capacitors_act_by_themselves(plant):
    assert value(plant, "T2.tap_position") == 0
    assert value(plant, "CAP2.switch_closed") == 1
    plant.inject("PARK", 4.5e6)
    plant.scale_loads(0.5)
    assert value(plant, "CAP2.switch_closed") == 0
    assert value(plant, "F2-12.voltage_pu") > 1.04
    plant.scale_loads(2.5)
    plant.inject("PARK", 0.0)
    assert value(plant, "T2.tap_position") > 0


def test_a_tap_that_is_set_by_hand_stays(plant):
    before = value(plant, "B2.voltage_pu")
    plant.set_tap("T2", 6)
    assert value(plant, "T2.tap_position") == 6
    assert value(plant, "B2.voltage_pu") / before == pytest.approx(1 + 6 * 0.00625, abs=6e-3)
    with pytest.raises(ValueError, match="no transformer with a tap changer named 'TX-FARM1'"):
        plant.set_tap("TX-FARM1", 1)


def test_the_tie_takes_over_what_a_switch_cuts_off(plant):
    before = value(plant, "F2-12.voltage_pu")
    plant.inject("PARK", 1e6)
    plant.set_switch("SW-F2M", closed=False)
    assert value(plant, "SW-F2M.switch_closed") == 0
    assert value(plant, "F2-12.voltage_pu") == pytest.approx(0, abs=1e-9)
    assert value(plant, "L-F2-07.current_a") == pytest.approx(0, abs=1e-9)
    plant.set_switch("SW-TIE", closed=True)
    assert value(plant, "F2-12.voltage_pu") > 0.98
    assert value(plant, "L-TIE.active_power_w.a") != 0
    plant.set_switch("SW-TIE", closed=False)
    plant.set_switch("SW-F2M", closed=True)
    plant.inject("PARK", 0.0)
    assert value(plant, "F2-12.voltage_pu") == pytest.approx(before, abs=0.01)
    with pytest.raises(ValueError, match="no switch named 'CAP1'"):
        plant.set_switch("CAP1", closed=True)


def test_without_a_solution_everything_reads_nan_and_recovers(plant):
    before = value(plant, "F2-12.voltage_pu")
    plant.inject("PARK", -900e6)
    assert isnan(value(plant, "F2-12.voltage_pu"))
    assert not plant.converged
    plant.inject("PARK", 0.0)
    assert value(plant, "F2-12.voltage_pu") == pytest.approx(before, abs=1e-5)


def test_nothing_is_solved_while_nothing_changes(plant):
    for _ in range(5):
        value(plant, "B1.voltage_pu")
        plant.inject("PARK", 100.0)
    assert plant.solutions == 1


def test_it_knows_its_points_and_no_others(plant):
    points = plant.points()
    assert all(plant.knows(point) for point in points)
    assert point_of("T1.tap_position") in points
    for unknown in ("TX-FARM1.tap_position", "F1-07B3.voltage_pu.a", "GRID.voltage_pu", "L99.current_a"):
        assert not plant.knows(point_of(unknown))
        with pytest.raises(ValueError, match="no such value"):
            plant.read(point_of(unknown))


@pytest.mark.parametrize("at", [Attachment("F9-01"), Attachment("F1-07B3", "a"), Attachment("B1", "s1s2")])
def test_a_resource_must_have_its_conductors(at):
    with pytest.raises(ValueError, match="PARK is connected to"):
        OpenDssPlant(NETWORK, {"PARK": at})
