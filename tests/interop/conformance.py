"""`python -m tests.interop.conformance`: writes what the last `make interop` showed into docs/conformance.md.

Suites that were not run keep what they showed before. Nothing is written where a test failed or was skipped:
the table says what has been shown, and the run itself says what has not.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

RESULTS = Path("build/interop.json")
TABLE = Path("docs/conformance.md")
BEGIN, END = "<!-- begin: python -m tests.interop.conformance -->", "<!-- end -->"
_ROW = re.compile(r"^\| ([a-z0-9-]+) \| (\d+) \|$", re.MULTILINE)
_PROCEDURE = re.compile(r"test_a_procedure_passes\[(S-[A-Z]+-\d+)\]")
_LISTED = re.compile(r"S-[A-Z]+-\d+")


def main() -> int:
    """0 where the table was written, 1 where the last run is no proof, 2 where there was none."""
    if not RESULTS.exists():
        print(f"{RESULTS} is missing; `make interop` writes it", file=sys.stderr)
        return 2
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    unproven = [result["suite"] for result in results if result["failed"] or result["skipped"]]
    if unproven:
        print(f"failed or skipped in part: {', '.join(unproven)}; nothing was written", file=sys.stderr)
        return 1
    TABLE.write_text(written(TABLE.read_text(encoding="utf-8"), results), encoding="utf-8")
    return 0


def written(text: str, results: Sequence[Mapping[str, object]]) -> str:
    """The document with the results in its table."""
    before, rest = text.split(BEGIN)
    old, after = rest.split(END)
    suites = {**shown(old), **{str(result["suite"]): int(str(result["passed"])) for result in results}}
    tests = [str(test) for result in results if result["suite"] == "cactus" for test in _tests(result)]
    procedures = sorted(found[1] for test in tests if (found := _PROCEDURE.fullmatch(test))) or _LISTED.findall(old)
    rows = "\n".join(f"| {suite} | {passed} |" for suite, passed in sorted(suites.items()))
    lines = [", ".join(procedures[first : first + 12]) for first in range(0, len(procedures), 12)]
    passed = f"Procedures of cactus-client that pass ({len(procedures)}):\n\n" + ",\n".join(lines)
    return f"{before}{BEGIN}\n\n| suite | tests passed |\n| --- | --- |\n{rows}\n\n{passed}\n\n{END}{after}"


def shown(text: str) -> dict[str, int]:
    """Tests passed of each suite that the document speaks of."""
    return {suite: int(passed) for suite, passed in _ROW.findall(text)}


def procedures_shown(text: str) -> list[str]:
    """Procedures of cactus-client that the document says pass."""
    return _LISTED.findall(text.split(BEGIN)[1].split(END, maxsplit=1)[0])


def _tests(result: Mapping[str, object]) -> Sequence[object]:
    tests = result["tests"]
    assert isinstance(tests, list)
    return tests


if __name__ == "__main__":
    sys.exit(main())
