"""The image of the field and its frozen snapshots."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.snapshot import STALE_AFTER_POLLS, Image
from protocols.points import Phase, Point, Quantity
from protocols.signals import LinkChanged, LinkState, Measurement, Quality

POWER = Point("A", Quantity.ACTIVE_POWER_W)


def reading(value: float, at_s: float, quality: Quality = Quality.GOOD) -> Measurement:
    return Measurement(POWER, value, quality, at_s, at_s)


def image(*signals):
    made = Image({"A": 2.0}, default_poll_s=10.0)
    for signal in signals:
        made.fold(signal)
    return made


def test_the_newest_measurement_counts_whatever_order_they_come_in():
    assert image(reading(2, 5), reading(1, 4)).freeze(5).power_w("A") == 2


@given(st.permutations([reading(v, v) for v in range(6)]), st.integers(0, 5))
def test_any_order_and_repetition_gives_the_same_snapshot(signals, again):
    in_order = image(*(reading(v, v) for v in range(6)))
    assert image(*signals, signals[again]).freeze(5).measurements == in_order.freeze(5).measurements


def test_a_reading_older_than_three_polls_is_stale_and_not_used_silently():
    made = image(reading(7, 0))
    assert made.freeze(STALE_AFTER_POLLS * 2.0).power_w("A") == 7
    late = made.freeze(STALE_AFTER_POLLS * 2.0 + 0.1)
    assert late.measurements[POWER].quality is Quality.STALE
    assert late.power_w("A") is None
    assert late.power_w("A", stale=True) == 7


def test_a_nameplate_is_told_once_and_does_not_age():
    rated = replace(reading(2.5e6, 0), point=Point("A", Quantity.RATED_POWER_W))
    assert image(rated).freeze(1e6).measurements[rated.point].quality is Quality.GOOD


def test_what_has_no_poll_of_its_own_has_the_default_one():
    other = replace(reading(1, 0), point=Point("L12", Quantity.CURRENT_A))
    assert image(other).freeze(30).reading("L12", Quantity.CURRENT_A) == other
    assert image(other).freeze(31).reading("L12", Quantity.CURRENT_A) is None


def test_a_bad_reading_is_no_value_but_the_last_good_one_is_kept():
    frozen = image(reading(7, 0), reading(0, 1, Quality.BAD)).freeze(1)
    assert frozen.power_w("A") is None
    assert frozen.power_w("A", stale=True) == 7
    assert frozen.measurements[POWER].quality is Quality.BAD, "and it stays bad however old"
    assert image(reading(0, 1, Quality.BAD)).freeze(99).measurements[POWER].quality is Quality.BAD


def test_phases_are_points_of_their_own():
    per_phase = replace(reading(1, 0), point=Point("A", Quantity.ACTIVE_POWER_W, Phase.A))
    frozen = image(per_phase).freeze(0)
    assert frozen.power_w("A") is None
    assert frozen.reading("A", Quantity.ACTIVE_POWER_W, Phase.A) == per_phase


def test_a_link_is_in_its_initial_state_until_it_changes():
    made = image()
    assert (made.link("A"), made.freeze(0).link("A")) == (LinkState.INIT, LinkState.INIT)
    made.fold(LinkChanged("A", LinkState.LOST, 1, "gone"))
    assert (made.link("A"), made.freeze(1).link("A")) == (LinkState.LOST, LinkState.LOST)


def test_a_snapshot_does_not_change_any_more():
    made = image(reading(1, 0))
    frozen = made.freeze(0)
    made.fold(reading(2, 1))
    made.fold(LinkChanged("A", LinkState.LOST, 1, "gone"))
    assert (frozen.power_w("A"), frozen.link("A")) == (1, LinkState.INIT)
    with pytest.raises(TypeError):
        frozen.measurements[POWER] = reading(3, 3)


def test_coverage_counts_what_is_usable():
    other = Point("B", Quantity.ACTIVE_POWER_W)
    frozen = image(reading(1, 0)).freeze(0)
    assert frozen.coverage_pct(frozenset({POWER, other})) == 50.0
    assert frozen.coverage_pct(frozenset()) == 100.0


def test_an_image_knows_what_was_measured():
    assert POWER in image(reading(1, 0))
    assert POWER not in image()
