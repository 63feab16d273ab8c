"""The network is operated over OPC UA: our adapter on one side, the simulated station on the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.clock import wall
from gateway.testbed.device import Faults
from gateway.testbed.opcua import ServedPoint, SimulatedOpcUaServer
from protocols.opcua.adapter import OpcUaAdapter
from protocols.opcua.settings import MappedNode, OpcUaSettings
from protocols.points import Point, Quantity
from protocols.signals import Command, Measurement, Outcome, Signal

pytestmark = pytest.mark.sockets
SWITCH, TAP = Point("SWT", Quantity.SWITCH_CLOSED), Point("T1", Quantity.TAP_POSITION)


class Site:
    """A network of one switch and one tap behind a station."""

    def __init__(self) -> None:
        self.state = {SWITCH: 0.0, TAP: -3.0}
        self.faults = Faults()
        self.seen: dict[Point, float] = {}
        points = [ServedPoint(p, f"ns=2;s={p}", 1.0, f"ns=2;s={p.resource}.command") for p in self.state]
        self.server = SimulatedOpcUaServer(
            "127.0.0.1",
            0,
            wall,
            points=points,
            measure=lambda point: self.state[point],
            operate=self.state.__setitem__,
            faults=self.faults,
        )

    def emit(self, signals: list[Signal]) -> None:
        self.seen |= {s.point: s.value for s in signals if isinstance(s, Measurement)}

    def command(self, point: Point, value: float, life_s: float = 10.0) -> Command:
        return Command("K1", point, value, wall(), wall() + life_s)


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Site, OpcUaAdapter]]:
    site = Site()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(site.server.run())
        async with asyncio.timeout(30):
            await site.server.started.wait()
        mapped = tuple(MappedNode(p, f"ns=2;s={p}", 1.0, f"ns=2;s={p.resource}.command") for p in site.state)
        adapter = OpcUaAdapter(OpcUaSettings(site.server.url, points=mapped, timeout_s=20.0, watchdog_s=60.0), wall)
        reading = tasks.create_task(adapter.run(site.emit))
        async with asyncio.timeout(30):
            while len(site.seen) < len(site.state):  # noqa: ASYNC110 - the picture is the condition
                await asyncio.sleep(0.05)
        yield site, adapter
        reading.cancel()
        serving.cancel()


async def test_a_command_moves_the_network_and_the_field_shows_it() -> None:
    async with running() as (site, adapter):
        assert adapter.operates == {SWITCH, TAP}
        for command in (site.command(SWITCH, 1.0), site.command(TAP, -2.0)):
            found = await adapter.operate(command)
            assert found.outcome is Outcome.WRITTEN, found.detail
        assert site.state == {SWITCH: 1.0, TAP: -2.0}
        async with asyncio.timeout(20):
            while site.seen != site.state:  # noqa: ASYNC110 - the picture is the condition
                await asyncio.sleep(0.05)


async def test_what_is_refused_late_or_of_nobody_moves_nothing() -> None:
    async with running() as (site, adapter):
        assert (await adapter.operate(site.command(SWITCH, 1.0, life_s=-1.0))).outcome is Outcome.EXPIRED
        stranger = site.command(Point("SW9", Quantity.SWITCH_CLOSED), 1.0)
        assert (await adapter.operate(stranger)).outcome is Outcome.REJECTED
        site.faults.refuse = True
        refused = await adapter.operate(site.command(SWITCH, 1.0))
        assert refused.outcome is Outcome.REJECTED
        assert "BadUserAccessDenied" in refused.detail
        site.faults.refuse, site.faults.lie = False, True
        assert (await adapter.operate(site.command(SWITCH, 1.0))).outcome is Outcome.WRITTEN
        assert site.state[SWITCH] == 0.0, "the field is what tells"


async def test_without_a_link_nothing_is_sent() -> None:
    mapped = (MappedNode(SWITCH, "ns=2;s=x", 1.0, "ns=2;s=y"),)
    adapter = OpcUaAdapter(OpcUaSettings("opc.tcp://127.0.0.1:1", points=mapped), wall)
    found = await adapter.operate(Command("K1", SWITCH, 1.0, wall(), wall() + 10))
    assert found.outcome is Outcome.UNKNOWN
