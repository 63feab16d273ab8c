"""A missing peer is skipped on a desk and fails in the gate."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import need

TESTS = Path(__file__).parent

SKIPS = {
    "test_one.py": "import pytest\ndef test_it():\n    pytest.skip('no peer')\n",
    "test_all.py": "import pytest\nno_peer = pytest.importorskip('no_such_peer')\n",
}


@pytest.mark.parametrize(("ci", "outcome"), [("", "2 skipped"), ("true", "1 failed, 1 error")], ids=["desk", "gate"])
def test_a_missing_peer(tmp_path, ci, outcome):
    for name, text in SKIPS.items():
        (tmp_path / name).write_text(text)
    shutil.copy(TESTS / "interop" / "conftest.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors", "."],
        cwd=tmp_path,
        env={**os.environ, "CI": ci},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert outcome in done.stdout, done.stdout
    assert done.stdout.count("the gate has to meet every peer") >= (2 if ci else 0)


def test_a_program_that_is_there_is_found():
    assert Path(need("sh")).name == "sh"


def test_the_gate_installs_the_peers_that_tests_need_and_no_other():
    wanted = {
        program
        for path in (TESTS / "interop").rglob("test_*.py")
        for program in re.findall(r"\b(?:need|shutil\.which)\(\"([^\"]+)\"", path.read_text(encoding="utf-8"))
    }
    environments = {path.parent.name for path in (TESTS / "interop").glob("*/requirements.txt")}
    assert environments < wanted, "every environment is used"
    gate = (TESTS.parent / ".ci" / "run").read_text(encoding="utf-8")
    table = gate[gate.index("PEERS=(") : gate.index("\n)")]
    brought = {line.split()[1] for line in re.findall(r'"(.+)"', table)}
    installed = {
        word for word in brought if not word.startswith("/")
    }  # the others are headers that a peer is built with
    assert wanted - environments == installed
    assert "tests.interop.environments" in gate, "which makes the others"
