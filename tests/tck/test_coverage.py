"""The coverage table is that of the tests as they are."""

import re
from pathlib import Path

SESSIONS = Path("tests/protocols/mqtt/sparkplug/test_sessions.py")


def test_the_table_lists_what_the_tests_bear():
    calls = re.findall(r"@tck\(([^)]*)\)", SESSIONS.read_text())
    borne = {f"tck-id-{name}" for call in calls for name in re.findall(r'"([^"]+)"', call)}
    listed = set(re.findall(r"^\| (tck-id-\S+) \|", Path("docs/sparkplug-coverage.md").read_text(), re.MULTILINE))
    assert listed == borne
