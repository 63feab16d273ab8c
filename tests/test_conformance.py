"""The conformance table: what `make interop` has shown, and that README says no more."""

import re
from pathlib import Path

from tests.interop.conformance import BEGIN, END, TABLE, procedures_shown, shown, written

HOUSE = Path(__file__).parents[1]
TEXT = (HOUSE / TABLE).read_text(encoding="utf-8")
EMPTY = f"before\n\n{BEGIN}\n\n{END}\nafter\n"


def test_a_run_replaces_what_its_suites_showed_and_keeps_the_others():
    first = written(EMPTY, [{"suite": "mbpoll", "passed": 3}, {"suite": "node-opcua", "passed": 5}])
    assert shown(first) == {"mbpoll": 3, "node-opcua": 5}
    second = written(first, [{"suite": "mbpoll", "passed": 4}])
    assert shown(second) == {"mbpoll": 4, "node-opcua": 5}
    assert (second.startswith("before\n"), second.endswith("\nafter\n")) == (True, True)


def test_procedures_are_listed_once_they_pass():
    tests = ["test_a_procedure_passes[S-OPT-01]", "test_a_procedure_passes[S-ALL-02]", "test_something_else"]
    text = written(EMPTY, [{"suite": "cactus", "passed": 3, "tests": tests}])
    assert procedures_shown(text) == ["S-ALL-02", "S-OPT-01"]
    assert "that pass (2)" in text
    assert procedures_shown(written(text, [{"suite": "mbpoll", "passed": 1}])) == ["S-ALL-02", "S-OPT-01"]


def test_the_readme_says_what_the_table_says():
    readme = (HOUSE / "README.md").read_text(encoding="utf-8")
    said = re.search(r"(\d+) of cactus-client's (\d+)\s+server procedures", readme)
    assert said is not None
    procedures = procedures_shown(TEXT)
    assert int(said[1]) == len(procedures) == len(set(procedures))
    assert f"that pass ({len(procedures)})" in TEXT
    assert int(said[2]) == 61


def test_every_suite_of_the_table_exists():
    there = {path.stem.removeprefix("test_").replace("_", "-") for path in (HOUSE / "tests/interop").glob("test_*.py")}
    assert "cactus" in shown(TEXT)
    assert set(shown(TEXT)) <= there
