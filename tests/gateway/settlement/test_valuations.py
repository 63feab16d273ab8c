"""Valuations beside figures worked out by hand."""

import pytest

from gateway.settlement.valuations import (
    Option,
    compared,
    deferral,
    locational,
    outage,
    switching,
    voltage_reduction,
)


def test_the_worked_figures():
    assert deferral(5e6, 0.06, 3).value == pytest.approx(801_904, abs=1)
    assert outage(0.02, 1.5, 4, 20_000).value == pytest.approx(2_400)
    assert voltage_reduction(0.8, 2, 12).value == pytest.approx(0.192)
    assert switching(0.80, 0.1563, 30, 20).value == pytest.approx(8.69, abs=0.005)
    assert locational(-35, 2, 0.5).value == pytest.approx(-35)


def test_each_says_its_assumptions_and_what_moves_it():
    found = deferral(5e6, 0.06, 3)
    assert found.assumptions == {"capex": 5e6, "rate": 0.06, "years": 3}
    assert found.sensitivity["capex"] == pytest.approx(0.1 * found.value)
    assert 0 < found.sensitivity["rate"] < found.sensitivity["capex"]


def test_options_are_ranked_by_what_a_certain_megawatt_hour_costs():
    rows = compared(
        [Option("cheap but unsure", 100, 10, 0.4), Option("sure", 150, 10, 1.0), Option("never", 1, 10, 0.0)], 20
    )
    assert [row.option.name for row in rows] == ["sure", "cheap but unsure", "never"]
    assert rows[0].net_value == pytest.approx(50)
