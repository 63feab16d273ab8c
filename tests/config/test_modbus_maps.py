"""Register maps of devices: what is wrong with one is said, and what to do about it."""

from typing import get_args

import pytest

from config import registers
from config.loader import ConfigError, load
from protocols.modbus.register import Encoding, Order
from protocols.modbus.settings import SWITCHES, Term
from tests.config.test_checks import BASE

POWER = "active_power_w: {address: 0}"
CASES = {
    "no power": (
        "voltage_v: {address: 0}",
        "ceiling_w: {address: 2}",
        "A has no register for `active_power_w`",
        "every device tells its power",
    ),
    "no quantity": (
        f"{POWER}, activ_power_w: {{address: 9}}",
        "ceiling_w: {address: 2}",
        "`activ_power_w` is not a quantity",
        "did you mean `active_power_w`?",
    ),
    "no control": (
        POWER,
        "",
        "A is controllable, but no register takes a limit",
        "give `controls` one of ceiling_w, target_w and connected, or write controllable: none",
    ),
    "a fallback of nothing": (
        POWER,
        "ceiling_w: {address: 2}, fallback_floor_w: {address: 4}",
        "A has `fallback_floor_w` alone",
        "give it floor_w as well",
    ),
    "a control that is an input": (
        POWER,
        "ceiling_w: {address: 2, function: 4}",
        "A: `ceiling_w` cannot be written there",
        "controls are holding registers: write function: 3",
    ),
    "a switch in floating point": (
        POWER,
        "connected: {address: 2}",
        "A: `connected` is a switch, on or off",
        "write an integer encoding and no scale",
    ),
    "a heartbeat in floating point": (
        POWER,
        "ceiling_w: {address: 2}, heartbeat: {address: 4}",
        "A: `heartbeat` counts",
        "write an integer encoding and no scale",
    ),
    "two controls in one register": (
        POWER,
        "ceiling_w: {address: 2}, floor_w: {address: 3}",
        "A: `floor_w` at 3 overlaps `ceiling_w`",
        "move one of them",
    ),
    "a number that does not end": (
        "active_power_w: {address: 65535}",
        "ceiling_w: {address: 2}",
        "A: `active_power_w` reaches beyond the last register, 65535",
        "correct the address or the encoding",
    ),
    "a scale of nothing": (
        "active_power_w: {address: 0, scale: 0}",
        "ceiling_w: {address: 2}",
        None,
        None,
    ),
}


@pytest.mark.parametrize(("measured", "controls", "problem", "remedy"), CASES.values(), ids=CASES.keys())
def test_a_faulty_map_is_told(tmp_path, measured, controls, problem, remedy):
    path = tmp_path / "zone.yaml"
    endpoint = f"{{registers: {{{measured}}}, controls: {{{controls}}}}}"
    path.write_text(f"extends: {BASE}\ndevices: {{A: {{endpoint: {endpoint}}}}}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    (fault,) = caught.value.faults
    if problem is None:
        assert "scale of 0" in fault.problem
    else:
        assert (fault.problem, fault.remedy) == (problem, remedy)


def test_a_station_has_its_map_in_its_points(tmp_path):
    path = tmp_path / "zone.yaml"
    endpoint = f"{{protocol: modbus, host: h, registers: {{{POWER}}}}}"
    path.write_text(f"extends: {BASE}\nstations: {{M: {{endpoint: {endpoint}, points: []}}}}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [fault.problem for fault in caught.value.faults] == ["station M has its map in `points`"]


def test_the_words_are_those_of_the_adapter():
    assert set(get_args(registers.ControlTerm)) == {term.value for term in Term}
    assert set(registers.SWITCHES) == {term.value for term in SWITCHES}
    assert set(registers.SIZES) == {encoding.value for encoding in Encoding}
    assert {order.name for order in Order} == {"ABCD", "CDAB", "BADC", "DCBA"}
