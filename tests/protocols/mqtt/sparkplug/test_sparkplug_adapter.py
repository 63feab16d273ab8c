"""The adapter between a fake connection and an edge node without sockets: a control while the device is not there."""

import asyncio

from protocols.mqtt.sparkplug import terms
from protocols.mqtt.sparkplug.adapter import SparkplugAdapter
from protocols.mqtt.sparkplug.edge import EdgeNode
from protocols.mqtt.sparkplug.settings import SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import Message, Source
from protocols.mqtt.sparkplug.values import DataType
from protocols.signals import Bounds, Control, LinkChanged, LinkState, Outcome

NOW = 1_764_000_000.0
SOURCE = Source("g", "n", "d")
CONTROLS = {terms.control_name(term): DataType.DOUBLE for term in terms.TERMS}
CONTROL = Control("c1", "A", 1, NOW, NOW + 900, Bounds(None, 1.2e6))


class Connection:
    """Brings commands to the node, whose data comes back at once and whose new births wait in `reborn`."""

    def __init__(self, node: EdgeNode) -> None:
        self.node = node
        self.reborn: list[Message] = []
        self.written = 0

    async def subscribe(self, topics) -> None:
        """Everything is heard."""

    def send(self, topic, payload, **_how) -> None:
        heard = self.node.receive(topic, payload, NOW)
        self.reborn += heard.messages
        for command in heard.commands:
            self.written += 1
            for message in self.node.update(command.device, command.values, NOW):
                asyncio.get_running_loop().call_soon(self.hear, message.topic, message.payload, False)


async def test_a_control_between_a_new_birth_of_the_node_and_that_of_its_device_is_told_again_once_it_is_there():
    node = EdgeNode("g", "n", {"d": {"P": DataType.DOUBLE, **CONTROLS}})
    settings = SparkplugSettings("127.0.0.1", 1, (SparkplugDer("A", SOURCE),), timeout_s=5.0)
    adapter, connection, heard = SparkplugAdapter(settings, lambda: NOW), Connection(node), []
    connection.hear, adapter._emit = adapter.receive, heard.extend
    node.connect(NOW)
    born = node.connected(NOW)
    await adapter.begin(connection)
    for message in born:
        adapter.receive(message.topic, message.payload, False)
    node_birth, device_birth = connection.reborn
    adapter.receive(node_birth.topic, node_birth.payload, False)

    ack = await adapter.apply(CONTROL)
    assert ack.outcome is Outcome.UNDELIVERED
    assert "nothing was sent" in ack.detail
    assert connection.written == 0

    adapter.receive(device_birth.topic, device_birth.payload, False)
    links = [signal.state for signal in heard if isinstance(signal, LinkChanged)]
    assert links == [LinkState.ONLINE, LinkState.LOST, LinkState.ONLINE], "the gateway tells it again by that"
    assert (await adapter.apply(CONTROL)).outcome is Outcome.WRITTEN
    assert connection.written == 1
