"""`make interop`: runs the suite of every independent peer, prints a table and writes build/interop.json.

`python -m tests.interop.conformance` then writes what was shown into docs/conformance.md.

A suite is a module `test_<peer>.py` of this folder; hyphens in the peer's name are underscores there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
BUILD = Path("build/interop.json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="comma-separated parts of names")
    args = parser.parse_args()
    parts = [part.strip() for part in args.only.split(",") if part.strip()]
    modules = {path.stem.removeprefix("test_").replace("_", "-"): path for path in sorted(HERE.glob("test_*.py"))}
    chosen = {name: path for name, path in modules.items() if not parts or any(part in name for part in parts)}
    if not chosen:
        print(f"no suite has one of {parts} in its name; there are:", *modules)
        return 2
    results = [_run(name, path) for name, path in chosen.items()]
    BUILD.parent.mkdir(exist_ok=True)
    BUILD.write_text(json.dumps(results, indent=2) + "\n")
    table = Table("suite", "passed", "failed", "skipped")
    for result in results:
        table.add_row(*(str(result[column]) for column in ("suite", "passed", "failed", "skipped")))
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    passed, failed = (sum(int(r[key]) for r in results) for key in ("passed", "failed"))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def _run(name: str, path: Path) -> dict[str, object]:
    """One suite in a process of its own, so that one peer's trouble stays with it."""
    print(f"running {name} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "report.xml"
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(path), f"--junit-xml={report}"],
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            check=False,
        )
        if not report.exists():
            return {"suite": name, "passed": 0, "failed": 1, "skipped": 0, "tests": []}
        suite = ET.parse(report).getroot().find("testsuite")
        assert suite is not None
        tests = [case.attrib["name"] for case in suite.iter("testcase") if not len(case)]
        count = {key: int(suite.attrib[key]) for key in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    if done.returncode not in (0, 1, 5):
        failed = max(failed, 1)
    passed = count["tests"] - failed - count["skipped"]
    return {"suite": name, "passed": passed, "failed": failed, "skipped": count["skipped"], "tests": tests}


if __name__ == "__main__":
    sys.exit(main())
