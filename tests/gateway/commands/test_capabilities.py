"""The table of capabilities is whole, and what it says demonstrates a row is there."""

import ast
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.capabilities import LEVELS, Capability, Target, capabilities
from gateway.__main__ import main

HOUSE = Path(__file__).parents[3]
ROWS = capabilities()
SIXTY_FIVE = {"F": 19, "N": 6, "P": 9, "C": 15, "M": 9, "V": 7}
"""Rows of the maturity table by the part that they belong to."""
EXPECTED = [
    *(f"SYS-{k}" for k in range(1, 20)),
    *("MOD-DP", "MOD-T", "MOD-MF", "JRN-1", "JRN-2", "JRN-3", "JRN-4", "PERM"),
    *(f"PR-{k}" for k in (1, 2, 3, 4, 5, 6, 7, "8a", "8b", "8c", "8d", 9, 10)),
    *(f"{part}{k}" for part, count in SIXTY_FIVE.items() for k in range(1, count + 1)),
    *(f"NFR-{k}" for k in range(1, 11)),
]


@cache
def names_of(path: Path) -> frozenset[str]:
    """Names of the test functions of a module, read without running it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_row_is_there_once_and_no_other() -> None:
    assert sum(SIXTY_FIVE.values()) == 65
    assert Counter(row.id for row in ROWS) == Counter(EXPECTED)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_what_demonstrates_a_row_is_there(row: Capability) -> None:
    for one in row.shown_by:
        path, _, name = one.partition("::")
        assert (HOUSE / path).is_file(), one
        if name:
            assert re.sub(r"\[.*\]$", "", name) in names_of(HOUSE / path), one
        else:
            kinds = ("config/scenarios/", "config/permutations/", "tests/bench/bench_")
            assert path.startswith(kinds), f"{one}: name a test of it, a scenario file or a benchmark"
    assert len(set(row.shown_by)) == len(row.shown_by)


def test_levels_are_those_of_the_rows() -> None:
    assert {row.level for row in ROWS} == set(LEVELS)
    for row in ROWS:
        part = {"SYS": "systems", "PR": "processes", "NFR": "requirements"}.get(row.id.split("-")[0])
        if row.id[0] in SIXTY_FIVE and "-" not in row.id and row.id != "PERM":
            assert re.fullmatch("L[1-8]", row.level), row.id
        else:
            assert row.level == (part or "models"), row.id


def test_a_row_is_shown_or_explained_and_never_both() -> None:
    with pytest.raises(ValidationError, match="either"):
        Capability(id="F1", level="L1", words="nothing")
    with pytest.raises(ValidationError, match="either"):
        Capability(id="F1", level="L1", words="both", shown_by=("a",), why_not="b")
    with pytest.raises(ValidationError, match="none of"):
        Capability(id="F1", level="L9", words="nowhere", why_not="b")


def test_the_command_counts_by_level_and_lists_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capabilities"]) == 0
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split() == [
        "level",
        "rows",
        "demonstrated",
        "not",
        "demonstrated",
        "of",
        "these",
        "later",
        "or",
        "out",
    ]
    total, shown, missing, _ = map(int, next(line for line in lines if line.startswith("all ")).split()[1:])
    assert (total, shown + missing) == (len(EXPECTED), len(EXPECTED))
    assert shown == sum(row.is_shown for row in ROWS)
    listed = [line.split()[0] for line in lines[lines.index("Not demonstrated") + 2 :] if re.match("[A-Z]", line)]
    assert listed == [row.id for row in sorted(ROWS, key=lambda r: LEVELS.index(r.level)) if not row.is_shown]


def test_the_command_tells_machines_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capabilities", "--json", "--level", "L8"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {row["level"] for row in found["rows"]} == {"L8"}
    (counts,) = found["levels"]
    assert counts["rows"] == len(found["rows"]) == counts["shown"] + counts["not_shown"]
    assert all(Target(row["target"]) and (row["shown_by"] or row["why_not"]) for row in found["rows"])


def test_all_rows_are_listed_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capabilities", "--all", "--level", "models"]) == 0
    told = capsys.readouterr().out
    assert "config/scenarios/s01.yaml" in told
    assert re.search(r"^PERM +models +now", told, re.M)
