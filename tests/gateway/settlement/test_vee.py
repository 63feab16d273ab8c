"""A day of meter data with a hole and a spike, and other ways in which meters err."""

from dataclasses import replace
from math import pi, sin

import pytest

from gateway.settlement.vee import MeterFault, Step, VeeRules, mismatches, verified
from gateway.settlement.words import MeterInterval, MeterQuality

RULES = VeeRules(capacity_w=2.5e6)
DAY = [MeterInterval("M1", n * 300.0, 300.0, 1e4 * (2 + sin(2 * pi * n / 288))) for n in range(288)]


def changed(n: int, energy_wh: float) -> list[MeterInterval]:
    return [replace(one, energy_wh=energy_wh) if k == n else one for k, one in enumerate(DAY)]


def test_a_hole_and_a_spike_are_filled_in_and_what_was_measured_is_kept():
    said = [one for n, one in enumerate(changed(200, 20 * DAY[200].energy_wh)) if n != 100]
    found = verified(said, 0.0, 288, RULES)
    assert [n for n, one in enumerate(found) if one.fault] == [100, 200]
    assert (found[100].fault, found[100].original_wh) == (MeterFault.MISSING, None)
    assert found[200].original_wh == pytest.approx(20 * DAY[200].energy_wh)
    for n in (100, 200):
        assert found[n].interval.quality is MeterQuality.ESTIMATED
        assert found[n].interval.energy_wh == pytest.approx(DAY[n].energy_wh, rel=1e-3)


def test_a_spike_within_what_the_connection_carries_is_found_as_well():
    found = verified(changed(200, 9e4), 0.0, 288, RULES)
    assert [(n, one.fault) for n, one in enumerate(found) if one.fault] == [(200, MeterFault.SPIKE)]


def test_what_was_asked_for_is_no_spike_and_what_goes_beyond_it_is():
    still = [replace(one, energy_wh=1e5 if n == 150 else 0.0) for n, one in enumerate(DAY)]
    asked = Step(150 * 300.0, 151 * 300.0, 1.2e6)
    assert verified(still, 0.0, 288, RULES)[150].fault is MeterFault.SPIKE
    assert not any(one.fault for one in verified(still, 0.0, 288, RULES, asked=[asked]))
    less = replace(asked, power_w=0.6e6)
    assert verified(still, 0.0, 288, RULES, asked=[less])[150].fault is MeterFault.SPIKE


def test_a_step_is_no_spike():
    stepped = [replace(one, energy_wh=1.5e5 if n >= 150 else 0.0) for n, one in enumerate(DAY)]
    assert not any(one.fault for one in verified(stepped, 0.0, 288, RULES))


def test_a_flat_day_has_no_spikes_in_its_noise():
    noisy = [replace(one, energy_wh=1e5 + (500.0 if n % 7 else -900.0)) for n, one in enumerate(DAY)]
    assert not any(one.fault for one in verified(noisy, 0.0, 288, RULES))


def test_not_a_number_and_more_than_the_connection_carries_are_told_apart():
    found = verified(changed(5, float("nan")), 0.0, 288, RULES)
    assert found[5].fault is MeterFault.NOT_A_NUMBER
    assert verified(changed(5, 3e5), 0.0, 288, RULES)[5].fault is MeterFault.BEYOND_CONNECTION


def test_a_long_gap_is_filled_from_a_like_day_or_not_at_all():
    said = [one for one in DAY if not 50 * 300 <= one.start_s < 100 * 300]
    like = {one.start_s: 7.0 for one in DAY}
    assert verified(said, 0.0, 288, RULES, like)[60].interval.energy_wh == 7.0
    assert verified(said, 0.0, 288, RULES)[60].interval.quality is MeterQuality.BAD


def test_the_last_word_for_an_interval_counts():
    again = [*DAY, replace(DAY[3], energy_wh=12_345.0)]
    assert verified(again, 0.0, 288, RULES)[3].interval.energy_wh == 12_345.0


def test_mixed_meters_are_refused():
    with pytest.raises(ValueError, match="one meter"):
        verified([DAY[0], replace(DAY[1], meter="M2")], 0.0, 2, RULES)


def test_two_meters_that_disagree_are_told():
    assert mismatches(DAY, [replace(one, energy_wh=1.01 * one.energy_wh) for one in DAY]) == 0.0
    assert mismatches(DAY, [replace(one, energy_wh=1.03 * one.energy_wh) for one in DAY]) == pytest.approx(3.0)
