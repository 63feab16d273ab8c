import asyncio
from dataclasses import replace

import orjson
import pytest

from gateway.__main__ import main
from gateway.commands._explanation import sparkline
from gateway.coordination.events import Decided
from gateway.historian import Historian
from grid_engine.results import Answer, Reason, Status, Violation
from protocols.points import Point, Quantity
from protocols.signals import Measurement, Quality
from tests.gateway import story


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.sqlite"
    asyncio.run(story.told_to(path)).close()
    return path


def test_a_person_reads_cause_and_effect(path, capsys):
    assert main(["why", "A-c1", "--journal", str(path)]) == 0
    out = capsys.readouterr().out
    for words in (
        "A-c1  A: at most 1.20 MW  verified",
        "replaced by A-c2",
        "cycle k1, 14:15:30.0 UTC, network model r1-1",
        "THERMAL at L12, phase b (N-0): 186.3 A at the requested powers, 154.2 A with the limit obeyed",
        "(120.8 % → 100.0 %)",
        "One A more would admit 24.9 kW more",
        "A dispatched to 2.00 MW (version 1)",
        "tap of T1 at -3",
        "switch SWT open",
        "IESO → DSO",
        "wrote WMaxLimPct=4800, WMaxLimPctEna=1; read back equal",
        "LIMIT.Ack  ACCEPT, A will do 1.20 MW",
        "verified; measured 1.200 MW",
        "lease refreshed once",
    ):
        assert words in out, words


def test_measurements_beside_the_journal_are_drawn(path, capsys):
    point = Point("A", Quantity.ACTIVE_POWER_W)

    async def measure() -> None:
        async with Historian.open(path.with_name("telemetry.sqlite")) as historian:
            times = [story.T + 30 + 10 * k for k in range(60)]
            historian.offer(
                [Measurement(point, min(1e5 * k, 1.2e6), Quality.GOOD, at, at) for k, at in enumerate(times)]
            )

    asyncio.run(measure())
    assert main(["why", "A-c1", "--journal", str(path)]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "A.active_power_w" in line)
    assert line.split()[1:8] == ["0.000", "MW", "1.200", "MW", "1.200", "MW", "1.200"]
    assert line.split()[-1].startswith("▁▂")
    assert line.split()[-1].endswith("███")


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([(0.0, 5.0)], "▁" * 40),
        ([(0.0, 5.0), (10.0, 5.0)], "▁" * 40),
        ([(0.0, 0.0), (40.0, 7.0)], "▁" * 39 + "█"),
        ([(0.0, 7.0), (20.0, 0.0), (40.0, 0.0)], "█" * 20 + "▁" * 20),
    ],
)
def test_a_sparkline_spans_time_and_value(samples, expected):
    assert sparkline(samples) == expected


def test_violations_are_told_once_with_their_intervals(tmp_path, capsys):
    intervals = (0, 1, 2, 5)
    violations = tuple(Violation("L12", Reason.THERMAL, k, 160.0 + k, 154.2, "A", "b") for k in intervals)
    answer = replace(story.ANSWER, violations=violations)
    facts = [replace(one, answer=answer) if isinstance(one, Decided) else one for one in story.FACTS]
    asyncio.run(story.told_to(tmp_path / "journal.sqlite", facts)).close()
    assert main(["why", "A-c1", "--journal", str(tmp_path / "journal.sqlite")]) == 0
    out = capsys.readouterr().out
    assert out.count("L12.b") == 1
    assert "+0…+2, +5" in out
    assert "165.0 A" in out


def test_a_release_is_readable(path, capsys):
    assert main(["why", "A-c2", "--journal", str(path)]) == 0
    assert "A: release: what was there before the first control comes back  written" in capsys.readouterr().out


def test_a_machine_reads_json(path, capsys):
    assert main(["why", "A-c1", "--journal", str(path), "--json"]) == 0
    found = orjson.loads(capsys.readouterr().out)
    assert found["decided"]["answer"]["envelopes"][0]["ceiling_w"] == 1.2e6
    assert found["outcome"] == "verified"


def test_it_works_while_the_gateway_writes(tmp_path, capsys):
    journal = asyncio.run(story.told_to(tmp_path / "journal.sqlite"))
    assert main(["why", "A-c1", "--journal", str(journal.path)]) == 0
    journal.close()


def test_a_study_that_failed_is_said(tmp_path, capsys):
    failed = Answer("k1-impact", Status.NOT_CONVERGED, "r1-1", detail="bus B4 \x1b[2J oscillates")
    facts = [replace(one, answer=failed) if isinstance(one, Decided) else one for one in story.FACTS]
    asyncio.run(story.told_to(tmp_path / "journal.sqlite", facts)).close()
    assert main(["why", "A-c1", "--journal", str(tmp_path / "journal.sqlite")]) == 0
    out = capsys.readouterr().out
    assert "no usable answer (not_converged): bus B4" in out
    assert "\x1b" not in out


def test_what_cannot_be_explained_is_said_on_standard_error(path, tmp_path, capsys):
    assert main(["why", "A-c12", "--journal", str(path)]) == 1
    assert "ampacity why: there is no control 'A-c12'" in capsys.readouterr().err
    assert main(["why", "A-c1", "--journal", str(tmp_path / "none.sqlite")]) == 1
    assert "cannot read the journal" in capsys.readouterr().err
