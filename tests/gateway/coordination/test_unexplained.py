"""Flows that nothing explains: beyond a rating and for some time they lower it, and they are forgotten when gone."""

from dataclasses import replace

import pytest

from gateway.coordination.situation import Situation
from gateway.coordination.study import impact
from gateway.coordination.unexplained import CODE, Unexplained
from grid_engine.results import Answer, Flow, NetworkState, Rating, Status, Study
from protocols.points import Quantity
from protocols.signals import Quality
from tests.gateway.coordination.build import T, folded, measured, situation

RATED_A = 154.2
GIVEN = {"L12": Rating(ampacity_a=RATED_A, emergency_a=170.0)}


def shows(amperes: float, after_s: float, **other) -> Situation:
    return situation(folded(), T + after_s, measured("L12", amperes, T + after_s, Quantity.CURRENT_A, **other))


def shown(amperes: float, after_s: float, closed: bool = True, **other) -> tuple[Situation, Study]:
    at = shows(amperes, after_s, **other)
    return at, replace(impact(at), state=NetworkState(switches_closed={"SW12": closed}))


def predicts(amperes: float, unit: str = "A", status: Status = Status.SOLVED) -> Answer:
    return Answer("k-measured", status, "r1-1", flows=(Flow("L12", 0, amperes, unit, 100 * amperes / RATED_A),))


def told(found: Unexplained) -> float | None:
    lowered = found.ratings(GIVEN).get("L12")
    return None if lowered is None else lowered.ampacity_a


def suspecting(amperes: float = 160.0) -> Unexplained:
    found = Unexplained()
    found.suspect(*shown(amperes, 0), predicts(150.0))
    return found


@pytest.mark.parametrize(("amperes", "asks"), [(154.0, False), (154.3, False), (154.4, True)])
def test_a_flow_beyond_its_rating_is_looked_into_and_no_other(amperes: float, asks: bool) -> None:
    assert suspecting(amperes).asks is asks


def test_what_stays_unexplained_lowers_the_rating_by_as_much_and_is_told_once() -> None:
    found = suspecting()
    assert found.compare(*shown(160.0, 10), predicts(150.0)) == ()
    assert told(found) is None, "it may pass"
    (alarm,) = found.compare(*shown(160.0, 20), predicts(150.0))
    assert (alarm.code, alarm.subject) == (CODE, "L12")
    assert "160 A of 154.2 A" in alarm.detail
    assert told(found) == pytest.approx(RATED_A - 10.0)
    assert found.ratings(GIVEN)["L12"].emergency_a == 170.0
    assert found.compare(*shown(160.0, 30), predicts(150.0)) == ()


def test_what_the_measured_powers_explain_is_no_secret() -> None:
    found = suspecting()
    for after_s in (10, 20, 30):
        assert found.compare(*shown(160.0, after_s), predicts(159.5)) == ()
    assert told(found) is None


def test_a_moment_between_two_readings_is_not_what_stays() -> None:
    found = suspecting()
    found.compare(*shown(160.0, 10), predicts(160.0))
    assert found.compare(*shown(175.0, 20), predicts(150.0)) == ()
    assert told(found) is None


def test_more_counts_once_it_stays_and_less_once_more_has_not_come_back() -> None:
    found = suspecting()
    for after_s in (10, 20):
        found.compare(*shown(160.0, after_s), predicts(150.0))
    for after_s in (30, 40, 51):
        found.compare(*shown(156.0, after_s), predicts(150.0))
    assert told(found) == pytest.approx(RATED_A - 10.0)
    found.compare(*shown(156.0, 81), predicts(150.0))
    assert told(found) == pytest.approx(RATED_A - 6.0)
    for after_s in (91, 112):
        found.compare(*shown(162.0, after_s), predicts(150.0))
    assert told(found) == pytest.approx(RATED_A - 12.0)


def test_what_was_found_of_another_network_says_nothing() -> None:
    found = suspecting()
    for after_s in (10, 20):
        found.compare(*shown(160.0, after_s), predicts(150.0))
    assert found.compare(*shown(160.0, 30, closed=False), predicts(150.0)) == ()
    assert not found.asks
    assert told(found) is None


def test_it_is_forgotten_where_the_model_explains_all_of_it_again() -> None:
    found = suspecting()
    for after_s in (10, 20):
        found.compare(*shown(160.0, after_s), predicts(150.0))
    for after_s in (40, 101):
        found.compare(*shown(140.0, after_s), predicts(140.0))
    assert told(found) is None
    assert not found.asks


def test_something_is_left_of_a_rating_where_nothing_explains_the_flow() -> None:
    found = suspecting()
    for after_s in (10, 20):
        found.compare(*shown(200.0, after_s), predicts(0.01))
    assert told(found) == pytest.approx(0.05 * RATED_A)


def test_neither_a_bad_reading_nor_a_failed_study_says_anything() -> None:
    found = Unexplained()
    found.suspect(*shown(160.0, 0, quality=Quality.BAD), predicts(150.0))
    found.suspect(*shown(160.0, 0), predicts(150.0, status=Status.NOT_CONVERGED))
    assert not found.asks
    found = suspecting()
    for after_s in (10, 20):
        found.compare(*shown(160.0, after_s), predicts(150.0, status=Status.NOT_CONVERGED))
        found.compare(*shown(160.0, after_s, quality=Quality.BAD), predicts(150.0))
    assert told(found) is None


def test_a_transformer_is_rated_in_va_and_a_rating_of_the_source_is_the_one_that_was_studied() -> None:
    found = Unexplained()
    for after_s in (0, 10, 20):
        at = situation(folded(), T + after_s, measured("T1", 11e6, T + after_s, Quantity.APPARENT_POWER_VA))
        flow = Answer("k", Status.SOLVED, "r1-1", flows=(Flow("T1", 0, 9.5e6, "VA", 95.0),))
        found.suspect(at, impact(at), flow)
        found.compare(at, impact(at), flow)
    assert found.ratings({})["T1"].apparent_power_va == pytest.approx(8.5e6)
