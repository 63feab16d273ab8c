"""Notifications of the IEEE 2030.5 server: 2,000 subscriptions over 50 endpoints, one of them dead, for a minute.

50 devices share a feeder with 40 programs, and each subscribes to the default control of each program. Every
second each default control changes once, the changes spread over the second and kept in the journal. 49 endpoints
answer 201 over mutual TLS; the dead one takes connections and never answers. A control says when it was made.
"""

import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gateway.clock import wall
from gateway.journal.store import Journal
from gateway.served import keeper
from ieee2030_5 import resources as r
from ieee2030_5.arrangements import Grouped, Placed, Programmed, arranged
from ieee2030_5.codec import render
from ieee2030_5.enrolment import build
from ieee2030_5.groups import GroupKind
from ieee2030_5.notifier import Notifier, poster
from ieee2030_5.pki import make_pki
from ieee2030_5.records import Record, Stored
from ieee2030_5.settings import DeviceSettings
from ieee2030_5.subscriptions import Notice
from ieee2030_5.tls import client_context, lfdi_of_file
from ieee2030_5.tree import Tree
from tests.bench.rows import Benchmark, Row, duration
from tests.bench.utility_2030 import devices, names, settings
from tests.scenarios.live import free_ports

ENDPOINTS, PROGRAMS, SECONDS = 50, 40, 60
TICK_S = 0.5
"""As the server's own."""
QUIET_S = 5.0
"""After the last change."""
GOAL_S = 2.0


def run() -> Sequence[Row]:
    """How old a change is when it arrives."""
    with tempfile.TemporaryDirectory() as directory:
        certificates = Path(directory)
        make_pki(certificates, names(), ("localhost", "127.0.0.1"), wall())
        return asyncio.run(_measure(certificates))


async def _measure(certificates: Path) -> Sequence[Row]:
    ports = free_ports(ENDPOINTS)
    members = devices(certificates, ENDPOINTS, frozenset({"127.0.0.1"}))
    mine = settings(certificates, 0, members)
    journal = Journal.open(certificates / "journal")
    tree = Tree(build(mine, lfdi_of_file(mine.certificate), int(wall())), keeper(journal, wall))
    tree.restore(_subscribed(members, ports, int(wall())))
    command = ("-m", "tests.bench.sink_2030", str(certificates), *map(str, ports))
    sink = await asyncio.create_subprocess_exec(sys.executable, *command, stdin=PIPE, stdout=PIPE)
    if sink.stdout is None or await sink.stdout.readline() != b"listening\n":
        raise RuntimeError("the endpoints do not listen")
    cpu = time.process_time()
    arrived: dict[str, str] = {}
    async with poster(client_context(mine.certificate, mine.key, mine.authorities)) as post:
        notifier = Notifier(post, lambda _: True, lambda _: None, lambda told: arrived.update(_digest(told)))
        async with asyncio.TaskGroup() as tasks:
            work = tasks.create_task(notifier.run())
            newest = await _change(tree, notifier, arrived)
            work.cancel()
    used = time.process_time() - cpu
    found = json.loads((await sink.communicate(b""))[0])
    journal.close()
    stale = [
        name
        for name, (_, program) in _subscriptions(members[:-1]).items()
        if found["last"].get(name) != newest[program]
    ]
    if stale:
        raise RuntimeError(f"{len(stale)} living subscriptions did not end with the newest state, as {stale[0]}")
    return (
        duration("2030.notify.p99", found["p99"], "s", "goal", GOAL_S),
        duration("2030.notify.p50", found["p50"], "s", "goal", GOAL_S),
        Row("2030.notify.rate", found["count"] / SECONDS, "1/s", "changes", float((ENDPOINTS - 1) * PROGRAMS)),
        Row("2030.notify.cpu", used / found["count"] * 1e6, "µs"),
    )


def _digest(told: Notice) -> dict[str, str]:
    return {told.subscription: told.digest}


async def _change(tree: Tree, notifier: Notifier, arrived: dict[str, str]) -> dict[str, str]:
    """Change every default control once a second; returns what each says in the end."""
    newest: dict[str, str] = {}
    loop = asyncio.get_running_loop()
    began, step = loop.time(), 1 / PROGRAMS
    changes, looks = 0, 0
    while (elapsed := loop.time() - began) < SECONDS + QUIET_S:
        while changes < SECONDS * PROGRAMS and changes * step <= elapsed:
            name, said = f"P{changes % PROGRAMS:02}", f"{wall():.3f}"
            document = replace(tree.utility.programs[name].default, description=said, version=changes // PROGRAMS)
            tree.store(f"/derp/{name}/dderc", document, "", int(wall()))
            newest[name], changes = said, changes + 1
        if looks * TICK_S <= elapsed:
            looks += 1
            for notice in tree.notices(int(wall())):
                notifier.tell(notice)
            if looks % 10 == 0:
                tree.told(arrived, int(wall()))
                arrived.clear()
        await asyncio.sleep(step)
    return newest


def _subscriptions(members: Sequence[DeviceSettings]) -> dict[str, tuple[DeviceSettings, str]]:
    """By URI: whose each is, and the program that it is about."""
    return {
        f"/edev/{item.resource}/sub/{number:02}": (item, f"P{number:02}")
        for item in members
        for number in range(PROGRAMS)
    }


def _subscribed(members: Sequence[DeviceSettings], ports: Sequence[int], at_s: int) -> Iterator[Record]:
    """All on one feeder, its programs, and the subscriptions, those of the last device to the dead endpoint."""
    yield arranged(Grouped("F1", GroupKind.FEEDER), at_s)
    for item in members:
        yield arranged(Placed(item.resource, ("F1",)), at_s)
    for number in range(PROGRAMS):
        yield arranged(Programmed(f"P{number:02}", "F1", 10 + number), at_s)
    places = {item.resource: f"https://127.0.0.1:{port}/ntfy" for item, port in zip(members, ports, strict=True)}
    for href, (item, program) in _subscriptions(members).items():
        document = r.Subscription(
            href=href,
            subscribedResource=f"/derp/{program}/dderc",
            encoding=0,
            level="+S1",
            limit=1,
            notificationURI=places[item.resource],
        )
        yield Stored(href, render(document).decode(), item.lfdi, at_s)


BENCHMARKS = (Benchmark("2030.notify", run),)
