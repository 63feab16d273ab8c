"""A network that was solved again on its own admittances stands where a whole run of pandapower puts it."""

from pathlib import Path

import pytest

from gateway.testbed.balanced import BalancedPlant
from gateway.testbed.plant import Attachment
from protocols.points import Point, Quantity

R1 = Path(__file__).parents[3] / "config" / "zones" / "networks" / "r1.json"
RESOURCES = {"A": Attachment("B3"), "B": Attachment("B4"), "C": Attachment("B6"), "X": Attachment("B0")}
MOVES = ({"A": 1.2e6, "B": 4e6, "C": 0.0, "X": 0.0}, {"A": -1.5e6, "B": 5e6, "C": 2e6, "X": 1e6})


def plant(switches: dict[str, bool], taps: int, scale: float) -> BalancedPlant:
    found = BalancedPlant(R1, RESOURCES)
    for name, closed in switches.items():
        found.set_switch(name, closed=closed)
    for name in ("T1", "T2"):
        found.set_tap(name, taps)
    found.scale_loads(scale)
    return found


@pytest.mark.parametrize(
    ("switches", "taps", "scale"),
    [({}, 0, 1.0), ({"SWT": True, "SW12": False}, -2, 0.6), ({"C1": True}, -3, 1.25), ({"SW12": False}, 0, 1.0)],
)
def test_injections_that_move_are_followed_to_the_watt(switches: dict[str, bool], taps: int, scale: float) -> None:
    moved = plant(switches, taps, scale)
    for injected_w in MOVES:
        whole = plant(switches, taps, scale)
        for resource, power_w in injected_w.items():
            moved.inject(resource, power_w, power_w / 10)
            whole.inject(resource, power_w, power_w / 10)
        for point in whole.points():
            close_to = 20.0 if point.quantity not in (Quantity.CURRENT_A, Quantity.VOLTAGE_PU) else 1e-4
            assert moved.read(point) == pytest.approx(whole.read(point), rel=1e-7, abs=close_to), str(point)
        assert moved.carried_va("T1") == pytest.approx(whole.carried_va("T1"), rel=1e-7)


def test_a_transformer_is_loaded_by_the_current_of_its_fuller_winding() -> None:
    found = plant({}, -3, 1.25)
    found.set_switch("SW12", closed=True)
    carried_va, hv_va = found.carried_va("T1"), found.read(Point("T1", Quantity.APPARENT_POWER_VA))
    assert carried_va == pytest.approx(hv_va / found.read(Point("B0", Quantity.VOLTAGE_PU)), rel=1e-6)


def test_what_has_no_solution_is_none_either_way() -> None:
    found = plant({}, 0, 1.0)
    assert found.read(Point("B4", Quantity.VOLTAGE_PU)) > 0.9
    found.inject("A", -500e6)
    assert found.read(Point("B4", Quantity.VOLTAGE_PU)) != pytest.approx(0.95, abs=0.5)
    assert not found.converged
    found.inject("A", 0.0)
    assert found.read(Point("B4", Quantity.VOLTAGE_PU)) > 0.9
