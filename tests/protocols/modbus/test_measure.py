from protocols.modbus.measure import measurements
from protocols.points import Phase, Point, Quantity
from protocols.signals import Quality

POWER = Point("A", Quantity.ACTIVE_POWER_W)


def read(model_id, values, seen=None):
    found = measurements("A", model_id, values, set() if seen is None else seen, 7.0)
    return {m.point: m for m in found}


def test_points_become_quantities_in_our_units_and_signs():
    found = read(701, {"W": -4e5, "Var": 1e3, "A": -12.0, "LLV": 480.0, "VL2": 277.0})
    assert found[POWER].value == -4e5
    assert found[Point("A", Quantity.CURRENT_A)].value == 12
    assert found[Point("A", Quantity.VOLTAGE_V)].value == 480
    assert found[Point("A", Quantity.VOLTAGE_V, Phase.B)].value == 277
    assert read(713, {"SoC": 55.0})[Point("A", Quantity.STATE_OF_CHARGE_PU)].value == 0.55


def test_what_a_device_never_told_is_left_out_and_what_it_told_before_is_bad():
    seen: set[Point] = set()
    assert set(read(103, {"W": 1.0, "Hz": 60.0}, seen)) == {POWER, Point("A", Quantity.FREQUENCY_HZ)}
    found = read(103, {"W": 1.0}, seen)
    assert found[Point("A", Quantity.FREQUENCY_HZ)].quality is Quality.BAD


def test_active_power_is_owed():
    found = read(701, {})
    assert list(found) == [POWER]
    assert found[POWER].quality is Quality.BAD
    assert found[POWER].value == 0
