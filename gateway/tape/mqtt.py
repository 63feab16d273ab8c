"""A connection to a broker on tape: what was published and came, and how it ended; for JSON topics and Sparkplug B."""

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import orjson

from gateway.tape.deck import LOST, Deck, Recorder
from gateway.tape.words import Kind, Recording, Tape
from protocols.mqtt.client import (
    Broker,
    LinkDownError,
    MqttClient,
    MqttError,
    NoAnswerError,
    Received,
    RefusedError,
)
from protocols.mqtt.connection import Client
from protocols.mqtt.sparkplug.values import PayloadError, read_payload

T = TypeVar("T")

UP: Final = "connected"
FAULTS: Final = {"down": LinkDownError, "no_answer": NoAnswerError, "refused": RefusedError}
_TEXT, _OCTETS = "text:", "base64:"
"""How a payload begins in the file: readable where it is UTF-8."""


class RecordedClient:
    """Passes everything on, and writes it down; name and password are no part of it."""

    def __init__(self, tape: Tape, broker: Broker, will: bytes, received: Received) -> None:
        self._tape = tape
        self._received = received
        self._recorder = Recorder(tape, FAULTS)
        self._client = MqttClient(broker, will, self._noted)
        self._is_up, self._why_down = False, ""

    async def open(self) -> None:
        """As the client does; a failure is a fault of its own."""
        try:
            await self._client.open()
        except MqttError as error:
            self._tape.note(Kind.FAULT, what=LOST, detail=str(error))
            raise
        self._is_up = True
        self._tape.note(Kind.FAULT, what=UP)

    def close(self, farewell: bytes = b"") -> None:
        """As the client does; it is written down as a loss only where something had gone wrong."""
        if self._is_up and self._why_down:
            self._tape.note(Kind.FAULT, what=LOST, detail=self._why_down)
        self._is_up = False
        self._client.close(farewell)

    async def idle(self, for_s: float) -> None:
        """As the client does."""
        try:
            await self._client.idle(for_s)
        except LinkDownError as error:
            self._why_down = str(error)
            raise

    async def subscribe(self, topics: Sequence[str]) -> None:
        """Written down."""
        await self._call(Kind.READ, {"subscribe": list(topics)}, self._client.subscribe(topics))

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False, expiry_s: float | None = None) -> None:
        """Written down."""
        work = self._client.publish(topic, payload, retain=retain, expiry_s=expiry_s)
        await self._call(Kind.WRITE, _asked(topic, payload, retain=retain), work)

    def send(
        self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False, expiry_s: float | None = None
    ) -> None:
        """Written down."""
        self._tape.note(Kind.SENT, values=_asked(topic, payload, retain=retain))
        self._client.send(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)

    def _noted(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as MQTT has it
        self._tape.note(Kind.EVENT, topic=topic, payload=_written(payload), retained=retained)
        self._received(topic, payload, retained)

    async def _call(self, kind: Kind, asked: dict[str, object], work: Awaitable[None]) -> None:
        try:
            await self._recorder.call(kind, asked, work, lambda _: None)
        except (LinkDownError, NoAnswerError, RefusedError) as error:
            self._why_down = str(error) if kind is Kind.READ else self._why_down
            raise


class PlayedBroker:
    """Connections as they were made and lost, with the messages that came on them."""

    def __init__(self, recording: Recording) -> None:
        self.deck = Deck(recording, FAULTS, _same)
        self.attempts: asyncio.Queue[str | None] = asyncio.Queue()
        """How each attempt to connect ended: `None` well, else why not."""
        self.client: PlayedClient | None = None

    def make(self, _broker: Broker, _will: bytes, received: Received) -> Client:
        """A client that is not connected yet."""
        return PlayedClient(self, received)

    async def drive(self) -> None:
        """Let what came of itself come again."""
        async for line in self.deck.of_itself():
            client = self.client
            if line.kind is Kind.EVENT:
                if client is not None:
                    payload = payload_of(line.what.get("payload"))
                    client.received(str(line.what.get("topic")), payload, bool(line.what.get("retained")))
            elif line.what.get("what") == UP:
                self.attempts.put_nowait(None)
            elif client is not None:
                client.lose(str(line.what.get("detail", "")))
                self.client = None
            else:
                self.attempts.put_nowait(str(line.what.get("detail", "")))


class PlayedClient:
    """One connection of the recording."""

    def __init__(self, broker: PlayedBroker, received: Received) -> None:
        self._broker, self._deck = broker, broker.deck
        self.received = received
        self._lost = asyncio.Event()
        self._why_lost = ""

    def lose(self, why: str) -> None:
        """The connection is gone."""
        self._why_lost = why
        self._lost.set()

    async def open(self) -> None:
        """Connect when the recording did, or fail as it did."""
        refused = await self._broker.attempts.get()
        if refused is not None:
            raise LinkDownError(refused)
        self._broker.client = self

    def close(self, farewell: bytes = b"") -> None:
        """Nothing is left to close."""

    async def idle(self, for_s: float) -> None:
        """Wait that long, or until the connection is lost."""
        try:
            async with asyncio.timeout(max(for_s, 0.0)):
                await self._lost.wait()
        except TimeoutError:
            return
        raise LinkDownError(self._why_lost)

    async def subscribe(self, topics: Sequence[str]) -> None:
        """As it went then."""
        await self._deck.answer(Kind.READ, {"subscribe": list(topics)})

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        expiry_s: float | None = None,  # noqa: ARG002 - an end is in the message itself
    ) -> None:
        """Compared with what was published then."""
        await self._deck.answer(Kind.WRITE, _asked(topic, payload, retain=retain))

    def send(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,  # noqa: ARG002 - no part of the recording
        retain: bool = False,
        expiry_s: float | None = None,  # noqa: ARG002 - an end is in the message itself
    ) -> None:
        """Compared with what was sent then."""
        self._deck.sent(_asked(topic, payload, retain=retain))


def _asked(topic: str, payload: bytes, *, retain: bool) -> dict[str, object]:
    return {"topic": topic, "retain": retain, "values": _written(payload)}


def _written(payload: bytes) -> str:
    try:
        return _TEXT + payload.decode("utf-8")
    except UnicodeDecodeError:
        return _OCTETS + b64encode(payload).decode("ascii")


def payload_of(written: object) -> bytes:
    """A payload as it stands in the file."""
    text = str(written)
    return b64decode(text.removeprefix(_OCTETS)) if text.startswith(_OCTETS) else text.removeprefix(_TEXT).encode()


def _same(asked: object, then: object) -> bool:
    """The same message, whatever time it bears as its own."""
    if isinstance(asked, dict) and isinstance(then, dict):
        return asked["topic"] == then.get("topic") and _same(asked["values"], then.get("values"))
    return asked == then or _meaning(payload_of(asked)) == _meaning(payload_of(then))


def _meaning(payload: bytes) -> object:
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return _metrics(payload)
    return {k: v for k, v in message.items() if k != "timestamp"} if isinstance(message, dict) else message


def _metrics(payload: bytes) -> object:
    try:
        return tuple(replace(metric, timestamp=None) for metric in read_payload(payload).metrics)
    except PayloadError:
        return payload
