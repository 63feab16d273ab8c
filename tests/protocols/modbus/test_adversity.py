"""Flapping links, half-open sockets, slow peers, reboots and clock jumps: no stale write, and no lease lost."""

import asyncio
import random
from contextlib import suppress

import pytest

from gateway.clock import wall
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.server import ModbusServer, Unit
from protocols.modbus.settings import ModbusSettings, SunSpecDer, Term
from protocols.signals import Ack, Baseline, Bounds, Control, LinkChanged, LinkState, Outcome, Release, Signal
from tests.protocols.modbus import virtual
from tests.protocols.modbus.server import Line, battery_image
from tests.protocols.modbus.test_adapter import running
from tests.protocols.modbus.test_mapped_der import Device, der

quiet = pytest.mark.filterwarnings("ignore:delta is less than resolution")
PERCENT_W = 2.5e6 / 100


@quiet
@pytest.mark.parametrize("seed", range(4))
def test_whatever_flaps_the_device_holds_the_newest_control_that_was_written_and_no_other(seed):
    rng = random.Random(seed)

    async def flap(line: Line) -> None:
        while True:
            await asyncio.sleep(rng.uniform(0.05, 3))
            await line.stop()
            await asyncio.sleep(rng.uniform(0.05, 3))
            await line.start()

    async def main():
        line = Line({1: battery_image()})
        held, tried = 100.0, 0
        async with running(line) as site, asyncio.TaskGroup() as tasks:
            flapping = tasks.create_task(flap(line))
            for version in range(1, 41):
                await asyncio.sleep(rng.uniform(0.05, 2))
                percent = float(rng.randint(5, 95))
                before = len(line.writes)
                ack = await site.adapter.apply(site.control(version, limit=Bounds(None, percent * PERCENT_W)))
                sent = len(line.writes) - before
                assert sent <= 1, "a write is never repeated"
                tried += sent
                found = line.images[1].get("704.WMaxLimPct")
                if ack.outcome is Outcome.WRITTEN:
                    held = percent
                elif sent and found == percent:
                    held = percent  # it arrived, and the gateway was told that this is unknown
                    assert ack.outcome is Outcome.UNKNOWN, ack
                assert found == held
            flapping.cancel()
        assert tried > 5, "it was sometimes up"

    virtual.run(main())


@quiet
def test_a_device_that_has_rebooted_is_written_only_what_it_is_given_then():
    async def main():
        line = Line({1: battery_image()})
        async with running(line) as site:
            await asyncio.sleep(1.5)
            first = site.of(Baseline)[0].values
            assert (await site.adapter.apply(site.control(1))).outcome is Outcome.WRITTEN
            await line.stop()
            line.images[1] = battery_image()
            await asyncio.sleep(2)
            written = len(line.writes)
            await line.start()
            await asyncio.sleep(20)
            assert site.of(LinkChanged)[-1].state is LinkState.ONLINE
            assert len(line.writes) == written
            assert (await site.adapter.apply(site.control(1))).outcome is Outcome.WRITTEN
            assert line.images[1].get("704.WMaxLimPctRvrtTms") > 0
            ack = await site.adapter.apply(Release("r", "D1", 2, first))
            assert ack.outcome is Outcome.WRITTEN
            assert line.images[1].get("704.WMaxLimPctEna") == 0

    virtual.run(main())


@quiet
@pytest.mark.parametrize(("late_s", "outcome"), [(0.8, Outcome.WRITTEN), (3.0, Outcome.UNDELIVERED)])
def test_a_slow_peer_is_written_once_and_its_late_answers_are_nobody_s(late_s, outcome):
    async def main():
        line = Line({1: battery_image()})
        async with running(line, timeout_s=1.0, settle_s=4.0) as site:
            await asyncio.sleep(1.5)
            site.line.delay_s[1] = late_s
            ack = await site.adapter.apply(site.control(1))
            assert ack.outcome is outcome
            assert len(line.writes) <= 1
            line.delay_s.clear()
            await asyncio.sleep(30)
            assert len(line.writes) <= 1
            assert (await site.adapter.apply(site.control(2, limit=Bounds(None, 1e6)))).outcome is Outcome.WRITTEN
            assert line.images[1].get("704.WMaxLimPct") == 40

    virtual.run(main())


@quiet
@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_a_jump_of_our_clock_neither_ends_nor_lengthens_a_lease_that_the_gateway_minds(jump_s):
    async def main():
        settings = der(Term.CEILING, lease_max_s=100)
        device = Device(settings)
        async with running(Line({1: device}), units=(settings,)) as site:
            await asyncio.sleep(1.5)
            assert (await site.adapter.apply(site.control(1, lease_s=100))).outcome is Outcome.WRITTEN
            site.now_offset_s = jump_s
            await asyncio.sleep(90)
            assert device.at_present().power_w == 1.2e6
            await asyncio.sleep(12)
            assert device.at_present().power_w == 2e6
            assert [ack.outcome for ack in site.of(Ack)] == [Outcome.EXPIRED]

    virtual.run(main())


class HalfOpen:
    """A relay whose client may find that nobody listens any more, while the connection stands."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.stalled = asyncio.Event()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.port = 0

    async def run(self, listening: asyncio.Event) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        async with server:
            await server.serve_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        with suppress(ConnectionError, ExceptionGroup):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump(reader, back))
                tasks.create_task(self._pump(there, writer))
        writer.transport.abort()
        back.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            await self.flowing.wait()
            data = await source.read(65_536)
            if not self.flowing.is_set():
                self.stalled.set()
                await self.flowing.wait()
                raise ConnectionResetError("what was under way when the path went is gone with it")
            if not data:
                raise ConnectionResetError("closed")
            sink.write(data)


@pytest.mark.sockets
async def test_a_write_into_a_half_open_socket_is_told_and_never_arrives_later():
    device = SimulatedDevice(DeviceSpec("A", 2.5e6, -2.5e6, initial_w=1e6), wall())
    units = {1: Unit(SunSpecFace(device, lambda: 1.0), device.faults)}
    server = ModbusServer("127.0.0.1", 0, units, device, wall)
    heard: list[Signal] = []

    async def until(state: LinkState) -> None:
        while [s.state for s in heard if isinstance(s, LinkChanged)][-1:] != [state]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def control(version: int, ceiling_w: float) -> Control:
        return Control("c", "A", version, wall(), wall() + 60, Bounds(None, ceiling_w))

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        listening = asyncio.Event()
        running_ = [tasks.create_task(server.run(listening))]
        await listening.wait()
        relay, listening = HalfOpen(server.port), asyncio.Event()
        running_.append(tasks.create_task(relay.run(listening)))
        await listening.wait()
        ders = (SunSpecDer("A", 2.5e6, -2.5e6),)
        timing = {"poll_s": 0.1, "timeout_s": 0.3, "retry_max_s": 0.3, "settle_s": 0.5}
        adapter = ModbusAdapter(ModbusSettings("127.0.0.1", ders, relay.port, **timing), wall)
        running_.append(tasks.create_task(adapter.run(heard.extend)))
        await until(LinkState.ONLINE)
        assert (await adapter.apply(control(1, 1e6))).outcome is Outcome.WRITTEN

        relay.flowing.clear()
        ack = await adapter.apply(control(2, 0.5e6))
        assert ack.outcome is Outcome.UNDELIVERED, ack
        await until(LinkState.LOST)
        relay.flowing.set()
        await until(LinkState.ONLINE)
        await asyncio.sleep(0.5)
        device.advance(wall())
        assert device.limit.ceiling_w == 1e6, "what was given up is not done later"
        assert device.reversion_remaining_s > 0, "and the lease of before still runs"
        assert (await adapter.apply(control(3, 0.7e6))).outcome is Outcome.WRITTEN
        for task in running_:
            task.cancel()
