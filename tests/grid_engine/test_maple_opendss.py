"""Maple beside OpenDSS: voltages of every node, and what OpenDSS's own controllers make of peak, night and noon."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.exporters.opendss import translate
from grid_engine.feeders.maple.network import SEED, build
from grid_engine.feeders.maple.profiles import build_day
from grid_engine.flow import nodal, pairs, powerflow
from grid_engine.forecasting.day import expected_share
from grid_engine.model import Network
from grid_engine.results import NetworkState
from tests.grid_engine.opendss import compiled, solved

HOUR_S = 3600.0
NETWORK = build()


def at_hour(hour: float, seed: int = SEED) -> Network:
    """The network with every customer as expected at that hour, and the station's taps somewhere."""
    network, day = build(seed), build_day(seed)
    share = {n: float(expected_share(k, day.step_s, np.array([hour * HOUR_S]))[0]) for n, k in day.kinds.items()}
    power_w = dict(zip(day.ids, [share[k] * s for k, s in zip(day.kind, day.size_w, strict=True)], strict=True))
    loads, units, transformers = network.loads, network.units, network.transformers
    factor = np.array([power_w[name] for name in loads.ids]) / loads.power_va.real.sum(axis=1)
    tapped = transformers.tap_winding >= 0
    return replace(
        network,
        loads=replace(loads, power_va=loads.power_va * factor[:, None]),
        units=replace(units, power_va=np.array([power_w[name] + 0j for name in units.ids])),
        transformers=replace(transformers, tap=np.where(tapped, np.arange(len(tapped)) * 2 - 4, 0)),
    )


def ours(network: Network) -> np.ndarray:
    system = nodal.build(network, NetworkState())
    both = pairs.joined(pairs.load_pairs(network)[0], pairs.unit_pairs(network)[0])
    power_va = np.concatenate([pairs.load_power(network), pairs.unit_power(network)])
    flow = powerflow.prepare(system, both, power_va).solve(power_va[:, None])
    assert flow.converged.all()
    return flow.voltage[:, 0]


@pytest.mark.parametrize(
    "network",
    [NETWORK, at_hour(3), at_hour(12.5), at_hour(19), at_hour(12.5, seed=3)],
    ids=["as built", "night", "noon", "evening", "noon of another seed"],
)
def test_every_node_has_the_voltage_that_opendss_finds(network):
    base_v = network.buses.phase_v[network.nodes.bus]
    theirs = solved(translate(network)).voltage() / base_v
    assert np.abs(ours(network) - theirs).max() < 1e-6


def controlled(network: Network) -> tuple[np.ndarray, dict[str, float]]:
    """Voltage magnitudes (n_node,) in pu after OpenDSS's controllers have come to rest, and their taps."""
    circuit = compiled(translate(network), "set maxcontroliter=100", "set controlmode=static", "solve")
    engine = circuit.engine.ActiveCircuit
    assert engine.Solution.Converged
    taps = {}
    for name in engine.RegControls.AllNames:
        engine.RegControls.Name = name
        taps[name] = engine.RegControls.TapNumber
    return np.abs(circuit.voltage()) / network.buses.phase_v[network.nodes.bus], taps


def test_as_built_its_controllers_are_at_rest():
    _, taps = controlled(NETWORK)
    assert set(taps.values()) == {0}


@pytest.mark.parametrize("hour", [0, 3, 6, 9, 12.5, 15, 18, 21])
def test_without_the_controllable_resources_it_is_within_its_limits_all_day(hour):
    network = replace(at_hour(hour), transformers=NETWORK.transformers)
    voltage, _ = controlled(network)
    bus = network.nodes.bus
    assert (voltage < network.buses.voltage_max_pu[bus]).all()
    assert (voltage > network.buses.voltage_min_pu[bus]).all()
