"""What the suites of recordings share: a zone with one real device, its session on tape, and a broker to play at."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from config.loader import load
from gateway.tape.adapters import recorded
from gateway.tape.words import Tape
from gateway.testbed.broker import EmbeddedBroker, free_port
from protocols.signals import Bounds, Control, LinkChanged, LinkState, Outcome, Signal
from tests.contract.harness import ContractHarness
from tests.gateway.fieldtools.site import started

H = TypeVar("H", bound=ContractHarness)

BELOW = Path("config/zones/r1_short.yaml").resolve()


def zone_with(endpoint: str, path: Path) -> Path:
    """A zone file at `path`: R1 whose battery A is reached at `endpoint`, a YAML mapping."""
    path.write_text(f"""
extends: {BELOW}
devices:
  A: {{simulated: false, endpoint: {endpoint}}}
""")
    return path


def zone_on(port: int, path: Path) -> Path:
    """The same with a Modbus device."""
    return zone_with(f"{{port: {port}, poll_s: 0.1, timeout_s: 0.3}}", path)


class Links:
    """Waits for what becomes of the link."""

    def __init__(self) -> None:
        self._states: asyncio.Queue[LinkState] = asyncio.Queue()

    def hear(self, signals: Sequence[Signal]) -> None:
        for signal in signals:
            if isinstance(signal, LinkChanged):
                self._states.put_nowait(signal.state)

    async def become(self, state: LinkState) -> None:
        while await self._states.get() is not state:
            pass


def taped_session(make: Callable[[], H], endpoint_of: Callable[[H], str], directory: Path) -> Path:
    """A session with the device of a harness on tape: some polls, a limit, a link that is lost and comes back."""
    path = directory / "device.jsonl"

    async def session() -> None:
        async with started(make) as harness:
            zone = load(zone_with(endpoint_of(harness), directory / "zone.yaml"))
            only = zone.model_copy(update={"devices": {"A": zone.devices["A"]}, "stations": {}})
            (adapter,) = recorded(only, harness.now, {}, lambda head: Tape.create(path, head, harness.now))
            links = Links()
            async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
                running = tasks.create_task(adapter.run(links.hear))
                await links.become(LinkState.ONLINE)
                now_s = harness.now()
                limit = Control("A-c1", "A", 1, now_s, now_s + 60, Bounds(ceiling_w=1e6))
                assert (await adapter.apply(limit)).outcome is Outcome.WRITTEN
                await asyncio.sleep(0.5)
                harness.device.faults.drop_link = True
                await links.become(LinkState.LOST)
                harness.device.faults.drop_link = False
                await links.become(LinkState.ONLINE)
                await asyncio.sleep(0.3)
                running.cancel()

    asyncio.run(session())
    return path


@asynccontextmanager
async def broker() -> AsyncIterator[int]:
    """The port of an embedded broker."""
    port = free_port()
    embedded = EmbeddedBroker("127.0.0.1", port)
    await embedded.start()
    try:
        yield port
    finally:
        await embedded.stop()
