"""Keeps a connection to a broker up: connect, converse, and connect again after a growing pause."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Protocol

from protocols.mqtt.client import Broker, MqttClient, MqttError, Received

FIRST_PAUSE_S = 0.25


class Client(Protocol):
    """One connection as adapters see it: `MqttClient`, or what records or plays one."""

    async def open(self) -> None:
        """Connect."""

    def close(self, farewell: bytes = b"") -> None:
        """Leave."""

    async def idle(self, for_s: float) -> None:
        """Wait that long; raise as soon as the link is lost."""

    async def subscribe(self, topics: Sequence[str]) -> None:
        """As `MqttClient.subscribe`."""

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: float | None = None) -> None:
        """As `MqttClient.publish`."""

    def send(
        self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False, expiry_s: float | None = None
    ) -> None:
        """As `MqttClient.send`."""


MakeClient = Callable[[Broker, bytes, Received], Client]
"""Given the broker, our will and who takes messages, gives a client that is not connected yet."""


class Conversation(Protocol):
    """What one adapter has to say to its broker, and to hear from it."""

    def will(self) -> bytes:
        """What the broker says on our state topic once we are gone without a word."""

    def farewell(self) -> bytes:
        """What we say there before we go."""

    async def begin(self, client: Client) -> None:
        """Subscribe and say that we are there.

        Raises:
            MqttError: the link failed.
        """

    async def listen(self, client: Client) -> None:
        """Mind the time until the link is lost, which raises."""

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as MQTT has it
        """A message."""

    def lost(self, detail: str) -> None:
        """There is no connection, and why."""

    def ended(self) -> None:
        """Forget what this connection has heard."""


class Kept(Broker, Protocol):
    """A connection that is made anew whenever it is lost."""

    @property
    def reconnect_max_s(self) -> float:
        """Longest pause between two attempts to connect."""


async def keep_up(settings: Kept, conversation: Conversation, make: MakeClient = MqttClient) -> None:
    """Converse until cancelled."""
    jitter = random.Random(settings.broker)
    pause_s = FIRST_PAUSE_S
    while True:
        client = make(settings, conversation.will(), conversation.receive)
        try:
            await client.open()
            await conversation.begin(client)
            pause_s = FIRST_PAUSE_S
            await conversation.listen(client)
        except MqttError as error:
            conversation.lost(str(error))
        finally:
            conversation.ended()
            client.close(conversation.farewell())
        await asyncio.sleep(pause_s * (0.5 + jitter.random() / 2))
        pause_s = min(2 * pause_s, settings.reconnect_max_s)
