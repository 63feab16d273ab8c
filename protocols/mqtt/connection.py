"""Keeps a connection to a broker up: connect, converse, and connect again after a growing pause."""

import asyncio
import random
from typing import Protocol

from protocols.mqtt.client import Broker, MqttClient, MqttError

FIRST_PAUSE_S = 0.25


class Conversation(Protocol):
    """What one adapter has to say to its broker, and to hear from it."""

    def will(self) -> bytes:
        """What the broker says on our state topic once we are gone without a word."""

    def farewell(self) -> bytes:
        """What we say there before we go."""

    async def begin(self, client: MqttClient) -> None:
        """Subscribe and say that we are there.

        Raises:
            MqttError: the link failed.
        """

    async def listen(self, client: MqttClient) -> None:
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


async def keep_up(settings: Kept, conversation: Conversation) -> None:
    """Converse until cancelled."""
    jitter = random.Random(settings.broker)
    pause_s = FIRST_PAUSE_S
    while True:
        client = MqttClient(settings, conversation.will(), conversation.receive)
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
