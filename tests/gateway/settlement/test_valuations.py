"""Valuations beside figures worked out by hand."""

import pytest

from gateway.__main__ import main
from gateway.settlement.valuations import (
    Loading,
    Option,
    Thermal,
    ageing,
    ageing_factor,
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


LINEAR = Thermal(50, 30, 4, 1, 1)
"""Its hottest spot is 10 °C and 70 °C times the squared load above ambient."""


def test_v5_insulation_ages_as_ieee_c57_91_has_it():
    assert ageing_factor(110) == pytest.approx(1.0)
    assert ageing_factor(120) == pytest.approx(2.71, abs=0.005)
    assert ageing_factor(100) == pytest.approx(0.35, abs=0.005)


def test_v5_the_hottest_spot_follows_load_and_ambient():
    assert LINEAR.hot_spot_c(1, 30) == pytest.approx(110)
    assert LINEAR.hot_spot_c(0, 30) == pytest.approx(40)
    assert LINEAR.hot_spot_c(2**0.5, 30) == pytest.approx(180)
    usual = Thermal(55, 25, 5)  # 55 (11/6)^0.8 + 25 2^0.8 = 89.32 + 43.53
    assert usual.hot_spot_c(2**0.5, 30) == pytest.approx(30 + 89.32 + 43.53, abs=0.01)


def test_v5_a_day_at_110_instead_of_120_degrees_is_worth_what_it_does_not_age():
    course = [Loading(1, (6 / 7) ** 0.5, 40, 12)] * 2  # (2.709 - 1.000) * 24 h of 180 000 h, of 1.8 M$
    found = ageing(course, 1.8e6, LINEAR)
    assert found.value == pytest.approx((2.7090 - 1) * 240, abs=0.05)
    assert found.assumptions["mean_ambient_c"] == 40
    assert found.sensitivity["replacement_cost"] == pytest.approx(found.value / 10)
    assert max(found.sensitivity, key=lambda name: found.sensitivity[name]) == "peak_load_pu"
    assert ageing([Loading(1, 1, 40, 24)], 1.8e6, LINEAR).value == 0


AGEING = "--replacement-cost 1.8e6 --top-oil-rise-c 50 --hot-spot-rise-c 30 --loss-ratio 4 --step-h 24"


def test_v5_a_load_course_is_valued_from_a_file(tmp_path, capsys):
    file = tmp_path / "course.csv"
    words = f"valuation ageing {file} --rating-mva 20 --oil-exponent 1 --winding-exponent 1 {AGEING}".split()
    file.write_text("before_mva,after_mva,ambient_c\n20,18.516402,40\n")
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "410.1" in shown
    assert "peak_load_pu" in shown
    for text, fault in (("20,x,40", "line 2"), ("20,nan,40", "times the rating"), ("20,18,999", "100 °C")):
        file.write_text(f"before_mva,after_mva,ambient_c\n{text}\n")
        assert main(words) == 1
        assert fault in capsys.readouterr().err
    file.write_text("before_mva,after_mva,ambient_c\n")
    assert main(words) == 1
    assert "no rows" in capsys.readouterr().err


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
