"""The estimate of public feeders: delta loads, single-phase laterals and regulators; and 55 customers beside a peer.

The truth is OpenDSS's; loads, source voltage and meters' errors are drawn from seeds.
"""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from grid_engine.estimation.estimate import estimate
from grid_engine.estimation.words import Measured, Origin, Outcome, Question
from grid_engine.feeders import load
from tests.grid_engine import pgm
from tests.grid_engine.field import Field, Meters, head_va, play

SOURCE = 1.02
FEEDERS = ("european_lv", "ieee123")


@cache
def field(name, seed=0):
    network = load(name)
    return play(network, np.random.default_rng(seed).uniform(0.5, 1.5, len(network.loads.ids)), SOURCE)


def metered(true: Field, part: float, seed: int = 0):
    """The head, voltages at a part of the loads' nodes, powers of a part of the loads; and forecasts."""
    network, meters, rng = true.network, Meters(true, seed), np.random.default_rng(seed)
    nodes = np.unique(network.loads.node[:, :, 0][network.loads.node[:, :, 0] >= 0])
    found = meters.powers(network.sources.ids[0], head_va(true), 0.005)
    found += meters.voltages(nodes[rng.random(len(nodes)) < part])
    found += meters.loads([name for name in network.loads.ids if rng.random() < part])
    return tuple(found), meters.expected(0.5)


def off(true, told):
    return np.array([node.voltage_pu for node in told.nodes]) - true.voltage_pu


def rms(values):
    return float(np.sqrt(np.mean(values**2)))


@pytest.mark.parametrize("name", FEEDERS)
def test_it_is_far_better_than_the_forecasts(name):
    true = field(name)
    readings, forecasts = metered(true, 0.2)
    told = estimate(load(name), Question(0, readings, expected=forecasts))
    blind = estimate(load(name), Question(0, (), expected=forecasts, samples=0))
    assert told.outcome is Outcome.ESTIMATED
    assert rms(off(true, told)) < 0.2 * rms(off(true, blind))
    assert told.closing_pct < 1
    assert told.source_pu == pytest.approx([SOURCE] * 3, abs=0.005)


def test_standard_deviations_are_those_of_the_errors():
    over = []
    for seed in range(10):
        true = field("ieee123", seed)
        readings, forecasts = metered(true, 0.2, seed)
        told = estimate(load("ieee123"), Question(0, readings, expected=forecasts))
        over.append(off(true, told) / np.array([node.sigma_pu for node in told.nodes]))
    assert 0.75 < rms(np.array(over)) < 1.2
    assert np.mean(np.abs(np.array(over)) < 2) > 0.93


@pytest.mark.parametrize("name", FEEDERS)
@pytest.mark.parametrize(("kind", "factor"), [(Measured.VOLTAGE_V, 1.06), (Measured.ACTIVE_POWER_W, 1000.0)])
def test_a_bad_meter_is_found_and_named(name, kind, factor):
    true = field(name)
    readings, forecasts = metered(true, 0.3)
    bad = next(one for one in readings[4:] if one.quantity is kind)
    wrong = tuple(replace(one, value=factor * one.value) if one is bad else one for one in readings)
    told = estimate(load(name), Question(0, wrong, expected=forecasts, samples=0))
    assert [suspect.name for suspect in told.suspects] == [bad.meter]
    assert rms(off(true, told)) < 0.003


def test_the_head_alone_still_helps():
    true = field("ieee123")
    readings, forecasts = metered(true, 0.0)
    told = estimate(load("ieee123"), Question(0, readings, expected=forecasts))
    blind = estimate(load("ieee123"), Question(0, (), expected=forecasts, samples=0))
    assert rms(off(true, told)) < 0.8 * rms(off(true, blind))
    assert {power.origin for power in told.powers} <= {Origin.PSEUDO, Origin.ESTIMATED}


def test_its_error_is_not_above_that_of_power_grid_model():
    """The same readings, sigmas and forecasts; the source voltage unknown to both; truth drawn five times."""
    network, ours, theirs = load("european_lv"), [], []
    low = network.buses.phase_v[network.nodes.bus] < 1000
    for seed in range(5):
        true = field("european_lv", seed)
        readings, forecasts = like_for_like(true, seed)
        told = estimate(network, Question(0, readings, expected=forecasts, samples=0))
        peer = pgm.solved(pgm.sensed(network, readings, forecasts))
        ours.append(rms(off(true, told)[low]))
        theirs.append(rms((peer[network.nodes.bus, network.nodes.terminal] - true.voltage_pu)[low]))
    assert np.mean(ours) < np.mean(theirs)
    assert np.mean(ours) < 0.0025


def like_for_like(true: Field, seed: int):
    """Three-phase voltages at the source and five other buses, powers of the source by phase, no meter at a load."""
    network, meters = true.network, Meters(true, seed)
    rng = np.random.default_rng(seed)
    source = network.nodes.bus[network.sources.node[0, 0]]
    buses = np.append(rng.choice(np.flatnonzero(np.arange(len(network.buses.ids)) != source), 5, replace=False), source)
    readings = meters.voltages(np.flatnonzero(np.isin(network.nodes.bus, buses)))
    name = network.sources.ids[0]
    for phase, power in zip("abc", -true.into("sources", name), strict=False):
        readings += meters.powers(name, power, phases=phase)
    return tuple(readings), meters.expected(0.5)
