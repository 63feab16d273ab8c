"""The catalogue and the source tree say the same: every event that is logged is described, and nothing else."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.logs.catalogue import BY_NAME, COMMON, EVENTS, FIELDS, markdown

ROOT = Path(__file__).parents[3]
ROOMS = ("config", "dnp3_sim", "gateway", "grid_engine", "ieee2030_5", "protocols")
METHODS = {name: name for name in ("debug", "info", "warning", "error")} | {"exception": "error"}
LOGGERS = ("log", "_log", "logger")

NAME = re.compile(r"[a-z_]+\.[a-z_]+")


@dataclass(frozen=True)
class Logged:
    place: str
    event: str
    level: str | None
    """`None` where it is chosen at run time."""
    fields: frozenset[str]
    bound: frozenset[str]
    """Fields that the same module binds to its loggers."""


def logged() -> Iterator[Logged]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_bytes())
            calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
            if any(isinstance(node, ast.Import) and node.names[0].name == "structlog" for node in ast.walk(tree)):
                bound = frozenset(word for call in calls if name(call.func) == "bind" for word in words(call))
                yield from (one(f"{path.relative_to(ROOT)}:{call.lineno}", call, bound) for call in calls if logs(call))


def logs(call: ast.Call) -> bool:
    """True for `log.info(…)`, and for any call whose first argument looks like the name of an event."""
    method = name(call.func) in METHODS and isinstance(call.func, ast.Attribute) and name(call.func.value) in LOGGERS
    return method or NAME.fullmatch(literal(call)) is not None


def name(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def literal(call: ast.Call) -> str:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""


def words(call: ast.Call) -> set[str]:
    return {"exception" if word.arg == "exc_info" else str(word.arg) for word in call.keywords}


def one(place: str, call: ast.Call, bound: frozenset[str]) -> Logged:
    return Logged(place, literal(call), METHODS.get(name(call.func)), frozenset(words(call)), bound)


LOGGED = list(logged())


@pytest.mark.parametrize("call", LOGGED, ids=lambda call: call.place)
def test_what_is_logged_is_in_the_catalogue(call):
    assert call.event in BY_NAME, "log a literal name that gateway/logs/catalogue.py describes"
    known = BY_NAME[call.event]
    assert call.level is None or call.level in known.levels
    assert call.fields <= {*known.fields, *known.optional, *COMMON}
    assert call.fields | call.bound >= set(known.fields)


def test_what_is_in_the_catalogue_is_logged():
    used = {call.event for call in LOGGED} | {"log.lost"}  # worded by the outlet itself
    assert set(BY_NAME) - used == set()


def test_names_are_unique_dotted_and_in_one_form():
    assert len(BY_NAME) == len(EVENTS)
    for name in BY_NAME:
        assert name.count(".") == 1
        assert name.replace(".", "").replace("_", "").islower()


def test_every_field_is_described_once_and_every_description_is_of_a_field():
    used = {field for event in EVENTS for field in (*event.fields, *event.optional)}
    assert used == set(FIELDS)
    assert not used & set(COMMON)


def test_the_page_of_documentation_is_up_to_date():
    page = (ROOT / "docs" / "log-events.md").read_text(encoding="utf-8")
    assert page == markdown(), "run `python -m gateway.logs`"
