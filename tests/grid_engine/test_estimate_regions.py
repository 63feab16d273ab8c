"""Who is fed through what, and the residual of a feeder head shared by rated power and profile."""

import numpy as np
import pytest

from grid_engine.estimation.estimate import estimate
from grid_engine.estimation.prior import customers
from grid_engine.estimation.regions import by_rating, regions, service_va
from grid_engine.estimation.words import Doubt, Measured, Measurement, Question
from grid_engine.feeders.maple.network import build as maple
from grid_engine.flow.nodal import build
from grid_engine.results import NetworkState
from tests.grid_engine.r1 import LOADS_MW
from tests.grid_engine.studies import NETWORK as R1


def power(element, value, sigma=1e3):
    return Measurement(f"P-{element}", Measured.ACTIVE_POWER_W, element, value, sigma)


def test_customers_behind_the_same_metered_branches_are_one_region():
    system, everybody = build(R1, NetworkState()), customers(R1, (), Doubt())
    found = regions(system, [power(line, 1.0) for line in ("L11", "L12", "L21")], everybody)
    by_load = dict(zip(everybody.ids, found.tolist(), strict=True))
    assert by_load["LD_B3"] == by_load["LD_B4"]
    assert by_load["LD_B5"] == by_load["LD_B6"]
    assert len({by_load[name] for name in ("LD_B2", "LD_B3", "LD_B5", "LD_B7")}) == 4
    assert set(regions(system, [], everybody)) == {0}


def test_a_transformer_in_parallel_feeds_no_region_of_its_own():
    system, everybody = build(R1, NetworkState()), customers(R1, (), Doubt())
    assert set(regions(system, [power("T1", 1.0)], everybody)) == {0}


def test_a_service_transformer_is_shared_by_those_behind_it():
    network = maple()
    found = service_va(network)
    terminal = network.nodes.terminal[network.loads.node[:, 0, 0]]
    transformer = {bus: n for n, bus in enumerate(network.nodes.bus[network.transformers.node[:, 1, 0, 0]])}
    for load in np.flatnonzero(terminal >= 4)[:60]:
        line = network.nodes.bus[network.loads.node[load, 0, 0]]
        while line not in transformer:
            (up,) = np.flatnonzero(network.nodes.bus[network.lines.to_node[:, 0]] == line)
            line = network.nodes.bus[network.lines.from_node[up, 0]]
        rated = network.transformers.rated_va[transformer[line]]
        sharing = round(rated / found[load])
        assert found[load] == pytest.approx(rated / sharing)
        assert 1 <= sharing <= 40


def test_the_residual_of_the_head_is_shared_by_what_is_expected():
    """3 MW more than the meter of one load: the others take it in the ratio of their ratings and profiles."""
    profile = np.array([0.5, 0.25, 1.0, 0.5, 0.5, 0.5])
    expected = by_rating(R1, profile, sigma=0.001)
    rated = {name: word.power_w for name, word in expected.items()}
    head = (power("TD1", 9.0e6), power("LD_B2", 1.5e6))
    told = estimate(R1, Question(0, head, expected=expected, doubt=Doubt(common=2.0), samples=0))
    found = {one.element: one.power_w for one in told.powers}
    assert found["LD_B2"] == pytest.approx(1.5e6, rel=1e-3)
    ratios = [found[name] / rated[name] for name in found if name != "LD_B2"]
    np.testing.assert_allclose(ratios, ratios[0], rtol=0.01)
    assert 8.5e6 < sum(found.values()) < 9.0e6
    assert told.closing_pct < 0.1


def test_without_transformers_between_loads_have_their_own_size():
    assert set(LOADS_MW) == {name.removeprefix("LD_") for name in R1.loads.ids}
    np.testing.assert_allclose(service_va(R1), 20e6 / 6)
