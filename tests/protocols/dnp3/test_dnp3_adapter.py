"""The adapter on sockets that exist only in its virtual loop, and over TLS on real ones."""

import asyncio
from contextlib import asynccontextmanager

import async_solipsism
import pytest

from dnp3_sim.plant import Plant
from dnp3_sim.pointmap import PointMap, SimPoint
from dnp3_sim.server import RtuServer
from gateway.clock import of_loop
from protocols.dnp3.adapter import Dnp3Adapter
from protocols.dnp3.database import PointConfig
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master_words import MasterSettings
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.profile import der_points
from protocols.dnp3.settings import Dnp3Settings, MappedInput, Tls
from protocols.dnp3.wire import server_context
from protocols.points import Point, Quantity
from protocols.signals import Baseline, Bounds, Control, LinkChanged, LinkState, Measurement, Outcome, Quality, Release
from tests.protocols.dnp3.certificates import self_signed

POWER = Point("A", Quantity.ACTIVE_POWER_W)
EPOCH = 1_700_000_000.0
MIRRORS = {85: 145, 87: 148, 88: 149, 92: 153, 93: 154}
POINTS = (
    SimPoint(PointConfig(Kind.ANALOG_INPUT, 537, event_class=2, value=1e6)),
    *(SimPoint(PointConfig(Kind.ANALOG_INPUT, i, event_class=2)) for i in MIRRORS.values()),
    *(SimPoint(PointConfig(Kind.BINARY_INPUT, i, event_class=1)) for i in (69, 70)),
    *(SimPoint(PointConfig(Kind.ANALOG_OUTPUT, i), mirrors=(to,)) for i, to in MIRRORS.items()),
    SimPoint(PointConfig(Kind.BINARY_OUTPUT, 17), mirrors=(69,), reverts_after=85),
    SimPoint(PointConfig(Kind.BINARY_OUTPUT, 18), mirrors=(70,)),
)


class Site:
    """A simulated RTU and the adapter on it."""

    def __init__(self, now, port=20_000, tls=None, context=None, unsolicited=True, **more):
        self.now = now
        outstation = OutstationSettings(unsolicited=unsolicited)
        self.plant = Plant(PointMap(outstation, POINTS), now())
        session = OutstationSession(outstation, self.plant.database, self.plant)
        self.server = RtuServer(session, now, port=port, context=context, tick=self.plant.advance, tick_s=0.5)
        self.signals = []
        self.tls, self.more = tls, more

    def make(self):
        settings = Dnp3Settings(
            "127.0.0.1",
            (MappedInput(POWER, Kind.ANALOG_INPUT, 537),),
            (der_points("A", 2.5e6, -2.5e6),),
            port=self.server.port,
            tls=self.tls,
            **{"master": MasterSettings(response_timeout_s=1.0)} | self.more,
        )
        self.adapter = Dnp3Adapter(settings, self.now)
        return self.adapter

    def states(self):
        return [s.state for s in self.signals if isinstance(s, LinkChanged)]

    def powers(self):
        return [s for s in self.signals if isinstance(s, Measurement) and s.point == POWER]

    def state_of(self, kind, index):
        return self.plant.database.get(kind, index).value

    def set(self, kind, index, value, **more):
        self.plant.database.update(kind, index, value, time_ms=round(self.now() * 1000), **more)
        self.server.poll()

    async def until(self, holds, seconds=60.0):
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - virtual time
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(site):
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(site.server.run())
        await site.server.listening.wait()
        running_ = tasks.create_task(site.make().run(site.signals.extend))
        try:
            yield site
        finally:
            running_.cancel()
            serving.cancel()


def virtual(test, **more):
    async def main():
        async with running(Site(of_loop(EPOCH), **more)) as site:
            await site.until(lambda: site.states()[-1:] == [LinkState.ONLINE])
            await test(site)

    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        runner.run(main())


def control(site, ceiling_w=1.2e6, version=1, lease_s=60.0, **more):
    now_s = site.now()
    return Control(f"c{version}", "A", version, now_s, now_s + lease_s, Bounds(None, ceiling_w), **more)


def test_the_baseline_comes_before_the_link_is_up():
    async def test(site):
        kinds = [type(s) for s in site.signals if isinstance(s, Baseline | LinkChanged)]
        assert kinds == [Baseline, LinkChanged]
        assert next(s for s in site.signals if isinstance(s, Baseline)).values == {
            "limit_reversion_s": 0, "ceiling": 0, "floor": 0, "limit_enable": 0, "target": 0, "target_enable": 0,
            "target_reversion_s": 0,
        }  # fmt: skip

    virtual(test)


def test_an_event_carries_the_time_of_the_outstation():
    async def test(site):
        at_s = site.now()
        site.set(Kind.ANALOG_INPUT, 537, 0.5e6)
        await site.until(lambda: any(p.value == 0.5e6 for p in site.powers()))
        found = next(p for p in site.powers() if p.value == 0.5e6)
        assert found.source_time_s == pytest.approx(at_s, abs=0.01)
        assert found.quality is Quality.GOOD

    virtual(test)


def test_a_sensor_without_communication_is_stale_and_an_offline_one_bad():
    async def test(site):
        site.set(Kind.ANALOG_INPUT, 537, 1e6, flags=0x05)
        await site.until(lambda: site.powers()[-1].quality is Quality.STALE)
        site.set(Kind.ANALOG_INPUT, 537, 1e6, flags=0x00)
        await site.until(lambda: site.powers()[-1].quality is Quality.BAD)

    virtual(test)


def test_values_stay_fresh_though_nothing_changes():
    async def test(site):
        await asyncio.sleep(30)
        assert site.powers()[-1].source_time_s >= site.now() - 2

    virtual(test)


def test_a_lease_that_is_renewed_holds_and_one_that_is_not_runs_out():
    async def test(site):
        ack = await site.adapter.apply(control(site))
        assert ack.outcome is Outcome.WRITTEN, ack
        assert ack.requested["ceiling"] == ack.read_back["ceiling"] == 480
        await asyncio.sleep(30)
        assert (await site.adapter.apply(control(site))).outcome is Outcome.WRITTEN
        await asyncio.sleep(45)
        assert site.state_of(Kind.BINARY_OUTPUT, 17) == 1
        await asyncio.sleep(20)
        assert site.state_of(Kind.BINARY_OUTPUT, 17) == 0

    virtual(test)


def test_an_older_version_is_superseded_and_an_expired_control_not_sent():
    async def test(site):
        await site.adapter.apply(control(site, version=5))
        assert (await site.adapter.apply(control(site, version=4))).outcome is Outcome.SUPERSEDED
        late = control(site, 2e6, version=6, lease_s=5)
        await asyncio.sleep(6)
        assert (await site.adapter.apply(late)).outcome is Outcome.EXPIRED
        assert site.state_of(Kind.ANALOG_OUTPUT, 87) == 480

    virtual(test)


def test_silence_after_a_control_is_settled_by_reading_and_never_by_writing_again():
    async def test(site):
        operated = []
        operate = site.plant.operate
        site.plant.operate = lambda command: (operated.append(command), operate(command))[1]
        answer = site.server._session.data_to_send

        def lose_the_answer():
            octets = answer()
            if operated and len(operated) < 10 and octets:
                site.server._session.data_to_send = answer
                return b""
            return octets

        site.server._session.data_to_send = lose_the_answer
        ack = await site.adapter.apply(control(site))
        assert ack.outcome is Outcome.WRITTEN, ack
        assert len([c for c in operated if c.index == 17]) == 1

    virtual(test, unsolicited=False)


def test_a_value_that_does_not_hold_is_rejected():
    async def test(site):
        site.plant._points[Kind.ANALOG_OUTPUT, 87] = SimPoint(PointConfig(Kind.ANALOG_OUTPUT, 87))
        ack = await site.adapter.apply(control(site))
        assert ack.outcome is Outcome.REJECTED
        assert "ceiling did not read back" in ack.detail

    virtual(test)


def test_a_missing_output_is_a_refusal_that_names_the_status():
    async def test(site):
        del site.plant._points[Kind.BINARY_OUTPUT, 17]
        ack = await site.adapter.apply(control(site))
        assert ack.outcome is Outcome.REJECTED
        assert "NOT_SUPPORTED" in ack.detail
        assert site.state_of(Kind.ANALOG_OUTPUT, 87) == 0

    virtual(test)


def test_release_puts_back_what_was_there_and_the_first_baseline_where_none_is_given():
    async def test(site):
        await site.adapter.apply(control(site))
        values = {"ceiling": 700.0, "limit_enable": 1.0, "limit_reversion_s": 0.0}
        assert (await site.adapter.apply(Release("r", "A", 2, values))).outcome is Outcome.WRITTEN
        assert site.state_of(Kind.ANALOG_OUTPUT, 87) == 700
        assert (await site.adapter.apply(Release("r", "A", 3, {}))).outcome is Outcome.WRITTEN
        assert site.state_of(Kind.BINARY_OUTPUT, 17) == 0

    virtual(test)


def test_an_outage_is_told_once_and_the_link_comes_back():
    async def test(site):
        site.server.is_reachable = False
        await site.until(lambda: site.states()[-1] is LinkState.LOST)
        ack = await site.adapter.apply(control(site))
        assert ack.outcome is Outcome.UNDELIVERED
        assert "not sent" in ack.detail
        await asyncio.sleep(100)
        site.server.is_reachable = True
        await site.until(lambda: site.states()[-1] is LinkState.ONLINE)
        assert site.states() == [LinkState.ONLINE, LinkState.LOST, LinkState.ONLINE]
        assert site.state_of(Kind.BINARY_OUTPUT, 17) == 0

    virtual(test)


@pytest.mark.parametrize("select", [True, False])
def test_a_control_that_was_lost_is_found_out_by_reading_back_and_may_be_told_again_at_once(select):
    async def test(site):
        asked = control(site)
        site.server.is_mute = True
        began_s = site.now()
        async with asyncio.TaskGroup() as tasks:
            lost = tasks.create_task(site.adapter.apply(asked))
            await asyncio.sleep(0.9)
            site.server.is_mute = False
        assert lost.result().outcome is Outcome.UNDELIVERED
        assert site.now() - began_s < 1.5, "the deadline of the answer, and one look"
        assert site.state_of(Kind.BINARY_OUTPUT, 17) == 0
        assert (await site.adapter.apply(asked)).outcome is Outcome.WRITTEN

    virtual(test, select=select)


def test_silence_degrades_then_loses_the_link_and_an_answer_brings_it_back():
    async def test(site):
        site.server.is_mute = True
        await site.until(lambda: site.states()[-1] is LinkState.LOST)
        assert site.states() == [LinkState.ONLINE, LinkState.DEGRADED, LinkState.LOST]
        site.server.is_mute = False
        await site.until(lambda: site.states()[-1] is LinkState.ONLINE)

    virtual(test)


def test_what_is_only_read_cannot_be_controlled():
    async def test(site):
        other = Control("c", "L12", 1, site.now(), site.now() + 9, Bounds(None, 1.0))
        assert (await site.adapter.apply(other)).outcome is Outcome.REJECTED

    virtual(test)


@pytest.mark.sockets
async def test_over_tls_and_not_without_our_certificate(tmp_path):
    ours, theirs = self_signed(tmp_path, "master"), self_signed(tmp_path, "outstation")
    other = self_signed(tmp_path, "stranger")
    context = server_context(Tls(str(theirs[0]), str(theirs[1]), str(ours[0])))
    now = of_loop(EPOCH)
    for files, state in ((ours, LinkState.ONLINE), (other, LinkState.LOST)):
        tls = Tls(str(files[0]), str(files[1]), str(theirs[0]), server_name="outstation")
        async with running(Site(now, 0, tls, context, retry_first_s=0.05)) as site:
            await site.until(lambda s=site: s.states() != [], 20)
            assert site.states()[0] is state


@pytest.mark.sockets
@pytest.mark.parametrize("sort", ["a stranger's certificate", "another name"])
async def test_an_outstation_that_is_not_the_one_meant_is_not_spoken_to(tmp_path, sort):
    ours, theirs = self_signed(tmp_path, "master"), self_signed(tmp_path, "outstation")
    other = self_signed(tmp_path, "stranger")
    served = other if sort == "a stranger's certificate" else theirs
    context = server_context(Tls(str(served[0]), str(served[1]), str(ours[0])))
    name = "outstation" if served is other else "somebody-else"
    tls = Tls(str(ours[0]), str(ours[1]), str(theirs[0]), server_name=name)
    async with running(Site(of_loop(EPOCH), 0, tls, context, retry_first_s=0.05)) as site:
        await site.until(lambda: site.states() != [], 20)
        assert set(site.states()) == {LinkState.LOST}
