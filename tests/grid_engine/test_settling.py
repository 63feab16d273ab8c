"""Studies whose controllers act first: OpenDSS in its static control mode is the oracle."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from grid_engine.cycle import answer
from grid_engine.exporters.opendss import translate
from grid_engine.feeders.maple.network import build as maple
from grid_engine.model import Network
from grid_engine.results import Answer, NetworkState, Participant, Purpose, Reason, Status, Study
from grid_engine.studies.instruments import node_table
from grid_engine.studies.settling import settled
from tests.grid_engine.opendss import compiled
from tests.grid_engine.studies import ask, der

HOW = ("set tolerance=1e-12", "set maxiterations=500", "set maxcontroliter=100", "set controlmode=static", "solve")


@pytest.fixture(scope="module")
def network() -> Network:
    return maple()


def asked(network: Network, *scales: float, controllers: bool = True, **more: Any) -> Answer:
    more.setdefault("voltage_min_pu", 0.917)
    more.setdefault("voltage_max_pu", 1.058)
    study = Study("s", Purpose.IMPACT, len(scales), (), load_scale=scales, margin_pct=0.0, **more)
    return answer(network, replace(study, controllers=controllers))


def volts(result: Answer, interval: int) -> dict[str, float]:
    return {f.asset_id: f.value for f in result.flows if f.unit == "pu" and f.interval == interval}


@pytest.mark.parametrize("scale", [0.4, 1.0, 1.6])
def test_voltages_are_those_that_opendss_comes_to(network: Network, scale: float) -> None:
    result = asked(network, scale)
    assert result.status is Status.SOLVED
    scaled = replace(network, loads=replace(network.loads, power_va=network.loads.power_va * scale))
    expected = np.abs(compiled(translate(scaled), *HOW).voltage())
    table, base = node_table(network), network.buses.phase_v
    for bus, value in volts(result, 0).items():
        n = network.buses.ids.index(bus)
        own = [node for node in np.delete(table[n], 3) if node >= 0]
        assert np.abs(expected[own] / base[n] - value).min() < 1e-6, bus


def test_intervals_are_studied_in_their_own_states_and_told_in_order(network: Network) -> None:
    scales = (0.4, 1.6, 0.4)
    study = Study("s", Purpose.IMPACT, 3, (), load_scale=scales, controllers=True)
    parts = settled(network, study)
    assert sorted(part.intervals for part in parts) == [(0, 2), (1,)]
    assert len({tuple(sorted(part.study.state.taps.items())) for part in parts}) == 2
    together = asked(network, *scales)
    assert together.study_id == "s"
    for i, scale in enumerate(scales):
        assert volts(together, i) == pytest.approx(volts(asked(network, scale), 0), abs=1e-9)
    assert [f.interval for f in together.flows] == sorted(f.interval for f in together.flows)


def test_nothing_moves_unless_asked(network: Network) -> None:
    held, moving = asked(network, 1.6, controllers=False), asked(network, 1.6)
    assert volts(held, 0) != pytest.approx(volts(moving, 0), abs=1e-4)


def test_locked_regulator_stays_where_it_is_after_its_contingency(network: Network) -> None:
    regulators = network.regulators.ids
    moved = settled(network, Study("s", Purpose.IMPACT, 1, (), load_scale=(1.6,), controllers=True))[0].study.state
    name = next(
        r
        for n, r in enumerate(regulators)
        if moved.taps.get(t := network.transformers.ids[network.regulators.transformer[n]])
        != network.transformers.tap[network.transformers.ids.index(t)]
    )
    (part,) = settled(
        network,
        Study("s", Purpose.IMPACT, 1, (), load_scale=(1.6,), controllers=True, contingencies=(name,)),
    )
    transformer = network.transformers.ids[network.regulators.transformer[regulators.index(name)]]
    (contingency,) = part.study.contingencies
    assert not isinstance(contingency, str)
    at_first = int(network.transformers.tap[network.transformers.ids.index(transformer)])
    assert contingency.changes.taps[transformer] == at_first
    assert part.study.state.taps[transformer] != at_first
    low = asked(network, 1.6, contingencies=(name,), voltage_min_pu=0.99)
    assert any(v.reason is Reason.N1 and v.case == name for v in low.violations)


def test_network_that_collapses_is_told_as_ever() -> None:
    result = ask(der("A", [0.0, 0.0]), load_scale=(1.0, 20.0), controllers=True)
    assert result.status is Status.NOT_CONVERGED
    assert result.envelopes == ()
    assert "bus B" in result.detail


def test_network_without_controllers_is_studied_as_it_is() -> None:
    members = (der("A", [0.0, 0.0], [2.0, 2.0]), der("B", [4.0, 4.2]))
    assert replace(ask(*members, controllers=True), power_flows=0) == replace(ask(*members), power_flows=0)


def test_wrong_study_is_refused_before_anything_moves(network: Network) -> None:
    nobody = Participant("X", "nowhere", (0.0,), (0.0,), 0.0, 0.0)
    study = Study("s", Purpose.IMPACT, 1, (nobody,), controllers=True, state=NetworkState())
    assert answer(network, study).status is Status.BAD_INPUT
