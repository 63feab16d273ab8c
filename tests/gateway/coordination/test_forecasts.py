"""Forecasts of others: the newest counts, old word does not, and what stands in is told."""

from dataclasses import replace

from gateway.coordination.events import Alarmed
from gateway.coordination.forecasts import ForecastIssued, cited, silent
from gateway.coordination.study import impact
from tests.gateway.coordination.build import MW, T, dispatched, folded, measured, situation, zone

B_NOW = measured("B", 4 * MW, T)


def issue(issued_s: float = T - 60, source: str = "sky", **values) -> ForecastIssued:
    told = {name: tuple(series) for name, series in values.items()} or {"B": (3 * MW, 2 * MW, 1 * MW)}
    return ForecastIssued(f"i{issued_s:.0f}{source}", source, issued_s, T, 300.0, told, T, "test")


def wanted(*events, now_s: float = T, **other) -> tuple[float, ...]:
    return next(p.requested_w for p in impact(at(*events, now_s=now_s, **other)).participants if p.resource == "B")


def at(*events, now_s: float = T, **other):
    facts = replace(zone(), forecast_id="z", forecast_model="zone file", **other)
    return situation(folded(*events), now_s, replace(B_NOW, source_time_s=now_s, received_time_s=now_s), facts=facts)


def test_f1_an_external_forecast_drives_what_is_expected_of_a_resource():
    assert wanted() == (4 * MW,) * 3
    assert wanted(issue(B=[5 * MW, 2 * MW, 1 * MW])) == (5 * MW, 2 * MW, 1 * MW)
    assert wanted(issue(B=[5 * MW])) == (5 * MW, 4 * MW, 4 * MW)  # persistence beyond its end


def test_f1_a_forecast_of_this_moment_does_not_hide_what_is_measured():
    assert wanted(issue()) == (4 * MW, 2 * MW, 1 * MW)


def test_f3_the_newest_issue_wins_in_whatever_order_they_come():
    old, new = issue(T - 600, B=[1 * MW] * 3), issue(T - 60)
    assert wanted(new, old) == wanted(old, new) == (4 * MW, 2 * MW, 1 * MW)
    other = issue(T - 30, source="grid", B=[5 * MW] * 3)
    assert wanted(new, other) == (5 * MW,) * 3
    assert cited(at(new, other)) == (f"z+{other.issue_id}+{new.issue_id}", "zone file+grid+sky")
    assert impact(at(new)).forecast_id == f"z+{new.issue_id}"


def test_f4_a_dispatch_goes_before_a_forecast():
    found = impact(at(issue(A=[1 * MW] * 3), dispatched(2 * MW, T, T)))
    assert next(p.requested_w[0] for p in found.participants if p.resource == "A") == 2 * MW


def test_f6_loads_follow_a_factor_or_their_own_series():
    found = impact(at(issue(load=[0.5, 0.6, 0.7], LD=[1.0, 2.0, 3.0])))
    assert (found.load_scale, dict(found.load_w)) == ((0.5, 0.6, 0.7), {"LD": (1.0, 2.0, 3.0)})
    assert dict(impact(at(issue(LD=[1.0]))).load_w) == {}  # it ends before the look ahead does


def test_f12_an_outage_of_the_forecaster_is_persistence_with_a_flag_once():
    events = [issue(T - 21_700)]
    assert wanted(*events) == (4 * MW,) * 3
    ((source, what),) = silent(at(*events))
    assert source == "sky"
    assert "persistence stands in" in what
    told = [*events, Alarmed("FORECAST_STALE", "sky", T, what)]
    assert silent(at(*told)) == ()
    assert silent(at(*told, issue(T - 10))) == ()
    ended = [issue(T - 10)]
    assert silent(at(*ended, now_s=T + 900)) == ()
    assert [of for of, _ in silent(at(*ended, now_s=T + 901))] == ["sky"]
