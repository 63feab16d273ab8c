"""The house is in order: what is packaged, locked, documented and promised matches what is there."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from config.loader import load

HOUSE = Path(__file__).parents[1]
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = ("config", "dnp3_sim", "gateway", "grid_engine", "ieee2030_5", "protocols")
MODULES = sorted(path for room in ROOMS for path in (HOUSE / room).rglob("*.py"))
TEXTS = [HOUSE / name for name in ("README.md", "CONTRIBUTING.md")]

TABLES = {"ieee2030_5/resources.py"}
"""Modules that are one long table, and may therefore pass 400 lines."""

MARKERS = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b|NotImplemented" + "Error")


def name(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def commands(text: str) -> list[str]:
    """Lines of the fenced blocks of shell in a text, without comments."""
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", text, flags=re.DOTALL)
    lines = [part.strip() for block in blocks for line in block.splitlines() for part in line.split(" #")[0].split("|")]
    return [line for line in lines if line and not line.startswith("#")]


def test_every_package_of_the_tree_is_packaged_and_no_other():
    there = {name(path.parent).replace("/", ".") for path in MODULES if path.name == "__init__.py"}
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(there)


def test_every_room_is_watched():
    rooms = {room for room in ROOMS if (HOUSE / room / "__init__.py").exists()}
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == rooms
    assert set(PROJECT["tool"]["mypy"]["packages"]) == rooms


def test_every_folder_with_code_is_a_package():
    assert [name(path.parent) for path in MODULES if not (path.parent / "__init__.py").exists()] == []


def test_the_lock_names_versions_and_hashes_but_no_index():
    lock = (HOUSE / "requirements" / "lock.txt").read_text(encoding="utf-8")
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|--trusted-host", lock)
    requirements = re.findall(
        r"^(\S+?)(==\S+)?( ;.*?)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, re.M
    )
    assert len(requirements) == len(re.findall(r"^[a-zA-Z0-9]", lock, flags=re.MULTILINE))
    assert all(version for _, version, _, _ in requirements)


def test_no_lock_of_npm_names_a_registry():
    locks = [path for path in (HOUSE / "tests").rglob("package-lock.json") if "node_modules" not in path.parts]
    assert [name(path) for path in locks if '"resolved"' in path.read_text(encoding="utf-8")] == []


def test_the_lock_has_every_dependency_that_is_asked_for():
    lock = (HOUSE / "requirements" / "lock.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==", lock, flags=re.MULTILINE))
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    wanted = {re.split(r"[\[<>=!~; ]", line)[0].lower() for group in groups for line in group} - {"ampacity"}
    assert wanted - locked == set()


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_begins_with_a_sentence_on_its_job(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text, f"{name(path)} has no docstring"
    assert text.split("\n\n")[0].rstrip().endswith((".", ":")), f"{name(path)}: {text.splitlines()[0]}"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_holds_one_idea(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400 or name(path) in TABLES, f"{name(path)} has {lines} lines: split it"


def test_a_table_is_listed_only_while_it_is_long():
    assert {table for table in TABLES if len((HOUSE / table).read_text().splitlines()) > 400} == TABLES


def test_nothing_is_left_for_later():
    files = [*MODULES, *(HOUSE / "tests").rglob("*.py"), HOUSE / "Makefile", HOUSE / "pyproject.toml", *TEXTS]
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if MARKERS.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_the_commands_that_a_text_names_exist(path):
    targets = set(re.findall(r"^([a-z]+):", (HOUSE / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for line in commands(path.read_text(encoding="utf-8")):
        match line.removeprefix(".venv/bin/").split():
            case ["make", target, *_]:
                assert target in targets, line
            case ["ampacity", command, *rest]:
                assert (HOUSE / "gateway" / "commands" / f"{command}.py").is_file(), line
                ours = [word for word in rest if word.endswith(".yaml") and "/" in word]  # a bare name is the reader's
                assert [word for word in ours if not (HOUSE / word).is_file()] == [], line
            case ["python", "-m", module, *_]:
                target = HOUSE / module.replace(".", "/")
                assert target.with_suffix(".py").is_file() or (target / "__main__.py").is_file(), line
            case [program, *_]:
                assert program in {"git", "cd", "cp", ".ci/run", "pytest", "ruff", "mypy", "lint-imports"}, line


@pytest.mark.parametrize("path", TEXTS, ids=name)
def test_the_files_that_a_text_links_to_exist(path):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (HOUSE / link).exists()] == []


def test_the_worked_example_of_the_readme_is_a_good_zone(tmp_path):
    blocks = re.findall(r"```yaml\n(# zone\.yaml.*?)```", (HOUSE / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        path = tmp_path / "zone.yaml"
        path.write_text(block.replace("config/zones/", f"{HOUSE / 'config' / 'zones'}/"), encoding="utf-8")
        assert load(path).devices
