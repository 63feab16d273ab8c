"""Devices follow the network, and the operator's own groups stay."""

import pytest

from ieee2030_5.arrangements import Grouped, Placed, Programmed
from ieee2030_5.groups import GroupKind
from ieee2030_5.placing import kind_of, network_group, regroup
from tests.ieee2030_5.conftest import Laboratory
from tests.ieee2030_5.test_topology import T0, Utility, programs

NORTH, SOUTH = ("system:R1", "feeder:L11"), ("system:R1", "feeder:L21")


@pytest.fixture
def utility(laboratory: Laboratory) -> Utility:
    return Utility(laboratory.settings(), laboratory.lfdi("server"))


def test_devices_change_programs_with_their_feeder_and_nothing_is_said_twice(
    utility: Utility, laboratory: Laboratory
) -> None:
    assert regroup(utility.tree, {"A": NORTH, "B": SOUTH, "nobody": NORTH}, T0) == ["A", "B"]
    utility.arrange(Programmed("flex", "feeder:L21", 40))
    a = utility.client(laboratory.lfdi("A"))
    assert programs(a) == [("/derp/A", 65)]
    kept = len(utility.records)
    assert regroup(utility.tree, {"A": NORTH, "B": SOUTH}, T0) == []
    assert len(utility.records) == kept
    assert regroup(utility.tree, {"A": SOUTH, "B": SOUTH}, T0) == ["A"]
    assert programs(a) == [("/derp/flex", 40), ("/derp/A", 65)]
    assert utility.restarted().utility.devices["A"].groups == SOUTH


def test_groups_of_the_operator_stay(utility: Utility) -> None:
    utility.arrange(Grouped("trial", GroupKind.OTHER), Placed("A", ("trial",)))
    regroup(utility.tree, {"A": NORTH}, T0)
    regroup(utility.tree, {"A": SOUTH}, T0)
    assert utility.tree.utility.devices["A"].groups == (*SOUTH, "trial")


@pytest.mark.parametrize(
    ("element", "name"), [("L11", "feeder:L11"), ("north:Line 7/ä", "feeder:north-Line-7--"), ("x" * 99, None)]
)
def test_names_of_elements_become_names_of_groups(element: str, name: str | None) -> None:
    made = network_group(GroupKind.FEEDER, element)
    assert len(made) <= 64
    assert name in (made, None)
    assert kind_of(made) is GroupKind.FEEDER


@pytest.mark.parametrize("name", ["north", "@A", "trial:1", "feeder"])
def test_other_names_are_the_operators(name: str) -> None:
    assert kind_of(name) is None
