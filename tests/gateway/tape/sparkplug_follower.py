"""Who follows a played edge node at a broker: our adapter, and an ear for what crosses the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

from gateway.tape.broker import BrokerAt
from gateway.tape.sparkplug_device import PlayedNodes
from gateway.tape.stage import Stage
from gateway.tape.words import Recording
from protocols.mqtt.client import MqttClient
from protocols.mqtt.sparkplug.adapter import SparkplugAdapter
from protocols.mqtt.sparkplug.messages import Metric
from protocols.mqtt.sparkplug.settings import SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import BD_SEQ, Message, MessageType, parsed
from protocols.mqtt.sparkplug.values import DataType, Value, read_payload, value_of
from protocols.points import Point, Quantity
from protocols.signals import LinkChanged, LinkState, Measurement, Signal
from tests.contract.harness import Clock
from tests.gateway.tape.sparkplug_session import ALIASES, DEVICE, ORDER, POWERS, TYPES

HOST = "127.0.0.1"
PATIENCE_S = 20.0
POWER = Point("A", Quantity.ACTIVE_POWER_W)


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - it waits for the other side of a socket
            await asyncio.sleep(0.01)


def is_of(metric: Metric, name: str) -> bool:
    return metric.name == name or metric.alias == ALIASES[name]


class Follower:
    """What was said at the broker, and what our adapter made of it."""

    def __init__(self, port: int, version: Literal["5", "3.1.1"], now: Clock) -> None:
        self.now = now
        settings = SparkplugSettings(
            HOST,
            port,
            (SparkplugDer("A", DEVICE),),
            version=version,
            client_id="follower",
            timeout_s=2.0,
            telemetry_s=60.0,
            reconnect_max_s=0.3,
        )
        self.adapter = SparkplugAdapter(settings, now)
        self.signals: list[Signal] = []
        self.messages: list[Message] = []
        self.ear = MqttClient(BrokerAt(HOST, port, "ear", "ear/state", version), b"", self.hear)
        self.playing: asyncio.Task[None] | None = None

    def hear(self, topic: str, payload: bytes, _retained: bool) -> None:
        found = parsed(topic)
        if found is not None and found[0] not in (MessageType.NCMD, MessageType.DCMD):
            self.messages.append(Message(topic, payload))

    @property
    def kinds(self) -> list[str]:
        return [message.topic.split("/")[2] for message in self.messages]

    @property
    def powers(self) -> list[float]:
        """Different ones, in order."""
        told = [s.value for s in self.signals if isinstance(s, Measurement) and s.point == POWER]
        return [value for at, value in enumerate(told) if at == 0 or told[at - 1] != value]

    def last(self, name: str) -> Value:
        """What the device said last of a metric."""
        found = [m for message in self.messages for m in read_payload(message.payload).metrics if is_of(m, name)]
        return value_of(found[-1], TYPES[name])

    @property
    def links(self) -> list[LinkState]:
        states = [s.state for s in self.signals if isinstance(s, LinkChanged)]
        return states[states.index(LinkState.ONLINE) :] if LinkState.ONLINE in states else []

    async def at_end(self) -> None:
        """Return once the recording has been played."""
        await eventually(lambda: self.powers[-1:] == POWERS[-1:])


@asynccontextmanager
async def following(
    recording: Recording, port: int, version: Literal["5", "3.1.1"] = "5", speed: float = 1.0, *, once: bool = True
) -> AsyncIterator[Follower]:
    """A recording that is played at a broker, followed from its beginning."""
    follower = Follower(port, version, Clock())
    await follower.ear.open()
    await follower.ear.subscribe(["spBv1.0/site/#"])
    async with asyncio.TaskGroup() as tasks:
        adapting = tasks.create_task(follower.adapter.run(follower.signals.extend))
        state: list[bytes] = []
        at = BrokerAt(HOST, port, "watcher", "watcher/state", version)
        watcher = MqttClient(at, b"", lambda _topic, payload, _retained: state.append(payload))
        await watcher.open()
        await watcher.subscribe(["spBv1.0/STATE/ampacity"])
        await eventually(lambda: any(b"true" in payload for payload in state))
        watcher.close()
        stage = Stage(recording, asyncio.get_running_loop().time, speed=speed, once=once)
        connected = asyncio.Event()
        follower.playing = tasks.create_task(PlayedNodes(stage, HOST, port, follower.now).run(connected))
        try:
            async with asyncio.timeout(PATIENCE_S):
                await connected.wait()
            yield follower
        finally:
            adapting.cancel()
            follower.playing.cancel()
    follower.ear.close()


async def follows_in_order(recording: Recording, port: int, version: Literal["5", "3.1.1"] = "5") -> Follower:
    """Play all of it; what our adapter and the wire must have heard of the recording is asserted."""
    async with following(recording, port, version) as follower:
        await follower.at_end()
        await eventually(lambda: len(follower.kinds) >= len(ORDER))
        assert follower.kinds == ORDER
    assert follower.powers == POWERS
    online, lost = LinkState.ONLINE, LinkState.LOST
    assert follower.links[:5] == [online, lost, online, lost, online]
    payloads = [read_payload(message.payload) for message in follower.messages[: len(ORDER)]]
    assert [payload.seq for payload in payloads] == [0, 1, 2, 3, 4, 5, None, 0, 1, 2, 3]
    numbers = [value_of(m, DataType.INT64) for payload in payloads for m in payload.metrics if m.name == BD_SEQ]
    assert numbers == [0, 0, 1]
    for payload in payloads:
        assert payload.timestamp is not None
        assert abs(payload.timestamp / 1000 - follower.now()) < 600
    (told,) = payloads[2].metrics
    assert (told.name, told.alias) == (None, ALIASES["active_power_w"])
    power = next(m for m in payloads[5].metrics if m.name == "active_power_w")
    assert power.properties is not None
    assert power.properties.keys == ("engUnit",)
    return follower
