"""Controllers in batches against OpenDSS's static control mode, and against what their words say."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from grid_engine.exporters.opendss import translate
from grid_engine.feeders import public
from grid_engine.flow.nodal import build
from grid_engine.flow.pairs import joined, load_pairs, load_power, unit_pairs, unit_power
from grid_engine.flow.regulation import Outcome, Regulated, Regulation, prepare_regulation
from grid_engine.model import ABSENT, EARTH, CapacitorControlKind, CapacitorControls, Curve, Network, Shunts, Units
from grid_engine.results import NetworkState
from tests.grid_engine.opendss import compiled
from tests.grid_engine.radial import chain

LOADS = (0.35, 0.6, 0.85, 1.0)
REGULATED = ("ieee13", "ieee37", "ieee123", "ieee8500", "ieee8500_unbalanced")


def regulation(network: Network, state: NetworkState | None = None) -> tuple[Regulation, Any]:
    """The network's controllers and its own powers (n_pair,)."""
    loads, _ = load_pairs(network)
    units, owner = unit_pairs(network)
    power_va = np.concatenate([load_power(network), unit_power(network)])
    unit_of = np.concatenate([np.full(loads.size, -1), owner])
    system = build(network, state or NetworkState())
    return prepare_regulation(system, joined(loads, units), 0.7 * power_va, unit_of), power_va


@cache
def settled(name: str) -> tuple[Regulation, Regulated]:
    """A public feeder at `LOADS`, started with all taps in the middle and all capacitors on."""
    network = public.load(name)
    of, power_va = regulation(network)
    start = np.zeros((len(of.solver.variants.ids), len(LOADS)), dtype=np.int64)
    start[of.shunt_of] = 1
    return of, of.solve(power_va[:, None] * np.array(LOADS), start)


def opendss_states(network: Network, share: float) -> tuple[dict[str, int], dict[str, int]]:
    """Taps by regulator and states by capacitor, where OpenDSS's controllers leave them."""
    loads = replace(network.loads, power_va=network.loads.power_va * share)
    middle = replace(network.transformers, tap=network.transformers.tap_neutral)
    banks = replace(network.shunts, in_service=np.ones(len(network.shunts.ids), dtype=np.bool_))
    translation = translate(replace(network, loads=loads, transformers=middle, shunts=banks))
    settings = ("set tolerance=1e-9", "set maxiterations=300", "set maxcontroliter=100", "set controlmode=static")
    circuit = compiled(translation, *settings, "solve").engine.ActiveCircuit
    assert circuit.Solution.Converged
    taps = {}
    for name in network.regulators.ids:
        (element,) = translation.elements["regulators", name]
        circuit.RegControls.Name = element.partition(".")[2]
        taps[name] = int(circuit.RegControls.TapNumber)
    states = {}
    for n in network.capacitor_controls.shunt:
        (element,) = translation.elements["shunts", network.shunts.ids[n]]
        circuit.Capacitors.Name = element.partition(".")[2]
        states[network.shunts.ids[n]] = int(circuit.Capacitors.States[0])
    return taps, states


@pytest.mark.parametrize("name", REGULATED)
@pytest.mark.parametrize("case", range(len(LOADS)))
def test_controllers_settle_where_those_of_opendss_do(name: str, case: int) -> None:
    of, result = settled(name)
    taps, states = opendss_states(public.load(name), LOADS[case])
    assert result.outcome[case] == Outcome.SETTLED
    assert dict(zip(of.taps.ids, result.states[of.tap_of, case].tolist(), strict=True)) == taps
    assert dict(zip(of.capacitors.shunts, result.states[of.shunt_of, case].tolist(), strict=True)) == states


@pytest.mark.parametrize("name", REGULATED)
def test_settled_voltages_are_in_the_band_or_the_tap_at_its_end(name: str) -> None:
    of, result = settled(name)
    assert not of.taps.wanted(result.flow.voltage, result.states[of.tap_of]).any()
    assert not of.capacitors.wanted(result.flow.voltage, result.states[of.shunt_of]).any()


def test_a_locked_regulator_stays_where_it_is() -> None:
    network = public.load("ieee123")
    state = NetworkState(in_service={"creg4a": False})
    of, power_va = regulation(network, state)
    assert "creg4a" not in of.taps.ids
    result = of.solve(0.5 * power_va[:, None])
    assert result.outcome.tolist() == [Outcome.SETTLED]
    moved = dict(zip(of.solver.variants.ids, result.states[:, 0] - of.solver.variants.state, strict=True))
    assert network.transformers.ids[network.regulators.transformer[network.regulators.ids.index("creg4a")]] not in moved
    assert any(moved.values())


def test_without_controllers_it_is_the_power_flow() -> None:
    of, power_va = regulation(public.load("european_lv"))
    result = of.solve(power_va[:, None] * np.array([0.5, 1.0]))
    np.testing.assert_array_equal(
        result.flow.voltage, of.solver.solve(power_va[:, None] * np.array([0.5, 1.0])).voltage
    )
    assert result.rounds.tolist() == [1, 1]
    assert result.outcome.tolist() == [Outcome.SETTLED] * 2


def test_a_case_without_solution_does_not_keep_the_others_from_settling() -> None:
    of, power_va = regulation(public.load("ieee13"))
    result = of.solve(power_va[:, None] * np.array([0.7, 1e7, 1.0]))
    assert result.outcome.tolist() == [Outcome.SETTLED, Outcome.NOT_CONVERGED, Outcome.SETTLED]
    assert np.isnan(result.flow.voltage[:, 1]).all()
    assert result.flow.worst_node[1] >= 0


Z = 0.4 + 0.3j


def with_bank(on_at: float, off_at: float, load_va: complex, kind: CapacitorControlKind) -> Network:
    """A bank at the end of a line; its controller looks at the voltage there or at the line."""
    network = chain(Z, loads_va={1: load_va})
    return replace(
        network,
        shunts=Shunts(
            ids=("bank",),
            node=np.array([[1, ABSENT, ABSENT]]),
            admittance_s=np.pad(np.full((1, 1, 1), 0.1j), ((0, 0), (0, 2), (0, 2))),
            in_service=np.array([False]),
        ),
        capacitor_controls=CapacitorControls(
            ids=("control",),
            shunt=np.array([0]),
            kind=np.array([int(kind)]),
            node=np.array([[1, EARTH]]),
            line=np.array([0]),
            on_at=np.array([on_at]),
            off_at=np.array([off_at]),
            pt_ratio=np.array([2.0]),
            ct_ratio=np.array([10.0]),
            voltage_min_v=np.array([-np.inf]),
            voltage_max_v=np.array([np.inf]),
            delay_s=np.array([30.0]),
            delay_off_s=np.array([30.0]),
            dead_time_s=np.array([0.0]),
            in_service=np.array([True]),
        ),
    )


@pytest.mark.parametrize(
    ("kind", "on_at", "off_at"),
    [
        (CapacitorControlKind.VOLTAGE, 118.5, 121.0),
        (CapacitorControlKind.CURRENT, 1.2, 0.5),
        (CapacitorControlKind.REACTIVE_POWER, 1200.0, -9000.0),
    ],
)
def test_a_capacitor_is_switched_on_by_what_its_controller_sees(
    kind: CapacitorControlKind, on_at: float, off_at: float
) -> None:
    of, power_va = regulation(with_bank(on_at, off_at, 3000.0 + 2000.0j, kind))
    result = of.solve(power_va[:, None] * np.array([0.2, 1.0]))
    assert result.states.tolist() == [[0, 1]]
    assert result.outcome.tolist() == [Outcome.SETTLED] * 2


def test_controllers_that_never_agree_are_told_by_name() -> None:
    """The bank lifts the voltage beyond where it is switched off."""
    of, power_va = regulation(with_bank(119.0, 119.5, 3000.0 + 2000.0j, CapacitorControlKind.VOLTAGE))
    result = of.solve(power_va[:, None], rounds=20)
    assert result.outcome.tolist() == [Outcome.HUNTING]
    assert of.ids[result.restless[0]] == "control"
    assert result.rounds.tolist() == [20]
    assert result.flow.converged.all()


VOLT_VAR = Curve(x=np.array([0.92, 0.98, 1.02, 1.08]), y=np.array([0.44, 0.0, 0.0, -0.44]))
VOLT_WATT = Curve(x=np.array([1.06, 1.1]), y=np.array([1.0, 0.0]))


def with_unit(power_va: complex, impedance_ohm: complex, *, var: bool = True, watt: bool = False) -> Network:
    """An inverter of 10 kVA at the end of a line."""
    network = chain(impedance_ohm)
    node = np.full((1, 3, 2), ABSENT)
    node[0, 0] = [1, EARTH]
    return replace(
        network,
        curves=(VOLT_VAR, VOLT_WATT),
        units=Units(
            ids=("pv",),
            node=node,
            power_va=np.array([power_va]),
            rated_va=np.array([10e3]),
            energy_wh=np.zeros(1),
            fault_current_pu=np.ones(1),
            volt_var=np.array([0 if var else -1]),
            volt_watt=np.array([1 if watt else -1]),
            in_service=np.array([True]),
        ),
    )


@pytest.mark.parametrize("impedance_ohm", [0.05 + 0.05j, 0.4 + 0.3j, 0.8 + 1.5j])
def test_inverters_stand_on_their_volt_var_curve(impedance_ohm: complex) -> None:
    """On a strong, a usual and a very weak connection, where each var moves the voltage a lot."""
    of, power_va = regulation(with_unit(6000.0 + 0j, impedance_ohm))
    result = of.solve(power_va[:, None] * np.array([0.0, 0.5, 1.0]))
    assert result.outcome.tolist() == [Outcome.SETTLED] * 3
    seen_pu = np.abs(result.flow.voltage[1])
    expected = 10e3 * np.interp(seen_pu, VOLT_VAR.x, VOLT_VAR.y)
    np.testing.assert_allclose(result.power_va[0].imag, expected, atol=2.0)
    np.testing.assert_allclose(result.power_va[0].real, [0, 3000, 6000])


def test_inverters_give_way_by_their_volt_watt_curve() -> None:
    of, power_va = regulation(with_unit(9000.0 + 0j, 1.2 + 0.4j, var=False, watt=True))
    result = of.solve(power_va[:, None] * np.array([0.2, 1.0]))
    assert result.outcome.tolist() == [Outcome.SETTLED] * 2
    most = 10e3 * np.interp(np.abs(result.flow.voltage[1]), VOLT_WATT.x, VOLT_WATT.y)
    assert result.power_va[0, 0] == pytest.approx(1800.0)
    assert result.power_va[0, 1].real == pytest.approx(most[1], abs=2.0)
    assert most[1] < 9000.0


def test_reactive_power_goes_first_where_the_rating_cannot_carry_both() -> None:
    of, power_va = regulation(with_unit(10e3 + 0j, 0.8 + 1.5j))
    result = of.solve(power_va[:, None])
    assert result.outcome.tolist() == [Outcome.SETTLED]
    assert abs(result.power_va[0, 0]) == pytest.approx(10e3, rel=1e-3)
    assert result.power_va[0, 0].imag < -1000


def test_inverters_settle_before_tap_changers_act() -> None:
    """In IEEE 13 with inverters at every load, nothing wants to move at the end."""
    network = public.load("ieee13")
    node = network.loads.node
    n = len(node)
    units = Units(
        ids=tuple(f"pv{k}" for k in range(n)),
        node=node,
        power_va=np.full(n, 60e3 + 0j),
        rated_va=np.full(n, 100e3),
        energy_wh=np.zeros(n),
        fault_current_pu=np.ones(n),
        volt_var=np.zeros(n, dtype=np.int64),
        volt_watt=np.full(n, -1),
        in_service=np.ones(n, dtype=np.bool_),
    )
    of, power_va = regulation(replace(network, units=units, curves=(VOLT_VAR,)))
    result = of.solve(np.repeat(power_va[:, None], 3, axis=1))
    assert result.outcome.tolist() == [Outcome.SETTLED] * 3
    own = of.inverters
    wanted = own.wanted(result.flow.voltage, own.summed(power_va[own.pairs][:, None]) * np.ones(3))
    np.testing.assert_allclose(own.summed(result.power_va[own.pairs]), wanted, atol=20.0)
    assert not of.taps.wanted(result.flow.voltage, result.states[of.tap_of]).any()
    assert np.abs(wanted.imag).max() > 1e3


def test_the_voltage_of_an_inverter_is_over_what_is_nominal_for_its_connection() -> None:
    """Unloaded, all of IEEE 13's kinds of connection see the voltage of the source, about 1 per unit."""
    network = public.load("ieee13")
    pairs, _ = load_pairs(network)
    unit_of = np.arange(pairs.size) * 0
    units = Units(
        ids=("all",),
        node=network.loads.node[:1],
        power_va=np.zeros(1, dtype=np.complex128),
        rated_va=np.ones(1),
        energy_wh=np.zeros(1),
        fault_current_pu=np.ones(1),
        volt_var=np.zeros(1, dtype=np.int64),
        volt_watt=np.full(1, -1),
        in_service=np.ones(1, dtype=np.bool_),
    )
    of = prepare_regulation(
        build(replace(network, units=units, curves=(VOLT_VAR,)), NetworkState(taps={})),
        pairs,
        np.zeros(pairs.size, dtype=np.complex128),
        unit_of,
    )
    flow = of.solver.solve(np.zeros((pairs.size, 1), dtype=np.complex128))
    seen = np.abs(of.inverters.volts @ flow.voltage)
    assert np.abs(seen - 1).max() < 0.12
