"""Every field of an asset's ratings moves a limit, to where pandapower's bisection says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from grid_engine.cycle import answer
from grid_engine.model import Network, Ratings
from grid_engine.results import Answer, NetworkState, Participant, Purpose, Rating, Reason, Season, Study
from grid_engine.studies.ratings import capability
from tests.grid_engine.r1 import Oracle, bisect, row
from tests.grid_engine.studies import NETWORK, ask, bounds_mw, der

L12 = NETWORK.lines.ids.index("L12")
T1 = 0
"""Position among the transformers."""


def rated(network: Network, table: str, which: int, **fields: Any) -> Network:
    """The network with fields of one asset's ratings changed."""
    own = getattr(network, table)
    columns = {name: getattr(own.ratings, name).copy() for name in fields}
    for name, value in fields.items():
        columns[name][which] = value
    return replace(network, **{table: replace(own, ratings=replace(own.ratings, **columns))})


def asked(network: Network, *members: Participant, **more: Any) -> Answer:
    return answer(network, Study("s", Purpose.IMPACT, 1, members, margin_pct=0.0, **more))


def ceiling_mw(ratings_a: float, **more: Any) -> float:
    """The oracle's limit of A beside B = 4 with L12 rated so."""
    oracle = Oracle()
    return bisect(lambda p: oracle.solve({"A": p, "B": 4.0}, **more).holds({"L12": ratings_a}), 0.0, 2.5)


LINE_FIELDS = {
    "normal": ({"normal": 130.0}, 130.0),
    "seasonal": ({"seasonal": [0.9, 1.0, 1.0]}, 0.9 * 154.2),
    "derate_pct": ({"derate_pct": 15.0}, 0.85 * 154.2),
    "condition_score": ({"condition_score": 25.0}, 0.9 * 154.2),
}


@pytest.mark.parametrize("name", LINE_FIELDS)
def test_rating_of_a_line_in_the_network_limits_who_loads_it(name: str) -> None:
    fields, ampacity_a = LINE_FIELDS[name]
    result = asked(rated(NETWORK, "lines", L12, **fields), der("A", 0, 2), der("B", 4))
    assert bounds_mw(result)["A"][1] == pytest.approx(ceiling_mw(ampacity_a), abs=0.01)
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason) == ("L12", Reason.THERMAL)
    assert why.limit == pytest.approx(ampacity_a)


def test_season_chooses_the_factor() -> None:
    network = rated(NETWORK, "lines", L12, seasonal=[1.0, 1.5, 1.1])
    members = (der("A", 0, 2.5), der("B", 4))
    for season, factor in ((Season.SUMMER, 1.0), (Season.SHOULDER, 1.1)):
        found = bounds_mw(asked(network, *members, season=season))["A"][1]
        assert found == pytest.approx(ceiling_mw(factor * 154.2), abs=0.01)
    assert bounds_mw(asked(network, *members, season=Season.WINTER)) == {}


def test_emergency_rating_of_the_network_holds_after_a_contingency_only() -> None:
    members = (der("C", 0),)
    more: dict[str, Any] = {"load_scale": (1.25,), "state": NetworkState(taps={"T1": -3, "T2": -3})}

    def loading(network: Network) -> list[tuple[str, str, float]]:
        found = asked(network, *members, contingencies=("T2",), **more).violations
        return [(v.asset_id, v.case, round(v.loading_pct, 1)) for v in found if v.unit == "VA"]

    assert loading(rated(NETWORK, "sequence_transformers", T1, emergency=12e6)) == [("T1", "T2", 111.7)]
    assert loading(rated(NETWORK, "sequence_transformers", T1, emergency=14e6)) == []
    assert loading(NETWORK) == [("T1", "T2", 134.1)]


def test_reverse_power_limit_of_the_network_binds() -> None:
    result = asked(rated(NETWORK, "lines", L12, reverse_power_w=3e6), der("A", 0, 2), der("B", 4))
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason, why.unit, why.limit) == ("L12", Reason.REVERSE_POWER, "W", 3e6)
    oracle = Oracle()

    def holds(p_mw: float) -> bool:
        net = oracle.solve({"A": p_mw, "B": 4.0}).net
        return bool(-net.res_line.at[row(net, "line", "L12"), "p_from_mw"] <= 3.0)

    assert bounds_mw(result)["A"][1] == pytest.approx(bisect(holds, 0.0, 2.0), abs=0.01)


def test_neutral_rating_limits_single_phase_injection() -> None:
    """On an earthed neutral its current is what the phases leave, as pandapower has it."""
    network = rated(NETWORK, "lines", NETWORK.lines.ids.index("L11"), neutral_a=60.0)
    result = asked(network, der("E", 0, 1, phases="a"))
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason, why.phase, why.unit) == ("L11", Reason.THERMAL, "n", "A")
    oracle = Oracle()

    def holds(p_mw: float) -> bool:
        net = oracle.solve({"E": p_mw}, phases={"E": "a"}).net
        line = net.res_line_3ph.loc[row(net, "line", "L11")]
        return bool(max(line["i_n_from_ka"], line["i_n_to_ka"]) <= 0.060)

    assert bounds_mw(result)["E"][1] == pytest.approx(bisect(holds, 0.0, 1.0, 12), abs=0.01)


@pytest.mark.parametrize(
    ("rating", "ampacity_a"),
    [
        (Rating(ampacity_a=130), 130.0),
        (Rating(derate_pct=15), 0.85 * 154.2),
        (Rating(condition_score=25), 0.9 * 154.2),
        (Rating(ampacity_a=160, derate_pct=10, condition_score=0), 160 * 0.9 * 0.8),
    ],
)
def test_rating_of_a_study_limits_who_loads_it(rating: Rating, ampacity_a: float) -> None:
    found = bounds_mw(ask(der("A", 0, 2.5), der("B", 4), ratings={"L12": rating}))
    assert found["A"][1] == pytest.approx(ceiling_mw(ampacity_a), abs=0.01)


def test_of_two_deratings_the_larger_counts() -> None:
    network = rated(NETWORK, "lines", L12, derate_pct=20.0, condition_score=40.0)
    study = Study("s", Purpose.IMPACT, 1, (), ratings={"L12": Rating(derate_pct=5, condition_score=25)})
    limit = capability(network, study, emergency=False).thermal[L12]
    assert limit == pytest.approx(154.2 * 0.8 * 0.9)


@pytest.mark.parametrize(
    ("rating", "emergency_a"),
    [
        (Rating(), 170.0),
        (Rating(emergency_a=180), 180.0),
        (Rating(ampacity_a=120), 120.0),
        (Rating(ampacity_a=120, emergency_a=150), 150.0),
    ],
)
def test_a_lowered_rating_is_not_undone_by_the_network_s_emergency_rating(rating: Rating, emergency_a: float) -> None:
    network = rated(NETWORK, "lines", L12, emergency=170.0)
    study = Study("s", Purpose.IMPACT, 1, (), ratings={"L12": rating})
    assert capability(network, study, emergency=True).thermal[L12] == pytest.approx(emergency_a)


def test_transformer_ratings_of_a_study_hold_by_case() -> None:
    study = Study("s", Purpose.IMPACT, 1, (), ratings={"T1": Rating(apparent_power_va=9e6, emergency_va=12e6)})
    n = NETWORK.branch_ids.index("T1")
    assert capability(NETWORK, study, emergency=False).thermal[n] == 9e6
    assert capability(NETWORK, study, emergency=True).thermal[n] == 12e6


def test_limits_of_a_bus_replace_the_band_of_the_study() -> None:
    members, taps = (der("A", 0), der("B", 4, 5)), {"T1": -2, "T2": -2}
    high = NETWORK.buses.voltage_max_pu.copy()
    high[NETWORK.buses.ids.index("B4")] = 1.03
    network = replace(NETWORK, buses=replace(NETWORK.buses, voltage_max_pu=high))
    oracle, state = Oracle(), NetworkState(taps=taps)

    def limit_mw(volts: float) -> float:
        return bisect(lambda p: oracle.solve({"B": p}, taps=taps).voltage("B4") <= volts, 0.0, 6.0)

    assert bounds_mw(asked(NETWORK, *members, state=state)) == {}
    assert bounds_mw(asked(network, *members, state=state))["B"][1] == pytest.approx(limit_mw(1.03), abs=0.01)
    found = bounds_mw(asked(network, *members, state=state, ratings={"B4": Rating(voltage_max_pu=1.035)}))
    assert found["B"][1] == pytest.approx(limit_mw(1.035), abs=0.01)


def test_lowest_voltage_of_a_bus_is_its_own() -> None:
    low = NETWORK.buses.voltage_min_pu.copy()
    low[NETWORK.buses.ids.index("B6")] = 0.97
    network = replace(NETWORK, buses=replace(NETWORK.buses, voltage_min_pu=low))
    (own,) = asked(network, der("A", 0), der("B", 4)).violations
    assert (own.asset_id, own.reason, own.limit) == ("B6", Reason.VOLT_LO, 0.97)
    (told,) = asked(NETWORK, der("A", 0), der("B", 4), ratings={"B6": Rating(voltage_min_pu=0.965)}).violations
    assert (told.asset_id, told.reason, told.limit) == ("B6", Reason.VOLT_LO, 0.965)


def test_every_field_of_the_network_s_ratings_is_read() -> None:
    """What the tests above do not flip is flipped here."""
    flips: dict[str, Any] = {
        "normal": 1.0,
        "emergency": 1.0,
        "seasonal": [0.5, 0.5, 0.5],
        "derate_pct": 50.0,
        "condition_score": 0.0,
        "neutral_a": 1.0,
        "reverse_power_w": 1.0,
        "withstand_a": 1.0,
    }
    assert set(flips) == set(Ratings.__dataclass_fields__)
    study = Study("s", Purpose.IMPACT, 1, ())
    before = [capability(NETWORK, study, emergency=emergency) for emergency in (False, True)]
    for name, value in flips.items():
        network = rated(NETWORK, "lines", L12, **{name: value})
        after = [capability(network, study, emergency=emergency) for emergency in (False, True)]
        moved = [
            getattr(one, field)[L12] != getattr(other, field)[L12]
            for one, other in zip(before, after, strict=True)
            for field in ("thermal", "neutral_a", "reverse_w", "withstand_a")
            if not (np.isnan(getattr(one, field)[L12]) and np.isnan(getattr(other, field)[L12]))
        ]
        assert any(moved), name
