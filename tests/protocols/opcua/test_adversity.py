"""Links that flap or fall silent, servers that are slow or come back renumbered: no stale write, no wrong node."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.server.server import Server

from gateway.clock import wall
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.opcua import SimulatedOpcUaServer
from protocols.opcua.adapter import OpcUaAdapter
from protocols.opcua.settings import DerFolder, MappedNode, OpcUaSettings
from protocols.points import Point, Quantity
from protocols.signals import Ack, Bounds, Control, LinkChanged, LinkState, Measurement, Outcome, Signal

pytestmark = [pytest.mark.sockets, pytest.mark.asyncio(loop_scope="module")]

PATIENCE_S = 20.0
FOLDER = "nsu=urn:ampacity:testbed;s=A"
LINE = Point("L12", Quantity.CURRENT_A)


class Relay:
    """A link between client and server that a test may cut, or leave open and silent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.silent = False
        self.swallowed = 0
        self._links: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> "Relay":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"opc.tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for link in self._links:
            link.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._links |= {writer, back}
        with suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, back))
                tasks.create_task(self._pump(there, writer))
        writer.transport.abort()
        back.transport.abort()
        self._links -= {writer, back}

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            if self.silent:
                self.swallowed += len(data)
                continue
            sink.write(data)
            await sink.drain()
        raise ConnectionResetError


class Site:
    """A battery behind a real server, which records every limit that it was given."""

    def __init__(self) -> None:
        self.device = SimulatedDevice(DeviceSpec("A", 2.5e6, -2.5e6, kind="bess", initial_w=1e6), wall())
        self.server = SimulatedOpcUaServer("127.0.0.1", 0, wall, devices={FOLDER: self.device}, step_s=0.02)
        self.version = 0

    def control(self, ceiling_w: float) -> Control:
        self.version += 1
        now_s = wall()
        return Control(f"c{self.version}", "A", self.version, now_s, now_s + 60, Bounds(None, ceiling_w))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Site]:
    made = Site()
    task = asyncio.get_running_loop().create_task(made.server.run())
    async with asyncio.timeout(60):
        await made.server.started.wait()
    yield made
    task.cancel()
    await asyncio.wait([task])


class Heard(list[Signal]):
    async def until(self, wanted: Callable[[Signal], bool]) -> Signal:
        async with asyncio.timeout(PATIENCE_S):
            while not any(wanted(signal) for signal in self):  # noqa: ASYNC110 - it waits for the other side of a socket
                await asyncio.sleep(0.02)
        return next(signal for signal in self if wanted(signal))

    def links(self) -> list[LinkState]:
        return [signal.state for signal in self if isinstance(signal, LinkChanged) and signal.resource == "A"]


def is_link(state: LinkState) -> Callable[[Signal], bool]:
    return lambda signal: isinstance(signal, LinkChanged) and signal.state is state


@asynccontextmanager
async def adapting(url: str, **words: object) -> AsyncIterator[tuple[OpcUaAdapter, Heard]]:
    common = {"timeout_s": 0.4, "publishing_s": 0.1, "refresh_s": 0.2, "watchdog_s": 30.0, "reconnect_max_s": 0.3}
    adapter = OpcUaAdapter(OpcUaSettings(url, **{"ders": (DerFolder("A", FOLDER),), **common, **words}), wall)
    heard = Heard()
    task = asyncio.get_running_loop().create_task(adapter.run(heard.extend))
    try:
        await heard.until(is_link(LinkState.ONLINE))
        yield adapter, heard
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_a_link_left_open_and_silent_is_degraded_then_lost_and_what_was_asked_meanwhile_is_never_sent(site):
    async with Relay(site.server.port) as relay, adapting(relay.url) as (adapter, heard):
        assert (await adapter.apply(site.control(9e5))).outcome is Outcome.WRITTEN
        heard.clear()
        relay.silent = True
        ack = await adapter.apply(site.control(1e5))
        assert ack.outcome is Outcome.UNKNOWN
        await heard.until(is_link(LinkState.LOST))
        assert heard.links() == [LinkState.DEGRADED, LinkState.LOST]
        assert relay.swallowed > 0
        late = await adapter.apply(site.control(2e5))
        assert (late.outcome, "nothing was sent" in late.detail) == (Outcome.UNDELIVERED, True)
        heard.clear()
        relay.silent = False
        await heard.until(is_link(LinkState.ONLINE))
        await asyncio.sleep(0.5)
        assert site.device.limit == Bounds(None, 9e5)
        assert not [s for s in heard if isinstance(s, Ack) and s.outcome is Outcome.WRITTEN]


async def test_a_link_that_flaps_brings_no_older_limit_back(site):
    given: list[Bounds] = []
    async with Relay(site.server.port) as relay, adapting(relay.url) as (adapter, heard):
        asked: list[float] = []
        for i in range(12):
            ceiling_w = 2e6 - 1e5 * i
            asked.append(ceiling_w)
            await adapter.apply(site.control(ceiling_w))
            given.append(site.device.limit)
            if i % 3 == 1:
                relay.cut()
                await asyncio.sleep(0.05 * (i % 4))
        held = [bounds.ceiling_w for bounds in given if bounds.ceiling_w in asked]
        assert held == sorted(held, reverse=True)
        heard.clear()
        relay.cut()
        await heard.until(is_link(LinkState.ONLINE))
        final = site.control(3e5)
        assert (await adapter.apply(final)).outcome is Outcome.WRITTEN
        await asyncio.sleep(0.5)
        assert site.device.limit == Bounds(None, 3e5)


async def test_a_server_slower_than_a_call_may_take_is_degraded_and_its_device_keeps_its_lease(site):
    async with Relay(site.server.port) as relay, adapting(relay.url, timeout_s=0.3, watchdog_s=2.0) as (adapter, heard):
        assert (await adapter.apply(site.control(8e5))).outcome is Outcome.WRITTEN
        heard.clear()
        site.device.faults.delay_s, site.device.faults.delay = 0.45, True
        await heard.until(is_link(LinkState.DEGRADED))
        site.device.faults.delay = False
        await heard.until(is_link(LinkState.ONLINE))
        assert site.device.limit == Bounds(None, 8e5)
        assert not site.device.reverted


@asynccontextmanager
async def renumbered(port: int, before: list[str]) -> AsyncIterator[int]:
    """A server of a plant with one current, 42 A, whose namespace comes after others with a current of their own."""
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for uri, current in (*((other, 666.0) for other in before), ("urn:plant", 42.0)):
        index = await server.register_namespace(uri)
        name = ua.QualifiedName("Current", index)
        await server.nodes.objects.add_variable(ua.NodeId("Current", index), name, current, ua.VariantType.Double)
    await server.start()
    try:
        yield server.bserver.port
    finally:
        await server.stop()


async def test_a_server_that_comes_back_with_other_numbers_of_namespaces_is_read_where_it_was_meant():
    points = (MappedNode(LINE, "nsu=urn:plant;s=Current"),)
    async with AsyncExitStack() as adapters:
        async with renumbered(0, []) as port:
            url = f"opc.tcp://127.0.0.1:{port}"
            _, heard = await adapters.enter_async_context(adapting(url, ders=(), points=points))
            await heard.until(lambda s: isinstance(s, Measurement) and s.value == 42.0)
        await heard.until(is_link(LinkState.LOST))
        heard.clear()
        async with renumbered(port, ["urn:first", "urn:second"]):
            await heard.until(is_link(LinkState.ONLINE))
            await heard.until(lambda s: isinstance(s, Measurement) and s.value == 42.0)
            assert not [s for s in heard if isinstance(s, Measurement) and s.value == 666.0]
