"""What each asset cost those behind it."""

import pytest

from gateway.settlement.assessment import Assessment
from gateway.settlement.constraints import burdens, merged, outside
from gateway.settlement.curtailment import Curtailment, Source
from gateway.settlement.schedule import AskedBy, Held
from gateway.settlement.words import Performance, Terms

MW = 1e6
HOUR_S = 3600.0
LIMITS = {
    "A": [Held("a", 0, HOUR_S, 0.0, 1.2 * MW, "L12")],
    "B": [Held("b", 0, HOUR_S, 0.0, 4 * MW, "B4")],
}


def took(resource: str, asset: str, start_s: float, energy_mwh: float) -> Curtailment:
    return Curtailment(resource, "x", asset, start_s, start_s + 300, 5 * MW, 4 * MW, energy_mwh * MW, Source.FORECAST)


def test_what_limits_took_counts_by_asset_within_the_time():
    taken = [took("B", "B4", at_s, 0.07) for at_s in (-300, 0, 300, HOUR_S)] + [took("A", "", 0, 9.0)]
    rows = burdens(LIMITS, [], taken, {}, from_s=0, to_s=HOUR_S)
    assert [(row.asset, row.hours, row.resources) for row in rows] == [("B4", 1.0, ("B",)), ("L12", 1.0, ("A",))]
    assert [row.curtailed_mwh for row in rows] == [pytest.approx(0.14), 0.0]


def test_where_something_was_measured_its_figure_holds_and_nothing_counts_twice(measured):
    taken = [took("A", "L12", 0, 0.07), took("A", "L12", 300, 0.07)]
    (row,) = burdens({"A": LIMITS["A"]}, [measured], taken, {"a": "L12"}, from_s=0, to_s=HOUR_S)
    assert row.curtailed_mwh == pytest.approx(0.8 / 12 + 0.07)


@pytest.mark.parametrize(
    ("spans", "part"),
    [
        ([], 1.0),
        ([(0, 300)], 0.0),
        ([(-100, 0), (300, 400)], 1.0),
        ([(-100, 100), (50, 150), (250, 900)], 1 / 3),
        ([(120, 150), (10, 40)], 0.8),
    ],
)
def test_the_part_of_a_time_that_nothing_covers(spans, part):
    assert outside(merged(spans), 0, 300) == pytest.approx(part)


@pytest.fixture
def measured() -> Assessment:
    """A was ordered 2.0 MW for five minutes, of which the limit left 1.2."""
    performance = Performance(0, 300, 2 * MW, 1.2 * MW, 0.0, 1.2 * MW, 1.2 * MW, 0.0, 0.8 * MW, "a")
    parties, terms = ("DSO", "AGENT_A"), Terms(utilisation_per_mwh=420.0, penalty_per_mwh=660.0)
    return Assessment("o", 1, "A", AskedBy.ORDER, 0, 300, *parties, terms, (performance,), (), "zero", "SCADA", "00")
