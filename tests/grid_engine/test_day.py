"""A day of customers: what is expected, how it turns out, and its file."""

import json

import numpy as np
import pytest

from grid_engine.exporters.day import text, write
from grid_engine.forecasting.day import Day, Kind, Variation, expected_share, turned_out
from grid_engine.importers.day import DayError, convert, load

HOURLY = np.r_[np.zeros(12), 1.0, np.full(11, 0.5)]


def day(variation: Variation, spread: float, members: int = 400, share=HOURLY) -> Day:
    ids = tuple(f"m{n}" for n in range(members))
    kinds = {"only": Kind(np.asarray(share), variation, spread)}
    return Day(3600, kinds, ids, ("only",) * members, np.full(members, 100.0))


def test_expected_power_is_on_a_line_between_the_middles_of_the_steps():
    kind = Kind(HOURLY, Variation.STEADY, 0.0)
    hours = np.array([0.0, 11.5, 12.0, 12.5, 13.0, 23.5, 24.0])
    np.testing.assert_allclose(expected_share(kind, 3600, hours * 3600), [0.25, 0, 0.5, 1, 0.75, 0.5, 0.25])


def test_a_steady_day_turns_out_as_expected():
    one = turned_out(day(Variation.STEADY, 0.0, 1), np.random.default_rng(1))
    assert one.shape == (1, 1440)
    assert one[0, 12 * 60 + 30] == pytest.approx(100.0, abs=1)


@pytest.mark.parametrize(("variation", "spread"), [(Variation.DIVERSE, 0.4), (Variation.SESSIONS, 1.0)])
def test_many_members_together_come_out_as_expected(variation, spread):
    share = 0.3 + 0.2 * np.sin(np.arange(24) / 24 * 2 * np.pi)
    found = turned_out(day(variation, spread, 3000, share), np.random.default_rng(2)).mean(axis=0)
    wanted = 100 * expected_share(Kind(share, variation, spread), 3600, (np.arange(1440) + 0.5) * 60)
    np.testing.assert_allclose(found, wanted, atol=5)


def test_sessions_are_at_full_size_or_nothing():
    found = turned_out(day(Variation.SESSIONS, 2.0), np.random.default_rng(3))
    assert set(np.unique(found)) == {0.0, 100.0}


def test_clouds_pass_over_all_and_take_no_more_than_their_part():
    clear = np.ones(24)
    found = turned_out(day(Variation.CLOUDY, 0.6, 20, clear), np.random.default_rng(4))
    assert found.max() == 100
    assert 40 <= found.min() < 60
    assert np.corrcoef(found).min() > 0.7
    assert 0.6 < (found[0] == 100).mean() < 0.9


def test_the_same_seed_gives_the_same_day():
    one, other, third = (turned_out(day(Variation.DIVERSE, 0.4, 5), np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert (one == other).all()
    assert (one != third).any()


@pytest.mark.parametrize("name", ["day.json", "day.json.gz"])
def test_what_is_written_is_read_back(tmp_path, name):
    ours = day(Variation.CLOUDY, 0.6, 3)
    write(ours, tmp_path / name)
    read = load(tmp_path / name)
    assert (read.step_s, read.ids, read.kind) == (ours.step_s, ours.ids, ours.kind)
    assert (read.size_w == ours.size_w).all()
    assert read.kinds["only"].variation is Variation.CLOUDY
    assert (read.kinds["only"].share == HOURLY).all()


def document() -> dict:
    return json.loads(text(day(Variation.DIVERSE, 0.4, 2)))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"format": "else"}, "not a day"),
        ({"format_version": 2}, "format_version 2"),
        ({"step_s": 1000}, "step_s 1000 is no whole part of a day"),
        ({"kinds": {"only": {"share": [1.0], "variation": "diverse"}}}, "kind only: share must be 24 numbers"),
        ({"kinds": {"only": {"share": [0] * 24, "variation": "odd"}}}, "kind only: variation 'odd'"),
        ({"members": [{"id": "m", "kind": "else", "size_w": 1}]}, "m is of kind 'else'"),
        ({"members": [{"id": "m", "kind": "only", "size_w": float("nan")}]}, "m has the size nan"),
        ({"members": [{"id": "m", "kind": "only", "size_w": 1}] * 2}, "member m: there 2 times"),
        ({"members": [7]}, "member 0: has no id"),
    ],
)
def test_a_bad_day_is_refused_by_name(change, fault):
    with pytest.raises(DayError, match="day: ") as refused:
        convert({**document(), **change})
    assert fault in str(refused.value)


def test_a_file_that_is_none_is_told(tmp_path):
    (tmp_path / "day.json").write_text("{")
    with pytest.raises(DayError, match=r"day\.json: cannot be read"):
        load(tmp_path / "day.json")
