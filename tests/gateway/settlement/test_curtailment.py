"""What limits took of what was asked for or could have been made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settlement.curtailment import DAY_S, KEPT_DAYS, Curtailment, GivenUp, Source, Wish, taken
from gateway.settlement.schedule import Held

MW = 1e6
INF = float("inf")


def held(start_s: float, end_s: float, ceiling_mw: float, floor_mw: float = -INF, limit_id: str = "l") -> Held:
    return Held(limit_id, start_s, end_s, floor_mw * MW, ceiling_mw * MW, "L12")


def gave(resource: str, start_s: float, energy_wh: float) -> Curtailment:
    return Curtailment(resource, "l", "L12", start_s, start_s + 300, 2 * MW, MW, energy_wh, Source.FORECAST)


def test_a_limit_takes_what_was_wanted_beyond_it_for_as_long_as_both_hold():
    wishes = [Wish(0, 5 * MW), Wish(200, 4.5 * MW, Source.DISPATCH)]
    (found,) = taken("B", [held(100, 900, 4)], wishes, 0, 300)
    assert found.energy_wh == pytest.approx((1.0 * 100 + 0.5 * 100) * MW / 3600)
    assert (found.start_s, found.end_s, found.constraint_id, found.source) == (100, 300, "L12", Source.DISPATCH)
    assert (found.requested_w, found.allowed_w) == (4.75 * MW, 4 * MW)


def test_consumption_that_is_not_allowed_is_taken_too():
    (found,) = taken("E", [held(0, 300, INF, -1)], [Wish(0, -3 * MW)], 0, 300)
    assert found.energy_wh == pytest.approx(2 * MW / 12)


def test_nothing_is_taken_by_a_limit_that_does_not_bind_nor_where_nobody_knows_what_was_wanted():
    assert taken("B", [held(0, 300, 6)], [Wish(0, 5 * MW)], 0, 300) == ()
    assert taken("B", [held(0, 300, 4)], [Wish(0, None)], 0, 300) == ()
    assert taken("B", [held(0, 300, 4)], [], 0, 300) == ()
    assert taken("B", [held(300, 600, 4)], [Wish(0, 5 * MW)], 0, 300) == ()


def test_only_the_time_in_which_the_wish_is_known_counts():
    (found,) = taken("B", [held(0, 300, 4)], [Wish(100, 5 * MW), Wish(200, None)], 0, 300)
    assert found.energy_wh == pytest.approx(1 * MW * 100 / 3600)
    assert found.requested_w == 5 * MW


@given(
    st.lists(st.tuples(st.floats(0, 600), st.none() | st.floats(-5, 5)), max_size=6),
    st.floats(-3, 0),
    st.floats(0, 3),
    st.floats(0, 600),
)
def test_it_is_never_negative_and_two_parts_of_a_time_take_what_the_whole_does(steps, floor_mw, ceiling_mw, cut_s):
    wishes = [Wish(at_s, None if w is None else w * MW) for at_s, w in sorted(steps, key=lambda one: one[0])]
    limits = [held(50, 400, ceiling_mw, floor_mw), held(400, 550, ceiling_mw / 2, floor_mw)]

    def total_wh(*spans: tuple[float, float]) -> float:
        found = [part.energy_wh for span in spans for part in taken("B", limits, wishes, *span)]
        assert all(wh > 0 for wh in found)
        return sum(found)

    assert total_wh((0, cut_s), (cut_s, 600)) == pytest.approx(total_wh((0, 600)), abs=0.01)


def test_what_was_given_up_is_remembered_for_thirty_days_by_day():
    ledger = GivenUp()
    for day in range(40):
        ledger.add([gave("A", day * DAY_S + 1, 10.0), gave("A", day * DAY_S + 301, 5.0), gave("B", day * DAY_S, 1.0)])
    now_s = 39 * DAY_S + 600
    assert len(ledger.by_day) == KEPT_DAYS
    assert (ledger.lately_wh("A", now_s), ledger.lately_wh("B", now_s)) == (450.0, 30.0)
    assert ledger.lately_wh("A", now_s + 10 * DAY_S) == 300.0, "days without curtailment pass, too"
    assert ledger.lately_wh("C", now_s) == 0.0
