"""Energy by interval from samples of power."""

import pytest

from gateway.settlement.metered import energies, filled, power_at, resampled
from gateway.settlement.words import MeterInterval, MeterQuality

HOUR = [(0.0, 300.0), (300.0, 300.0)]


def test_straight_lines_between_samples():
    samples = [(t, 1000.0 * t) for t in range(-10, 620, 10)]
    found = energies(samples, "A", HOUR, 30.0)
    assert [one.power_w for one in found] == [pytest.approx(150_000.0), pytest.approx(450_000.0)]
    assert {one.quality for one in found} == {MeterQuality.GOOD}


def test_power_is_unknown_across_a_gap():
    samples = [(float(t), 1e6) for t in (*range(0, 200, 10), *range(300, 420, 10))]
    first, second = energies(samples, "A", HOUR, 30.0)[:1], energies(samples, "A", HOUR, 30.0)[1:]
    assert [one.quality for one in first] == [MeterQuality.ESTIMATED]
    assert second == [], "less than half of it was measured"


def test_a_meter_of_longer_intervals_is_taken_as_even_in_itself():
    quarter = MeterInterval("m", 0.0, 900.0, 250_000.0)
    assert [one.energy_wh for one in resampled([quarter], HOUR)] == [pytest.approx(250_000 / 3)] * 2
    assert resampled([quarter], [(800.0, 300.0)]) == [], "only a part of it is covered"


def test_gaps_lie_on_the_line_between_their_neighbours():
    windows = [(n * 300.0, 300.0) for n in range(4)]
    known = [MeterInterval("m", 300.0, 300.0, 100.0), MeterInterval("m", 900.0, 300.0, 300.0)]
    found = filled(known, windows, "m")
    assert [one.energy_wh for one in found] == [0.0, 100.0, pytest.approx(200.0), 300.0]
    bad, good, estimated = MeterQuality.BAD, MeterQuality.GOOD, MeterQuality.ESTIMATED
    assert [one.quality for one in found] == [bad, good, estimated, good]


def test_power_at_a_moment_is_the_last_that_was_seen():
    samples = [(10.0, 1.0), (20.0, 2.0)]
    assert [power_at(samples, t) for t in (5.0, 10.0, 19.0, 30.0)] == [1.0, 1.0, 1.0, 2.0]
    assert power_at([], 5.0) is None
