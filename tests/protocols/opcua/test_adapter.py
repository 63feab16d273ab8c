"""The adapter against the simulated server over real sockets; one server for all, since it takes seconds to start."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from asyncua.common.callback import CallbackType

from gateway.clock import wall
from gateway.testbed.device import DeviceSpec, Faults, SimulatedDevice
from gateway.testbed.opcua import ServedPoint, SimulatedOpcUaServer
from protocols.opcua.adapter import OpcUaAdapter
from protocols.opcua.client import OpcUaClient
from protocols.opcua.errors import NoAnswerError
from protocols.opcua.settings import DerFolder, MappedNode, OpcUaSettings
from protocols.points import Point, Quantity
from protocols.signals import (
    Ack,
    Baseline,
    Bounds,
    Control,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
    Release,
    Signal,
)

pytestmark = [pytest.mark.sockets, pytest.mark.asyncio(loop_scope="module")]

LINE = Point("L12", Quantity.CURRENT_A)
NOWHERE = Point("L13", Quantity.CURRENT_A)
PATIENCE_S = 15.0


class Clock:
    """The wall clock, which a test may put forward."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return wall() + self.ahead_s


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - it waits for the other side of a socket
            await asyncio.sleep(0.02)


class Site:
    """One battery and one line current on a real server."""

    def __init__(self) -> None:
        self.now = Clock()
        self.device = SimulatedDevice(DeviceSpec("A", 2.5e6, -2.5e6, kind="bess", initial_w=1e6), self.now())
        self.station_faults = Faults()
        self.server = SimulatedOpcUaServer(
            "127.0.0.1",
            0,
            self.now,
            devices={"nsu=urn:ampacity:testbed;s=A": self.device},
            points=[ServedPoint(LINE, "ns=2;s=L12.I", 2.0)],
            measure=lambda point: 42.0,
            faults=self.station_faults,
            step_s=0.05,
        )
        self.version = 0

    def heal(self) -> None:
        self.device.faults.__init__()  # type: ignore[misc]  # resets a plain dataclass
        self.station_faults.__init__()  # type: ignore[misc]  # resets a plain dataclass

    def control(self, limit: Bounds, *, lease_s: float = 60.0, fallback: Bounds | None = None) -> Control:
        self.version += 1
        now_s = self.now()
        return Control(
            f"c{self.version}", "A", self.version, now_s, now_s + lease_s, limit, fallback=fallback or Bounds()
        )


class Heard:
    """Everything an adapter emitted, with a way to wait for more."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self._more = asyncio.Event()

    def __call__(self, batch: list[Signal]) -> None:
        self.signals += batch
        self._more.set()

    async def until(self, wanted: Callable[[Signal], bool]) -> Signal:
        """The first signal from now on, or of those heard so far, that is wanted."""
        seen = 0
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for signal in self.signals[seen:]:
                    if wanted(signal):
                        return signal
                seen = len(self.signals)
                self._more.clear()
                await self._more.wait()

    def forget(self) -> None:
        self.signals.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Site]:
    site = Site()
    task = asyncio.get_running_loop().create_task(site.server.run())
    async with asyncio.timeout(60):
        await site.server.started.wait()
    yield site
    task.cancel()
    await asyncio.wait([task])


@pytest.fixture
def site(running: Site) -> Site:
    running.heal()
    return running


@asynccontextmanager
async def connected(
    site: Site, *, point: str = "ns=2;s=L12.I", session: type[OpcUaClient] = OpcUaClient, **settings: float
) -> AsyncIterator[tuple[OpcUaAdapter, Heard]]:
    words = {"timeout_s": 2.0, "publishing_s": 0.1, "refresh_s": 0.3, "reconnect_max_s": 0.5} | settings
    adapter = OpcUaAdapter(
        OpcUaSettings(
            site.server.url,
            (DerFolder("A", "nsu=urn:ampacity:testbed;s=A"),),
            (MappedNode(LINE, point, 2.0), MappedNode(NOWHERE, "ns=2;s=nowhere")),
            **words,
        ),
        site.now,
        session=session,
    )
    heard = Heard()
    task = asyncio.get_running_loop().create_task(adapter.run(heard))
    try:
        await heard.until(is_link("A", LinkState.ONLINE))
        yield adapter, heard
    finally:
        task.cancel()
        await asyncio.wait([task])


def is_link(resource: str, state: LinkState) -> Callable[[Signal], bool]:
    return lambda signal: isinstance(signal, LinkChanged) and (signal.resource, signal.state) == (resource, state)


def is_value(point: Point, value: float, quality: Quality = Quality.GOOD) -> Callable[[Signal], bool]:
    return lambda signal: (
        isinstance(signal, Measurement) and (signal.point, signal.value, signal.quality) == (point, value, quality)
    )


POWER = Point("A", Quantity.ACTIVE_POWER_W)


async def test_values_arrive_scaled_with_source_time_and_the_bad_node_alone_is_bad(site: Site):
    site.device.set_target(1e6, site.now())
    async with connected(site) as (_, heard):
        power = await heard.until(is_value(POWER, 1e6))
        assert power.received_time_s - power.source_time_s < 5
        assert power.received_time_s != power.source_time_s
        await heard.until(is_value(LINE, 42.0))
        await heard.until(is_value(NOWHERE, 0.0, Quality.BAD))
        online = next(signal for signal in heard.signals if is_link("A", LinkState.ONLINE)(signal))
        assert "ns=2;s=nowhere BadNodeIdUnknown" in online.detail


async def test_the_baseline_comes_before_the_link_is_online(site: Site):
    async with connected(site) as (_, heard):
        kinds = [type(signal) for signal in heard.signals]
        assert kinds.index(Baseline) < kinds.index(LinkChanged)


async def test_a_control_is_written_with_its_lease_and_read_back(site: Site):
    async with connected(site) as (adapter, heard):
        ack = await adapter.apply(site.control(Bounds(-1e6, 5e5), lease_s=60, fallback=Bounds(None, 3e5)))
        assert ack.outcome is Outcome.WRITTEN, ack.detail
        assert ack.requested == ack.read_back
        assert site.device.limit == Bounds(-1e6, 5e5)
        assert site.device.fallback == Bounds(None, 3e5)
        assert 55 < site.device.reversion_remaining_s <= 60
        await heard.until(is_value(Point("A", Quantity.CEILING_W), 5e5))


async def test_a_refusal_is_rejected_and_nothing_changes(site: Site):
    async with connected(site) as (adapter, _):
        before = site.device.limit
        site.device.faults.refuse = True
        ack = await adapter.apply(site.control(Bounds(None, 1.0)))
        assert ack.outcome is Outcome.REJECTED
        assert "BadUserAccessDenied" in ack.detail
        assert site.device.limit == before


async def test_an_older_version_never_returns(site: Site):
    async with connected(site) as (adapter, _):
        old, new = site.control(Bounds(None, 7e5)), site.control(Bounds(None, 6e5))
        assert (await adapter.apply(new)).outcome is Outcome.WRITTEN
        assert (await adapter.apply(old)).outcome is Outcome.SUPERSEDED
        assert site.device.limit == Bounds(None, 6e5)
        assert (await adapter.apply(new)).outcome is Outcome.WRITTEN


async def test_the_device_keeps_out_what_is_older_than_it_holds(site: Site):
    async with connected(site) as (adapter, _):
        old = site.control(Bounds(None, 7e5))
        assert (await adapter.apply(site.control(Bounds(None, 6e5)))).outcome is Outcome.WRITTEN
    async with connected(site) as (adapter, _):
        ack = await adapter.apply(old)
        assert ack.outcome is Outcome.REJECTED
        assert site.device.limit == Bounds(None, 6e5)


async def test_release_restores_the_baseline(site: Site):
    async with connected(site) as (adapter, heard):
        ack = await adapter.apply(site.control(Bounds(None, 9e5)))
        assert ack.outcome is Outcome.WRITTEN, ack.detail
    async with connected(site) as (adapter, heard):
        baseline = next(signal for signal in heard.signals if isinstance(signal, Baseline))
        assert (await adapter.apply(site.control(Bounds(None, 1e5)))).outcome is Outcome.WRITTEN
        site.version += 1
        ack = await adapter.apply(Release("r", "A", site.version, baseline.values))
        assert ack.outcome is Outcome.WRITTEN, ack.detail
        assert site.device.limit == Bounds(None, 9e5)


async def test_a_lost_link_is_told_at_once_and_comes_back_by_itself(site: Site):
    async with connected(site) as (adapter, heard):
        heard.forget()
        site.device.faults.drop_link = True
        lost = await heard.until(is_link("A", LinkState.LOST))
        assert site.server.url in lost.detail
        ack = await adapter.apply(site.control(Bounds(None, 1.0)))
        assert ack.outcome is Outcome.UNDELIVERED
        assert "nothing was sent" in ack.detail
        heard.forget()
        site.device.faults.drop_link = False
        await heard.until(is_link("A", LinkState.ONLINE))
        await heard.until(is_value(LINE, 42.0))
        assert site.device.limit != Bounds(None, 1.0)


async def test_the_lease_runs_out_at_the_device_without_the_gateway(site: Site):
    async with connected(site) as (adapter, heard):
        ack = await adapter.apply(site.control(Bounds(None, 8e5), lease_s=60.0, fallback=Bounds(None, 2e5)))
        assert ack.outcome is Outcome.WRITTEN, ack.detail
        heard.forget()
        site.device.faults.drop_link = True
        await heard.until(is_link("A", LinkState.LOST))
        site.now.ahead_s += 61
        await eventually(lambda: site.device.limit == Bounds(None, 2e5))
        site.device.faults.drop_link = False
        await heard.until(is_value(Point("A", Quantity.CEILING_W), 2e5))


async def test_the_watchdog_keeps_the_limit_and_its_silence_drops_it(site: Site):
    async with connected(site, timeout_s=0.5, watchdog_s=1.0) as (adapter, _):
        ack = await adapter.apply(site.control(Bounds(None, 8e5), fallback=Bounds(None, 2e5)))
        assert ack.outcome is Outcome.WRITTEN, ack.detail
        for _ in range(3):
            before = site.server.told("A", "Watchdog")
            await eventually(lambda before=before: site.server.told("A", "Watchdog") != before)
        assert site.device.limit == Bounds(None, 8e5)
    site.now.ahead_s += 2
    await eventually(lambda: site.device.limit == Bounds(None, 2e5))
    assert site.device.reverted


async def test_a_write_without_an_answer_is_unknown_and_settled_by_reading(site: Site):
    async with connected(site, timeout_s=0.4) as (adapter, heard):
        site.device.faults.delay_s = 0.6
        site.device.faults.delay = True
        control = site.control(Bounds(None, 4e5))
        ack = await adapter.apply(control)
        assert ack.outcome is Outcome.UNKNOWN, ack.detail
        site.device.faults.delay = False
        later = await heard.until(lambda signal: isinstance(signal, Ack))
        assert (later.control_id, later.version, later.outcome) == (
            control.control_id,
            control.version,
            Outcome.WRITTEN,
        )
        assert site.device.limit == Bounds(None, 4e5)


async def test_a_write_that_has_not_arrived_is_told_by_what_the_device_still_shows(site: Site):
    class Lossy(OpcUaClient):
        """Sends no write."""

        async def write(self, values):
            raise NoAnswerError(f"write of {len(values)} variables: no answer")

    async with connected(site, timeout_s=0.4, session=Lossy) as (adapter, _):
        ack = await adapter.apply(site.control(Bounds(None, 7e5)))
        assert ack.outcome is Outcome.UNDELIVERED, ack
        assert "no answer" in ack.detail
        assert "LimitMax" in ack.detail


async def test_not_a_number_is_bad_quality_and_never_a_value(site: Site):
    async with connected(site) as (_, heard):
        site.device.faults.not_a_number = True
        await heard.until(is_value(POWER, 0.0, Quality.BAD))
        site.device.faults.not_a_number = False
        heard.forget()
        await heard.until(
            lambda signal: isinstance(signal, Measurement) and signal.point == POWER and signal.quality is Quality.GOOD
        )


async def test_what_is_not_a_der_here_is_rejected(site: Site):
    async with connected(site) as (adapter, _):
        now_s = site.now()
        ack = await adapter.apply(Control("x", "L12", 1, now_s, now_s + 60, Bounds(None, 1.0)))
        assert ack.outcome is Outcome.REJECTED


async def test_a_lease_that_has_run_out_is_not_sent(site: Site):
    async with connected(site) as (adapter, _):
        site.version += 1
        before = site.device.limit
        ack = await adapter.apply(Control("x", "A", site.version, 1.0, 2.0, Bounds(None, 1.0)))
        assert ack.outcome is Outcome.EXPIRED
        assert site.device.limit == before


async def test_a_link_that_breaks_under_a_write_is_unknown_and_settled_after_it_is_back(site: Site):
    async with connected(site) as (adapter, heard):
        callbacks = site.server._server.iserver.callback_service

        def cut(*_: object) -> None:
            for transport in site.server._server.iserver.asyncio_transports:
                transport.abort()

        callbacks.addListener(CallbackType.PreWrite, cut, priority=1)
        control = site.control(Bounds(None, 3e5))
        ack = await adapter.apply(control)
        callbacks.removeListener(CallbackType.PreWrite, cut)
        assert ack.outcome is Outcome.UNKNOWN, ack
        later = await heard.until(lambda signal: isinstance(signal, Ack))
        assert (later.control_id, later.outcome) == (control.control_id, Outcome.WRITTEN)
        assert site.device.limit == Bounds(None, 3e5)


async def test_one_variable_may_tell_two_points(site: Site):
    async with connected(site, point="ns=2;s=A.ActivePower") as (_, heard):
        await heard.until(is_value(POWER, site.device.power_w))
        await heard.until(is_value(LINE, 2.0 * site.device.power_w))
