"""`ampacity study` on R1: a report that says what pandapower says, and faults that say what to do."""

import re
from pathlib import Path

import pytest

from gateway.__main__ import main

R1 = Path(__file__).parents[2] / "config" / "zones" / "r1.yaml"


def study(capsys, *words: str) -> tuple[int, str, str]:
    status = main(["study", *words])
    out, err = capsys.readouterr()
    return status, out, err


def test_every_question_has_its_section_and_the_terminal_what_matters(tmp_path, capsys):
    report = tmp_path / "deep" / "r1.html"
    status, out, _ = study(capsys, str(R1), "--step", "60", "--out", str(report))
    assert status == 0
    assert re.search(r"zone +8 +24 ", out)
    assert "power flows of the day (24)" in out
    text = report.read_text()
    for heading in (
        "Summary",
        "A day of power flows",
        "Operating envelopes",
        "Hosting capacity",
        "N-1",
        "Short circuit",
    ):
        assert f"<h2>{heading}</h2>" in text
    assert text.count("<svg") == 5
    assert "THERMAL at L12" in text


def test_a_profile_takes_the_place_of_the_typical_day(tmp_path, capsys):
    profile = tmp_path / "day.csv"
    rows = [
        f"2026-07-15T{h:02d}:00:00-05:00,1.0,{4.0 if h == 12 else 0.0},{2.0 if h == 12 else 0.0}" for h in range(24)
    ]
    profile.write_text("time,load,B,A\n" + "\n".join(rows) + "\n")
    report = tmp_path / "r1.html"
    words = (str(R1), "--step", "60", "--profile", str(profile), "--only", "series", "--out", str(report))
    status, out, _ = study(capsys, *words)
    assert status == 0
    assert "120.8 % L12" in out
    assert "12:00 to 12:00" in report.read_text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "time,load,Q\n2026-07-15T00:00:00-05:00,1,1\n2026-07-15T01:00:00-05:00,1,1\n",
            "columns that the zone does not know: Q",
        ),
        ("time,load\n2026-07-15T00:00:00-05:00,1\n2026-07-15T01:00:00-05:00,1\n", "no load at 02:00 of 2026-07-15"),
    ],
)
def test_a_profile_that_does_not_fit_is_told(tmp_path, capsys, content, said):
    profile = tmp_path / "day.csv"
    profile.write_text(content)
    status, _, err = study(capsys, str(R1), "--step", "60", "--profile", str(profile))
    assert status == 1
    assert said in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--step", "7"), "does not divide a day"),
        (("--only", "weather"), "choose of series, envelopes"),
        (("--at", "25:00"), "is no time of day"),
        (("--day", "tomorrow"), "is no date"),
    ],
)
def test_a_wrong_call_says_what_is_meant(capsys, words, said):
    with pytest.raises(SystemExit) as ended:
        main(["study", str(R1), *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_faulty_zone_is_told_line_by_line(tmp_path, capsys):
    zone = tmp_path / "zone.yaml"
    zone.write_text(f"extends: {R1}\nnetwork: {{source: missing.json}}\n")
    status, _, err = study(capsys, str(zone))
    assert status == 1
    assert "zone.yaml:2" in err


def year(path: Path, nodes: dict[str, float], hours: int = 8760) -> Path:
    """Each node draws its MW all year, twice that in the afternoon of 10 January."""
    start_s = 1_767_243_600  # 1 January 2026, midnight of the market's clock
    lines = [
        f"{start_s + 3600 * h}," + ",".join(f"{mw * (2 if h == 9 * 24 + 15 else 1):.3f}" for mw in nodes.values())
        for h in range(hours)
    ]
    path.write_text("\n".join([",".join(["time", *nodes]), *lines]) + "\n")
    return path


BUSES = {"B2": 1.5, "B3": 1.0, "B4": 0.5, "B5": 2.5, "B6": 2.0, "B7": 2.0}


def test_nodal_8760_hours_are_studied_and_the_day_is_that_of_the_peak(tmp_path, capsys):
    report = tmp_path / "r1.html"
    loads = year(tmp_path / "year.csv", BUSES)
    words = (str(R1), "--step", "60", "--year", str(loads), "--only", "series,year", "--out", str(report))
    status, out, _ = study(capsys, *words)
    assert status == 0
    assert "power flows of the year (8760)" in out
    text = report.read_text()
    assert "2026-01-10 in intervals of 60 minutes" in text
    assert "8760 of 8760 hours were solved" in text
    assert "2026-01-10 15:00" in text


def test_nodal_series_without_a_node_names_it(tmp_path, capsys):
    missing = {name: mw for name, mw in BUSES.items() if name != "B5"}
    status, _, err = study(capsys, str(R1), "--year", str(year(tmp_path / "year.csv", missing)))
    assert (status, err) == (1, "ampacity study: year.csv: node B5 has no column\n")
    status, _, err = study(capsys, str(R1), "--year", str(year(tmp_path / "year.csv", BUSES, hours=8000)))
    assert (status, err) == (
        1,
        "ampacity study: year.csv: 8000 hours from the first row to the last, not 8760 or 8784\n",
    )
    whole = year(tmp_path / "year.csv", BUSES)
    status, _, err = study(capsys, str(R1), "--year", str(whole), "--day", "2025-07-01")
    assert (status, err) == (
        1,
        "ampacity study: 2025-07-01 is not in the year of nodal loads, 2026-01-01 to 2026-12-31\n",
    )
