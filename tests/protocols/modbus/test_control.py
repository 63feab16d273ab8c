from dataclasses import replace

import pytest

from protocols.modbus.control import (
    DeviceState,
    baseline,
    ceiling_in_force_w,
    plan_control,
    plan_release,
    w_max,
)
from protocols.modbus.plan import Plan, Refusal, differences
from protocols.modbus.settings import SunSpecDer
from protocols.modbus.sunspec import ModelImage, Reading
from protocols.signals import Bounds, Control
from tests.protocols.modbus.server import battery_image, legacy_image

BATTERY = SunSpecDer("A", 2.5e6, -2.5e6)
SOLAR = SunSpecDer("B", 6e6)


def read(image: ModelImage, model_id: int) -> Reading:
    span = image.models[model_id].span()
    return span.decode(image.read(span.address, span.count))


def state(image: ModelImage, model_id=704, der=BATTERY, w_max_w=2.5e6, **rest) -> DeviceState:
    known = {"power_w": 0.0, "baseline": {}, "held": frozenset()} | rest
    return DeviceState(der, image.models[model_id], read(image, model_id), w_max_w, **known)


def control(limit: Bounds, **rest) -> Control:
    return Control("c", "A", 1, 0, 900, limit, **rest)


def planned(found: Plan | Refusal) -> Plan:
    assert isinstance(found, Plan), found
    return found


def test_ceiling_becomes_a_percentage_of_w_max_rounded_down():
    plan = planned(plan_control(control(Bounds(None, 1.2e6)), 900, state(battery_image())))
    assert plan.requested["WMaxLimPct"] == 48.0
    plan = planned(plan_control(control(Bounds(None, 1e6)), 900, state(battery_image(), w_max_w=3e6)))
    assert plan.requested["WMaxLimPct"] == 33.33
    image = battery_image()
    image.set("704.WMaxLimPct_SF", 0)
    assert planned(plan_control(control(Bounds(None, 1e6)), 9, state(image, w_max_w=3e6))).requested["WMaxLimPct"] == 33


def test_ceiling_above_w_max_is_all_of_it():
    plan = planned(plan_control(control(Bounds(None, 9e6)), 900, state(battery_image())))
    assert plan.requested["WMaxLimPct"] == 100


def test_reversion_takes_the_controls_fallback_else_the_units():
    own = planned(plan_control(control(Bounds(None, 1e6), fallback=Bounds(None, 5e5)), 899.1, state(battery_image())))
    assert own.requested["WMaxLimPctRvrt"] == 20
    assert own.requested["WMaxLimPctEnaRvrt"] == 1
    assert own.requested["WMaxLimPctRvrtTms"] == 900
    units = replace(BATTERY, fallback=Bounds(None, 2.5e5))
    unit = planned(plan_control(control(Bounds(None, 1e6)), 900, state(battery_image(), der=units)))
    assert unit.requested["WMaxLimPctRvrt"] == 10
    none = planned(plan_control(control(Bounds(None, 1e6)), 900, state(battery_image())))
    assert none.requested["WMaxLimPctEnaRvrt"] == 0


@pytest.mark.parametrize(
    ("limit", "power_w", "set_w"),
    [
        (Bounds(None, -4e5), 1e6, -4e5),
        (Bounds(-5e5, 2e6), -2e6, -5e5),
        (Bounds(-5e5, 2e6), 1e6, 1e6),
        (Bounds(1e5, None), 0, 1e5),
    ],
)
def test_what_a_percentage_cannot_say_becomes_a_set_point_inside_the_limit(limit, power_w, set_w):
    plan = planned(plan_control(control(limit), 900, state(battery_image(), power_w=power_w)))
    assert plan.requested["WSet"] == set_w
    assert plan.requested["WSetEna"] == plan.requested["WSetMod"] == 1
    assert plan.requested["WSetRvrtTms"] == 900
    assert "set point inside" in plan.notes[0]


@pytest.mark.parametrize("limit", [Bounds(None, -4e5), Bounds(1e6, 2e6)])
def test_what_the_device_cannot_express_is_refused(limit):
    image = legacy_image()
    refused = plan_control(control(limit), 900, state(image, 123, SOLAR, 6e6))
    assert isinstance(refused, Refusal)
    assert "B: limits" in refused.detail


def test_a_floor_at_the_nameplate_asks_for_nothing():
    plan = planned(plan_control(control(Bounds(0, 3e6)), 900, state(legacy_image(), 123, SOLAR, 6e6)))
    assert plan.requested["WMaxLimPct"] == 50


def test_a_target_needs_a_device_that_takes_set_points():
    refused = plan_control(control(Bounds(), target_w=1e6), 900, state(legacy_image(), 123, SOLAR, 6e6))
    assert isinstance(refused, Refusal)


def test_a_target_is_clamped_and_never_rounded_out_of_the_limit():
    image = battery_image()
    image.set("704.WSet_SF", 3)
    plan = planned(plan_control(control(Bounds(None, 1_234_567), target_w=2e6), 900, state(image)))
    assert plan.requested["WSet"] == 1_234_000
    plan = planned(plan_control(control(Bounds(-1_234_567, 0), target_w=-2e6), 900, state(image)))
    assert plan.requested["WSet"] == -1_234_000


def test_the_timer_of_the_target_goes_out_before_its_enable():
    image = battery_image()
    plan = planned(plan_control(control(Bounds(), target_w=1e6), 900, state(image)))
    assert [write.names[0] for write in plan.writes] == ["WSetEnaRvrt", "WSetEna"]


def test_legacy_reverts_only_where_no_limit_is_the_fallback():
    there = state(legacy_image(), 123, SOLAR, 6e6)
    free = planned(plan_control(control(Bounds(None, 3e6)), 900, there))
    assert free.requested["WMaxLimPct_RvrtTms"] == 900
    held = planned(plan_control(control(Bounds(None, 3e6), fallback=Bounds(None, 1.5e6)), 900, there))
    assert held.requested["WMaxLimPct_RvrtTms"] == 0
    assert "stays" in held.notes[0]
    long = planned(plan_control(control(Bounds(None, 3e6)), 1e6, there))
    assert long.requested["WMaxLimPct_RvrtTms"] == 0xFFFE


def test_nothing_is_written_for_a_control_that_asks_for_nothing():
    assert planned(plan_control(control(Bounds()), 900, state(battery_image()))).writes == ()


def test_release_writes_only_what_was_taken_over():
    before = {"704.WMaxLimPct": 80.0, "704.WMaxLimPctEna": 1.0, "704.WSetEna": 0.0}
    there = state(battery_image(), held=frozenset({"limit"}))
    assert planned(plan_release(before, there)).requested == {"WMaxLimPct": 80.0, "WMaxLimPctEna": 1.0}
    assert set(planned(plan_release(before, state(battery_image()))).requested) == {
        "WMaxLimPct",
        "WMaxLimPctEna",
        "WSetEna",
    }


def test_a_device_without_reversion_gets_the_limit_alone_and_that_is_said():
    image = battery_image()
    for name in ("WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms"):
        image.set(f"704.{name}", None)
    plan = planned(plan_control(control(Bounds(None, 1e6), fallback=Bounds(None, 5e5)), 900, state(image)))
    assert set(plan.requested) == {"WMaxLimPctEna", "WMaxLimPct"}
    assert "no reversion timer" in plan.notes[0]


def test_a_timer_that_is_not_running_is_no_part_of_the_baseline():
    image = battery_image()
    image.set("704.WMaxLimPctRvrtTms", 900)
    assert baseline(image.models[704], read(image, 704).values)["704.WMaxLimPctRvrtTms"] == 0
    image.set("704.WMaxLimPctRvrtRem", 5)
    assert baseline(image.models[704], read(image, 704).values)["704.WMaxLimPctRvrtTms"] == 900


def test_w_max_is_the_setting_else_the_rating_else_the_nameplate():
    assert w_max({702: {"WMax": 2e6, "WMaxRtg": 3e6}}, 1e6) == 2e6
    assert w_max({702: {"WMax": None, "WMaxRtg": 3e6}}, 1e6) == 3e6
    assert w_max({121: {"WMax": 4e6}, 120: {"WRtg": 5e6}}, 1e6) == 4e6
    assert w_max({}, 1e6) == 1e6


def test_reports_the_ceiling_in_force():
    image = battery_image()
    model = image.models[704]
    assert ceiling_in_force_w(model, read(image, 704).values, 2.5e6) == 2.5e6
    image.set("704.WMaxLimPctEna", 1)
    image.set("704.WMaxLimPct", 48)
    assert ceiling_in_force_w(model, read(image, 704).values, 2.5e6) == 1.2e6
    image.set("704.WMaxLimPctEna", None)
    assert ceiling_in_force_w(model, read(image, 704).values, 2.5e6) is None


def test_reading_back_under_another_scale_factor_is_no_difference():
    image = battery_image()
    plan = planned(plan_control(control(Bounds(None, 1.2e6)), 900, state(image)))
    image.set("704.WMaxLimPct_SF", -1)
    for name, value in plan.requested.items():
        image.set(f"704.{name}", value)
    assert not differences(plan, read(image, 704))
    image.set("704.WMaxLimPct", 49)
    assert differences(plan, read(image, 704)) == {"WMaxLimPct": 49.0}
