"""Time series from CSV: what a file must say, and how its faults are named."""

import numpy as np
import pytest

from grid_engine.importers.series import SeriesError, read_nodal_year, read_series

YEAR_S = 1_735_689_600
"""2025-01-01 UTC."""


def written(tmp_path, text):
    path = tmp_path / "series.csv"
    path.write_text(text)
    return path


def faults(tmp_path, text):
    with pytest.raises(SeriesError) as caught:
        read_series(written(tmp_path, text))
    return caught.value.faults


def year(tmp_path, nodes, hours=8760, without=None):
    rows = [
        f"{YEAR_S + 3600 * h}," + ",".join("" if h == without else str(h + n) for n in range(len(nodes)))
        for h in range(hours)
    ]
    return written(tmp_path, "\n".join(["time," + ",".join(nodes), *rows]))


def test_times_may_be_epoch_seconds_or_iso_with_an_offset(tmp_path):
    text = "time,a,b\n{},1,2\n{},3,\n"
    seconds = read_series(written(tmp_path, text.format(YEAR_S, YEAR_S + 300)))
    iso = read_series(written(tmp_path, text.format("2024-12-31T19:00:00-05:00", "2025-01-01T00:05Z")))
    assert (
        (seconds.ids, seconds.start_s, seconds.step_s)
        == (iso.ids, iso.start_s, iso.step_s)
        == (("a", "b"), YEAR_S, 300)
    )
    np.testing.assert_array_equal(seconds.value, [[1, 3], [2, np.nan]])
    np.testing.assert_array_equal(iso.value, seconds.value)


def test_rows_left_out_are_missing_readings(tmp_path):
    readings = read_series(written(tmp_path, "time,a\n0,1\n300,2\n1200,5\n"))
    np.testing.assert_array_equal(readings.value, [[1, 2, np.nan, np.nan, 5]])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,a\n0,1\n", "a header and at least two rows are needed"),
        ("when,a\n0,1\n300,2\n", "line 1: the first column is 'when', not 'time'"),
        ("time\n0\n300\n", "line 1: there is no column but 'time'"),
        ("time,a,a\n0,1,1\n300,2,2\n", "line 1: id a stands 2 times"),
        ("time,a,\n0,1,1\n300,2,2\n", "line 1: column 3 has no id"),
        ("time,a\n0,1\nnoon,2\n", "line 3: 'noon' is neither epoch seconds nor ISO 8601"),
        ("time,a\n0,1\n2025-01-01T00:00,2\n", "line 3: '2025-01-01T00:00' does not say its offset from UTC"),
        ("time,a\n0,1\n300,x\n", "line 3, a: 'x' is not a finite number"),
        ("time,a\n0,1\n300,inf\n", "line 3, a: 'inf' is not a finite number"),
        ("time,a\n0,1\n300,2,3\n", "line 3: 3 cells, not 2"),
        ("time,a\n300,1\n0,2\n", "line 3: its time is not after that of the line before"),
        ("time,a\n0,1\n300,2\n700,2\n", "line 4: 700 is not a multiple of the step of 300 s"),
        ("time,a\n0,1\n1,2\n86400,3\n", "3 rows spread over 86401 steps of 1 s: is a time wrong?"),
    ],
)
def test_faults_are_named_by_line_and_column(tmp_path, text, said):
    assert said in faults(tmp_path, text)


def test_every_fault_is_told_at_once(tmp_path):
    assert len(faults(tmp_path, "time,a,b\nx,1,2\n300,y,z\n")) == 3


def test_a_nodal_year_comes_in_the_order_of_the_nodes(tmp_path):
    readings = read_nodal_year(year(tmp_path, ["n1", "n2", "n3"]), ["n3", "n1"])
    assert readings.ids == ("n3", "n1")
    assert readings.value.shape == (2, 8760)
    np.testing.assert_array_equal(readings.value[:, 100], [102, 100])


def test_a_leap_year_has_its_day_more(tmp_path):
    assert read_nodal_year(year(tmp_path, ["n1"], hours=8784), ["n1"]).value.shape == (1, 8784)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nodes": ["n1"]}, "node n2 has no column"),
        ({"hours": 8759}, "8759 hours from the first row to the last, not 8760 or 8784"),
        ({"without": 7}, f"node n2 has no value in 1 hours, the first at epoch second {YEAR_S + 7 * 3600}"),
    ],
)
def test_a_nodal_year_that_is_not_whole_is_refused_by_name(tmp_path, change, said):
    with pytest.raises(SeriesError) as caught:
        read_nodal_year(year(tmp_path, **({"nodes": ["n1", "n2"]} | change)), ["n1", "n2"])
    assert said in caught.value.faults


def test_what_is_no_text_is_told(tmp_path):
    path = tmp_path / "series.csv"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SeriesError) as caught:
        read_series(path)
    assert caught.value.faults[0].startswith("it is no CSV in UTF-8")
