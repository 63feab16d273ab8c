import math

import pytest

from gateway.testbed.device import DeviceSpec, SimulatedDevice
from protocols.signals import Bounds

BATTERY = DeviceSpec(
    "A",
    p_max_w=2.5e6,
    p_min_w=-2.5e6,
    energy_wh=5e6,
    charge_efficiency=0.95,
    discharge_efficiency=0.95,
    soc_min_pu=0.1,
    soc_initial_pu=0.4,
)


def test_dispatch_ramps_linearly_and_stops_at_the_limit() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.set_target(2e6, 0, by_s=300)
    device.set_limit(Bounds(ceiling_w=1.2e6), 36, reversion_s=900, fallback=Bounds(ceiling_w=0.5e6))
    device.advance(90)
    assert device.power_w == pytest.approx(0.6e6)
    device.advance(180)
    assert device.power_w == pytest.approx(1.2e6)
    device.advance(300)
    assert device.power_w == pytest.approx(1.2e6)


def test_reversion_timer_puts_the_fallback_in_force_at_its_second() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.set_target(2e6, 0)
    device.set_limit(Bounds(ceiling_w=1.2e6), 0, reversion_s=60, fallback=Bounds(ceiling_w=0.5e6))
    device.faults.drop_link = True
    device.advance(59.5)
    assert (device.power_w, device.reversion_remaining_s) == (1.2e6, pytest.approx(0.5))
    device.advance(60)
    assert (device.power_w, device.reversion_remaining_s, device.reverted) == (0.5e6, 0, True)
    assert device.limit == Bounds(ceiling_w=0.5e6)


def test_reversion_without_fallback_leaves_the_device_unlimited() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.set_target(2e6, 0)
    device.set_limit(Bounds(ceiling_w=1.2e6), 0, reversion_s=10, fallback=Bounds())
    device.advance(11)
    assert device.limit.is_open
    assert device.power_w == 2e6


def test_a_refreshed_limit_starts_its_timer_again() -> None:
    device = SimulatedDevice(BATTERY, 0)
    for now in (0, 8, 16):
        device.set_limit(Bounds(ceiling_w=1e6), now, reversion_s=10, fallback=Bounds(ceiling_w=0.0))
    device.advance(25)
    assert device.limit.ceiling_w == 1e6


def test_power_follows_the_ramp_of_the_machine() -> None:
    device = SimulatedDevice(DeviceSpec("C", p_max_w=2e6, kind="chp", ramp_w_per_s=0.2e6 / 60), 0)
    device.set_target(1e6, 0)
    device.advance(150)
    assert device.power_w == pytest.approx(0.5e6)
    device.advance(300)
    assert device.power_w == pytest.approx(1e6)
    device.set_limit(Bounds(ceiling_w=0.0), 300, None, Bounds())
    device.advance(330)
    assert device.power_w == pytest.approx(0.9e6)


def test_a_battery_stops_when_its_energy_is_used() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.set_target(1.2e6, 0)
    device.advance(14.2 * 300)
    assert device.power_w == 1.2e6
    device.advance(14.3 * 300)
    assert device.power_w == 0
    assert device.state_of_charge_pu == pytest.approx(0.1)


def test_a_full_battery_takes_no_more() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.set_target(-2.5e6, 0)
    device.advance(3600)
    assert device.power_w == -2.5e6
    assert device.state_of_charge_pu == pytest.approx(0.4 + 2.5 * 0.95 / 5)
    device.advance(2 * 3600)
    assert (device.power_w, device.state_of_charge_pu) == (0, pytest.approx(1.0))


def test_solar_follows_what_is_available_and_obeys_the_limit() -> None:
    device = SimulatedDevice(DeviceSpec("B", p_max_w=6e6, kind="pv", initial_w=4e6), 0)
    assert device.power_w == 4e6
    device.set_limit(Bounds(ceiling_w=3e6), 1, None, Bounds())
    assert device.power_w == 3e6
    device.set_available(2e6, 2)
    assert device.power_w == 2e6
    device.set_limit(Bounds(), 3, None, Bounds())
    device.set_available(5e6, 4)
    assert device.power_w == 5e6


def test_a_lying_device_reports_the_limit_and_ignores_it() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.set_target(2e6, 0)
    device.faults.lie = True
    device.set_limit(Bounds(ceiling_w=1.2e6), 0, 900, Bounds())
    device.advance(10)
    assert device.limit.ceiling_w == 1.2e6
    assert device.reading.power_w == 2e6


def test_a_frozen_meter_stands_still_while_power_moves() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.faults.freeze_value = True
    device.set_target(2e6, 0)
    device.advance(10)
    assert (device.power_w, device.reading.power_w) == (2e6, 0)
    device.faults.switch("freeze_value", on=False)
    assert device.reading.power_w == 2e6


def test_a_broken_meter_reads_not_a_number() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.faults.not_a_number = True
    assert math.isnan(device.reading.power_w)


def test_an_unknown_fault_is_refused_with_the_known_names() -> None:
    with pytest.raises(ValueError, match="drop_link, freeze_value, lie"):
        SimulatedDevice(BATTERY, 0).faults.switch("explode", on=True)


def test_time_never_runs_backwards() -> None:
    device = SimulatedDevice(BATTERY, 100)
    device.advance(50)
    assert device.now_s == 100


def test_an_order_beats_the_owner_until_its_time_is_over() -> None:
    device = SimulatedDevice(BATTERY, 0)
    device.set_target(2e6, 0)
    device.set_limit(Bounds(ceiling_w=1.5e6), 0, None, Bounds())
    device.set_order(1e6, 0, reversion_s=30)
    device.advance(10)
    assert (device.power_w, device.order_remaining_s) == (1e6, 20)
    device.advance(31)
    assert (device.power_w, device.order_w) == (1.5e6, None)
