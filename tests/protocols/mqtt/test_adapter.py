"""The adapter against a broker over real sockets; the device opposite is played by hand."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import pytest_asyncio

from gateway.clock import wall
from gateway.testbed.broker import EmbeddedBroker, free_port
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.mqtt import PublishedPoint, SimulatedMqttDevice, SimulatedMqttStation
from protocols.mqtt.adapter import MqttAdapter
from protocols.mqtt.client import LinkDownError, MqttClient
from protocols.mqtt.settings import DerTopics, MappedTopic, MqttSettings
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

PATIENCE_S = 15.0
POWER = Point("A", Quantity.ACTIVE_POWER_W)
LINE = Point("L12", Quantity.CURRENT_A)


class Heard(list[Signal]):
    """Everything an adapter emitted."""

    def __call__(self, batch: list[Signal]) -> None:
        self.extend(batch)

    async def until(self, wanted: Callable[[Signal], bool]) -> Signal:
        """The first one that is wanted."""
        await eventually(lambda: any(wanted(signal) for signal in self))
        return next(signal for signal in self if wanted(signal))

    async def until_link(self, resource: str, state: LinkState) -> LinkChanged:
        found = await self.until(lambda s: isinstance(s, LinkChanged) and (s.resource, s.state) == (resource, state))
        assert isinstance(found, LinkChanged)
        return found

    async def until_value(self, point: Point, value: float, quality: Quality = Quality.GOOD) -> Measurement:
        found = await self.until(
            lambda s: isinstance(s, Measurement) and (s.point, s.value, s.quality) == (point, value, quality)
        )
        assert isinstance(found, Measurement)
        return found


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - it waits for the other side of a socket
            await asyncio.sleep(0.01)


class Peer:
    """The device `A`, by hand."""

    def __init__(self, settings: MqttSettings, prefix: str) -> None:
        self.prefix = prefix
        self.gateway_topic = settings.state_topic
        self.orders: list[dict[str, object]] = []
        self.cleared: list[str] = []
        self.gateway: list[str] = []
        self.client = MqttClient(
            replace(settings, client_id=f"peer-{settings.client_id}", state_topic=f"{prefix}/will"), b"", self._hear
        )

    async def start(self) -> None:
        await self.client.open()
        await self.client.subscribe([f"{self.prefix}/limit", f"{self.prefix}/setpoint", self.gateway_topic])

    async def say(self, leaf: str, message: object, *, retain: bool = False) -> None:
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        await self.client.publish(f"{self.prefix}/{leaf}", payload, retain=retain)

    async def be_born(self, **in_force: float) -> None:
        await self.say("state", {"state": "online", "in_force": in_force})

    async def answer(self, order: dict[str, object], status: str, **changes: object) -> None:
        ack = {"control_id": order["control_id"], "version": order["version"], "status": status} | changes
        await self.say("ack", ack)

    async def order(self, number: int = 0) -> dict[str, object]:
        await eventually(lambda: len(self.orders) > number)
        return self.orders[number]

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic == self.gateway_topic:
            self.gateway.append(json.loads(payload)["state"])
        elif payload:
            self.orders.append(json.loads(payload) | {"topic": topic.rpartition("/")[2]})
        elif not retained:
            self.cleared.append(topic.rpartition("/")[2])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ports() -> AsyncIterator[tuple[int, int]]:
    found = free_port(), free_port()
    broker = EmbeddedBroker("127.0.0.1", *found)
    await broker.start()
    yield found
    await broker.stop()


_prefixes = iter(f"plant/{number}" for number in range(1000))


@pytest.fixture
def settings(ports: tuple[int, int]) -> MqttSettings:
    prefix = next(_prefixes)
    return MqttSettings(
        "127.0.0.1",
        ports[0],
        (DerTopics("A", prefix),),
        (MappedTopic(LINE, f"{prefix}/line", 2.0),),
        client_id=f"gateway-{prefix.replace('/', '-')}",
        state_topic=f"{prefix}/gateway",
        timeout_s=0.4,
        telemetry_s=60.0,
        reconnect_max_s=0.3,
    )


@asynccontextmanager
async def running(settings: MqttSettings) -> AsyncIterator[tuple[MqttAdapter, Heard]]:
    adapter, heard = MqttAdapter(settings, wall), Heard()
    task = asyncio.get_running_loop().create_task(adapter.run(heard))
    try:
        yield adapter, heard
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def opposite(settings: MqttSettings) -> AsyncIterator[tuple[MqttAdapter, Heard, Peer]]:
    """An adapter with its device online."""
    peer = Peer(settings, settings.ders[0].prefix)
    await peer.start()
    try:
        async with running(settings) as (adapter, heard):
            await eventually(lambda: "online" in peer.gateway)
            await peer.be_born()
            await heard.until_link("A", LinkState.ONLINE)
            yield adapter, heard, peer
    finally:
        peer.client.close()


def control(version: int = 1, limit: Bounds | None = None, target_w: float | None = None) -> Control:
    now_s = wall()
    bounds = limit or Bounds(None, 5e5)
    return Control(f"c{version}", "A", version, now_s, now_s + 60, bounds, target_w, Bounds(None, 3e5))


def in_force(order: dict[str, object], **changes: object) -> dict[str, object]:
    return {name: value for name, value in order.items() if name != "topic"} | changes


async def test_the_limit_says_everything_that_the_device_needs(settings):
    async with opposite(settings) as (adapter, _, peer), asyncio.TaskGroup() as tasks:
        asked = control(7, Bounds(-1e5, 5e5))
        task = tasks.create_task(adapter.apply(asked))
        order = await peer.order()
        assert order == {
            "topic": "limit",
            "control_id": "c7",
            "version": 7,
            "start": asked.start_s,
            "valid_until": asked.expiry_s,
            "ceiling_w": 5e5,
            "floor_w": -1e5,
            "fallback_ceiling_w": 3e5,
            "fallback_floor_w": None,
        }
        await peer.answer(order, "started", in_force=in_force(order))
        ack = await task
        assert ack.outcome is Outcome.WRITTEN
        assert ack.read_back == ack.requested


async def test_received_alone_is_received_and_what_comes_later_is_told(settings):
    async with opposite(settings) as (adapter, heard, peer), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(adapter.apply(control()))
        order = await peer.order()
        await peer.answer(order, "received")
        assert (await task).outcome is Outcome.RECEIVED
        await peer.answer(order, "started", in_force=in_force(order))
        later = await heard.until(lambda s: isinstance(s, Ack))
        assert (later.control_id, later.outcome) == ("c1", Outcome.WRITTEN)


async def test_silence_is_unknown_and_the_answers_of_others_are_not_ours(settings):
    async with opposite(settings) as (adapter, _, peer), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(adapter.apply(control(5)))
        order = await peer.order()
        await peer.answer(order | {"control_id": "somebody else's"}, "started", in_force=in_force(order))
        await peer.answer(order | {"version": 4}, "rejected")
        ack = await task
        assert ack.outcome is Outcome.UNKNOWN
        assert "no answer" in ack.detail


async def test_a_device_that_obeys_something_else_is_named_by_term(settings):
    async with opposite(settings) as (adapter, _, peer), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(adapter.apply(control()))
        order = await peer.order()
        await peer.answer(order, "started", in_force=in_force(order, ceiling_w=9e5))
        ack = await task
        assert ack.outcome is Outcome.REJECTED
        assert "ceiling_w" in ack.detail
        assert ack.read_back["ceiling_w"] == 9e5


async def test_a_refused_control_is_cleared_from_the_broker(settings):
    async with opposite(settings) as (adapter, _, peer), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(adapter.apply(control()))
        await peer.answer(await peer.order(), "rejected", detail="owner says no")
        ack = await task
        assert (ack.outcome, ack.detail) == (Outcome.REJECTED, "owner says no")
        await eventually(lambda: peer.cleared == ["limit"])


async def test_a_set_point_is_given_and_taken_back(settings):
    async with opposite(settings) as (adapter, _, peer), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(adapter.apply(control(1, target_w=4e5)))
        limit, setpoint = await peer.order(0), await peer.order(1)
        assert (setpoint["topic"], setpoint["target_w"]) == ("setpoint", 4e5)
        await peer.answer(limit, "started", in_force=in_force(limit))
        await peer.answer(setpoint, "started", in_force=in_force(limit, target_w=4e5))
        assert (await task).outcome is Outcome.WRITTEN
        task = tasks.create_task(adapter.apply(control(2)))
        limit, setpoint = await peer.order(2), await peer.order(3)
        assert (setpoint["topic"], setpoint["target_w"]) == ("setpoint", None)
        await peer.answer(setpoint, "started", in_force=in_force(limit))
        assert (await task).outcome is Outcome.WRITTEN


async def test_release_restores_what_the_birth_told_without_end(settings):
    async with opposite(settings) as (adapter, heard, peer), asyncio.TaskGroup() as tasks:
        baseline = next(signal for signal in heard if isinstance(signal, Baseline))
        assert baseline.values == {}
        task = tasks.create_task(adapter.apply(Release("r", "A", 2, {"ceiling_w": 2e6})))
        order = await peer.order()
        assert (order["ceiling_w"], order["valid_until"]) == (2e6, None)
        await peer.answer(order, "started", in_force=in_force(order))
        assert (await task).outcome is Outcome.WRITTEN
        assert peer.cleared == []
        task = tasks.create_task(adapter.apply(Release("r", "A", 3, {})))
        order = await peer.order(1)
        await peer.answer(order, "started", in_force=in_force(order))
        assert (await task).outcome is Outcome.WRITTEN
        await eventually(lambda: peer.cleared == ["limit"])


async def test_will_loses_the_link_at_once_and_nothing_is_sent_while_it_is_gone(settings):
    async with opposite(settings) as (adapter, heard, peer):
        await peer.say("state", {"state": "offline"})
        await heard.until_link("A", LinkState.LOST)
        await peer.say("telemetry", {"values": {"active_power_w": 1.0}})
        await heard.until_value(POWER, 1.0)
        ack = await adapter.apply(control())
        assert ack.outcome is Outcome.UNDELIVERED
        assert "nothing was sent" in ack.detail
        assert peer.orders == []
        heard.clear()
        await peer.be_born(ceiling_w=1.0)
        await heard.until_link("A", LinkState.ONLINE)
        assert not [signal for signal in heard if isinstance(signal, Baseline)]


async def test_a_retained_birth_counts_only_after_a_live_one_had_time_to_come(settings):
    prefix = settings.ders[0].prefix
    peer = Peer(settings, prefix)
    await peer.start()
    await peer.say("state", {"state": "online", "in_force": {"ceiling_w": 7.0}}, retain=True)
    async with running(settings) as (_, heard):
        await heard.until_link("A", LinkState.ONLINE)
        assert next(s for s in heard if isinstance(s, Baseline)).values == {"ceiling_w": 7.0}
    async with running(settings) as (_, heard):
        await eventually(lambda: peer.gateway[-1:] == ["online"] and peer.gateway.count("online") > 1)
        await peer.be_born(ceiling_w=8.0)
        await heard.until_link("A", LinkState.ONLINE)
        assert next(s for s in heard if isinstance(s, Baseline)).values == {"ceiling_w": 8.0}
    peer.client.close()


async def test_telemetry_keeps_its_time_and_quality_and_a_retained_one_is_stale(settings):
    async with opposite(settings) as (_, heard, peer):
        await peer.say("telemetry", {"time": 1000.5, "values": {"active_power_w": 3.0, "novel": 1}})
        told = await heard.until_value(POWER, 3.0)
        assert told.source_time_s == 1000.5
        assert told.received_time_s > 1e9
        await peer.say("telemetry", {"quality": "estimated", "values": {"active_power_w": 4.0}}, retain=True)
        await heard.until_value(POWER, 4.0, Quality.ESTIMATED)
        await peer.say("telemetry", {"values": {"active_power_w": 5.0}}, retain=True)
        await heard.until_value(POWER, 5.0)
    async with running(settings) as (_, heard):
        await heard.until_value(POWER, 5.0, Quality.STALE)


async def test_nonsense_makes_bad_what_it_should_have_told_and_names_the_topic(settings):
    async with opposite(settings) as (_, heard, peer):
        await peer.say("telemetry", {"values": {"active_power_w": 3.0}})
        await heard.until_value(POWER, 3.0)
        await peer.say("telemetry", b'{"values": {"active_power_w": NaN}}')
        await heard.until_value(POWER, 0.0, Quality.BAD)
        degraded = await heard.until_link("A", LinkState.DEGRADED)
        assert f"{settings.ders[0].prefix}/telemetry" in degraded.detail
        heard.clear()
        await peer.say("telemetry", {"values": {"active_power_w": 3.0}})
        await heard.until_link("A", LinkState.ONLINE)


async def test_a_station_is_read_by_topic_and_scaled(settings):
    faults_free = SimulatedMqttStation(
        settings.host,
        settings.port,
        [PublishedPoint(LINE, settings.points[0].topic, 2.0)],
        lambda point: 42.0,
        wall,
        step_s=0.02,
        client_id=f"station-{settings.client_id}",
    )
    async with running(settings) as (_, heard), asyncio.TaskGroup() as tasks:
        station = tasks.create_task(faults_free.run())
        await heard.until_value(LINE, 42.0)
        await heard.until_link("L12", LinkState.ONLINE)
        assert not any(isinstance(s, LinkChanged) and s.resource == "A" for s in heard)
        station.cancel()


async def test_the_broker_speaks_the_gateways_will_and_hears_that_it_is_back(settings):
    async with opposite(settings) as (adapter, heard, peer):
        peer.gateway.clear()
        heard.clear()
        adapter._client._paho.socket().shutdown(socket.SHUT_RDWR)
        await heard.until_link("A", LinkState.LOST)
        await eventually(lambda: peer.gateway[:2] == ["offline", "online"])
        await peer.be_born()
        await heard.until_link("A", LinkState.ONLINE)


async def test_a_farewell_stands_in_for_the_will(settings):
    peer = Peer(settings, settings.ders[0].prefix)
    await peer.start()
    async with running(settings):
        await eventually(lambda: "online" in peer.gateway)
        peer.gateway.clear()
    await eventually(lambda: peer.gateway == ["offline"])
    peer.client.close()


async def test_a_broker_that_dies_and_returns_is_found_again(settings):
    own = replace(settings, port=free_port())
    broker = EmbeddedBroker("127.0.0.1", own.port)
    async with running(own) as (adapter, heard):
        lost = await heard.until_link("A", LinkState.LOST)
        assert own.broker in lost.detail
        await broker.start()
        peer = Peer(own, own.ders[0].prefix)
        await peer.start()
        await eventually(lambda: "online" in peer.gateway)
        await peer.be_born()
        await heard.until_link("A", LinkState.ONLINE)
        heard.clear()
        await broker.stop()
        await heard.until_link("A", LinkState.LOST)
        assert (await adapter.apply(control())).outcome is Outcome.UNDELIVERED
        with pytest.raises(LinkDownError):
            await peer.say("state", {})
        peer.client.close()


async def test_mqtt_3_1_1_works_the_same(settings, ports):
    old = replace(settings, port=ports[1], version="3.1.1")
    device = SimulatedDevice(DeviceSpec("A", 1e6, initial_w=1e6), wall())
    face = SimulatedMqttDevice(
        old.host,
        old.port,
        old.ders[0].prefix,
        device,
        wall,
        version="3.1.1",
        step_s=0.05,
        gateway_topic=old.state_topic,
    )
    async with running(old) as (adapter, heard), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(face.run())
        await heard.until_link("A", LinkState.ONLINE)
        ack = await adapter.apply(control(3, Bounds(0.0, 4e5), target_w=2e5))
        assert ack.outcome is Outcome.WRITTEN, ack
        await heard.until_value(POWER, 2e5)
        task.cancel()


@pytest.mark.parametrize("topic", ["", "/a", "a/", "a/+/b", "a/#", "$SYS"])
async def test_a_topic_that_cannot_be_published_is_refused_in_the_settings(topic):
    with pytest.raises(ValueError, match="not the name of a topic"):
        MqttSettings("127.0.0.1", ders=(DerTopics("A", topic),))
