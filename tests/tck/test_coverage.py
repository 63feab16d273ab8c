"""The coverage table is that of the tests as they are, and says of the rest why it is not shown."""

import re
from pathlib import Path

from tests.tck.__main__ import FOLDERS
from tests.tck.reasons import NOT_SHOWN

REPORT = Path("docs/sparkplug-coverage.md")


def borne() -> set[str]:
    """Names of assertions that tests bear."""
    sources = [path.read_text() for folder in FOLDERS for path in Path(folder).glob("test_*.py")]
    calls = [call for source in sources for call in re.findall(r"@tck\(([^)]*)\)", source)]
    return {name for call in calls for name in re.findall(r'"([^"]+)"', call)}


def listed(part: str) -> set[str]:
    return set(re.findall(r"^\| tck-id-(\S+) \|", part, re.MULTILINE))


def test_the_table_lists_what_the_tests_bear():
    shown, missing = REPORT.read_text().split("## Not shown")
    assert listed(shown) == borne()
    assert listed(missing) == set(NOT_SHOWN)


def test_nothing_is_both_shown_and_excused():
    assert borne() & set(NOT_SHOWN) == set()
