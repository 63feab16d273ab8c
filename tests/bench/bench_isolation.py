"""What the loss of one device costs the others: all protocols of zone R1 over real sockets, one killed at a time.

The figure is the longest silence of any other device, in its own polls, from the moment of the loss on.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from config.loader import load
from gateway import app, clock
from gateway.journal.store import Journal
from protocols.points import Quantity
from protocols.signals import LinkChanged, LinkState, Measurement, Signal
from tests.bench.rows import Benchmark, Row, duration
from tests.scenarios.live import Live, free_ports, live

ALLOWED_POLLS = 1.3
WATCHED_S = 12.0
PACE_S = {"A": 1.0, "E": 1.0, "C": 1.0, "D": 1.0, "B": 2.0}
"""Longest regular time between two measurements of each device of `r1_short.yaml`."""
VICTIMS = {"modbus": "A", "opcua": "C", "mqtt": "D", "dnp3": "E", "ieee2030_5": "B"}


class Heard:
    """When each device was last heard, and which links are up."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = {name: [] for name in PACE_S}
        self.links: dict[str, LinkState] = {}

    def emit(self, signals: Sequence[Signal]) -> None:
        now = time.perf_counter()
        for signal in signals:
            if isinstance(signal, LinkChanged):
                self.links[signal.resource] = signal.state
            elif isinstance(signal, Measurement) and signal.point.quantity is Quantity.ACTIVE_POWER_W:
                times = self.times.get(signal.point.resource)
                if times is not None:
                    times.append(now)

    def worst(self, but: str, since: float) -> float:
        """Longest silence of any other device, in its own polls."""
        now = time.perf_counter()
        found = 0.0
        for name, pace_s in PACE_S.items():
            if name != but:
                moments = [t for t in self.times[name] if t >= since - pace_s]
                gaps = [b - a for a, b in pairwise([*moments, now])]
                found = max(found, max(gaps) / pace_s)
        return found


def run() -> Sequence[Row]:
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(_measure(Path(directory)))


async def _measure(directory: Path) -> Sequence[Row]:
    heard = Heard()
    outstation = {"protocol": "dnp3", "host": "127.0.0.1", "port": free_ports(1)[0]}
    devices = {"E": {"endpoint": outstation}}
    async with live(directory, devices=devices) as field, asyncio.TaskGroup() as tasks:
        journal = Journal.open(directory / "journal.sqlite")
        adapters = app.build_adapters(load(field.path), clock.wall, journal)
        running = [tasks.create_task(adapter.run(heard.emit)) for adapter in adapters]
        try:
            await _all_heard(heard)
            rows = [Row("isolation.undisturbed", await _quiet(heard), "polls")]
            for protocol, victim in VICTIMS.items():
                silence = await _kill(field, heard, victim)
                rows.append(duration(f"isolation.{protocol}", silence, "polls", "allowed", ALLOWED_POLLS))
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            journal.close()
    return rows


async def _kill(field: Live, heard: Heard, victim: str) -> float:
    await field.tell("faults", resource=victim, fault="drop_link", on=True)
    since = time.perf_counter()
    await asyncio.sleep(WATCHED_S)
    silence = heard.worst(victim, since)
    await field.tell("faults", resource=victim, fault="drop_link", on=False)
    await _all_heard(heard)
    return silence


async def _quiet(heard: Heard) -> float:
    since = time.perf_counter()
    await asyncio.sleep(WATCHED_S)
    return heard.worst("", since)


async def _all_heard(heard: Heard) -> None:
    """Return once every device has been heard twice from now on."""
    since = time.perf_counter()
    while any(sum(t > since for t in times) < 2 for times in heard.times.values()):
        if time.perf_counter() - since > 90:
            raise RuntimeError(f"not heard: {[n for n, t in heard.times.items() if not t or t[-1] < since]}")
        await asyncio.sleep(0.1)


BENCHMARKS = (Benchmark("isolation", run),)
