"""The estimate of a field whose truth is OpenDSS's, from few meters with errors and forecasts with larger ones."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.estimation.estimate import estimate
from grid_engine.estimation.words import Doubt, Expected, Measured, Measurement, Origin, Outcome, Question
from grid_engine.feeders.maple.network import build
from grid_engine.results import NetworkState, Participant, Quality
from tests.grid_engine.field import Field, Meters, head_va, play

SOURCE = 1.012
"""What the true voltage of the source is over that of the model."""


@pytest.fixture(scope="module")
def field():
    network = build()
    idle = replace(network, units=replace(network.units, volt_var=np.full(len(network.units.ids), -1)))
    return play(idle, np.random.default_rng(1).uniform(0.3, 1.2, len(idle.loads.ids)), SOURCE)


@pytest.fixture(scope="module")
def network(field):
    """What the engine knows: other loads, another source."""
    true = field.network
    return replace(true, sources=replace(true.sources, voltage_pu=true.sources.voltage_pu / SOURCE))


@pytest.fixture(scope="module")
def few(field):
    """The head, a voltage at one customer in fifteen, and the power of one in ten."""
    return readings(field, 15, 10)


def readings(field: Field, volts: int, powers: int, seed: int = 0):
    network, meters = field.network, Meters(field, seed)
    nodes = np.unique(network.loads.node[:, 0, 0])
    found = meters.powers(network.sources.ids[0], head_va(field), 0.005)
    found += meters.voltages(nodes[::volts])
    return tuple(found + meters.loads(network.loads.ids[::powers]))


@pytest.fixture(scope="module")
def forecasts(field):
    return Meters(field, 7).expected(0.5)


@pytest.fixture(scope="module")
def told(network, few, forecasts):
    return estimate(network, Question(0, few, expected=forecasts))


def errors(field, told):
    return np.array([node.voltage_pu for node in told.nodes]) - field.voltage_pu


def rms(values):
    return float(np.sqrt(np.mean(values**2)))


def test_a_few_meters_bring_the_error_far_below_that_of_the_forecasts(network, field, told, forecasts):
    blind = estimate(network, Question(0, (), expected=forecasts, samples=0))
    assert told.outcome is blind.outcome is Outcome.ESTIMATED
    assert rms(errors(field, told)) < 0.25 * rms(errors(field, blind))
    assert rms(errors(field, told)) < 0.003
    assert not told.suspects
    assert not told.ignored
    assert not told.detail


def test_the_feeder_head_closes_within_one_percent(field, told):
    assert told.closing_pct < 1.0
    consumed = sum(power.power_w for power in told.powers if power.is_load)
    losses = head_va(field).real - sum(field.load_va(name).real for name in field.network.loads.ids)
    assert consumed + losses == pytest.approx(head_va(field).real, rel=0.01)


def test_the_voltage_of_the_source_is_found(told):
    assert told.source_pu == pytest.approx((SOURCE,) * 3, abs=0.004)


def test_standard_deviations_are_honest(field, told):
    sigma = np.array([node.sigma_pu for node in told.nodes])
    assert np.mean(np.abs(errors(field, told)) < 2 * sigma) > 0.9
    true = np.array([field.load_va(power.element).real for power in told.powers if power.is_load])
    off = np.array([power.power_w for power in told.powers if power.is_load]) - true
    spread = np.array([power.sigma_w for power in told.powers if power.is_load])
    assert 0.8 < rms(off / spread) < 1.3


def test_every_number_says_where_it_comes_from(few, told):
    metered = {reading.element for reading in few if reading.quantity is Measured.ACTIVE_POWER_W}
    by_element = {power.element: power.origin for power in told.powers}
    assert {name for name, origin in by_element.items() if origin is Origin.MEASURED} == metered & set(by_element)
    seen = {(r.element, r.phases) for r in few if r.quantity is Measured.VOLTAGE_V}
    assert {(node.bus, node.conductor) for node in told.nodes if node.origin is Origin.MEASURED} == seen
    assert Origin.ESTIMATED in {node.origin for node in told.nodes}
    assert 5 < told.coverage_pct < told.observed_pct < 100


def test_it_can_be_given_to_a_study(told):
    consumption = told.load_w
    assert len(consumption) == sum(power.is_load for power in told.powers)
    measured = {power.bus for power in told.powers if power.origin is Origin.MEASURED}
    assert told.estimated_buses
    assert not measured <= set(told.estimated_buses)


def test_the_same_question_has_the_same_answer(network, few, forecasts, told):
    again = estimate(network, Question(0, few, expected=forecasts))
    assert again == told
    assert again.estimate_id == told.estimate_id != replace(told, at_s=1).estimate_id


def changed(few, meter, factor):
    return tuple(replace(one, value=one.value * factor) if one.meter == meter else one for one in few)


@pytest.mark.parametrize(
    ("kind", "factor"),
    [(Measured.VOLTAGE_V, 1.05), (Measured.VOLTAGE_V, 0.0), (Measured.ACTIVE_POWER_W, 1000.0)],
)
def test_a_bad_meter_is_found_named_and_does_no_harm(network, field, forecasts, kind, factor):
    many = readings(field, 6, 4)
    bad = [one.meter for one in many if one.quantity is kind][17]
    told = estimate(network, Question(0, changed(many, bad, factor), expected=forecasts, samples=0))
    (suspect,) = told.suspects
    true = next(one.value for one in many if one.meter == bad)
    assert suspect.name == bad
    assert suspect.sigmas > 4
    assert suspect.estimate == pytest.approx(true, rel=0.02 if kind is Measured.VOLTAGE_V else 1.5)
    assert rms(errors(field, told)) < 0.003
    origins = [power.origin for power in told.powers if power.element == suspect.element]
    origins += [node.origin for node in told.nodes if node.bus == suspect.element]
    assert Origin.SUBSTITUTED in origins


def test_a_wrong_head_is_found(network, field, forecasts):
    many = readings(field, 6, 4)
    told = estimate(network, Question(0, changed(many, many[0].meter, 1.6), expected=forecasts, samples=0))
    assert [suspect.name for suspect in told.suspects] == [many[0].meter]
    assert told.suspects[0].estimate == pytest.approx(head_va(field).real, rel=0.1)


def test_without_meters_it_is_the_power_flow_of_what_is_expected(network):
    """Expected powers are constant ones whatever a load's law, so OpenDSS is given such loads."""
    loads = network.loads
    constant = np.tile([0.0, 0.0, 1.0], (len(loads.ids), 1))
    firm = replace(
        network,
        loads=replace(
            loads,
            zip_p=constant,
            zip_q=constant,
            exponent=np.full((len(loads.ids), 2), np.nan),
            band_pu=np.tile([0.5, 1.5], (len(loads.ids), 1)),
            edge_pu=np.full((len(loads.ids), 2, 2), np.nan),
        ),
    )
    told = estimate(network, Question(0, ()))
    assert np.abs(errors(play(firm), told)).max() < 1e-6
    assert told.closing_pct is None
    assert told.coverage_pct == 0
    assert {power.origin for power in told.powers} == {Origin.PSEUDO}


def test_when_every_load_is_metered_all_is_covered(network, field):
    told = estimate(network, Question(0, readings(field, 1, 1), samples=0))
    assert told.coverage_pct > 99
    assert rms(errors(field, told)) < 0.0015


def test_readings_that_cannot_be_used_are_told_one_by_one(network):
    load, bus = network.loads.ids[0], network.buses.ids[0]
    volts, watts = Measured.VOLTAGE_V, Measured.ACTIVE_POWER_W
    bad = [
        (Measurement("m1", volts, bus, 1.0, 1.0, "a", quality=Quality.STALE), "its quality is stale"),
        (Measurement("m2", volts, bus, float("nan"), 1.0, "a"), "value nan, sigma 1.0"),
        (Measurement("m3", watts, load, 1.0, 0.0), "value 1.0, sigma 0.0"),
        (Measurement("m4", volts, "nowhere", 1.0, 1.0, "a"), "there is no bus nowhere"),
        (Measurement("m5", volts, bus, 1.0, 1.0, "s1"), f"bus {bus} has no conductors 's1'"),
        (Measurement("m6", watts, "nothing", 1.0, 1.0), "there is nothing called nothing that this is read at"),
        (Measurement("m7", watts, load, 1.0, 1.0, "a"), f"power of {load} is read in all, not of a"),
        (Measurement("m8", Measured.CURRENT_A, network.lines.ids[0], 1.0, 1.0), "current_a of L"),
        (Measurement("m9", watts, network.lines.ids[0], 1.0, 1.0, end=5), "has no phases '' at end 5"),
    ]
    words = {"ghost": Expected(1, 1), load: Expected(float("inf"), 1)}
    told = estimate(network, Question(0, tuple(one for one, _ in bad), expected=words, samples=0))
    said = {one.meter: one.reason for one in told.ignored}
    assert said.keys() == {"ghost", load, *(one.meter for one, _ in bad)}
    for one, why in bad:
        assert why in said[one.meter]


def test_of_two_meters_of_one_load_the_better_counts(network, field):
    name = network.loads.ids[0]
    fine = Measurement("fine", Measured.ACTIVE_POWER_W, name, 1000.0, 10.0)
    told = estimate(network, Question(0, (replace(fine, meter="coarse", value=5000.0, sigma=200.0), fine), samples=0))
    assert next(power.power_w for power in told.powers if power.element == name) == pytest.approx(1000, abs=1)
    assert [(one.meter, one.reason) for one in told.ignored] == [("coarse", "fine reads the same more exactly")]


def test_more_than_the_network_can_carry_names_the_bus(network):
    heavy = {name: Expected(5e5, 1.0) for name in network.loads.ids}
    told = estimate(network, Question(0, (), expected=heavy))
    assert told.outcome is Outcome.NOT_CONVERGED
    assert any(f"look at bus {bus}" in told.detail for bus in network.buses.ids)
    assert told.nodes == ()


def test_too_much_expected_is_brought_down_by_what_is_read(network, field):
    heavy = {name: Expected(5e4, 2.5e4) for name in network.loads.ids}
    head = tuple(Meters(field).powers(network.sources.ids[0], head_va(field), 0.005))
    told = estimate(network, Question(0, head, expected=heavy, doubt=Doubt(common=1.0), samples=0))
    assert told.outcome is Outcome.ESTIMATED
    assert told.closing_pct < 1


def test_a_load_out_of_service_takes_nothing(network):
    name = network.loads.ids[0]
    off = replace(network, loads=replace(network.loads, in_service=np.arange(len(network.loads.ids)) > 0))
    told = estimate(off, Question(0, (), expected={name: Expected(1e4, 1e3)}, samples=0))
    assert next(power.power_w for power in told.powers if power.element == name) == 0
    assert [(one.meter, one.reason) for one in told.ignored] == [(name, "it is out of service")]


def test_buses_without_supply_are_left_out(network, few):
    cut = NetworkState(switches_closed={"SW-F2": False})
    told = estimate(network, Question(0, few, state=cut, samples=0))
    assert told.outcome is Outcome.ESTIMATED
    assert not any(node.bus.startswith("F2") for node in told.nodes)
    assert any(one.reason.endswith("has no supply there") for one in told.ignored)


def test_a_participant_counts_with_its_meter_or_with_what_it_holds(network):
    unit = network.units.ids[0]
    pv = Participant("PV", "", (-0.0,), (0.0,), 0.0, 9e3, unit=unit)
    battery = Participant("BESS", network.buses.ids[3], (2e5,), (2e5,), -3e5, 3e5)
    reading = Measurement("M", Measured.ACTIVE_POWER_W, "PV", 4000.0, 10.0)
    told = estimate(network, Question(0, (reading,), participants=(pv, battery), samples=0))
    by_name = {power.element: power for power in told.powers}
    assert by_name["PV"].power_w == pytest.approx(4000, abs=1)
    assert by_name["PV"].origin is Origin.MEASURED
    assert by_name["BESS"].power_w == pytest.approx(2e5)
    assert by_name[unit].power_w == 0
