"""What meters would read, beside OpenDSS; their slopes, beside differences."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.estimation.meters import conductors, rows
from grid_engine.estimation.words import Measured, Measurement
from grid_engine.flow.nodal import build
from grid_engine.modelling.tables import no_units
from grid_engine.results import NetworkState
from tests.grid_engine.field import play
from tests.grid_engine.small import small


@pytest.fixture(scope="module")
def field():
    network = small()
    return play(replace(network, units=no_units()))


@pytest.fixture(scope="module")
def system(field):
    return build(field.network, NetworkState())


def reading(quantity, element, phases="", end=0):
    return Measurement(f"{quantity}-{element}-{phases}", quantity, element, 0.0, 1.0, phases, end)


def everything(network):
    line, trafo, source = network.lines.ids[0], network.transformers.ids[0], network.sources.ids[0]
    return [
        reading(Measured.ACTIVE_POWER_W, line),
        reading(Measured.VOLTAGE_V, "mid", "a"),
        reading(Measured.VOLTAGE_V, "mid", "ab"),
        reading(Measured.VOLTAGE_V, "mid", "an"),
        reading(Measured.VOLTAGE_V, "house", "s1s2"),
        reading(Measured.CURRENT_A, line, "b"),
        reading(Measured.REACTIVE_POWER_VAR, line, "c", 1),
        reading(Measured.ACTIVE_POWER_W, trafo, "", 1),
        reading(Measured.ACTIVE_POWER_W, source),
        reading(Measured.ACTIVE_POWER_W, "house"),
        reading(Measured.REACTIVE_POWER_VAR, source, "a"),
    ]


def test_readings_are_those_of_opendss(field, system):
    network = field.network
    made, ignored = rows(system, everything(network))
    assert not ignored
    found = dict(zip((one.meter for one in made.readings), made.at(field.voltage_v / system.base_v), strict=True))
    node = {
        (network.buses.ids[b], int(t)): n
        for n, (b, t) in enumerate(zip(network.nodes.bus, network.nodes.terminal, strict=True))
    }
    volts = field.voltage_v
    line, trafo, source = network.lines.ids[0], network.transformers.ids[0], network.sources.ids[0]
    k = int((network.lines.from_node[0] >= 0).sum())
    into = -field.into("sources", source)
    expected = {
        "voltage_v-mid-a": abs(volts[node["mid", 0]]),
        "voltage_v-mid-ab": abs(volts[node["mid", 0]] - volts[node["mid", 1]]),
        "voltage_v-mid-an": abs(volts[node["mid", 0]] - volts[node["mid", 3]]),
        "voltage_v-house-s1s2": abs(volts[node["house", 4]] - volts[node["house", 5]]),
        f"active_power_w-{line}-": field.into("lines", line)[:k].sum().real,
        f"current_a-{line}-b": abs(field.into("lines", line)[1] / volts[network.lines.from_node[0, 1]]),
        f"reactive_power_var-{line}-c": field.into("lines", line, 1)[2].imag,
        f"active_power_w-{trafo}-": field.into("transformers", trafo, 1).sum().real,
        f"active_power_w-{source}-": into.sum().real,
        "active_power_w-house-": -field.load_va("home").real,
        f"reactive_power_var-{source}-a": into[0].imag,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-6, abs=1e-3), name


def test_slopes_are_those_of_small_differences(field, system):
    made, _ = rows(system, everything(field.network))
    voltage = field.voltage_v / system.base_v
    rng = np.random.default_rng(0)
    step = 1e-6 * (rng.standard_normal(len(voltage)) + 1j * rng.standard_normal(len(voltage)))
    change = (made.at(voltage + step) - made.at(voltage - step)) / 2
    np.testing.assert_allclose(np.real(made.gradients(voltage).T @ step), change, rtol=1e-5, atol=1e-9)


def test_a_part_of_the_readings_reads_the_same(field, system):
    made, _ = rows(system, everything(field.network))
    voltage = field.voltage_v / system.base_v
    kept = np.arange(len(made.readings)) % 3 != 1
    np.testing.assert_allclose(made.only(kept).at(voltage), made.at(voltage)[kept])
    np.testing.assert_allclose(made.only(kept).gradients(voltage).toarray(), made.gradients(voltage).toarray()[:, kept])


def test_heads_are_the_active_powers_nearest_to_the_source(field, system):
    made, _ = rows(system, everything(field.network))
    heads = [one.meter for one, head in zip(made.readings, made.heads(system), strict=True) if head]
    assert f"active_power_w-{field.network.sources.ids[0]}-" in heads
    assert not any(name.startswith(("reactive", "voltage", "current")) for name in heads)


@pytest.mark.parametrize(
    ("phases", "found"),
    [("", []), ("a", [0]), ("bcn", [1, 2, 3]), ("s1s2", [4, 5]), ("x", None), ("aa", None), ("s", None)],
)
def test_conductors_are_read_from_their_names(phases, found):
    assert conductors(phases) == found
