"""What the 2030.5 server has acknowledged survives the process being killed at any moment."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.journal.store import JournalReader
from gateway.served import kept
from ieee2030_5.enrolment import build
from ieee2030_5.settings import DeviceSettings, ServerSettings
from ieee2030_5.tree import Tree

T0 = 1_900_000_000
SETTINGS = ServerSettings(
    *[Path("unused")] * 3,
    devices=(DeviceSettings("A", "AB" * 20, 1e6, notify_hosts=frozenset({"a.example"})),),
)

LIFE = """
import sys
from pathlib import Path

from gateway.journal.store import Journal
from gateway.served import keeper
from ieee2030_5 import resources as r
from ieee2030_5.arrangements import Enrolled, arranged
from ieee2030_5.codec import render
from ieee2030_5.enrolment import build
from ieee2030_5.settings import DeviceSettings
from ieee2030_5.tree import MEDIA_TYPE, Asked, Tree
from tests.gateway.test_served import SETTINGS, T0

journal = Journal.open(Path(sys.argv[1]))
tree = Tree(build(SETTINGS, "CD" * 20, T0), keeper(journal, lambda: float(T0)))
for number in range(10_000):
    wanted = r.Subscription(
        subscribedResource="/edev", encoding=0, level="+S1", limit=number, notificationURI=f"http://a.example/{number}"
    )
    if number < SETTINGS.subscriptions:
        asked = Asked("POST", "/edev/A/sub", MEDIA_TYPE, MEDIA_TYPE, render(wanted))
        assert tree.answer("AB" * 20, asked, T0).status == 201
        print("subscribed", number, flush=True)
    tree.arrange(arranged(Enrolled(DeviceSettings(f"D{number}", f"{number:040X}", 1e4)), T0))
    print("enrolled", number, flush=True)
"""


@pytest.mark.parametrize("lines", [1, 7, 64])
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path, lines: int) -> None:
    path = tmp_path / "journal.sqlite"
    life = subprocess.Popen(
        [sys.executable, "-c", LIFE, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert life.stdout is not None
    said = [life.stdout.readline().split() for _ in range(lines)]
    os.kill(life.pid, signal.SIGKILL)
    said += [line.split() for line in life.stdout.read().splitlines() if len(line.split()) == 2]
    life.stdout.close()
    assert life.wait(30) == -signal.SIGKILL
    tree = Tree(build(SETTINGS, "CD" * 20, T0), lambda _: None)
    with closing(JournalReader.open(path)) as journal:
        tree.restore(list(kept(journal)))
    subscribed = {item.limit for item in tree.utility.devices["A"].subscriptions.values()}
    assert {int(number) for what, number in said if what == "subscribed"} <= subscribed
    assert {f"D{number}" for what, number in said if what == "enrolled"} <= tree.utility.devices.keys()
    assert len(said) >= lines
