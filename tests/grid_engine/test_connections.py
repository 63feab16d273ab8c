"""Where participants are connected, and what speaks against it."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.model import EARTH
from grid_engine.results import Connection, Participant, Purpose, Study
from grid_engine.studies.connections import ends, faults
from grid_engine.studies.problem import pose
from tests.grid_engine.small import small

NETWORK = small()


def at(bus: str, phases: str = "abc", connection: Connection = Connection.WYE, unit: str = "") -> Participant:
    return Participant("X", bus, (1e3,), (1e3,), 0.0, 2e3, phases=phases, connection=connection, unit=unit)


@pytest.mark.parametrize(
    ("participant", "expected"),
    [
        (at("reg"), [(3, EARTH), (4, EARTH), (5, EARTH)]),
        (at("mid", "b"), [(7, 9)]),  # its bus has a neutral of its own
        (at("mid", "ab", Connection.DELTA), [(6, 7)]),
        (at("mid", "abc", Connection.DELTA), [(6, 7), (7, 8), (8, 6)]),
        (at("house", "s1s2", Connection.SPLIT), [(11, 12)]),
        (at("house", "s2"), [(12, EARTH)]),
        (at("house", "s1s2"), [(11, EARTH), (12, EARTH)]),
        (at("reg", unit="roof"), [(11, 12)]),  # as the network says, wherever that is
    ],
)
def test_branches_stand_between_the_right_nodes(participant: Participant, expected: list[tuple[int, int]]) -> None:
    node, owner = ends(NETWORK, [participant])
    assert [tuple(pair) for pair in node.tolist()] == expected
    assert set(owner.tolist()) == {0}


@pytest.mark.parametrize(
    ("participant", "told"),
    [
        (at("reg", "aa"), "phases 'aa'"),
        (at("reg", ""), "phases ''"),
        (at("reg", "as1"), "phases 'as1'"),
        (at("reg", "a", Connection.DELTA), "phases 'a' in delta"),
        (at("house", "s1", Connection.SPLIT), "phases 's1' in split"),
        (at("tap", "ab"), "bus tap has no phases 'ab'"),
        (at("house"), "bus house has no phases 'abc'"),
        (at("reg", unit="cellar"), "unit cellar is not in the network"),
    ],
)
def test_connection_that_is_impossible_is_told(participant: Participant, told: str) -> None:
    (fault,) = faults(NETWORK, [participant])
    assert told in fault


def test_power_is_shared_by_the_branches_and_by_nobody_else() -> None:
    members = (replace(at("mid"), resource="M"), replace(at("house", unit="roof"), resource="R"))
    scene = pose(NETWORK, Study("s", Purpose.IMPACT, 1, members)).scenes[0]
    shares = scene.shares.toarray()
    assert np.count_nonzero(shares[:, 0]) == 3
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    # What takes part is not counted among the network's own units as well.
    first, second = scene.solver.pairs.first, scene.solver.pairs.second
    roof = (first == 11) & (second == 12)
    assert scene.given_va[roof].sum() == 0
