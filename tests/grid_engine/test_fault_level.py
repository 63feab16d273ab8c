"""Short circuits against OpenDSS: its fault study for impedances, its fault elements for currents."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from grid_engine import feeders
from grid_engine.exporters.opendss import translate
from grid_engine.feeders.maple.network import build as maple
from grid_engine.flow.kernel.inverse import inverse_entries
from grid_engine.flow.nodal import build
from grid_engine.model import EARTH, Network
from grid_engine.modelling.tables import no_loads, no_units
from grid_engine.results import NetworkState
from grid_engine.studies.fault_level import Contributions, FaultKind, added, by_kind, currents, thevenin
from grid_engine.studies.instruments import node_table
from tests.grid_engine.opendss import compiled
from tests.grid_engine.small import small

NETWORKS: dict[str, Any] = {"small": small, "maple": maple}
HOW = ("set tolerance=1e-13", "set maxiterations=500", "set controlmode=off", "solve")


def idle(network: Network) -> Network:
    """Without what OpenDSS would count into the impedance."""
    return replace(network, loads=no_loads(), units=no_units())


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return idle(NETWORKS[request.param]())


def some_buses(network: Network) -> list[int]:
    n = len(network.buses.ids)
    return list(range(n)) if n < 40 else np.random.default_rng(0).permutation(n)[:40].tolist()


def test_impedances_are_those_of_the_fault_study(network: Network) -> None:
    translation = translate(network)
    circuit = compiled(translation, *HOW, "set mode=faultstudy", "solve").engine.ActiveCircuit
    found, table = thevenin(build(network, NetworkState())), node_table(network)
    for bus in some_buses(network):
        nodes = [n for n in table[bus] if n >= 0]
        names = [translation.places[n].split(".") for n in nodes]
        circuit.SetActiveBus(names[0][0])
        there = circuit.ActiveBus
        # Its rows follow the order in which the circuit named the nodes, which it does not tell.
        expected = np.asarray(there.ZscMatrix).view(np.complex128).reshape(len(nodes), len(nodes))
        own = found.impedance_ohm[bus][np.ix_(table[bus] >= 0, table[bus] >= 0)]
        eigen = [np.sort_complex(np.linalg.eigvals(z)) for z in (own, expected)]
        np.testing.assert_allclose(*eigen, rtol=1e-6, err_msg=network.buses.ids[bus])


@pytest.mark.parametrize("kind", FaultKind)
def test_currents_of_every_kind_are_those_of_fault_elements(network: Network, kind: FaultKind) -> None:
    translation, table = translate(network), node_table(network)
    found = by_kind(currents(build(network, NetworkState())))[:, kind]
    engine = compiled(translation, *HOW).engine
    for bus in some_buses(network)[:8]:
        faults = [[translation.places[n] for n in chosen] for chosen in _ways(table[bus], kind)]
        largest = max((_fault(engine, places, kind) for places in faults), default=0.0)
        assert found[bus] == pytest.approx(largest, rel=1e-4, abs=1e-9), network.buses.ids[bus]


def _ways(terminals: np.ndarray, kind: FaultKind) -> list[list[int]]:
    live = [int(n) for n in np.delete(terminals, 3) if n >= 0]
    phases = [int(n) for n in terminals[:3] if n >= 0]
    legs = [int(n) for n in terminals[4:] if n >= 0]
    pairs = [[a, b] for n, a in enumerate(phases) for b in phases[n + 1 :]] + ([legs] if len(legs) == 2 else [])
    match kind:
        case FaultKind.ONE_PHASE:
            return [[n] for n in live]
        case FaultKind.THREE_PHASES:
            return [phases] if len(phases) == 3 else []
        case _:
            return pairs


def _fault(engine: Any, places: list[str], kind: FaultKind) -> float:
    """Amperes of the conductor that carries most, through faults of almost no resistance."""
    number = engine.ActiveCircuit.NumCktElements
    if kind is FaultKind.TWO_PHASES:
        commands = [f"new fault.f{number} phases=1 bus1={places[0]} bus2={places[1]} r=1e-7"]
    else:
        commands = [f"new fault.f{number + n} phases=1 bus1={place} r=1e-7" for n, place in enumerate(places)]
    for command in (*commands, "solve"):
        engine.Text.Command = command
    assert engine.ActiveCircuit.Solution.Converged
    largest = 0.0
    for n in range(len(commands)):
        engine.ActiveCircuit.SetActiveElement(f"fault.f{number + n}")
        current = np.asarray(engine.ActiveCircuit.ActiveCktElement.Currents).view(np.complex128)
        largest = max(largest, abs(current[0]))
        engine.Text.Command = f"fault.f{number + n}.enabled=no"
    return largest


@pytest.mark.parametrize("name", feeders.NAMES)
def test_impedances_of_the_public_feeders_are_those_of_their_originals(name: str) -> None:
    network = feeders.load(name)
    found, nodes = thevenin(build(network, NetworkState())), network.nodes
    for case in feeders.reference(name).short_circuits:
        (bus,) = set(nodes.bus[case.node].tolist())
        own = found.impedance_ohm[bus][np.ix_(nodes.terminal[case.node], nodes.terminal[case.node])]
        assert np.abs(own - case.impedance_ohm).max() <= 1e-6 * np.abs(case.impedance_ohm).max(), network.buses.ids[bus]


def test_chosen_entries_of_an_inverse_are_those_of_the_whole() -> None:
    rng = np.random.default_rng(3)
    n = 80
    dense = np.where(rng.random((n, n)) < 0.04, rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)), 0)
    dense += 6 * np.eye(n)
    row, column = rng.integers(0, n, 300), rng.integers(0, n, 300)
    found = inverse_entries(csr_array(dense), row, column)
    np.testing.assert_allclose(found, np.linalg.inv(dense)[row, column], rtol=0, atol=1e-12)


def test_contributions_add_to_a_fault_as_current_sources_do() -> None:
    """An inverter at the fault adds all of its current; seen through a transformer, as the turns have it."""
    network = idle(small())
    system = build(network, NetworkState())
    node, owner = np.array([13, 14, 15, 13]), np.array([4, 4, 4, 7])
    contributions = Contributions(node, np.full(4, EARTH), np.full(4, 100.0), owner)
    three_phase, single = (by_kind(one) for one in added(system, contributions, [4, 7]))
    shop, mid = network.buses.ids.index("shop"), network.buses.ids.index("mid")
    assert single[shop, FaultKind.ONE_PHASE] == pytest.approx(100.0, rel=1e-9)
    assert three_phase[shop, FaultKind.THREE_PHASES] == pytest.approx(100.0, rel=1e-9)
    turns = 1.025 * network.transformers.rated_v[4, 1] / network.transformers.rated_v[4, 0]
    assert three_phase[mid, FaultKind.THREE_PHASES] == pytest.approx(100 * np.sqrt(3) * turns, rel=1e-2)


def test_bus_without_supply_has_no_short_circuit() -> None:
    network = small()
    system = build(network, NetworkState(switches_closed={"sw": False}))
    found = by_kind(currents(system))
    dead = [network.buses.ids.index(name) for name in ("mid", "tap", "house", "shop")]
    assert (found[dead] == 0).all()
    assert (found[network.buses.ids.index("reg")] > 0).all()
