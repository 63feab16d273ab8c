"""The shipped feeders are those of OpenDSS: its voltages and short-circuit impedances are what the engine finds."""

from pathlib import Path

import numpy as np
import pytest
from scipy.sparse.linalg import splu

from grid_engine import feeders
from grid_engine.elements.primitive import BASE_VA
from grid_engine.exporters.opendss import translate
from grid_engine.feeders.public import NETWORKS
from grid_engine.flow.nodal import build
from grid_engine.flow.pairs import joined, load_pairs, load_power, unit_pairs, unit_power
from grid_engine.flow.powerflow import prepare
from grid_engine.results import NetworkState
from tests.grid_engine.opendss import solved

SIZES = {
    "ieee13": (16, 41),
    "ieee37": (39, 117),
    "ieee123": (132, 278),
    "european_lv": (907, 2721),
    "ieee8500": (4876, 8531),
    "ieee8500_unbalanced": (4876, 8531),
}


@pytest.mark.parametrize("name", feeders.NAMES)
def test_feeder_has_all_its_nodes(name: str) -> None:
    network = feeders.load(name)
    assert (len(network.buses.ids), len(network.nodes.bus)) == SIZES[name]
    assert network.version == name


@pytest.mark.parametrize("name", feeders.NAMES)
def test_engine_finds_the_voltages_of_opendss(name: str) -> None:
    network = feeders.load(name)
    pairs = joined(load_pairs(network)[0], unit_pairs(network)[0])
    power = np.concatenate([load_power(network), unit_power(network)])
    flow = prepare(build(network, NetworkState()), pairs, power).solve(power[:, None])
    assert flow.converged.all()
    assert np.abs(flow.voltage[:, 0] - feeders.reference(name).voltage_pu).max() < 1e-7


@pytest.mark.parametrize("name", feeders.NAMES)
def test_engine_finds_the_short_circuit_impedances_of_opendss(name: str) -> None:
    system = build(feeders.load(name), NetworkState())
    factors = splu(system.matrix)
    for case in feeders.reference(name).short_circuits:
        unknown, base_v = system.unknown[case.node], system.base_v[case.node]
        unit = np.zeros((system.matrix.shape[0], len(unknown)), dtype=np.complex128)
        unit[unknown, np.arange(len(unknown))] = 1
        impedance = factors.solve(unit)[unknown] * base_v[:, None] * base_v / BASE_VA
        own = np.sqrt(np.abs(np.diag(case.impedance_ohm)))
        assert (np.abs(impedance - case.impedance_ohm) / own[:, None] / own).max() < 1e-6


@pytest.mark.parametrize("name", feeders.NAMES)
def test_opendss_finds_the_same_voltages_for_what_we_write_to_it(name: str) -> None:
    network = feeders.load(name)
    found = solved(translate(network)).voltage() / network.buses.phase_v[network.nodes.bus]
    assert np.abs(found - feeders.reference(name).voltage_pu).max() < 1e-8


def test_unknown_feeder_is_named() -> None:
    with pytest.raises(KeyError, match="no feeder 'ieee34'; there are ieee13"):
        feeders.load("ieee34")


def test_shipped_files_stay_small_and_carry_their_notice() -> None:
    assert sum(path.stat().st_size for path in NETWORKS.iterdir()) < 3e6
    notice = Path(__file__).parents[2] / "NOTICE"
    assert "Electric Power Research Institute" in notice.read_text()
