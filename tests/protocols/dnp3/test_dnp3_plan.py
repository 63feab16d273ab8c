"""Instructions to controls: order, rounding toward safety, leases, and what is left to others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.dnp3.commands import AnalogCommand, AnalogForm, BinaryCommand, Operation, encode_commands
from protocols.dnp3.layouts import Kind
from protocols.dnp3.plan import UnsupportedError, judge, plan_control, read_request, reads_equal, writes_of
from protocols.dnp3.profile import der_points
from protocols.dnp3.settings import Setpoint
from protocols.signals import Bounds, Control, Outcome

DER = der_points("A", 2.5e6, -2.5e6)
FREE = Bounds()


def control(ceiling_w=None, floor_w=None, target_w=None, lease_s=900.0, fallback=FREE):
    return Control("c", "A", 1, 1000.0, 1000.0 + lease_s, Bounds(floor_w, ceiling_w), target_w, fallback)


def plan(given_, der=DER, baseline=None, now_s=1000.0, fallback=FREE):
    return plan_control(der, given_, fallback, baseline or {}, now_s)


def test_a_limit_is_its_time_then_its_values_then_its_switch():
    commands = [write.command for write in plan(control(1.2e6))]
    assert commands == [
        AnalogCommand(85, 900, AnalogForm.INT32),
        AnalogCommand(87, 480, AnalogForm.INT32),
        AnalogCommand(88, -1000, AnalogForm.INT32),
        BinaryCommand(17, Operation.LATCH_ON),
    ]
    assert encode_commands(commands)


def test_limits_round_toward_safety_and_leases_up():
    raw = {write.name: write.raw for write in plan(control(1.2349e6, -1.2349e6, lease_s=10.2))}
    assert raw == {"limit_reversion_s": 11, "ceiling": 493, "floor": -493, "limit_enable": 1}


@given(st.floats(-2.5e6, 2.5e6), st.sampled_from(list(AnalogForm)[::2]))
def test_no_form_ever_carries_a_ceiling_up_or_a_floor_down(limit_w, form):
    der = replace(DER, ceiling=replace(DER.ceiling, form=form), floor=replace(DER.floor, form=form))
    raw = {w.name: w.raw for w in plan(control(limit_w, limit_w), der)}
    assert raw["ceiling"] * der.ceiling.unit <= limit_w + 1e-3
    assert raw["floor"] * der.floor.unit >= limit_w - 1e-3
    assert encode_commands([w.command for w in plan(control(limit_w, limit_w), der)])


def test_a_target_has_its_own_switch_and_is_handed_back_when_the_control_has_none():
    raw = {write.name: write.raw for write in plan(control(1e6, target_w=0.5e6))}
    assert (raw["target"], raw["target_enable"]) == (200, 1)
    baseline = {"target": 33.0, "target_enable": 0.0, "ceiling": 5.0}
    raw = {write.name: write.raw for write in plan(control(1e6), baseline=baseline)}
    assert (raw["target"], raw["target_enable"], raw["ceiling"]) == (33, 0, 400)


def test_an_open_limit_puts_back_what_was_there():
    baseline = {"ceiling": 800.0, "floor": -1000.0, "limit_enable": 1.0, "limit_reversion_s": 0.0}
    assert {w.name: w.raw for w in plan(control(target_w=0.0), baseline=baseline)} == baseline | {
        "target": 0,
        "target_enable": 1,
        "target_reversion_s": 900,
    }


def test_a_side_left_open_keeps_the_limit_of_somebody_else():
    baseline = {"ceiling": 800.0, "floor": -100.0, "limit_enable": 1.0}
    raw = {w.name: w.raw for w in plan(control(1e6), baseline=baseline)}
    assert (raw["ceiling"], raw["floor"]) == (400, -100)
    raw = {w.name: w.raw for w in plan(control(1e6), baseline=baseline | {"limit_enable": 0.0})}
    assert (raw["ceiling"], raw["floor"]) == (400, -1000)


def test_a_fallback_is_written_where_the_device_has_a_place_for_it():
    der = replace(DER, fallback_ceiling=Setpoint(900, 900))
    raw = {w.name: w.raw for w in plan(control(1e6, fallback=Bounds(None, 4.5)), der)}
    assert raw["fallback_ceiling"] == 4
    raw = {w.name: w.raw for w in plan(control(1e6), der, fallback=Bounds(None, 7.0))}
    assert raw["fallback_ceiling"] == 7


def test_what_the_device_cannot_take_is_refused():
    with pytest.raises(UnsupportedError, match="lower limit"):
        plan(control(1e6, -1e6), replace(DER, floor=None))
    with pytest.raises(UnsupportedError, match="set point"):
        plan(control(1e6, target_w=1.0), replace(DER, target=None))


def test_a_baseline_is_written_back_in_order():
    writes = writes_of(DER, {"limit_enable": 0.0, "ceiling": 700.0, "foreign": 1.0})
    assert [write.name for write in writes] == ["ceiling", "limit_enable"]


def test_places_are_read_by_ranges():
    places = [(Kind.ANALOG_INPUT, 148), (Kind.ANALOG_INPUT, 149), (Kind.ANALOG_INPUT, 300), (Kind.BINARY_INPUT, 69)]
    assert read_request(places).hex(" ") == "1e 00 00 94 95 1e 00 01 2c 01 2c 01 01 00 00 45 45"


def test_read_back_is_equal_as_far_as_a_float32_tells():
    write = writes_of(replace(DER, ceiling=Setpoint(87, 148, form=AnalogForm.FLOAT)), {"ceiling": 0.1})[0]
    assert reads_equal(write, 0.10000000149011612)
    assert not reads_equal(write, 0.2)
    assert not reads_equal(write, None)


@pytest.mark.parametrize(
    ("ceiling", "before", "silent", "outcome"),
    [
        (480, 1000, True, Outcome.WRITTEN),
        (1000, 1000, True, Outcome.UNDELIVERED),
        (700, 1000, True, Outcome.UNKNOWN),
        (480, 480, True, Outcome.UNKNOWN),
        (480, 480, False, Outcome.WRITTEN),
        (1000, 1000, False, Outcome.REJECTED),
        (None, 1000, False, Outcome.UNKNOWN),
        (None, None, True, Outcome.UNKNOWN),
    ],
)
def test_what_became_of_a_write_shows_before_and_after_it(ceiling, before, silent, outcome):
    (write,) = [one for one in plan(control(1.2e6)) if one.name == "ceiling"]
    found = {} if ceiling is None else {"ceiling": float(ceiling)}
    assert judge([write], {"ceiling": before}, found, silent=silent)[0] is outcome
