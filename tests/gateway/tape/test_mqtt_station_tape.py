"""A recorded MQTT station played at a broker: it says what it said then."""

import asyncio
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from config.loader import load
from config.settings import Station
from gateway.clock import wall
from gateway.tape.adapters import recorded, zone_of
from gateway.tape.mqtt_device import PlayedDevice
from gateway.tape.stage import Stage
from gateway.tape.words import Kind, Tape, read
from gateway.testbed.broker import EmbeddedBroker, free_port
from gateway.testbed.mqtt import PublishedPoint, SimulatedMqttStation
from gateway.translate import mqtt
from protocols.mqtt.adapter import MqttAdapter
from protocols.points import Point, Quantity
from protocols.signals import LinkState, Measurement, Signal
from tests.gateway.tape.site import Links, broker

CURRENT, TOPIC = Point("L12", Quantity.CURRENT_A), "scada/L12/current"
RISE = [101.0, 102.0, 103.0, 104.0, 105.0]
PATIENCE_S = 30
pytestmark = pytest.mark.sockets


@pytest.fixture(scope="module")
def taped(tmp_path_factory) -> Path:
    """A current that rises."""
    path = tmp_path_factory.mktemp("mqtt") / "station.jsonl"

    async def session() -> None:
        port, current = free_port(), [100.0]
        embedded = EmbeddedBroker("127.0.0.1", port)
        await embedded.start()
        points = [PublishedPoint(CURRENT, TOPIC)]
        station = SimulatedMqttStation("127.0.0.1", port, points, lambda _: current[0], wall, step_s=0.05)
        endpoint = {"protocol": "mqtt", "host": "127.0.0.1", "port": port, "topic": "scada"}
        mapped = [{"point": str(CURRENT), "address": TOPIC.removeprefix("scada/")}]
        only = Station.model_validate({"endpoint": endpoint, "points": mapped})
        zone = load(Path("config/zones/r1_short.yaml"))
        zone = zone.model_copy(update={"devices": {}, "stations": {"SCADA": only}})
        (adapter,) = recorded(zone, wall, {}, lambda head: Tape.create(path, head, wall))
        links = Links()
        async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
            publishing = tasks.create_task(station.run())
            running = tasks.create_task(adapter.run(links.hear))
            await links.become(LinkState.ONLINE)
            for _ in range(5):
                current[0] += 1
                await asyncio.sleep(0.2)
            running.cancel()
            publishing.cancel()
        await embedded.stop()

    asyncio.run(session())
    return path


async def test_our_adapter_hears_what_the_station_said_in_order(taped):
    recording = read(taped)
    assert {line.what["topic"] for line in recording.of(Kind.EVENT)} == {TOPIC}
    hand, heard = [0.0], list[Signal]()
    (settings,) = mqtt.settings(zone_of(recording.header), {})
    stage = Stage(recording, lambda: hand[0], speed=1.0, once=False)

    def has_risen() -> bool:
        """Through every value, one after the other."""
        values = [signal.value for signal in heard if isinstance(signal, Measurement) and signal.point == CURRENT]
        changes = [value for value, _ in groupby(values)]
        return any(changes[i : i + 5] == RISE for i in range(len(changes)))

    async with broker() as port, asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        connected = asyncio.Event()
        device = PlayedDevice(stage, "127.0.0.1", port)
        playing = tasks.create_task(device.run(connected))
        await connected.wait()
        assert (device.at.broker, device.prefix) == (f"mqtt://127.0.0.1:{port}", "scada")
        running = tasks.create_task(MqttAdapter(replace(settings, port=port), wall).run(heard.extend))
        while not has_risen():
            hand[0] += 0.05
            await asyncio.sleep(0.02)
        running.cancel()
        playing.cancel()
