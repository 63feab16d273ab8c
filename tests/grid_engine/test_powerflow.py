"""The solver against pandapower, balanced and three-phase, in every kind of state."""

from typing import Any

import numpy as np
import pytest

from grid_engine.elements import BASE_VA, base_voltage
from grid_engine.importers.pandapower import convert
from grid_engine.model import Network
from grid_engine.nodal import build, current_rows
from grid_engine.powerflow import solve
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


def solved(network: Network, state: NetworkState, der_mw: dict[str, float], phases: dict[str, str]) -> tuple[Any, Any]:
    """Voltage (n_bus, 3) and current (n_branch, 2, 3) magnitudes."""
    system = build(network, state)
    injection = np.zeros(len(system.supplied), dtype=np.complex128)
    for bus, power in zip(network.loads.bus, network.loads.power_va, strict=True):
        injection[system.nodes(bus)] -= power / BASE_VA
    for name, p_mw in der_mw.items():
        on = phases.get(name, "abc")
        nodes = system.nodes(network.buses.ids.index(POI[name]))
        for phase in on:
            injection[nodes["abc".index(phase)]] += p_mw * 1e6 / len(on) / BASE_VA
    flow = solve(system, injection[:, None])
    assert flow.converged.all()
    amperes = np.abs(current_rows(system, base_voltage(network.buses)) @ flow.voltage)
    return np.abs(flow.voltage[:, 0]).reshape(-1, 3), amperes.reshape(-1, 2, 3)


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
    volts, amperes = solved(network, own, injected, {})
    np.testing.assert_allclose(volts[:, 0], net.res_bus.vm_pu, atol=1e-9)
    np.testing.assert_allclose(amperes[:7, :, 0].max(axis=1) / 1e3, net.res_line.i_ka, atol=1e-8)
    np.testing.assert_allclose(amperes[7:, 0, 0] / 1e3, net.res_trafo.i_hv_ka, atol=1e-8)


@pytest.mark.parametrize("group", ["YNyn", "Dyn"])
def test_single_phase_injection_unbalances_as_in_pandapower(group: str) -> None:
    net = r1.build()
    net.trafo["vector_group"] = group
    net.trafo["shift_degree"] = 30.0 if group == "Dyn" else 0.0
    network = convert(net, "test")
    injected, phases = {"B": 4.0, "E": 1.0, "A": 0.8}, {"E": "a", "A": "bc"}
    volts, amperes = solved(network, NetworkState(), injected, phases)
    Oracle(net).solve(injected, phases=phases)
    np.testing.assert_allclose(volts, net.res_bus_3ph[["vm_a_pu", "vm_b_pu", "vm_c_pu"]], atol=1e-6)
    expected = net.res_line_3ph[["i_a_ka", "i_b_ka", "i_c_ka"]]
    np.testing.assert_allclose(amperes[:7].max(axis=1) / 1e3, expected, atol=1e-6)


def test_unbalance_that_a_balanced_model_hides_is_seen() -> None:
    volts, amperes = solved(convert(r1.build(), "test"), NetworkState(), {"B": 4.0, "E": 1.0}, {"E": "a"})
    np.testing.assert_allclose(volts[2], [1.0063, 0.9793, 1.0055], atol=1e-4)
    np.testing.assert_allclose(amperes[0].max(axis=0), [170, 63, 62], atol=1)
