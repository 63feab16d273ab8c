"""MQTT: messages per second through a broker, beside paho in threads; Sparkplug metrics read per second.

On a machine that others use too, threads get more of it than one loop does: the figures per second of processor time
are the ones to compare.
"""

import asyncio
import threading
import time
from collections.abc import Sequence

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.testbed.broker import EmbeddedBroker, free_port
from protocols.mqtt.client import MqttClient
from protocols.mqtt.settings import DerTopics, MqttSettings
from protocols.mqtt.sparkplug.messages import Payload
from protocols.mqtt.sparkplug.values import DataType, metric_of, read_payload, write_payload
from tests.bench.rows import Benchmark, Row, rate

HOST, TOPIC = "127.0.0.1", "bench/telemetry"
MESSAGES, WINDOW, METRICS, ROUNDS = 5_000, 200, 20, 2_000
PATIENCE_S = 60.0
MESSAGE = b'{"time": 1764000000.0, "values": {"active_power_w": 812345.5}}'


def run() -> Sequence[Row]:
    """Both on the same broker in the same run."""
    return [*asyncio.run(_through()), _decoding()]


async def _through() -> list[Row]:
    port = free_port()
    broker = EmbeddedBroker(HOST, port)
    await broker.start()
    try:
        rows = []
        for qos in (0, 1):
            began_s = time.process_time()
            ours = await _on_the_loop(port, qos)
            between_s = time.process_time()
            theirs = await asyncio.to_thread(_in_threads, port, qos)
            cpu, peer_cpu = MESSAGES / (between_s - began_s), MESSAGES / (time.process_time() - between_s)
            name, peer = f"mqtt.messages.qos{qos}", "paho in threads"
            rows.append(rate(name, ours, "1/s", peer, theirs))
            rows.append(rate(f"{name}.cpu", cpu, "1/s of CPU", peer, peer_cpu))
        return rows
    finally:
        await broker.stop()


async def _on_the_loop(port: int, qos: int) -> float:
    """Publisher and subscriber on one event loop; at most a window is under way."""
    heard, room = 0, asyncio.Event()

    def receive(_topic: str, _payload: bytes, _retained: bool) -> None:
        nonlocal heard
        heard += 1
        room.set()

    settings = MqttSettings(HOST, port, (DerTopics("A", "bench"),), client_id=f"sub-{qos}", state_topic="bench/sub")
    listener = MqttClient(settings, b"", receive)
    speaker = MqttClient(
        MqttSettings(HOST, port, (DerTopics("A", "bench"),), client_id=f"pub-{qos}", state_topic="bench/pub"),
        b"",
        lambda *_: None,
    )
    await listener.open()
    await speaker.open()
    await listener.subscribe([TOPIC])
    began = time.perf_counter()
    async with asyncio.timeout(PATIENCE_S):
        for sent in range(MESSAGES):
            while sent - heard >= WINDOW:
                room.clear()
                await room.wait()
            speaker.send(TOPIC, MESSAGE, qos=qos)
        while heard < MESSAGES:
            room.clear()
            await room.wait()
    took_s = time.perf_counter() - began
    speaker.close()
    listener.close()
    return MESSAGES / took_s


def _in_threads(port: int, qos: int) -> float:
    """The same with paho's own threads."""
    heard, room, ready = 0, threading.Event(), threading.Event()

    def receive(_client: object, _data: object, _message: object) -> None:
        nonlocal heard
        heard += 1
        room.set()

    def client(name: str) -> paho.Client:
        return paho.Client(CallbackAPIVersion.VERSION2, f"{name}-{qos}", protocol=MQTTProtocolVersion.MQTTv5)

    listener, speaker = client("thread-sub"), client("thread-pub")
    listener.on_message = receive
    listener.on_subscribe = lambda *_: ready.set()
    listener.on_connect = lambda *_: listener.subscribe(TOPIC, 1)
    for each in (listener, speaker):
        each.connect(HOST, port)
        each.loop_start()
    ready.wait(PATIENCE_S)
    while not speaker.is_connected():
        time.sleep(0.01)
    began = time.perf_counter()
    for sent in range(MESSAGES):
        while sent - heard >= WINDOW:
            room.clear()
            room.wait(0.01)
        speaker.publish(TOPIC, MESSAGE, qos)
    while heard < MESSAGES and time.perf_counter() - began < PATIENCE_S:
        room.clear()
        room.wait(0.01)
    took_s = time.perf_counter() - began
    for each in (listener, speaker):
        each.disconnect()
        each.loop_stop()
    return heard / took_s


def _decoding() -> Row:
    """Metrics of a DDATA by alias, read and checked."""
    metrics = tuple(
        metric_of(None, DataType.DOUBLE, float(at), alias=at + 1, timestamp_ms=1_764_000_000_000, is_typed=False)
        for at in range(METRICS)
    )
    data = write_payload(Payload(1_764_000_000_000, metrics, 7))
    began = time.process_time()
    for _ in range(ROUNDS):
        read_payload(data)
    return Row("mqtt.sparkplug.metrics", ROUNDS * METRICS / (time.process_time() - began), "1/s of CPU")


BENCHMARKS = [Benchmark("mqtt", run)]
