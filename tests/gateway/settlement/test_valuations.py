"""Valuations beside figures worked out by hand."""

import pytest

from gateway.__main__ import main
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


SWITCHING = (
    "switching --curtailment-avoided-mwh 0.8 --losses-avoided-mwh 0.1563 --price-per-mwh 30 --operations-cost 20"
)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("deferral --capex 5e6 --rate 0.06 --years 3", "801,903.585 $"),
        ("outage --probability-less 0.02 --load-mw 1.5 --hours 4 --lost-load-per-mwh 20000", "2,400.000 $"),
        ("voltage --factor 0.8 --reduction-pct 2 --load-mw 12", "0.192 MW"),
        (
            SWITCHING,
            "8.689 $",
        ),
    ],
)
def test_s49_each_valuation_by_its_command(words, value, capsys):
    assert main(["valuation", *words.split()]) == 0
    assert value in capsys.readouterr().out


def test_v7_options_are_compared_from_a_file(tmp_path, capsys):
    file = tmp_path / "options.csv"
    file.write_text("name,cost,energy_mwh,certainty\nwires,100,10,1\nflex,50,10,0.4\n")
    assert main(["valuation", "compare", str(file), "--benefit-per-mwh", "20"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("wires") < shown.index("flex")
    file.write_text("name,cost\nwires,100\n")
    assert main(["valuation", "compare", str(file), "--benefit-per-mwh", "20"]) == 1
    assert "line 2" in capsys.readouterr().err
