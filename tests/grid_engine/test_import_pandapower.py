"""What a pandapower network says arrives in the model, conductor by conductor."""

from typing import Any

import numpy as np
import pandapower as pp
import pytest

from grid_engine.flow.nodal import build as build_system
from grid_engine.flow.pairs import load_pairs, load_power
from grid_engine.flow.powerflow import prepare
from grid_engine.importers.pandapower import convert
from grid_engine.model import EARTH, SwitchKind
from grid_engine.results import NetworkState
from tests.grid_engine.r1 import build, row


def test_r1_has_three_phases_everywhere() -> None:
    network = convert(build(), "r1")
    assert network.buses.phase_v[1] == pytest.approx(13_800 / np.sqrt(3))
    assert network.lines.from_node[0].tolist() == [3, 4, 5]
    assert network.lines.to_node[0].tolist() == [6, 7, 8]
    assert network.lines.ratings.normal[1] == pytest.approx(154.2)
    assert network.sequence_transformers.ids == ("T1", "T2")
    assert network.branch_ids[-2:] == ("T1", "T2")


def test_line_has_the_phase_matrix_of_its_sequences() -> None:
    impedance = convert(build(), "r1").lines.impedance_ohm[0]
    turn = np.exp(2j * np.pi / 3)
    for vector, per_km in (([1, 1, 1], 0.35 + 1.25j), ([1, turn**2, turn], 0.169 + 0.418j)):
        assert impedance @ vector == pytest.approx(4 * per_km * np.array(vector), rel=1e-12)


def test_source_drops_no_positive_sequence_voltage_at_full_load() -> None:
    network = convert(build(), "r1")
    source = network.sources
    turn = np.exp(2j * np.pi / 3)
    positive = source.admittance_s[0] @ [1, turn**2, turn]
    drop = 20e6 / 3 / network.buses.phase_v[0] ** 2 / abs(positive[0])
    assert drop < 1e-9
    zero = source.admittance_s[0] @ [1, 1, 1]
    assert 1 / abs(zero[0]) == pytest.approx(1.1 * 115e3**2 / 2000e6, rel=1e-6)


def test_source_without_short_circuit_data_is_stiff_in_every_sequence() -> None:
    net = build()
    net.ext_grid["s_sc_max_mva"] = np.nan
    admittance = convert(net, "r1").sources.admittance_s[0]
    assert admittance == pytest.approx(np.eye(3) * admittance[0, 0], abs=1e-12 * abs(admittance[0, 0]))


def test_load_keeps_its_law_of_voltage() -> None:
    net = build()
    pp.create_load(net, 3, 0.3, 0.03, name="Z", const_z_p_percent=20, const_i_p_percent=30, const_z_q_percent=100)
    loads = convert(net, "r1").loads
    assert loads.zip_p[-1] == pytest.approx([0.2, 0.3, 0.5])
    assert loads.zip_q[-1] == pytest.approx([1, 0, 0])
    assert loads.power_va[-1] == pytest.approx([1e5 + 1e4j] * 3)


def test_delta_load_stands_between_phases() -> None:
    net = build()
    net.load.loc[row(net, "load", "LD_B2"), "type"] = "delta"
    pp.create_asymmetric_load(net, 2, p_a_mw=0.3, p_b_mw=0.2, name="uneven", type="delta")
    loads = convert(net, "r1").loads
    at = loads.ids.index("LD_B2")
    assert loads.node[at].tolist() == [[6, 7], [7, 8], [8, 6]]
    assert loads.nominal_v[at] == pytest.approx(13_800)
    assert loads.power_va[-1] == pytest.approx([0.3e6, 0.2e6, 0])
    assert (loads.node[loads.ids.index("LD_B3"), :, 1] == EARTH).all()


def test_what_stands_at_a_bus_out_of_service_is_out_of_service() -> None:
    net = build()
    net.bus.loc[row(net, "bus", "B4"), "in_service"] = False
    network = convert(net, "r1")
    lines = dict(zip(network.lines.ids, network.lines.in_service, strict=True))
    assert [name for name, live in lines.items() if not live] == ["L13", "LT"]
    assert not network.loads.in_service[network.loads.ids.index("LD_B4")]


def test_limits_of_buses_and_places_come_along() -> None:
    net = build()
    net.bus["max_vm_pu"] = [np.nan, *[1.06] * 7]
    net.bus.loc[1, "geo"] = '{"coordinates": [1.5, -2.0], "type": "Point"}'
    buses = convert(net, "r1").buses
    assert np.isnan(buses.voltage_max_pu[0])
    assert buses.voltage_max_pu[1] == 1.06
    assert buses.position[1].tolist() == [1.5, -2.0]
    assert np.isnan(buses.position[0]).all()


def test_two_sources_are_two_sources() -> None:
    net = build()
    pp.create_ext_grid(net, 5, name="TD2")
    assert convert(net, "r1").sources.ids == ("TD1", "TD2")


def test_transformer_derating_changes_its_rating_alone() -> None:
    net = build()
    net.trafo["df"] = [0.8, 1.0]
    sequences = convert(net, "r1").sequence_transformers
    assert sequences.rated_va.tolist() == [10e6, 10e6]
    assert sequences.ratings.normal.tolist() == [8e6, 10e6]


def test_switch_names_what_it_opens() -> None:
    net = build()
    pp.create_switch(net, 0, 1, et="t", name="ST2")
    switches = convert(net, "r1").switches
    assert switches.kind[-1] == SwitchKind.SEQUENCE_TRANSFORMER
    assert switches.element[-1] == 1


def voltages_pu(net: Any) -> np.ndarray:
    """Magnitudes by bus and phase, by the engine."""
    network = convert(net, "net")
    power = load_power(network)
    flow = prepare(build_system(network, NetworkState()), load_pairs(network)[0], power).solve(power[:, None])
    assert flow.converged.all()
    return np.abs(flow.voltage[:, 0]).reshape(-1, 3)


def test_laws_of_voltage_give_the_voltages_of_pandapower() -> None:
    net = build()  # one load per bus: pandapower mixes the laws of those that share one
    laws = {
        "LD_B4": {"const_z_p_percent": 70, "const_z_q_percent": 70},
        "LD_B5": {"const_i_p_percent": 70, "const_i_q_percent": 70},
        "LD_B6": {"const_z_p_percent": 30, "const_i_q_percent": 80},
    }
    for name, law in laws.items():
        net.load.loc[row(net, "load", name), list(law)] = [float(share) for share in law.values()]
    net.load["p_mw"] *= 1.5
    net.shunt["in_service"] = True
    pp.runpp(net, numba=False, tolerance_mva=1e-10, calculate_voltage_angles=True, max_iteration=50)
    assert voltages_pu(net)[:, 0] == pytest.approx(net.res_bus.vm_pu.to_numpy(), abs=1e-8)


@pytest.mark.parametrize("vector_group", ["YNyn", "Dyn"])
def test_uneven_wye_and_delta_loads_give_the_voltages_of_pandapower(vector_group: str) -> None:
    net = build()
    net.trafo["vector_group"], net.trafo["shift_degree"] = vector_group, 30.0 if vector_group == "Dyn" else 0.0
    net.trafo["tap_pos"], net.trafo["tap_side"] = -3, "hv"
    pp.create_asymmetric_load(net, 3, p_a_mw=0.6, p_b_mw=0.1, q_c_mvar=0.2, name="wye")
    pp.create_asymmetric_load(net, 5, p_a_mw=0.5, p_c_mw=0.2, q_b_mvar=0.1, name="delta", type="delta")
    pp.runpp_3ph(net, numba=False, tolerance_mva=1e-10)
    found = net.res_bus_3ph[["vm_a_pu", "vm_b_pu", "vm_c_pu"]].to_numpy()
    assert voltages_pu(net) == pytest.approx(found, abs=1e-6)
