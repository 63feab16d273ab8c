"""Unknown source voltages beside networks that are built with them."""

import numpy as np
import pytest

from grid_engine.estimation.sources import heads
from grid_engine.estimation.words import Doubt
from grid_engine.flow.nodal import build
from grid_engine.flow.pairs import joined, load_pairs, load_power
from grid_engine.flow.powerflow import prepare
from grid_engine.results import NetworkState
from tests.grid_engine.small import small
from tests.grid_engine.studies import NETWORK as STIFF

DOUBT = Doubt(source=0.03, source_phase=0.01)


def solved(network, state, errors=None):
    """Voltages of the loads' power flow, under sources with errors."""
    system = build(network, state)
    found = heads(system, DOUBT)
    pairs, power = load_pairs(network)[0], load_power(network)
    power = np.concatenate([power, np.zeros(found.pairs.size)])
    solver = prepare(system, joined(pairs, found.pairs), power)
    if errors is not None:
        solver = found.driven(solver, errors)
    flow = solver.solve(power[:, None])
    assert flow.converged.all()
    return flow.voltage[:, 0], found, solver, power


@pytest.mark.parametrize("network", [small(), STIFF], ids=["impedance", "stiff"])
def test_a_source_with_an_error_is_a_source_of_that_voltage(network):
    normal = float(network.sources.voltage_pu[0])
    errors = np.zeros(7)
    errors[0] = 2.0
    ours, *_ = solved(network, NetworkState(), errors)
    built, *_ = solved(network, NetworkState(source_voltage_pu=1.06 * normal))
    assert np.abs(ours - built).max() < 1e-8


@pytest.mark.parametrize("network", [small(), STIFF], ids=["impedance", "stiff"])
def test_slopes_are_those_of_small_differences(network):
    voltage, found, solver, power = solved(network, NetworkState())
    slopes = found.slopes(voltage)
    n, half = found.pairs.size, found.pairs.size
    linear = solver.linearise(power, voltage)
    for error in range(7):
        step = np.zeros(7)
        step[error] = 1e-2
        change = solved(network, NetworkState(), step)[0] - solved(network, NetworkState(), -step)[0]
        injected = np.zeros((len(power), 1), dtype=complex)
        injected[-n:, 0] = slopes[:half, error] + 1j * slopes[half:, error]
        np.testing.assert_allclose(linear.forward(injected)[:, 0], change / 2e-2, rtol=1e-3, atol=1e-6)
