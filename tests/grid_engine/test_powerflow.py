"""The solver against pandapower, balanced and three-phase, in every kind of state."""

from typing import Any

import numpy as np
import pytest

from grid_engine.importers.pandapower import convert
from grid_engine.model import EARTH, Network, Terminal
from grid_engine.nodal import System, build
from grid_engine.pairs import constant_power, joined, load_pairs, load_power
from grid_engine.powerflow import Flow, prepare
from grid_engine.results import NetworkState
from tests.grid_engine import r1
from tests.grid_engine.r1 import POI, Oracle

STATES: dict[str, dict[str, Any]] = {
    "as loaded": {},
    "raised taps": {"taps": {"T1": -3, "T2": -3}},
    "one transformer out": {"in_service": {"T2": False}},
    "capacitor in": {"in_service": {"C1": True}},
    "fed through the tie": {"closed": {"SW12": False, "SWT": True}},
    "looped": {"closed": {"SWT": True}},
}


def nodes_of(network: Network, bus: str, phases: str = "abc") -> list[int]:
    of_bus = np.flatnonzero(network.nodes.bus == network.buses.ids.index(bus))
    by_terminal = dict(zip(network.nodes.terminal[of_bus].tolist(), of_bus.tolist(), strict=True))
    return [by_terminal[Terminal["ABC"["abc".index(p)]]] for p in phases]


def solved(
    network: Network, state: NetworkState, der_mw: dict[str, float], phases: dict[str, str]
) -> tuple[System, Flow]:
    system = build(network, state)
    pairs, _ = load_pairs(network)
    power = [load_power(network)]
    for name, p_mw in der_mw.items():
        nodes = nodes_of(network, POI[name], phases.get(name, "abc"))
        pairs = joined(pairs, constant_power(np.array(nodes), np.full(len(nodes), EARTH)))
        power.append(np.full(len(nodes), p_mw * 1e6 / len(nodes)) + 0j)
    power_va = np.concatenate(power)
    flow = prepare(system, pairs, power_va).solve(power_va[:, None])
    assert flow.converged.all()
    return system, flow


def volts(system: System, flow: Flow) -> Any:
    """Voltage magnitudes (n_bus, 3)."""
    network = system.network
    nodes = [nodes_of(network, bus) for bus in network.buses.ids]
    return np.abs(flow.voltage[:, 0])[np.array(nodes)]


def amperes(system: System, flow: Flow, branch: str) -> Any:
    """Current magnitudes (2, 3) of a branch."""
    terminals = system.terminals
    here = terminals.branch == system.network.branch_ids.index(branch)
    return np.abs(terminals.current @ flow.voltage)[here].reshape(2, 3)


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


@pytest.mark.parametrize("name", STATES)
def test_balanced_voltages_and_currents_are_those_of_pandapower(oracle: Oracle, name: str) -> None:
    state = STATES[name]
    network = convert(r1.build(), "test")
    injected = {"A": 1.0, "B": 4.0, "C": 0.5}
    net = oracle.solve(injected, **state).net
    own = NetworkState(
        taps=state.get("taps", {}), switches_closed=state.get("closed", {}), in_service=state.get("in_service", {})
    )
    system, flow = solved(network, own, injected, {})
    np.testing.assert_allclose(volts(system, flow)[:, 0], net.res_bus.vm_pu, atol=1e-9)
    for branch, expected_ka in zip(net.line.name, net.res_line.i_ka, strict=True):
        assert amperes(system, flow, branch)[:, 0].max() == pytest.approx(expected_ka * 1e3, abs=1e-5)
    for branch, expected_ka in zip(net.trafo.name, net.res_trafo.i_hv_ka, strict=True):
        assert amperes(system, flow, branch)[0, 0] == pytest.approx(expected_ka * 1e3, abs=1e-5)


@pytest.mark.parametrize("group", ["YNyn", "Dyn"])
def test_single_phase_injection_unbalances_as_in_pandapower(group: str) -> None:
    net = r1.build()
    net.trafo["vector_group"] = group
    net.trafo["shift_degree"] = 30.0 if group == "Dyn" else 0.0
    injected, phases = {"B": 4.0, "E": 1.0, "A": 0.8}, {"E": "a", "A": "bc"}
    system, flow = solved(convert(net, "test"), NetworkState(), injected, phases)
    Oracle(net).solve(injected, phases=phases)
    np.testing.assert_allclose(volts(system, flow), net.res_bus_3ph[["vm_a_pu", "vm_b_pu", "vm_c_pu"]], atol=1e-6)
    for n, name in enumerate(net.line.name):
        expected = net.res_line_3ph[["i_a_ka", "i_b_ka", "i_c_ka"]].iloc[n] * 1e3
        np.testing.assert_allclose(amperes(system, flow, name).max(axis=0), expected, atol=1e-3)
