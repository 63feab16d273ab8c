"""What host application and edge node put on the wire when they come and go, seen by a broker made of octets."""

import asyncio
from dataclasses import dataclass, field

import pytest

from gateway.clock import wall
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sparkplug import SimulatedSparkplugNode
from protocols.mqtt.sparkplug.adapter import SparkplugAdapter
from protocols.mqtt.sparkplug.settings import SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import Source
from tests.protocols.mqtt.sparkplug.tck import tck

pytestmark = pytest.mark.sockets
CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 1, 3, 8, 14
LEVELS = {"3.1.1": 4, "5": 5}
MAXIMUM_PACKET_SIZE = 0x27


@dataclass
class Broker:
    """Answers what it must, lets a client wait for its CONNACK, and remembers every packet."""

    packets: list[tuple[int, bytes]] = field(default_factory=list)
    early: list[int] = field(default_factory=list)
    """Kinds of packets that came before the CONNACK."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    wait_s: float = 0.2

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                kind, body = await self._packet(reader)
                self.packets.append((kind, body))
                if kind >> 4 == CONNECT:
                    level = body[6]
                    try:
                        async with asyncio.timeout(self.wait_s):
                            self.early.append((await self._packet(reader))[0] >> 4)
                    except TimeoutError:
                        writer.write(b"\x20\x03\x00\x00\x00" if level == LEVELS["5"] else b"\x20\x02\x00\x00")
                elif kind >> 4 == SUBSCRIBE:
                    codes = b"\x01" * 8
                    head = body[:2] + (b"\x00" if level == LEVELS["5"] else b"")
                    writer.write(bytes((0x90, len(head) + len(codes))) + head + codes)
                elif kind >> 4 == PUBLISH and kind & 0x06:
                    size = int.from_bytes(body[:2], "big")
                    writer.write(b"\x40\x02" + body[2 + size : 4 + size])
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()
        finally:
            writer.close()

    async def _packet(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        (kind,) = await reader.readexactly(1)
        size = shift = 0
        while True:
            (octet,) = await reader.readexactly(1)
            size |= (octet & 0x7F) << shift
            shift += 7
            if octet < 0x80:
                return kind, await reader.readexactly(size)

    @property
    def kinds(self) -> list[int]:
        return [kind >> 4 for kind, _ in self.packets]

    def topics(self) -> list[str]:
        published = [body for kind, body in self.packets if kind >> 4 == PUBLISH]
        return [body[2 : 2 + int.from_bytes(body[:2], "big")].decode() for body in published]


async def played(run) -> Broker:
    """Let a client come, publish, and go."""
    broker = Broker()
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    client = run(server.sockets[0].getsockname()[1])
    async with asyncio.timeout(20), server, asyncio.TaskGroup() as tasks:
        task = tasks.create_task(client)
        while PUBLISH not in broker.kinds:  # noqa: ASYNC110 - it waits for the other side of a socket
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        await broker.gone.wait()
    return broker


async def host(version: str) -> Broker:
    def run(port: int):
        ders = (SparkplugDer("A", Source("g", "n", "d")),)
        settings = SparkplugSettings("127.0.0.1", port, ders, version=version, host_id="h")
        return SparkplugAdapter(settings, wall).run(lambda _signals: None)

    return await played(run)


async def edge(version: str) -> Broker:
    def run(port: int):
        device = SimulatedDevice(DeviceSpec("A", 1e6), wall())
        return SimulatedSparkplugNode("127.0.0.1", port, "g", "n", wall, devices={"d": device}, version=version).run()

    return await played(run)


def is_clean(broker: Broker, version: str) -> bool:
    """Clean session, and for MQTT 5 no session that outlives the connection."""
    connect = broker.packets[0][1]
    assert connect[6] == LEVELS[version]
    if version == "5":
        # No session expiry interval among the properties, which means 0: they are the largest packet alone.
        assert (connect[10], connect[11]) == (5, MAXIMUM_PACKET_SIZE)
    return bool(connect[7] & 0x02)


@tck("message-flow-phid-sparkplug-clean-session-311", "principles-persistence-clean-session-311")
async def test_sessions_of_mqtt_3_1_1_are_clean(assertion):
    client = host if "phid" in assertion else edge
    assert is_clean(await client("3.1.1"), "3.1.1")


@tck("message-flow-phid-sparkplug-clean-session-50", "principles-persistence-clean-session-50")
async def test_sessions_of_mqtt_5_are_clean(assertion):
    client = host if "phid" in assertion else edge
    assert is_clean(await client("5"), "5")


@tck("message-flow-phid-sparkplug-state-publish")
async def test_a_host_says_that_it_is_there_once_its_subscriptions_are_made(assertion):
    broker = await host("5")
    assert broker.early == []
    assert broker.kinds[:3] == [CONNECT, SUBSCRIBE, PUBLISH]
    assert broker.topics()[0] == "spBv1.0/STATE/h"


@tck("message-flow-edge-node-birth-publish-connect")
async def test_an_edge_node_has_a_session_before_it_publishes_a_birth(assertion):
    broker = await edge("5")
    assert broker.early == []
    assert broker.topics()[:2] == ["spBv1.0/g/NBIRTH/n", "spBv1.0/g/DBIRTH/n/d"]


@tck(
    "operational-behavior-host-application-disconnect-intentional",
    "host-topic-phid-death-payload-timestamp-disconnect-clean",
)
async def test_a_host_that_goes_says_so_before_it_disconnects(assertion):
    broker = await host("3.1.1")
    assert broker.kinds[-2:] == [PUBLISH, DISCONNECT]
    assert broker.topics()[-1] == "spBv1.0/STATE/h"
    assert b'"online":false' in broker.packets[-2][1].replace(b" ", b"")


@tck(
    "operational-behavior-edge-node-intentional-disconnect-packet",
    "payloads-ndeath-will-message-publisher-disconnect-mqtt311",
)
async def test_an_edge_node_that_goes_publishes_its_death_before_it_disconnects(assertion):
    broker = await edge("3.1.1")
    assert broker.kinds[-2:] == [PUBLISH, DISCONNECT]
    assert broker.topics()[-1] == "spBv1.0/g/NDEATH/n"
